from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.keystore import MAX_SEALED, open_sealed, seal
from mpc_party.protocol.passphrase import Passphrase

GOLDEN = Path(__file__).parent / "golden"
PASSPHRASE = Passphrase("correct horse battery stäple")
SEALED = seal(b"secret", PASSPHRASE, "test")


def test_the_kdf_and_the_cipher_are_those_of_the_rfcs() -> None:
    """RFC 7914, section 12, third vector; RFC 8439, section 2.8.2."""
    key = Scrypt(salt=b"SodiumChloride", length=64, n=16384, r=8, p=1).derive(b"pleaseletmein")
    assert key.hex().startswith("7023bdcb3afd7348461c06cd81fd38eb")
    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    nonce, associated = bytes.fromhex("070000004041424344454647"), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = ChaCha20Poly1305(bytes(range(0x80, 0xA0))).encrypt(nonce, plain, associated)
    assert sealed.hex().startswith("d31a8d34648e60db7b86afbc53ef7ec2")
    assert sealed.hex().endswith("1ae10b594f09e26a7e902ecbd0600691")


def test_a_file_of_version_1_still_opens() -> None:
    data = (GOLDEN / "sealed.v1.bin").read_bytes()
    assert open_sealed(data, PASSPHRASE, "key share/test") == b"a key share"


def test_opens_with_the_passphrase_and_never_looks_the_same_twice() -> None:
    assert open_sealed(SEALED, PASSPHRASE, "test") == b"secret"
    assert seal(b"secret", PASSPHRASE, "test") != SEALED
    assert b"secret" not in SEALED
    assert open_sealed(seal(b"", PASSPHRASE, "test"), PASSPHRASE, "test") == b""


def test_a_wrong_passphrase_is_called_that() -> None:
    with pytest.raises(ConfigError, match=r"alice\.key: the passphrase is wrong") as refused:
        open_sealed(SEALED, Passphrase("wrong"), "test", "alice.key")
    assert refused.value.reason is Reason.PASSPHRASE_WRONG
    assert "\n" not in str(refused.value)


def test_another_purpose_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="holds 'test', not 'other'") as refused:
        open_sealed(SEALED, PASSPHRASE, "other")
    assert refused.value.reason is Reason.CONFIG_INVALID


def changed(index: int, value: object) -> bytes:
    fields = msgspec.msgpack.decode(SEALED)
    fields[index] = value
    return msgspec.msgpack.encode(fields)


def test_the_purpose_cannot_be_rewritten() -> None:
    with pytest.raises(ConfigError, match="the file was changed"):
        open_sealed(changed(2, "other"), PASSPHRASE, "other")


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, b"mpc-hedge/other"),
        (1, 2),
        (3, 60),  # an exabyte
        (3, 0),
        (3, -1),
        (4, 1024),
        (5, 1 << 30),
        (6, b"short"),
        (7, b""),
        (8, "text"),
        (2, ""),
        (2, "x" * 100),
    ],
)
def test_hostile_parameters_are_refused_before_they_cost_anything(
    index: int, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpc_party.protocol.keystore.Scrypt", None)  # to call it would fail differently
    with pytest.raises(ConfigError) as refused:
        open_sealed(changed(index, value), PASSPHRASE, "test")
    assert refused.value.reason is Reason.CONFIG_INVALID


@pytest.mark.parametrize(
    ("index", "value"), [(3, 14), (5, 2), (6, bytes(16)), (7, bytes(12)), (8, bytes(22))]
)
def test_parameters_within_bounds_are_authenticated(index: int, value: object) -> None:
    with pytest.raises(ConfigError) as refused:
        open_sealed(changed(index, value), PASSPHRASE, "test")
    assert refused.value.reason is Reason.PASSPHRASE_WRONG


@pytest.mark.parametrize(
    "data", [b"", b"\x00", SEALED[:-1], SEALED + b"\x00", b"\x91" * 5000, bytes(MAX_SEALED + 2000)]
)
def test_what_is_no_sealed_file(data: bytes) -> None:
    with pytest.raises(ConfigError, match="sealed file"):
        open_sealed(data, PASSPHRASE, "test")


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ConfigError) as refused:
        open_sealed(data, PASSPHRASE, "test")
    assert "\n" not in str(refused.value)
