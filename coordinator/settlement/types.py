"""What settling deals in: receipts, the contract's own reading, its limits, and the error."""

from dataclasses import dataclass
from typing import Final

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium import Settlement as SettlementSection
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.report import HedgeReport

MAX_FUTURE_SKEW: Final = 60
LOWEST_VOL, HIGHEST_VOL = 10_000, 20_000_000  # 1e-6
MAX_HEDGE_DELTA: Final = 4_500_000  # 1e-6; the program reaches 1 + 0.4 * 8, see mpc_party.hedging.outputs


class SettlementError(ConsortiumError):
    """The chain, the contract or the node behind the URL does not do what is asked."""

    default_reason = Reason.SETTLEMENT_REVERTED


@dataclass(frozen=True)
class Patience:
    """Seconds: of silence in one call; for a transaction to be in a block; between two looks at it."""

    call: float = 20.0
    receipt: float = 45.0
    poll: float = 0.05


@dataclass(frozen=True)
class Receipt:
    """A report on the chain. `transaction`, `block` and `gas` are None if somebody else's transaction brought it."""

    transaction: bytes | None
    block: int | None
    gas: int | None


@dataclass(frozen=True)
class Deployment:
    """A deployed contract: the section for the consortium file, and what it cost."""

    section: SettlementSection
    receipt: Receipt


@dataclass(frozen=True)
class StoredReport:
    """What the contract itself says of its latest report."""

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


def contract_config(consortium: Consortium) -> tuple[int, ...]:
    """The contract's limits, from the consortium's program: `Config` of ReportBounds.sol, in its order."""
    validity = consortium.program.report_validity
    return (
        validity,
        MAX_FUTURE_SKEW,
        validity,
        consortium.program.max_instruments,
        LOWEST_VOL,
        HIGHEST_VOL,
        MAX_HEDGE_DELTA,
    )
