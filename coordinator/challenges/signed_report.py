"""A signed report as evidence: whatever its words are, out of a file or out of the call that brought it to a contract.

`HedgeReport` and `ReportFile.hedge_report` refuse words that no contract could accept; what the group key has signed can be
wrong in any way, and those who prove it must be able to hold it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from coordinator.report_file import ReportFile
from mpc_party.protocol.compact import CompactReport, compact, compact_signature, expand, expand_signature
from mpc_party.protocol.eip712 import domain_separator, recover, report_struct_hash, typed_digest
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import split_words

_SETTLE_TYPES: Final = ("(uint256,bytes32,bytes32,bytes32)", "bytes32[]", "bytes32", "bytes32")
_SELECTORS: Final = tuple(
    bytes(keccak(f"{name}({','.join(_SETTLE_TYPES)})".encode()))[:4] for name in ("settle", "settleAndStore")
)


@dataclass(frozen=True)
class SignedReport:
    """A report, checked in no way, and 65 bytes r, s, v."""

    report: HedgeReport
    signature: bytes

    def digest(self, chain_id: int, contract: str) -> bytes:
        """What was signed, if it was signed for that contract."""
        return typed_digest(domain_separator(chain_id, contract), report_struct_hash(self.report))

    def signer(self, chain_id: int, contract: str) -> str:
        """Whose signature it is.

        Raises:
            ReportError: SIGNATURE_INVALID: nobody's.
        """
        return recover(self.digest(chain_id, contract), self.signature)

    def abi(self) -> tuple[object, ...]:
        """`HedgeReport` as contracts take it."""
        it = self.report
        forwards, params = (list(split_words(words)) for words in (it.forwards, it.params))
        return (
            it.consortium, it.epoch, it.round, it.observed_at, it.valid_until, it.book, it.model, it.inputs, forwards,
            params,
        )  # fmt: skip

    def header(self) -> tuple[object, ...]:
        """`SignedHeader` as contracts take it: words by their hashes, the signature as in EIP-2098.

        Raises:
            ReportError: its numbers do not fit a header, so that no contract could have accepted it.
        """
        hashes = (bytes(keccak(self.report.forwards)), bytes(keccak(self.report.params)))
        return (compact(self.report).core, *hashes, *compact_signature(self.signature))


def from_file(file: ReportFile) -> SignedReport:
    """The evidence in a report file."""
    body = file.report
    report = HedgeReport(
        consortium=_bytes(body.consortium),
        epoch=body.epoch,
        round=body.round,
        observed_at=body.observed_at,
        valid_until=body.valid_until,
        book=_bytes(body.book),
        model=_bytes(body.model),
        inputs=_bytes(body.inputs),
        forwards=b"".join(map(_bytes, body.forwards)),
        params=b"".join(map(_bytes, body.params)),
    )
    return SignedReport(report, file.signature_bytes())


def in_calldata(data: bytes, consortium: bytes) -> Iterator[SignedReport]:
    """Every report that a transaction's data may bring to a contract, directly or through another one.

    What is found by chance is no report of anybody: compare digests.
    """
    for selector in _SELECTORS:
        at = data.find(selector)
        while at >= 0:
            found = _decoded(data[at + 4 :], consortium)
            if found is not None:
                yield found
            at = data.find(selector, at + 1)


def _decoded(arguments: bytes, consortium: bytes) -> SignedReport | None:
    try:
        (head, book, model, inputs), words, r, vs = abi_decode(_SETTLE_TYPES, arguments, strict=False)
        report = expand(CompactReport(head, book, model, inputs, tuple(words)), consortium)
    except (DecodingError, OverflowError, ValueError, ReportError):
        return None
    return SignedReport(report, expand_signature(r, vs))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
