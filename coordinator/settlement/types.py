"""What settling deals in: modes, receipts, the contract's own reading, and the error."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.report import HedgeReport


class SettlementError(ConsortiumError):
    """The chain, the contract or the node behind the URL does not do what is asked.

    `error` and `arguments` are the contract's own error, where it gave one.
    """

    default_reason = Reason.SETTLEMENT_REVERTED

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        culprit: str | None = None,
        remedy: str | None = None,
        error: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, culprit=culprit, remedy=remedy)
        self.error = error
        self.arguments = arguments or {}


class Publish(StrEnum):
    """How reports come to the chain.

    DIGEST: their words stay in the transaction, the contract keeps the digest. STORED: the contract keeps the words too, for
    contracts that read instruments, as often as its `storedPace` lets it; reports in between are published as digests.
    """

    DIGEST = "digest"
    STORED = "stored"


class Breach(IntEnum):
    """Why a contract's breaker rejects a signed report: `Breach` of ledger/Breaker.sol, in its order."""

    NONE = 0
    FORWARD_RESERVED_BITS = 1
    FORWARD_ZERO = 2
    EXPIRY_PASSED = 3
    EXPIRY_NOT_ASCENDING = 4
    FORWARD_JUMP = 5
    PARAM_RESERVED_BITS = 6
    VOL_OUT_OF_BOUNDS = 7
    DELTA_OUT_OF_BOUNDS = 8
    HEDGE_DELTA_OUT_OF_BOUNDS = 9


@dataclass(frozen=True)
class Patience:
    """Seconds: of silence in one call; for a transaction to be in a block; between two looks; for the contract's pace."""

    call: float = 20.0
    receipt: float = 45.0
    poll: float = 0.05
    pace: float = 15.0


@dataclass(frozen=True)
class Receipt:
    """A report on the chain. `transaction`, `block` and `gas` are None if it is not known what brought it."""

    transaction: bytes | None
    block: int | None
    gas: int | None


@dataclass(frozen=True)
class StoredReport:
    """What the contract itself has of its latest report.

    Attributes:
        sequence: its number among the accepted ones.
        final: its challenge window has passed.
        stored: its number among the stored ones; None where the contract keeps its digest alone, and the words are those of the
            transaction that brought it, which hash to that digest.
    """

    round: int
    epoch: int
    observed_at: int
    valid_until: int
    accepted_at: int
    digest: bytes
    book: bytes
    model: bytes
    inputs: bytes
    forwards: bytes
    params: bytes
    sequence: int
    final: bool
    stored: int | None

    def differences(self, report: HedgeReport, digest: bytes) -> list[str]:
        """Names of the fields that are not, bit for bit, those of the report."""
        wanted = {
            "round": report.round,
            "epoch": report.epoch,
            "observed_at": report.observed_at,
            "valid_until": report.valid_until,
            "digest": digest,
            "book": report.book,
            "model": report.model,
            "inputs": report.inputs,
            "forwards": report.forwards,
            "params": report.params,
        }
        return [name for name, value in wanted.items() if getattr(self, name) != value]
