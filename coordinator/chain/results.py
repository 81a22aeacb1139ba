"""eth-tester's blocks, transactions and logs as JSON-RPC has them: camelCase names, numbers as 0x-hex."""

from collections.abc import Mapping
from typing import Any

_RENAMED = {"coinbase": "miner", "data": "input"}


def camel_case(record: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the fields and convert the values of one record."""
    return {_RENAMED.get(key, _camel(key)): _value(value) for key, value in record.items()}


def block_result(block: Mapping[str, Any]) -> dict[str, Any]:
    """A block; its transactions are hashes or whole."""
    result = camel_case({key: value for key, value in block.items() if key != "transactions"})
    result["logsBloom"] = f"0x{block['logs_bloom']:0512x}"
    result["transactions"] = [
        item if isinstance(item, str) else transaction_result(item) for item in block["transactions"]
    ]
    return result


def transaction_result(transaction: Mapping[str, Any]) -> dict[str, Any]:
    """A transaction."""
    return camel_case(transaction)


def log_result(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A log entry, whose data is called data."""
    result = camel_case({key: value for key, value in entry.items() if key not in {"type", "data"}})
    return {**result, "data": _value(entry["data"]), "removed": False}


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in tail)


def _value(value: object) -> object:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return camel_case(value)
    if isinstance(value, (list, tuple)):
        return [_value(item) for item in value]
    raise TypeError(f"no JSON-RPC form for {type(value).__name__}")
