"""ECDSA signatures in DER, read strictly: the form in which others' test vectors have them."""

from __future__ import annotations

SEQUENCE, INTEGER = 0x30, 0x02
WORD = 32


class NotDerError(ValueError):
    """Not the one DER encoding of two integers that are not negative."""


def parse_der(data: bytes) -> tuple[int, int]:
    """The r and s of SEQUENCE { INTEGER r, INTEGER s }, with nothing before, between or after them.

    Lengths take one byte: a signature of this curve has at most 72 bytes, and DER wants the shortest form. The integers
    may be of any size otherwise, zero too: whether they can be a signature's is for a verifier to say.

    Raises:
        NotDerError: another encoding.
    """
    if len(data) < 2 or data[0] != SEQUENCE or data[1] != len(data) - 2 or data[1] > 0x7F:
        raise NotDerError("no sequence of the length that it has")
    r, rest = _take_integer(data[2:])
    s, rest = _take_integer(rest)
    if rest:
        raise NotDerError("something after the two integers")
    return r, s


def _take_integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != INTEGER or not 0 < data[1] <= len(data) - 2:
        raise NotDerError("no integer of the length that it says")
    value, rest = data[2 : 2 + data[1]], data[2 + data[1] :]
    if value[0] & 0x80:
        raise NotDerError("a negative integer")
    if len(value) > 1 and value[0] == 0 and not value[1] & 0x80:
        raise NotDerError("an integer with a zero byte too many")
    return int.from_bytes(value, "big"), rest


def fits_words(r: int, s: int) -> bool:
    """Whether r and s can be written as 32 bytes each, which is all that 65 bytes have room for."""
    return max(r, s) < 1 << (8 * WORD)
