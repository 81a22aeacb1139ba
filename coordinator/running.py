"""What the coordinator knows of the round that is running, and what it measures of it."""

import time
from dataclasses import dataclass, field

from coordinator.lifecycle import Phase
from coordinator.results import VerifiedResult, slowest
from mpc_party.protocol.messages import Commitment, PhaseTimes, Proposal


@dataclass
class RunningRound:
    """One attempt. Times are `time.monotonic()`; members are indices."""

    number: int
    committee: tuple[int, ...]
    started: float
    proposal: Proposal | None = None
    digest: bytes = b""
    proposed: float = 0.0
    signed: float = 0.0
    entered: dict[Phase, float] = field(default_factory=dict)
    commitments: dict[int, bytes] = field(default_factory=dict)
    times: dict[int, PhaseTimes] = field(default_factory=dict)
    verified: VerifiedResult | None = None
    delta_error: float = 0.0

    def note_commitment(self, member: int, commitment: Commitment) -> None:
        """Keep a committee member's first commitment to this proposal."""
        if (commitment.round, commitment.proposal) == (self.number, self.digest) and member in self.committee:
            self.commitments.setdefault(member, commitment.snapshot)

    def all_commitments(self) -> list[bytes] | None:
        """The committee's commitments in its order, or None while one is missing."""
        if len(self.commitments) < len(self.committee):
            return None
        return [self.commitments[member] for member in self.committee]

    def milliseconds(self) -> dict[str, float]:
        """Time per phase, until now.

        `commit` to `sign` are the parties' own, of the slowest one; `propose` (making the book), `signed` (from the
        proposal to a verified signature), `settle` and `total` are the coordinator's.
        """
        now = time.monotonic()
        ms: dict[str, float] = {}
        if self.proposed:
            ms["propose"] = self.proposed - self.started
        if self.signed:
            ms["signed"] = self.signed - self.proposed
            ms["settle"] = now - self.entered.get(Phase.SETTLING, self.signed)
        ms["total"] = now - self.started
        parties = slowest(list(self.times.values())) if self.times else {}
        return parties | {name: round(seconds * 1000, 3) for name, seconds in ms.items()}

    def measured(self) -> dict[str, object]:
        """Columns of the history: milliseconds, and the busiest party's bytes and rounds on the mesh."""
        columns: dict[str, object] = {"ms": self.milliseconds()}
        if self.times:
            columns["mesh_bytes"] = max(item.mesh_bytes for item in self.times.values())
            columns["mesh_rounds"] = max(item.mesh_rounds for item in self.times.values())
        return columns
