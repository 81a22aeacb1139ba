"""A members' action as the JSON that wallets sign: `eth_signTypedData_v4`, a Safe's app, a hardware key's screen."""

import re
from typing import Any, Final

import msgspec

from mpc_party.protocol.actions import (
    CANCEL_TYPE,
    MEMBERS_DOMAIN,
    MEMBERS_TYPE,
    PARAMETERS_TYPE,
    ROTATE_TYPE,
    UNPAUSE_TYPE,
    Action,
    CancelAction,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Unpause,
)
from mpc_party.protocol.eip712 import DOMAIN_TYPE, DOMAIN_VERSION

_STRUCT: Final = re.compile(r"(\w+)\(([^)]*)\)")
_TYPES: Final[dict[type, str]] = {
    RotateGroupKey: ROTATE_TYPE,
    SetMembers: MEMBERS_TYPE,
    SetParameters: PARAMETERS_TYPE,
    Unpause: UNPAUSE_TYPE,
    CancelAction: CANCEL_TYPE,
}


def typed_data(action: Action, chain_id: int, members: str) -> dict[str, Any]:
    """The document whose EIP-712 digest is `action_digest`."""
    types = _structs(DOMAIN_TYPE) | _structs(_TYPES[type(action)])
    return {
        "types": types,
        "primaryType": _STRUCT.findall(_TYPES[type(action)])[0][0],
        "domain": {
            "name": MEMBERS_DOMAIN,
            "version": DOMAIN_VERSION,
            "chainId": chain_id,
            "verifyingContract": members,
        },
        "message": _message(action),
    }


def _structs(text: str) -> dict[str, list[dict[str, str]]]:
    """The structs of an EIP-712 type: its own first, then those that it names."""
    return {
        name: [
            {"name": field.split(" ")[1], "type": field.split(" ")[0]} for field in fields.split(",") if field
        ]
        for name, fields in _STRUCT.findall(text)
    }


def _message(struct: msgspec.Struct) -> dict[str, Any]:
    return {_camel(name): _value(value) for name, value in msgspec.structs.asdict(struct).items()}


def _value(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _message(value)
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return list(value) if isinstance(value, tuple) else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
