"""The 32-byte words of a report: one definition of each field, packed and unpacked here and in Solidity alike.

`contracts/src/types/*.sol` read the same words; `contracts/test/vectors/words.json` holds the two sides together. Every
field is a whole number of bytes, most significant first, signed ones in two's complement. All functions are pure, and
refuse what does not fit instead of clipping it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from eth_hash.auto import keccak
from numpy.typing import NDArray

from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.messages import Expiry, Instrument

WORD_BYTES: Final = 32
LOWEST_VOL: Final = 10_000  # 1e-6, as `Breaker.MIN_VOL`
MARGIN_ABSENT: Final = 0xFFFFFF  # a margin that was not computed, in words and in columns

ParamColumns = Mapping[str, NDArray[np.int64]]


class Field(NamedTuple):
    """One field of a param word: its width in bytes, and the values that a report may have, inclusive.

    Every contract's breaker takes these values; what it rejects flags the feed, so that nothing else is ever signed.
    """

    name: str
    width: int
    lowest: int
    highest: int


# Word of one instrument, most significant byte first; the last three bytes are zero.
PARAM_FIELDS: Final = (
    Field("iv", 4, LOWEST_VOL, LOWEST_VOL + 2**24 - 1),  # 1e-6 of annual vol
    Field("bs_delta", 3, -(10**6), 10**6),  # 1e-6
    Field("hedge_delta", 3, -(2**22), 2**22 - 1),  # 1e-6
    Field("gamma", 5, 0, 2**40 - 1),  # 1e-6: forward * gamma
    Field("vega", 4, 0, 2**32 - 1),  # 1e-8: vega / forward per 1.00 of vol
    Field("premium", 4, 0, 2**32 - 1),  # 1e-8: undiscounted premium / forward
    Field("maintenance_margin", 3, 0, MARGIN_ABSENT),  # 1e-6 of the forward
    Field("initial_margin", 3, 0, MARGIN_ABSENT),  # 1e-6 of the forward
)
_MARGINS: Final = ("maintenance_margin", "initial_margin")
_USED_BYTES: Final = sum(field.width for field in PARAM_FIELDS)  # 29

_UNDERLYING: Final = re.compile(r"[A-Z0-9]{1,12}")
_CALL: Final = 1
_PUT: Final = 2


class ParamFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of one instrument, in report units (see `PARAM_FIELDS`); a margin of None was not computed."""

    iv: int
    bs_delta: int
    hedge_delta: int
    gamma: int
    vega: int
    premium: int
    maintenance_margin: int | None = None
    initial_margin: int | None = None


class ForwardFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One expiry (Unix seconds) and its forward (1e-8 of the quote currency)."""

    expiry: int
    forward: int


class InstrumentFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One option: underlying, call or put, expiry (Unix seconds), strike (1e-8 of the quote currency)."""

    underlying: str
    call: bool
    expiry: int
    strike: int


class BookColumns(NamedTuple):
    """A book's instruments, a row each: calls, expiries (Unix seconds), strikes (1e-8 of the quote currency, rounded)."""

    underlying: str
    call: NDArray[np.bool_]
    expiry: NDArray[np.int64]
    strike: NDArray[np.float64]


def pack_params(columns: Mapping[str, object]) -> bytes:
    """Pack one word per instrument from integer columns of equal length, in report units.

    Args:
        columns: the names of `PARAM_FIELDS` to arrays of integers, shape (n,). The two margins may both be
            left out; where one row has none, both hold `MARGIN_ABSENT`.

    Returns:
        n * 32 bytes.

    Raises:
        ReportError: a column is missing, unknown, of another length or not of integers, or a value does not fit;
            names the field and the first index.
    """
    table = _checked_columns(columns)
    count = len(table["iv"])
    packed = np.zeros((count, WORD_BYTES), dtype=np.uint8)
    at = 0
    for field in PARAM_FIELDS:
        # The low bytes of a big-endian int64 are the field in two's complement.
        as_bytes = table[field.name].astype(">i8").view(np.uint8).reshape(count, 8)
        packed[:, at : at + field.width] = as_bytes[:, 8 - field.width :]
        at += field.width
    return packed.tobytes()


def unpack_params(words: bytes) -> dict[str, NDArray[np.int64]]:
    """Read what `pack_params` wrote: int64 columns of shape (n,), absent margins as `MARGIN_ABSENT`.

    Raises:
        ReportError: not a whole number of words, reserved bits set, or a value that no contract accepts.
    """
    count = _count(words, "params")
    packed = np.frombuffer(words, dtype=np.uint8).reshape(count, WORD_BYTES)
    _refuse_first((packed[:, _USED_BYTES:] != 0).any(axis=1), "param word {} has reserved bits set")
    columns: dict[str, NDArray[np.int64]] = {}
    at = 0
    for field in PARAM_FIELDS:
        as_bytes = np.zeros((count, 8), dtype=np.uint8)
        as_bytes[:, 8 - field.width :] = packed[:, at : at + field.width]
        values = as_bytes.view(">i8").reshape(count).astype(np.int64)
        if field.lowest < 0:
            sign = 1 << (8 * field.width - 1)
            values = (values ^ sign) - sign
        columns[field.name] = values
        at += field.width
    return _checked_columns(columns)


