"""What the coordinator's machine takes (events) and what it asks for (actions); and its phases and deadlines."""

from dataclasses import dataclass
from enum import StrEnum

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.messages import Abort, Commitment, Result, Status


class Phase(StrEnum):
    """Where the coordinator is."""

    IDLE = "idle"
    GATHERING = "gathering"  # too few members are online
    PROPOSING = "proposing"  # the book is being made and published
    COMMITTING = "committing"  # waiting for the committee's commitments
    COMPUTING = "computing"  # the parties compute, approve and sign
    SETTLING = "settling"  # the signed report is on its way to the contract
    WAITING = "waiting"  # between an aborted round and its retry


@dataclass(frozen=True)
class Schedule:
    """Deadlines and limits, in milliseconds. The deadline is the proposal's, which the parties keep as well."""

    deadline_ms: int = 15_000
    gather_ms: int = 10_000
    settle_ms: int = 60_000
    grace_ms: int = 500  # the parties' own aborts say more than a timer here does: let them come first
    attempts: int = 4
    settle_attempts: int = 3
    backoff_ms: int = 250
    backoff_limit_ms: int = 4_000


# Events


@dataclass(frozen=True)
class RoundRequested:
    """Somebody wants a round; `above` is the highest number that history and contract know."""

    above: int


@dataclass(frozen=True)
class StatusArrived:
    """A verified status of a member; `same_consortium` says whether its file is ours."""

    member: int
    status: Status
    same_consortium: bool


@dataclass(frozen=True)
class Proposed:
    """The proposal of this round is out; `digest` is SHA-256 of its encoding."""

    round: int
    digest: bytes


@dataclass(frozen=True)
class ProposalFailed:
    """No proposal could be made or published."""

    round: int
    error: ConsortiumError


@dataclass(frozen=True)
class CommitmentArrived:
    """A verified commitment of a member."""

    member: int
    commitment: Commitment


@dataclass(frozen=True)
class ResultArrived:
    """A member's result, whose report fits the proposal and whose signature verifies under the group's key."""

    member: int
    result: Result


@dataclass(frozen=True)
class ResultRefused:
    """A committee member sent a result that does not verify."""

    member: int
    round: int
    error: ConsortiumError


@dataclass(frozen=True)
class AbortArrived:
    """A verified abort of a member."""

    member: int
    abort: Abort


@dataclass(frozen=True)
class SettlementDone:
    """The contract has the report."""

    round: int


@dataclass(frozen=True)
class SettlementFailed:
    """The contract refused the report, or cannot be reached (which may pass)."""

    round: int
    error: ConsortiumError


@dataclass(frozen=True)
class TimerFired:
    """A timer that `SetTimer` asked for has run out."""

    round: int
    phase: Phase


@dataclass(frozen=True)
class StopRequested:
    """The operator stops the coordinator."""


Event = (
    RoundRequested
    | StatusArrived
    | Proposed
    | ProposalFailed
    | CommitmentArrived
    | ResultArrived
    | ResultRefused
    | AbortArrived
    | SettlementDone
    | SettlementFailed
    | TimerFired
    | StopRequested
)


# Actions


@dataclass(frozen=True)
class Propose:
    """Make the book and publish the proposal. `first` is the number of the request's first attempt."""

    round: int
    first: int
    attempt: int
    committee: tuple[int, ...]


@dataclass(frozen=True)
class SetTimer:
    """Give `TimerFired` after so many milliseconds."""

    round: int
    phase: Phase
    milliseconds: int


@dataclass(frozen=True)
class EnterPhase:
    """For clocks and displays: the round has come to this phase."""

    round: int
    phase: Phase


@dataclass(frozen=True)
class Settle:
    """Submit the signed report."""

    round: int
    result: Result


@dataclass(frozen=True)
class RecordAbort:
    """The round ended as aborted."""

    round: int
    reason: Reason
    culprit: str | None
    detail: str


@dataclass(frozen=True)
class RecordSettled:
    """The round ended as settled."""

    round: int


@dataclass(frozen=True)
class Finish:
    """The request is answered: with the number of the round that settled, or with the last error."""

    settled: int | None
    error: ConsortiumError | None


Action = Propose | SetTimer | EnterPhase | Settle | RecordAbort | RecordSettled | Finish
