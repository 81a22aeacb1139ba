from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from coincurve import PrivateKey
from eth_account import Account

from mpc_party.protocol.consortium import Program, Settlement, evm_address
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.errors import ConfigError, Reason
from tests.support.consortium import CONTRACT, complete, make_cast

GOLDEN = Path(__file__).parent / "golden"
CAST = make_cast()
COMPLETE = complete(CAST)


def test_a_file_of_version_2_keeps_its_hashes() -> None:
    expected = json.loads((GOLDEN / "expected.v2.json").read_text())
    consortium = load_consortium(GOLDEN / "consortium.v2.toml")
    assert consortium.hash.hex() == expected["hash"]
    assert consortium.roster_hash.hex() == expected["roster_hash"]
    assert consortium.group_address == expected["group_address"]


def test_a_file_of_version_1_is_refused_by_its_number() -> None:
    """Its program had no margin scenarios, so that its members would compute something else."""
    with pytest.raises(ConfigError, match="this program reads version 2 only"):
        load_consortium(GOLDEN / "consortium.v1.toml")


def lists(value: Any) -> Any:
    """The canonical form, made another way: from the JSON form and the order of the fields in the document."""
    if isinstance(value, dict):
        return [lists(item) for item in value.values()]
    return [lists(item) for item in value] if isinstance(value, list | tuple) else value


def test_the_hashes_are_over_the_documented_form() -> None:
    fields = lists(msgspec.to_builtins(COMPLETE))
    encoded = msgspec.msgpack.encode(fields)
    assert COMPLETE.hash == hashlib.sha256(b"mpc-hedge/consortium/v1" + encoded).digest()
    roster = msgspec.msgpack.encode(fields[:9])
    assert COMPLETE.roster_hash == hashlib.sha256(b"mpc-hedge/roster/v1" + roster).digest()


def test_completing_the_file_changes_the_hash_and_not_the_rosters() -> None:
    stages = [CAST.consortium]
    for section in ("key", "model", "settlement"):
        stages.append(msgspec.structs.replace(stages[-1], **{section: getattr(COMPLETE, section)}))
    assert len({stage.hash for stage in stages}) == 4
    assert len({stage.roster_hash for stage in stages}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"id": "00" * 32},
        {"epoch": 2},
        {"broker": "mqtt://127.0.0.1:1884"},
        {"coordinator": "00" * 32},
        {"members": CAST.consortium.members[::-1]},
        {"program": Program(degree=11)},
    ],
)
def test_every_field_of_the_roster_counts(change: dict[str, Any]) -> None:
    other = msgspec.structs.replace(CAST.consortium, **change)
    assert other.hash != CAST.consortium.hash
    assert other.roster_hash != CAST.consortium.roster_hash


def test_an_equal_consortium_has_the_equal_hash_and_is_equal() -> None:
    again = msgspec.structs.replace(COMPLETE)
    assert again.hash == COMPLETE.hash
    assert again == COMPLETE


def test_members_by_name_and_index() -> None:
    c = CAST.consortium
    assert c.names == ("alice", "bob", "carol")
    assert c.index_of("carol") == 2
    assert c.member("bob") is c.members[1]
    assert c.id_bytes.hex() == c.id
    with pytest.raises(ConfigError, match="'mallory' is not a member") as refused:
        c.member("mallory")
    assert refused.value.reason is Reason.KEY_UNKNOWN


@pytest.mark.parametrize(
    ("without", "command"),
    [("key", "mpc-party keygen"), ("model", "mpc-models deal"), ("settlement", "mpc-coordinator deploy")],
)
def test_what_is_missing_is_named_with_the_command_that_adds_it(without: str, command: str) -> None:
    COMPLETE.require_ready()
    with pytest.raises(ConfigError, match=f"no '{without}' yet; `{command}` adds it") as refused:
        msgspec.structs.replace(COMPLETE, **{without: None}).require_ready()
    assert refused.value.reason is Reason.CONSORTIUM_INCOMPLETE


def test_addresses_are_those_of_the_chains_own_library() -> None:
    for number in (1, 2, 0xDEADBEEF):
        key = PrivateKey.from_int(number)
        assert evm_address(key.public_key.format()) == Account.from_key(key.secret).address
    # The address of the private key 1, which everybody knows.
    assert (
        evm_address(PrivateKey.from_int(1).public_key.format())
        == "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
    )
    with pytest.raises(ConfigError, match="no 'key' yet"):
        _ = CAST.consortium.group_address
    assert COMPLETE.settlement == Settlement(31337, CONTRACT)
