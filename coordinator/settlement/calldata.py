"""The reports in a transaction's data: what `settle` and `settleAndStore` were called with, directly or through another contract."""

from collections.abc import Iterator
from typing import Final

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from mpc_party.protocol.compact import CompactReport, expand
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.report import HedgeReport

_TYPES: Final = ("(uint256,bytes32,bytes32,bytes32)", "bytes32[]", "bytes32", "bytes32")
_SELECTORS: Final = tuple(
    bytes(keccak(f"{name}({','.join(_TYPES)})".encode()))[:4] for name in ("settle", "settleAndStore")
)


def reports_in(data: bytes, consortium: bytes) -> Iterator[HedgeReport]:
    """Everything in a transaction's data that reads as a report brought to a contract.

    What is found by chance is nobody's report: compare digests. Nothing is checked but its form.
    """
    for selector in _SELECTORS:
        at = data.find(selector)
        while at >= 0:
            try:
                (head, book, model, inputs), words, _, _ = abi_decode(_TYPES, data[at + 4 :], strict=False)
                yield expand(CompactReport(head, book, model, inputs, tuple(words)), consortium)
            except (DecodingError, OverflowError, ValueError, ReportError):
                pass
            at = data.find(selector, at + 1)
