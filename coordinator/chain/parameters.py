"""Parameters of JSON-RPC requests, checked: quantities, data, addresses, block tags, call objects, log filters."""

import re
from typing import Any

from eth_typing import Address

TAGS = frozenset({"latest", "pending", "earliest", "safe", "finalized"})
MAX_DATA = 2 * 1024 * 1024  # hex digits
MAX_TOPICS = 4
MAX_ALTERNATIVES = 64
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)
# What a call may say beyond what is used here: fees do not matter to a call that costs nothing.
_CALL_FIELDS = frozenset(
    {
        "from", "to", "gas", "value", "data", "input", "gasPrice", "maxFeePerGas", "maxPriorityFeePerGas",
        "nonce", "type", "chainId", "accessList",
    }
)  # fmt: skip


class InvalidParameterError(Exception):
    """A parameter is not what the method takes; the message says which."""


def quantity(value: object, bits: int) -> int:
    """A number as 0x-hex, or as a JSON integer, which some clients send, of at most so many bits."""
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        number = int(value, 16)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        raise InvalidParameterError(f"{_shown(value)} is not a quantity")
    if not 0 <= number < 1 << bits:
        raise InvalidParameterError(f"{_shown(value)} is out of range")
    return number


def data(value: object) -> bytes:
    """Bytes as 0x-hex."""
    if not isinstance(value, str) or len(value) > MAX_DATA or not _DATA.fullmatch(value):
        raise InvalidParameterError(f"{_shown(value)} is not hex data")
    return bytes.fromhex(value[2:])


def address(value: object) -> Address:
    """20 bytes."""
    raw = data(value)
    if len(raw) != 20:
        raise InvalidParameterError(f"{_shown(value)} is not an address")
    return Address(raw)


def hash32(value: object) -> str:
    """A hash, as text, lower case."""
    if len(data(value)) != 32:
        raise InvalidParameterError(f"{_shown(value)} is not a hash")
    return str(value).lower()


def block_tag(value: object) -> str | int:
    """A tag or a number."""
    if isinstance(value, str) and value in TAGS:
        return value
    return quantity(value, 63)


def call_object(value: object) -> dict[str, Any]:
    """The transaction of a call: `from`, `to` (bytes), `gas`, `value` (int), `data` (bytes), where present."""
    if not isinstance(value, dict):
        raise InvalidParameterError("the first parameter must be a call object")
    if unknown := sorted(set(value) - _CALL_FIELDS):
        raise InvalidParameterError(f"unknown field {_shown(unknown[0])} in the call")
    call: dict[str, Any] = {}
    if value.get("from") is not None:
        call["from"] = address(value["from"])
    if value.get("to"):
        call["to"] = address(value["to"])
    for name, bits in (("gas", 63), ("value", 256)):
        if value.get(name) is not None:
            call[name] = quantity(value[name], bits)
    for name in ("data", "input"):
        if value.get(name) is not None:
            call["data"] = data(value[name])
    return call


def log_filter(value: object) -> dict[str, Any]:
    """A filter in eth-tester's terms: from_block, to_block, address, topics, or block_hash."""
    if not isinstance(value, dict):
        raise InvalidParameterError("the first parameter must be a filter object")
    if unknown := sorted(set(value) - {"fromBlock", "toBlock", "address", "topics", "blockHash"}):
        raise InvalidParameterError(f"unknown field {_shown(unknown[0])} in the filter")
    result: dict[str, Any] = {}
    if value.get("blockHash") is not None:
        if value.get("fromBlock") is not None or value.get("toBlock") is not None:
            raise InvalidParameterError("a filter has blockHash or a range, not both")
        result["block_hash"] = hash32(value["blockHash"])
    bounds = {"from_block": value.get("fromBlock"), "to_block": value.get("toBlock")}
    result |= {key: block_tag(bound) for key, bound in bounds.items() if bound is not None}
    if (wanted := value.get("address")) is not None:
        result["address"] = _addresses(wanted)
    if (topics := value.get("topics")) is not None:
        if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
            raise InvalidParameterError(f"topics must be an array of at most {MAX_TOPICS}")
        result["topics"] = [_topic(topic) for topic in topics]
    return result


def _addresses(value: object) -> str | list[str]:
    if not isinstance(value, list):
        return "0x" + address(value).hex()
    if len(value) > MAX_ALTERNATIVES:
        raise InvalidParameterError(f"at most {MAX_ALTERNATIVES} addresses")
    return ["0x" + address(item).hex() for item in value]


def _topic(value: object) -> str | list[str] | None:
    if value is None:
        return None
    if isinstance(value, list):
        if len(value) > MAX_ALTERNATIVES:
            raise InvalidParameterError(f"at most {MAX_ALTERNATIVES} alternatives to a topic")
        return [hash32(item) for item in value]
    return hash32(value)


def _shown(value: object) -> str:
    return repr(value)[:80]
