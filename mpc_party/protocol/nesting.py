"""JSON from others, decoded without trusting the interpreter's recursion limit.

Importing `eth_account` (through `py_ecc`) raises that limit to 100,000 for the whole process. With it, decoders written
in C (`json`, untyped `msgspec`) overflow the C stack on deeply nested input and take the process down instead of raising
RecursionError. So the depth is measured first, by a scan that does not recurse.
"""

import json
import re
from typing import Any

MAX_DEPTH = 100
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)


def decode_json(text: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Decode JSON that nests at most 100 deep.

    Raises:
        ValueError: it is not JSON, or nests deeper.
    """
    require_shallow(text)
    return json.loads(text)


def require_shallow(text: bytes) -> None:
    """Refuse what nests more than 100 deep, JSON or not.

    Raises:
        ValueError: it does.
    """
    # Brackets inside of strings count here, too; only text with many of them is looked at closely.
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"JSON that nests more than {MAX_DEPTH} deep")


def _depth(text: bytes) -> int:
    depth = deepest = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in b"]}":
            depth -= 1
    return deepest