def pack_param(fields: ParamFields) -> bytes:
    """Pack one word; see `pack_params`."""
    row = msgspec.structs.asdict(fields)
    for name in _MARGINS:
        # The all-ones value means absence and cannot be asked for as a number.
        if row[name] is None:
            row[name] = MARGIN_ABSENT
        elif row[name] == MARGIN_ABSENT:
            raise ReportError(
                f"param field `{name}` is {MARGIN_ABSENT}, which stands for a margin not computed"
            )
    return pack_params({name: _column(name, [value]) for name, value in row.items()})


def unpack_param(word: bytes) -> ParamFields:
    """Read one word; see `unpack_params`."""
    _one_word(word, "param")
    row: dict[str, int | None] = {name: int(values[0]) for name, values in unpack_params(word).items()}
    for name in _MARGINS:
        if row[name] == MARGIN_ABSENT:
            row[name] = None
    return msgspec.convert(row, ParamFields)


def pack_forward(fields: ForwardFields) -> bytes:
    """Pack zero(15) | expiry(5) | forward(12); both at least 1.

    Raises:
        ReportError: a value does not fit.
    """
    return bytes(15) + _unsigned("expiry", fields.expiry, 5) + _unsigned("forward", fields.forward, 12)


def unpack_forward(word: bytes) -> ForwardFields:
    """Read what `pack_forward` wrote.

    Raises:
        ReportError: not 32 bytes, reserved bits set, or a zero expiry or forward.
    """
    _one_word(word, "forward")
    if any(word[:15]):
        raise ReportError("forward word has reserved bits set")
    fields = ForwardFields(expiry=int.from_bytes(word[15:20]), forward=int.from_bytes(word[20:]))
    pack_forward(fields)
    return fields


def unpack_forwards(words: bytes) -> tuple[ForwardFields, ...]:
    """Read a report's forwards: at least one, expiries strictly ascending.

    Raises:
        ReportError: names the first word that breaks a rule.
    """
    _count(words, "forwards")
    forwards: list[ForwardFields] = []
    for index, word in enumerate(split_words(words)):
        try:
            fields = unpack_forward(word)
        except ReportError as error:
            raise ReportError(f"forward word {index}: {error.message}") from error
        if forwards and fields.expiry <= forwards[-1].expiry:
            raise ReportError(f"forward word {index}: expiries are not strictly ascending")
        forwards.append(fields)
    return tuple(forwards)


def pack_instrument(fields: InstrumentFields) -> bytes:
    """Pack underlying(12, ASCII, zero padded) | kind(1: 1 call, 2 put) | expiry(5) | strike(12) | zero(2).

    Raises:
        ReportError: a value does not fit.
    """
    return _pack_instrument(
        _underlying(fields.underlying), call=fields.call, expiry=fields.expiry, strike=fields.strike
    )


def unpack_instrument(word: bytes) -> InstrumentFields:
    """Read what `pack_instrument` wrote.

    Raises:
        ReportError: not 32 bytes, reserved bits set, an unknown kind, or an underlying that is no upper-case ASCII.
    """
    _one_word(word, "instrument")
    if any(word[30:]):
        raise ReportError("instrument word has reserved bits set")
    if word[12] not in {_CALL, _PUT}:
        raise ReportError(f"instrument word has kind {word[12]}: 1 is a call, 2 a put")
    fields = InstrumentFields(
        underlying=word[:12].rstrip(b"\0").decode("latin-1"),
        call=word[12] == _CALL,
        expiry=int.from_bytes(word[13:18]),
        strike=int.from_bytes(word[18:30]),
    )
    pack_instrument(fields)
    return fields


def pack_book(underlying: str, expiries: Sequence[Expiry], instruments: Sequence[Instrument]) -> bytes:
    """Pack a proposal's instruments, one word each, in the proposal's order.

    Raises:
        ReportError: an instrument names an expiry that is not there, or a value does not fit.
    """
    name = _underlying(underlying)
    words = bytearray()
    for index, instrument in enumerate(instruments):
        if not 0 <= instrument.expiry < len(expiries):
            raise ReportError(f"instrument {index} names expiry {instrument.expiry} of {len(expiries)}")
        expiry = expiries[instrument.expiry].expiry
        words += _pack_instrument(name, call=instrument.call, expiry=expiry, strike=instrument.strike)
    return bytes(words)


