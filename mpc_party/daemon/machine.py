"""One party's round as a pure state machine: events in, actions out; no clock, socket, thread or file in here.

    idle --proposal--> preparing --prepared--> committed --all commitments--> computing --finished--> idle

Any state but idle ends early as aborted: by a failure of this party, by the abort of another committee member, by a
deadline, or by a newer proposal, which supersedes the round (the coordinator retries under a new number, and it is
trusted with liveness only: the most it can do with this is to stop rounds). What arrives for another round, from a
member outside the committee, or twice, changes nothing.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.files import one_line
from mpc_party.protocol.messages import Abort, Commitment, Proposal, Result

EARLY_LIMIT = 16  # commitments held for a proposal that this party has not seen yet
DETAIL_LIMIT = 400
# A promised round closes all below it for the epoch: one proposal must not use up the numbers. Counted from the journal's last
# round, which a new epoch's floor holds where the epoch before it stopped: numbers go on for ever, a leap is never large.
LARGEST_LEAD = 1_000_000


class Phase(StrEnum):
    """Where this party is in its round."""

    IDLE = "idle"
    PREPARING = "preparing"  # observing the market, fitting, deriving public inputs
    COMMITTED = "committed"  # own commitment is out, waiting for the others'
    COMPUTING = "computing"  # the worker runs: mesh session, computation, signing


# Events


@dataclass(frozen=True)
class ProposalArrived:
    """A verified proposal of the coordinator, with SHA-256 of its encoding."""

    proposal: Proposal
    digest: bytes


@dataclass(frozen=True)
class Prepared:
    """The private input is fitted and the journal has the promise; `snapshot` is the commitment to publish."""

    round: int
    snapshot: bytes


@dataclass(frozen=True)
class CommitmentArrived:
    """A verified commitment of a member (by index)."""

    member: int
    commitment: Commitment


@dataclass(frozen=True)
class AbortArrived:
    """A verified abort of a member (by index)."""

    member: int
    abort: Abort


@dataclass(frozen=True)
class Finished:
    """The worker has the signed report."""

    result: Result


@dataclass(frozen=True)
class Failed:
    """Preparing or computing failed."""

    round: int
    error: ConsortiumError


@dataclass(frozen=True)
class DeadlinePassed:
    """A timer that `SetTimer` asked for has run out."""

    round: int
    phase: Phase


@dataclass(frozen=True)
class StopRequested:
    """The operator of this party stops it."""


Event = (
    ProposalArrived
    | Prepared
    | CommitmentArrived
    | AbortArrived
    | Finished
    | Failed
    | DeadlinePassed
    | StopRequested
)


# Actions


@dataclass(frozen=True)
class Prepare:
    """Check the proposal against the market, promise the round in the journal, fit and commit."""

    proposal: Proposal
    digest: bytes


@dataclass(frozen=True)
class Publish:
    """Publish a message of this party."""

    message: Commitment | Abort | Result


@dataclass(frozen=True)
class SetTimer:
    """Give `DeadlinePassed` after so many milliseconds, unless the round is over."""

    round: int
    phase: Phase
    milliseconds: int


@dataclass(frozen=True)
class Compute:
    """Start the worker with the commitments of the whole committee, in committee order."""

    proposal: Proposal
    digest: bytes
    commitments: tuple[bytes, ...]


@dataclass(frozen=True)
class Cancel:
    """Stop whatever runs for this round, at once; where a peer has given up, all but a dispute, which ends soon by itself."""

    round: int
    error: ConsortiumError
    by_peer: bool = False


@dataclass(frozen=True)
class Record:
    """Write the round's end to the journal."""

    round: int
    state: str
    reason: Reason | None
    culprit: str | None


Action = Prepare | Publish | SetTimer | Compute | Cancel | Record


