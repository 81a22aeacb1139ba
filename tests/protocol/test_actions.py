"""Members' actions against eth_account's hashing of their types, and the vectors that the contract is tested with."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol import actions
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
from mpc_party.protocol.eip712 import recover
from mpc_party.protocol.errors import ReportError

ROOT = Path(__file__).resolve().parents[2]
VECTOR = json.loads((ROOT / "contracts" / "test" / "vectors" / "report.json").read_text(encoding="utf-8"))
MEMBERS = VECTOR["members"]
CHAIN_ID, CONTRACT = VECTOR["chainId"], MEMBERS["contract"]
FEED = VECTOR["contract"]
CONFIG = LedgerConfig(600, 60, 3_600, 600, 640, 1_500, 900)
SALT = b"\x5a" * 32
TYPES = {
    RotateGroupKey: actions.ROTATE_TYPE,
    SetMembers: actions.MEMBERS_TYPE,
    SetParameters: actions.PARAMETERS_TYPE,
    Unpause: actions.UNPAUSE_TYPE,
    CancelAction: actions.CANCEL_TYPE,
}


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def message(value):
    if isinstance(value, msgspec.Struct):
        return {camel(name): message(getattr(value, name)) for name in value.__struct_fields__}
    return list(value) if isinstance(value, tuple) else value


def oracle(action, chain_id=CHAIN_ID, contract=CONTRACT):
    """The signable message by eth_account, from the type string alone."""
    types = {}
    for name, fields in re.findall(r"(\w+)\(([^)]*)\)", TYPES[type(action)]):
        types[name] = [
            dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")
        ]
    return encode_typed_data(
        domain_data={
            "name": "MPC Hedge Members", "version": "1", "chainId": chain_id, "verifyingContract": contract,
        },
        message_types=types,
        message_data=message(action),
    )  # fmt: skip


def from_vector(name):
    kind = {
        "rotateGroupKey": RotateGroupKey, "setMembers": SetMembers, "setParameters": SetParameters,
        "unpause": Unpause, "cancelAction": CancelAction,
    }[name]  # fmt: skip
    fields = MEMBERS["actions"][name]

    def value(field):
        given = fields[camel(field)]
        if field in {"salt", "action"}:
            return bytes.fromhex(given[2:])
        if field in {"config", "tolerances"}:
            return (LedgerConfig if field == "config" else Tolerances)(*given.values())
        return tuple(given) if isinstance(given, list) else given

    return kind(*(value(field) for field in kind.__struct_fields__))


@pytest.mark.parametrize("name", MEMBERS["actions"])
def test_vectors(name):
    action, expected = from_vector(name), MEMBERS["actions"][name]
    assert action_hash(action).hex() == expected["structHash"][2:]
    digest = action_digest(action, CHAIN_ID, CONTRACT)
    assert digest.hex() == expected["digest"][2:]
    signers = [recover(digest, bytes.fromhex(signature[2:])) for signature in expected["signatures"]]
    assert signers == MEMBERS["accounts"][: MEMBERS["quorum"]]
    assert signers == sorted(signers, key=lambda address: int(address, 16))


@pytest.mark.parametrize("name", MEMBERS["actions"])
def test_eth_account_hashes_the_same(name):
    action = from_vector(name)
    said = oracle(action)
    assert said.header.hex() == MEMBERS["domainSeparator"][2:]
    assert said.body == action_hash(action)
    signature = bytes.fromhex(MEMBERS["actions"][name]["signatures"][0][2:])
    assert Account.recover_message(said, signature=signature) == MEMBERS["accounts"][0]


addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words = st.binary(min_size=32, max_size=32)
uint16, uint24, uint64, uint256 = (st.integers(0, 2**bits - 1) for bits in (16, 24, 64, 256))
configs = st.builds(LedgerConfig, uint16, uint16, uint24, uint24, uint16, uint16, uint16)
tolerances = st.builds(Tolerances, uint24, uint24, uint24, uint24, uint24, uint16, uint24)


@given(
    st.one_of(
        st.builds(RotateGroupKey, addresses, addresses, uint64, uint256, words, uint256),
        st.builds(SetMembers, st.lists(addresses, max_size=5).map(tuple), uint256, words, uint256),
        st.builds(SetParameters, addresses, configs, tolerances, words, uint256),
        st.builds(Unpause, addresses, words, uint256),
        st.builds(CancelAction, words),
    ),
    st.integers(1, 2**63),
    addresses,
)
def test_eth_account_agrees_everywhere(action, chain_id, contract):
    said = oracle(action, chain_id, contract)
    assert action_hash(action) == said.body
    assert said.header not in {b"", said.body}
    assert action_digest(action, chain_id, contract) == actions.typed_digest(said.header, said.body)


def test_every_field_counts():
    for name in MEMBERS["actions"]:
        action = from_vector(name)
        for field in action.__struct_fields__:
            value = getattr(action, field)
            if isinstance(value, int):
                others = [value + 1]
            elif isinstance(value, bytes):
                others = [bytes([value[0] ^ 1]) + value[1:]]
            elif isinstance(value, tuple):
                others = [value[:-1], value[::-1]]
            elif isinstance(value, str):
                others = ["0x" + "11" * 20]
            else:
                others = [
                    msgspec.structs.replace(value, **{inner: getattr(value, inner) + 1})
                    for inner in value.__struct_fields__
                ]
            for other in others:
                assert action_hash(msgspec.structs.replace(action, **{field: other})) != action_hash(action)


@pytest.mark.parametrize(
    "action",
    [
        Unpause("nobody", SALT, 1),
        Unpause(FEED, SALT[:-1], 1),
        Unpause(FEED, SALT, -1),
        Unpause(FEED, SALT, 2**256),
        CancelAction(b""),
        RotateGroupKey(FEED, FEED, 2**64, 0, SALT, 1),
        SetMembers((FEED, "0x"), 1, SALT, 1),
        SetParameters(FEED, msgspec.structs.replace(CONFIG, max_age=2**16), Tolerances(), SALT, 1),
        SetParameters(FEED, CONFIG, Tolerances(hedge_reach=2**16), SALT, 1),
        SetParameters(FEED, CONFIG, Tolerances(delta=-1), SALT, 1),
    ],
)
def test_what_does_not_fit_is_refused(action):
    with pytest.raises(ReportError):
        action_hash(action)


def test_another_chain_or_contract_is_another_digest():
    action = Unpause(FEED, SALT, 1)
    digests = {action_digest(action, *where) for where in ((1, CONTRACT), (2, CONTRACT), (1, FEED))}
    assert len(digests) == 3
