"""The report that the consortium signs, its rules and its one encoding.

The rules here are the ones that need no configuration: sizes, order, reserved bits. The settlement contract adds its own
bounds (age, vol band, number of instruments) and refuses what breaks them.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.messages import Bytes32, Uint64
from mpc_party.protocol.words import WORD_BYTES, unpack_forwards, unpack_params

MAX_EXPIRIES: Final = 64  # as `HedgeSettlement.EXPIRIES_LIMIT`
MAX_INSTRUMENTS: Final = 1024  # as `HedgeSettlement.INSTRUMENTS_LIMIT`


class HedgeReport(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="hedge-report-v1"
):
    """EIP-712 `HedgeReport`; `forwards` and `params` are their 32-byte words, concatenated.

    `consortium`: the consortium's identity. `epoch`: the group key's. `round`: grows from report to report.
    `observed_at`, `valid_until`: Unix seconds. `book`: `words.book_hash` of the instruments. `model`: commitment to
    the secret-shared weights. `inputs`: `merkle.merkle_root` of the committee's commitments. `forwards`: one
    forward word per expiry, ascending. `params`: one param word per instrument, in the book's order.

    Building one checks nothing, as with every msgspec struct; `check_report` does, and so do `encode_report`,
    `decode_report` and `eip712.report_digest`.
    """

    consortium: Bytes32
    epoch: Uint64
    round: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    observed_at: Uint64
    valid_until: Uint64
    book: Bytes32
    model: Bytes32
    inputs: Bytes32
    forwards: Annotated[bytes, Meta(min_length=WORD_BYTES, max_length=WORD_BYTES * MAX_EXPIRIES)]
    params: Annotated[bytes, Meta(min_length=WORD_BYTES, max_length=WORD_BYTES * MAX_INSTRUMENTS)]

    @property
    def expiries(self) -> int:
        """Number of forward words."""
        return len(self.forwards) // WORD_BYTES

    @property
    def instruments(self) -> int:
        """Number of param words."""
        return len(self.params) // WORD_BYTES


def check_report(report: HedgeReport) -> None:
    """Refuse a report that no contract could accept: types, sizes, the clock's order, every word.

    Raises:
        ReportError: names the first field, and the word's index, that breaks a rule.
    """
    # Structs check nothing when they are built, only when they are decoded.
    try:
        encoded = msgspec.msgpack.encode(report)
    except (TypeError, OverflowError) as error:
        raise ReportError(f"not a report: {error}") from error
    _decode(encoded)
    _check_words(report)


def _check_words(report: HedgeReport) -> None:
    if report.valid_until <= report.observed_at:
        raise ReportError("report field `valid_until` is not after `observed_at`")
    if unpack_forwards(report.forwards)[0].expiry <= report.observed_at:
        raise ReportError("the first expiry of `forwards` is not after `observed_at`")
    unpack_params(report.params)


def encode_report(report: HedgeReport) -> bytes:
    """Give the report's one encoding: a MessagePack array of a version tag and the fields in their order.

    Raises:
        ReportError: the report breaks a rule of `check_report`.
    """
    check_report(report)
    return msgspec.msgpack.encode(report)


def decode_report(encoded: bytes) -> HedgeReport:
    """Read what `encode_report` wrote, and nothing else.

    Raises:
        ReportError: the bytes are no report, not its canonical encoding, or break a rule of `check_report`.
    """
    report = _decode(encoded)
    if msgspec.msgpack.encode(report) != bytes(encoded):
        raise ReportError("a report that is not in canonical form")
    _check_words(report)
    return report


def _decode(encoded: bytes) -> HedgeReport:
    try:
        return msgspec.msgpack.decode(encoded, type=HedgeReport)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"not a report: {error}") from error