@dataclass
class PartyMachine:
    """The machine. `names` are the members' names by index, `own` this party's index.

    `last_round` is the journal's: all rounds of the epoch up to it are promised or closed, and a round is entered once.
    """

    names: tuple[str, ...]
    own: int
    last_round: int = 0
    phase: Phase = Phase.IDLE
    proposal: Proposal | None = None
    digest: bytes = b""
    _commitments: dict[int, bytes] = field(default_factory=dict)
    _early: list[CommitmentArrived] = field(default_factory=list)

    def handle(self, event: Event) -> list[Action]:  # noqa: PLR0911 - one return per kind of event
        """Take one event; what is to be done, in order."""
        match event:
            case ProposalArrived(proposal, digest):
                return self._on_proposal(proposal, digest)
            case Prepared(round=number, snapshot=snapshot) if self._in(number, Phase.PREPARING):
                return self._on_prepared(snapshot)
            case CommitmentArrived():
                return self._on_commitment(event)
            case AbortArrived(member, abort) if self._in(abort.round) and self._is_peer(member):
                return self._on_peer_abort(member, abort)
            case Finished(result) if self._in(result.round, Phase.COMPUTING):
                self._end()
                return [Publish(result), Record(result.round, "signed", None, None)]
            case Failed(round=number, error=error) if self._in(number):
                return self._abort(error, cancel=False)
            case DeadlinePassed(round=number, phase=phase) if self._in(number):
                return self._on_deadline(phase)
            case StopRequested() if self.phase is not Phase.IDLE:
                stopped = RoundError(
                    "this party is being stopped", reason=Reason.PARTY_STOPPED, culprit=self.names[self.own]
                )
                return self._abort(stopped, cancel=True)
            case _:
                return []

    def _on_proposal(self, proposal: Proposal, digest: bytes) -> list[Action]:
        if self.own not in proposal.committee:
            return []
        if proposal.round <= self.last_round:
            if self.proposal is not None and proposal.round == self.proposal.round:
                return []
            told = f"round {proposal.round} is not above round {self.last_round}, up to which this party's rounds are closed"
            return [Publish(Abort(proposal.round, Reason.ROUND_ALREADY_PROMISED, None, told))]
        if proposal.round - self.last_round > LARGEST_LEAD:
            told = f"round {proposal.round} is too far above round {self.last_round}, the last that this party has closed"
            return [Publish(Abort(proposal.round, Reason.PROPOSAL_REFUSED, None, told))]
        actions: list[Action] = []
        if self.proposal is not None:
            superseded = RoundError(
                f"round {proposal.round} was proposed before this one ended", reason=Reason.ROUND_DEADLINE
            )
            actions += self._abort(superseded, cancel=True)
        self.last_round = proposal.round
        self.phase, self.proposal, self.digest, self._commitments = Phase.PREPARING, proposal, digest, {}
        return [
            *actions,
            SetTimer(proposal.round, Phase.COMMITTED, proposal.deadline_ms // 2),
            SetTimer(proposal.round, Phase.COMPUTING, proposal.deadline_ms),
            Prepare(proposal, digest),
        ]

    def _on_prepared(self, snapshot: bytes) -> list[Action]:
        proposal = self._current()
        self.phase = Phase.COMMITTED
        self._commitments[self.own] = snapshot
        actions: list[Action] = [Publish(Commitment(proposal.round, self.digest, snapshot))]
        early, self._early = self._early, []
        for event in early:
            if event.commitment.round >= proposal.round:
                actions += self._on_commitment(event)
        return actions

    def _on_commitment(self, event: CommitmentArrived) -> list[Action]:
        number = event.commitment.round
        if not self._in(number, Phase.COMMITTED):
            expected = self.proposal is None or number >= self.proposal.round
            if self.phase is not Phase.COMPUTING and expected and event.member != self.own:
                # The broker may deliver a peer's commitment before our own proposal: keep the latest few. Of a
                # round, the first counts, as it does for everybody else: or a member that sends two would have
                # the honest ones sign for an input that the coordinator does not know, and be blamed for it.
                held = next((e.commitment.round for e in self._early if e.member == event.member), 0)
                if number > held:
                    self._early = [e for e in self._early if e.member != event.member][-EARLY_LIMIT:]
                    self._early.append(event)
            return []
        if not self._is_peer(event.member) or event.member in self._commitments:
            return []
        if event.commitment.proposal != self.digest:
            disagreement = RoundError(
                f"{self.names[event.member]} has another proposal for round {number}",
                reason=Reason.PROGRAM_MISMATCH,
                remedy="the coordinator may have sent two; look at its log",
            )
            return self._abort(disagreement, cancel=False)
        self._commitments[event.member] = event.commitment.snapshot
        proposal = self._current()
        if len(self._commitments) < len(proposal.committee):
            return []
        self.phase = Phase.COMPUTING
        commitments = tuple(self._commitments[member] for member in proposal.committee)
        return [Compute(proposal, self.digest, commitments)]

    def _on_peer_abort(self, member: int, abort: Abort) -> list[Action]:
        error = RoundError(
            f"{self.names[member]} aborted round {abort.round}", reason=abort.reason, culprit=abort.culprit
        )
        number = self._current().round
        self._end()
        return [
            Cancel(number, error, by_peer=True),
            Record(number, "aborted", abort.reason, abort.culprit),
        ]

    def _on_deadline(self, phase: Phase) -> list[Action]:
        proposal = self._current()
        if phase is Phase.COMMITTED:
            if self.phase is not Phase.COMMITTED:
                return []
            missing = [self.names[m] for m in proposal.committee if m not in self._commitments]
            late = RoundError(
                f"no commitment from {', '.join(missing)}",
                reason=Reason.COMMITMENT_TIMEOUT,
                culprit=missing[0],
                remedy="see that this party runs and reaches the broker",
            )
            return self._abort(late, cancel=False)
        return self._abort(
            RoundError(f"round {proposal.round} ran past its deadline", reason=Reason.ROUND_DEADLINE),
            cancel=True,
        )

    def _abort(self, error: ConsortiumError, *, cancel: bool) -> list[Action]:
        number = self._current().round
        self._end()
        detail = one_line(error.message, DETAIL_LIMIT)  # or the message itself would be refused
        stop: list[Action] = [Cancel(number, error)] if cancel else []
        return [
            *stop,
            Publish(Abort(number, error.reason, error.culprit, detail)),
            Record(number, "aborted", error.reason, error.culprit),
        ]

    def _end(self) -> None:
        self.phase, self.proposal, self.digest, self._commitments = Phase.IDLE, None, b"", {}

    def _in(self, number: int, phase: Phase | None = None) -> bool:
        return self.proposal is not None and self.proposal.round == number and phase in (None, self.phase)

    def _is_peer(self, member: int) -> bool:
        return self.proposal is not None and member != self.own and member in self.proposal.committee

    def _current(self) -> Proposal:
        if self.proposal is None:
            raise RoundError("no round is running", reason=Reason.INTERNAL)
        return self.proposal
