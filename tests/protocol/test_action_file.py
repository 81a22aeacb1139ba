import json

import msgspec
import pytest
from coincurve import PrivateKey
from web3 import Web3

from mpc_party.protocol.action_file import ActionFile, dump_action_file, load_action_file, save_action_file
from mpc_party.protocol.actions import (
    CancelAction,
    LedgerConfig,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Tolerances,
    Unpause,
    action_digest,
    action_hash,
)
from mpc_party.protocol.eip712 import public_key_address
from mpc_party.protocol.errors import ConfigError, ReportError

KEY = PrivateKey(b"\x11" * 32)
SIGNER = public_key_address(KEY.public_key.format())
FEED = Web3.to_checksum_address("0x" + "a1" * 20)
MEMBERS = Web3.to_checksum_address("0x" + "b2" * 20)
SALT, DEADLINE = b"\x07" * 32, 1_800_000_000

ACTIONS = [
    RotateGroupKey(FEED, SIGNER, 2, 600, SALT, DEADLINE),
    SetMembers((SIGNER, FEED), 2, SALT, DEADLINE),
    SetParameters(FEED, LedgerConfig(3600, 60, 3600, 600, 680, 2000, 3600), Tolerances(), SALT, DEADLINE),
    Unpause(FEED, SALT, DEADLINE),
    CancelAction(b"\x09" * 32),
]


def signed(action, chain_id=31_337):
    signature = KEY.sign_recoverable(action_digest(action, chain_id, MEMBERS), hasher=None)
    return ActionFile(chain_id, MEMBERS, action, SIGNER, signature[:64] + bytes([signature[64] + 27]))


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: type(action).__name__)
def test_what_is_written_is_read(tmp_path, action):
    path, file = tmp_path / "a.json", signed(action)
    save_action_file(path, file)
    read = load_action_file(path)
    assert read == file
    assert (read.hash, read.digest) == (action_hash(action), action_digest(action, 31_337, MEMBERS))
    read.require_account_signature()
    with pytest.raises(ConfigError, match="exists"):
        save_action_file(path, file)


def test_a_contracts_signature_of_any_length_is_kept(tmp_path):
    file = msgspec.structs.replace(signed(ACTIONS[0]), signature=b"\x01" * 130)
    save_action_file(tmp_path / "a.json", file)
    assert load_action_file(tmp_path / "a.json") == file
    with pytest.raises(ReportError):
        file.require_account_signature()


def test_two_actions_of_the_same_words_differ_by_salt_chain_and_contract():
    subjects = {
        signed(Unpause(FEED, SALT, DEADLINE)).subject,
        signed(Unpause(FEED, b"\x08" * 32, DEADLINE)).subject,
        signed(Unpause(FEED, SALT, DEADLINE), 1).subject,
        msgspec.structs.replace(signed(Unpause(FEED, SALT, DEADLINE)), members=FEED).subject,
    }
    assert len(subjects) == 4


def broken(**changes):
    stored = json.loads(dump_action_file(signed(ACTIONS[0])))
    action = changes.pop("action", {})
    return json.dumps(stored | changes | {"action": stored["action"] | action}).encode()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "action file"),
        (b"[]", "object"),
        (b"{" * 500, "action file"),
        (b"\xff", "action file"),
        (broken(version=2), "version 2"),
        (broken(chain_id=0), "chain_id"),
        (broken(chain_id=1), "hashes"),
        (broken(members=FEED), "hashes"),
        (broken(members=FEED.lower()), "members"),
        (broken(signer="0x12"), "signer"),
        (broken(signature="0x"), "signature"),
        (broken(signature="0x" + "00" * 20_000), "signature"),
        (broken(hash="0x" + "00" * 32), "hashes"),
        (broken(digest="0x" + "00" * 32), "hashes"),
        (broken(more=1), "more"),
        (broken(action={"type": "nothing"}), "nothing"),
        (broken(action={"overlap": 601}), "hashes"),
        (broken(action={"overlap": -1}), "does not fit"),
        (broken(action={"overlap": "600"}), "int"),
        (broken(action={"salt": "0x07"}), "not 32"),
        (broken(action={"salt": "zz"}), "action file"),
        (broken(action={"feed": "0x1"}), "address"),
        (broken(action={"more": 1}), "more"),
    ],
)
def test_what_is_no_action_file(tmp_path, text, match):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=match) as caught:
        load_action_file(path)
    assert "\n" not in caught.value.message
    assert str(path) in caught.value.message


def test_a_file_that_is_missing_or_too_large(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_action_file(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b" " * 70_000)
    with pytest.raises(ConfigError, match="larger"):
        load_action_file(tmp_path / "a.json")
