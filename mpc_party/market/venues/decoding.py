"""Decoding what venues send: one error for everything that can be wrong, whatever it does to the decoder."""

from typing import TypeVar

import msgspec
from msgspec import Raw

from mpc_party.protocol.nesting import require_shallow

Kind = TypeVar("Kind")


def decode(decoder: msgspec.json.Decoder[Kind], data: bytes | Raw) -> Kind:
    """Decode a message (bytes), or a part of one that has been decoded (`Raw`).

    Raises:
        ValueError: not JSON, of other types, not UTF-8, or nested too deep.
    """
    if isinstance(data, bytes):
        require_shallow(data)
    return decoder.decode(data)
