"""A report as it is brought to the chain: its numbers in one word, its words in one list, its signature in two words.

`HedgeSettlement.settle` takes this form, because calldata is most of what a report costs, and zero bytes cost, too. The
contract knows its consortium itself. `contracts/src/types/ReportHead.sol` reads the same head;
`contracts/test/vectors/report.json` holds the two together.
"""

from typing import Final, NamedTuple

from mpc_party.protocol.eip712 import SIGNATURE_BYTES
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import MAX_EXPIRIES, HedgeReport
from mpc_party.protocol.words import split_words

# Lowest bit and width of each field of a head.
_ROUND: Final = (208, 48)
_OBSERVED_AT: Final = (168, 40)
_VALID_FOR: Final = (124, 24)
_EPOCH: Final = (76, 48)
_EXPIRIES: Final = (0, 8)
_USED: Final = sum(
    ((1 << bits) - 1) << low for low, bits in (_ROUND, _OBSERVED_AT, _VALID_FOR, _EPOCH, _EXPIRIES)
)
_PARITY: Final = 1 << 255


class CompactReport(NamedTuple):
    """`ReportCore` and the words: `head` a number of 256 bits, `words` the forwards' and then the params'."""

    head: int
    book: bytes
    model: bytes
    inputs: bytes
    words: tuple[bytes, ...]

    @property
    def core(self) -> tuple[int, bytes, bytes, bytes]:
        """The struct `ReportCore`, as web3 wants it."""
        return self.head, self.book, self.model, self.inputs


def compact(report: HedgeReport) -> CompactReport:
    """Lay a report out for the chain.

    Raises:
        ReportError: a number is wider than its field in the head.
    """
    head = (
        _put("round", report.round, _ROUND)
        | _put("observed_at", report.observed_at, _OBSERVED_AT)
        | _put("valid_until less observed_at", report.valid_until - report.observed_at, _VALID_FOR)
        | _put("epoch", report.epoch, _EPOCH)
        | _put("number of forwards", report.expiries, _EXPIRIES)
    )
    words = (*split_words(report.forwards), *split_words(report.params))
    return CompactReport(head, report.book, report.model, report.inputs, words)


def expand(short: CompactReport, consortium: bytes) -> HedgeReport:
    """Read what `compact` wrote, for instance from a transaction.

    Raises:
        ReportError: reserved bits of the head are set, or there are not as many words as it says, and one more.
    """
    if short.head & ~_USED:
        raise ReportError("the head of a report has reserved bits set")
    expiries, observed_at = _get(short.head, _EXPIRIES), _get(short.head, _OBSERVED_AT)
    if not 0 < expiries <= MAX_EXPIRIES or len(short.words) <= expiries:
        raise ReportError(f"a report of {len(short.words)} words cannot have {expiries} forwards")
    return HedgeReport(
        consortium=consortium,
        epoch=_get(short.head, _EPOCH),
        round=_get(short.head, _ROUND),
        observed_at=observed_at,
        valid_until=observed_at + _get(short.head, _VALID_FOR),
        book=short.book,
        model=short.model,
        inputs=short.inputs,
        forwards=b"".join(short.words[:expiries]),
        params=b"".join(short.words[expiries:]),
    )


def compact_signature(signature: bytes) -> tuple[bytes, bytes]:
    """Give r and vs (EIP-2098) of 65 bytes r, s, v.

    Raises:
        ReportError: SIGNATURE_INVALID; wrong length or v, or a high s, which has no such form.
    """
    v, s = signature[64:], signature[32:64]
    if len(signature) != SIGNATURE_BYTES or v[0] not in {27, 28} or s[0] & 0x80:
        raise ReportError(
            "a signature that is not 65 bytes r, s, v with a low s", reason=Reason.SIGNATURE_INVALID
        )
    return signature[:32], (int.from_bytes(s) | (_PARITY if v[0] == 28 else 0)).to_bytes(32)


def expand_signature(r: bytes, vs: bytes) -> bytes:
    """Give 65 bytes r, s, v of what `compact_signature` wrote."""
    number = int.from_bytes(vs)
    return r + (number & (_PARITY - 1)).to_bytes(32) + bytes([28 if number & _PARITY else 27])


def _put(name: str, value: int, field: tuple[int, int]) -> int:
    low, bits = field
    if not 0 <= value < 1 << bits:
        raise ReportError(f"{name} is {value}, outside [0, 2^{bits})")
    return value << low


def _get(head: int, field: tuple[int, int]) -> int:
    low, bits = field
    return (head >> low) & ((1 << bits) - 1)
