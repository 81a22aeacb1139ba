from __future__ import annotations

import json
import stat
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from eth_account import Account
from eth_account.messages import encode_defunct

from mpc_party.protocol.card import load_card
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.identity import CoordinatorIdentity, Identity, encrypt_for
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.passphrase import Passphrase
from tests.support.consortium import make_cast

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = json.loads((GOLDEN / "expected.v1.json").read_text())
CAST = make_cast()
ALICE = CAST.members[0]
PASSPHRASE = Passphrase("hunter2")


def test_keystores_of_version_1_still_open() -> None:
    passphrase = Passphrase(EXPECTED["passphrase"])
    alice = Identity.load(GOLDEN / "alice.v1.key", passphrase)
    assert alice.member == load_card(GOLDEN / "alice.member.v1.toml").member
    assert alice.sign(b"abc").hex() == EXPECTED["signature_over_abc"]
    assert alice.decrypt((GOLDEN / "to-alice.v1.age").read_bytes()) == b"a model share"
    CoordinatorIdentity.load(GOLDEN / "coordinator.v1.key", passphrase)
    consortium = load_consortium(GOLDEN / "consortium.v2.toml")
    assert Identity.load(GOLDEN / "alice-of-v2.v1.key", passphrase).require_member(consortium) == 0
    CoordinatorIdentity.load(GOLDEN / "coordinator-of-v2.v1.key", passphrase).require_role(consortium)


def test_signatures_are_those_of_rfc_8032() -> None:
    """Section 7.1, test 3: that the library beneath is what its name says."""
    key = Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
    )
    assert key.sign(bytes.fromhex("af82")).hex() == (
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
    )


def test_what_is_saved_loads_the_same_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    ALICE.save(path, PASSPHRASE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Identity.load(path, PASSPHRASE)
    assert again.member == ALICE.member
    assert again.name == "alice"
    assert again.sign(b"x") == ALICE.sign(b"x")
    with pytest.raises(ConfigError, match="wrong") as refused:
        Identity.load(path, Passphrase("hunter3"))
    assert refused.value.reason is Reason.PASSPHRASE_WRONG


def test_a_keystore_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    ALICE.save(path, PASSPHRASE)
    with pytest.raises(ConfigError, match="exists already"):
        CAST.members[1].save(path, PASSPHRASE)
    assert Identity.load(path, PASSPHRASE).name == "alice"
    CAST.members[1].save(path, PASSPHRASE, overwrite=True)
    assert Identity.load(path, PASSPHRASE).name == "bob"


def test_a_members_keystore_is_not_a_coordinators(tmp_path: Path) -> None:
    ALICE.save(tmp_path / "a", PASSPHRASE)
    CAST.coordinator.save(tmp_path / "c", PASSPHRASE)
    with pytest.raises(ConfigError, match="holds 'member identity', not 'coordinator identity'"):
        CoordinatorIdentity.load(tmp_path / "a", PASSPHRASE)
    with pytest.raises(ConfigError, match="holds 'coordinator identity'"):
        Identity.load(tmp_path / "c", PASSPHRASE)
    loaded = CoordinatorIdentity.load(tmp_path / "c", PASSPHRASE)
    assert (loaded.signing_key, loaded.account) == (CAST.coordinator.signing_key, CAST.coordinator.account)


@pytest.mark.parametrize("plain", [b"", b"\x90", msgspec.msgpack.encode(["alice"])])
def test_sealed_nonsense_is_one_line(tmp_path: Path, plain: bytes) -> None:
    (tmp_path / "a").write_bytes(seal(plain, PASSPHRASE, "member identity"))
    with pytest.raises(ConfigError, match="does not hold an identity"):
        Identity.load(tmp_path / "a", PASSPHRASE)


def test_signatures_verify_under_the_public_key() -> None:
    for signer in (ALICE, CAST.coordinator):
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer.signing_key))
        key.verify(signer.sign(b"data"), b"data")
        with pytest.raises(InvalidSignature):
            key.verify(signer.sign(b"data"), b"other")
    assert CAST.coordinator.name == "coordinator"


def test_the_account_signs_for_its_address() -> None:
    for identity in (ALICE, CAST.coordinator):
        account = identity.evm_account()
        assert account.address == identity.account
        message = encode_defunct(text="hello")
        signature = account.sign_message(message).signature
        assert Account.recover_message(message, signature=signature) == identity.account


def test_only_the_addressee_decrypts() -> None:
    bob = CAST.members[1]
    sealed = encrypt_for(bob.member, b"a share of the model")
    assert bob.decrypt(sealed) == b"a share of the model"
    with pytest.raises(ConfigError, match=r"share\.age: does not open with the key of alice"):
        ALICE.decrypt(sealed, "share.age")
    for damaged in (b"", sealed[:-1], b"x" + sealed):
        with pytest.raises(ConfigError, match="does not open"):
            bob.decrypt(damaged)


def test_a_member_finds_itself_in_the_file() -> None:
    assert [member.require_member(CAST.consortium) for member in CAST.members] == [0, 1, 2]
    stranger = Identity.generate("mallory", "127.0.0.1:9")
    with pytest.raises(ConfigError, match="'mallory' is not a member") as refused:
        stranger.require_member(CAST.consortium)
    assert refused.value.reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("field", ["signing_key", "encryption_key", "account", "mesh_address", "certificate"])
def test_a_file_with_another_key_under_this_name_is_refused_by_field(field: str) -> None:
    other = Identity.generate("alice", "127.0.0.1:9").member
    listed = msgspec.structs.replace(ALICE.member, **{field: getattr(other, field)})
    consortium = msgspec.structs.replace(CAST.consortium, members=(listed, *CAST.consortium.members[1:]))
    with pytest.raises(ConfigError, match=rf"members\[0\]\.{field} is not that of this identity") as refused:
        ALICE.require_member(consortium)
    assert refused.value.reason is Reason.KEY_UNKNOWN


def test_the_coordinator_finds_itself_in_the_file() -> None:
    CAST.coordinator.require_role(CAST.consortium)
    with pytest.raises(ConfigError, match="not the coordinator") as refused:
        CoordinatorIdentity.generate().require_role(CAST.consortium)
    assert refused.value.reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize("name", ["", "Alice", "a b", "a\n", "-a", "x" * 33, "coordinator", "ä", "../a"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        Identity.generate(name, "127.0.0.1:7000")


def test_an_address_that_is_none() -> None:
    with pytest.raises(ConfigError, match="mesh_address"):
        Identity.generate("alice", "nowhere")