def unpack_book(words: bytes) -> BookColumns:
    """Read what `pack_book` wrote, all words at once: a whole book in a fraction of a millisecond.

    Raises:
        ReportError: not a whole number of words, or one that is no instrument of the first one's underlying; names it.
    """
    count = _count(words, "book")
    packed = np.frombuffer(words, dtype=np.uint8).reshape(count, WORD_BYTES)
    kind = packed[:, 12]
    _refuse_first((packed[:, 30:] != 0).any(axis=1), "instrument word {} has reserved bits set")
    _refuse_first(~np.isin(kind, (_CALL, _PUT)), "instrument word {} is neither a call nor a put")
    _refuse_first((packed[:, :12] != packed[0, :12]).any(axis=1), "instrument word {} has another underlying")
    as_bytes = np.zeros((count, 8), dtype=np.uint8)
    as_bytes[:, 3:] = packed[:, 13:18]
    expiry = as_bytes.view(">i8").reshape(count).astype(np.int64)
    high = np.ascontiguousarray(packed[:, 18:22]).view(">u4").reshape(count).astype(np.float64)
    low = np.ascontiguousarray(packed[:, 22:30]).view(">u8").reshape(count).astype(np.float64)
    strike = high * 2.0**64 + low
    _refuse_first((expiry == 0) | (strike == 0.0), "instrument word {} has a zero expiry or strike")
    return BookColumns(unpack_instrument(words[:WORD_BYTES]).underlying, kind == _CALL, expiry, strike)


def book_hash(underlying: str, expiries: Sequence[Expiry], instruments: Sequence[Instrument]) -> bytes:
    """Give the report's `book`: keccak256 of the concatenated instrument words. See `pack_book`."""
    return bytes(keccak(pack_book(underlying, expiries, instruments)))


def split_words(words: bytes) -> Iterator[bytes]:
    """Cut concatenated words apart, as web3 wants `bytes32[]`."""
    return (words[at : at + WORD_BYTES] for at in range(0, len(words), WORD_BYTES))


def _checked_columns(columns: Mapping[str, object]) -> dict[str, NDArray[np.int64]]:
    """Check names, types, lengths and ranges; fill in absent margins."""
    given = set(columns)
    names = {field.name for field in PARAM_FIELDS}
    required = names if given & set(_MARGINS) else names - set(_MARGINS)
    if given != required:
        wrong = ", ".join(sorted(given ^ required))
        raise ReportError(f"param columns are missing, unknown or only one of the two margins: {wrong}")
    table = {name: _column(name, values) for name, values in columns.items()}
    count = len(table["iv"])
    if not count:
        raise ReportError("param columns are empty: a report has at least one instrument")
    for name in _MARGINS:
        table.setdefault(name, np.full(count, MARGIN_ABSENT, dtype=np.int64))
    for field in PARAM_FIELDS:
        values = table[field.name]
        if len(values) != count:
            raise ReportError(f"param field `{field.name}` has {len(values)} values, `iv` has {count}")
        _refuse_first(
            (values < field.lowest) | (values > field.highest),
            f"param field `{field.name}` of instrument {{}} is {{}}, outside [{field.lowest}, {field.highest}]",
            values,
        )
    maintenance, initial = (table[name] for name in _MARGINS)
    _refuse_first(
        (initial < maintenance) | ((initial == MARGIN_ABSENT) & (maintenance != MARGIN_ABSENT)),
        "margins of instrument {}: the initial one is below the maintenance one, or only one was computed",
    )
    return table


def _column(name: str, values: object) -> NDArray[np.int64]:
    """Take a one-dimensional integer array as int64, without rounding, wrapping or guessing."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ReportError(
            f"param field `{name}` is not a one-dimensional array of integers that fit in 64 bits"
        )
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ReportError(f"param field `{name}` holds a value above 63 bits")
    return array.astype(np.int64)


def _refuse_first(bad: NDArray[np.bool_], text: str, values: NDArray[np.int64] | None = None) -> None:
    if bad.any():
        index = int(np.argmax(bad))
        raise ReportError(text.format(index, *(() if values is None else (int(values[index]),))))


def _count(words: bytes, name: str) -> int:
    if not words or len(words) % WORD_BYTES:
        raise ReportError(
            f"`{name}` has {len(words)} bytes: not a positive number of {WORD_BYTES}-byte words"
        )
    return len(words) // WORD_BYTES


def _one_word(word: bytes, name: str) -> None:
    if len(word) != WORD_BYTES:
        raise ReportError(f"{name} word has {len(word)} bytes, not {WORD_BYTES}")


def _unsigned(name: str, value: int, width: int) -> bytes:
    if not 1 <= value < 1 << (8 * width):
        raise ReportError(f"field `{name}` is {value}, outside [1, 2^{8 * width})")
    return value.to_bytes(width)


def _underlying(name: str) -> bytes:
    if not _UNDERLYING.fullmatch(name):
        raise ReportError(f"underlying {name!r} is not 1 to 12 of A-Z and 0-9")
    return name.encode("ascii").ljust(12, b"\0")


def _pack_instrument(underlying: bytes, *, call: bool, expiry: int, strike: int) -> bytes:
    kind = bytes([_CALL if call else _PUT])
    return underlying + kind + _unsigned("expiry", expiry, 5) + _unsigned("strike", strike, 12) + bytes(2)
