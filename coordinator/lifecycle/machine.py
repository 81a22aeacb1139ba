"""The coordinator's rounds as a pure state machine: events in, actions out; no clock, socket or file in here.

    idle -> gathering -> proposing -> committing -> computing -> settling -> idle
                ^------------------- waiting <----- (aborted) -----'

A request for a round ends as settled, or, after a bounded number of attempts, as failed. Each attempt is a round with
a number of its own, above every number that the coordinator, a member or the contract has seen, and one that belongs to
its committee (`protocol.committees`). Approving and signing happen among the parties; the coordinator sees their
commitments, and then a result or an abort. What arrives late, for another round, from outside the committee, or twice,
changes nothing.
"""

from dataclasses import dataclass, field

from coordinator.lifecycle.committee import CommitteeChoice
from coordinator.lifecycle.events import (
    AbortArrived,
    Action,
    CommitmentArrived,
    EnterPhase,
    Event,
    Finish,
    Phase,
    ProposalFailed,
    Propose,
    Proposed,
    RecordAbort,
    RecordSettled,
    ResultArrived,
    ResultRefused,
    RoundRequested,
    Schedule,
    SetTimer,
    Settle,
    SettlementDone,
    SettlementFailed,
    StatusArrived,
    StopRequested,
    TimerFired,
)
from mpc_party.protocol.committees import next_round
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.messages import Abort, Result

# Aborts after which somebody in the committee is wrong, and nobody, the one who aborted included, is known to be.
DISAGREEMENTS = frozenset(
    {
        Reason.PROGRAM_MISMATCH,
        Reason.MODEL_MISMATCH,
        Reason.APPROVAL_MISMATCH,
        Reason.ECHO_MISMATCH,
        Reason.NONCE_INVALID,
        Reason.SIGNATURE_INVALID,
        Reason.DISPUTED,
        Reason.COMPUTATION_OUT_OF_RANGE,
        Reason.REPORT_UNLAWFUL,
    }
)
MAX_CLAIMED_LEAD = 1_000_000  # a member whose journal claims to be further ahead than this is not believed


@dataclass
class _Member:
    online: bool = False
    fit: bool = False
    last_round: int = 0


@dataclass
class CoordinatorMachine:
    """The machine. `names` are the members' names by index; `threshold` is t."""

    names: tuple[str, ...]
    threshold: int
    schedule: Schedule = field(default_factory=Schedule)
    phase: Phase = Phase.IDLE
    round: int = 0  # the highest number used or seen
    committee: tuple[int, ...] = ()
    digest: bytes = b""
    attempt: int = 0
    _first: int = 0
    _settle_attempt: int = 0
    _committed: set[int] = field(default_factory=set)
    _result: Result | None = None
    _members: dict[int, _Member] = field(default_factory=dict)
    _last_error: ConsortiumError | None = None

    def __post_init__(self) -> None:
        self._members = {index: _Member() for index in range(len(self.names))}
        self._choice = CommitteeChoice(len(self.names), 2 * self.threshold + 1)

    @property
    def online(self) -> tuple[str, ...]:
        """Names of the members that can serve now."""
        return tuple(self.names[index] for index in self._fit())

    def handle(self, event: Event) -> list[Action]:
        """Take one event; what is to be done, in order."""
        match event:
            case StatusArrived() | CommitmentArrived() | ResultArrived() | ResultRefused() | AbortArrived():
                return self._from_member(event)
            case TimerFired(round=number, phase=phase) if self._in(number, phase):
                return self._on_timer(phase)
            case StopRequested() if self.phase is not Phase.IDLE:
                return self._on_stop()
            case _:
                return self._from_here(event)

    def _from_member(self, event: Event) -> list[Action]:
        match event:
            case StatusArrived():
                return self._on_status(event)
            case CommitmentArrived():
                return self._on_commitment(event)
            case ResultArrived(member, result) if self._takes_result(member, result.round):
                return self._settle(result)
            case ResultRefused(member, number, error) if self._takes_result(member, number):
                return self._abort(error, culprit=member)
            case AbortArrived(member, abort) if member in self.committee and self._is_open(abort.round):
                return self._on_party_abort(member, abort)
            case _:
                return []

    def _from_here(self, event: Event) -> list[Action]:
        match event:
            case RoundRequested(above) if self.phase is Phase.IDLE:
                return self._on_request(above)
            case Proposed(round=number, digest=digest) if self._in(number, Phase.PROPOSING):
                self.digest = digest
                return [
                    *self._enter(Phase.COMMITTING),
                    SetTimer(number, Phase.COMMITTING, self._commit_ms),
                ]
            case ProposalFailed(round=number, error=error) if self._in(number, Phase.PROPOSING):
                # Another committee would not see another market.
                return [*self._record(error), *self._finish(error)]
            case SettlementDone(round=number) if self._in(number, Phase.SETTLING):
                self._choice.settled(self.committee)
                self.phase, self.committee = Phase.IDLE, ()
                return [RecordSettled(number), Finish(number, None)]
            case SettlementFailed(round=number, error=error) if self._in(number, Phase.SETTLING):
                return self._on_settlement_failure(error)
            case _:
                return []

    # Requests and committees

    def _on_request(self, above: int) -> list[Action]:
        self.round = max(self.round, above)
        self.attempt, self._first, self._last_error = 0, 0, None
        return self._start_attempt()

    def _start_attempt(self) -> list[Action]:
        claimed = (self._members[index].last_round for index in self._fit())
        committee = self._choice.next(self._fit())
        if committee is None:
            self.phase = Phase.GATHERING
            return [
                EnterPhase(self.round, Phase.GATHERING),
                SetTimer(self.round, Phase.GATHERING, self.schedule.gather_ms),
            ]
        self.round = next_round(committee, len(self.names), max(self.round, *claimed))
        self.attempt += 1
        self._first = self._first or self.round
        self.committee, self.digest, self._result, self._settle_attempt = committee, b"", None, 0
        self._committed = set()
        return [*self._enter(Phase.PROPOSING), Propose(self.round, self._first, self.attempt, committee)]

    def _fit(self) -> list[int]:
        return [
            index
            for index, member in self._members.items()
            if member.online and member.fit and member.last_round <= self.round + MAX_CLAIMED_LEAD
        ]

    def _on_status(self, event: StatusArrived) -> list[Action]:
        member = self._members.get(event.member)
        if member is None:
            return []
        member.online, member.fit = event.status.online, event.same_consortium
        if event.status.online:  # a last will was written long before it is read
            member.last_round = event.status.last_round
        if self.phase is Phase.GATHERING and len(self._fit()) >= self._choice.size:
            return self._start_attempt()
        gone = (
            not event.status.online and event.member in self.committee and event.member not in self._committed
        )
        if self.phase is Phase.COMMITTING and gone:
            name = self.names[event.member]
            return self._abort(
                RoundError(
                    f"{name} went offline before it committed", reason=Reason.PEER_CLOSED, culprit=name
                ),
                culprit=event.member,
            )
        return []

    # A round

    def _on_commitment(self, event: CommitmentArrived) -> list[Action]:
        given = event.commitment
        if event.member not in self.committee or not self._in(given.round, Phase.COMMITTING):
            return []
        if event.member in self._committed:
            return []
        if given.proposal != self.digest:
            # There is one proposal of this number, and its sender has signed that it knows another. The others see it
            # too and end the round; whoever is first would be taken for an accuser.
            name = self.names[event.member]
            other = RoundError(
                f"{name} committed to another proposal", reason=Reason.PROGRAM_MISMATCH, culprit=name
            )
            return self._abort(other, culprit=event.member)
        self._committed.add(event.member)
        if len(self._committed) < len(self.committee):
            return []
        timer = SetTimer(self.round, Phase.COMPUTING, self.schedule.deadline_ms + self.schedule.grace_ms)
        return [*self._enter(Phase.COMPUTING), timer]

    def _takes_result(self, member: int, number: int) -> bool:
        # A commitment of another member may be lost or late; a verified result speaks for itself.
        return member in self.committee and (
            self._in(number, Phase.COMMITTING) or self._in(number, Phase.COMPUTING)
        )

    def _settle(self, result: Result) -> list[Action]:
        self._result = result
        timer = SetTimer(self.round, Phase.SETTLING, self.schedule.settle_ms)
        return [*self._enter(Phase.SETTLING), timer, Settle(self.round, result)]

    def _on_settlement_failure(self, error: ConsortiumError) -> list[Action]:
        self._settle_attempt += 1
        passing = error.reason is Reason.CHAIN_UNREACHABLE
        if passing and self._settle_attempt < self.schedule.settle_attempts and self._result is not None:
            return [Settle(self.round, self._result)]
        # What the contract refuses it would refuse again, and each further attempt would sign and publish a report.
        return [*self._record(error), *self._finish(error)]

    def _on_party_abort(self, member: int, abort: Abort) -> list[Action]:
        named = self.names.index(abort.culprit) if abort.culprit in self.names else None
        error = RoundError(
            f"{self.names[member]} aborted: {abort.detail}", reason=abort.reason, culprit=abort.culprit
        )
        if named is None and abort.reason in DISAGREEMENTS:
            self._choice.disagreed(self.committee)
            return self._abort(error)
        return self._abort(error, culprit=named, accuser=member)

    def _on_timer(self, phase: Phase) -> list[Action]:
        match phase:
            case Phase.WAITING:
                return self._start_attempt()
            case Phase.GATHERING:
                away = [name for name in self.names if name not in self.online]
                missing = RoundError(
                    f"only {len(self.online)} of {self._choice.size} members needed are online; "
                    f"missing: {', '.join(away)}",
                    reason=Reason.COMMITMENT_TIMEOUT,
                    remedy="start them with `mpc-party run`, with the same consortium file",
                )
                return self._finish(missing)
            case Phase.COMMITTING:
                silent = [m for m in self.committee if m not in self._committed]
                names = ", ".join(self.names[m] for m in silent)
                late = RoundError(
                    f"no commitment from {names}",
                    reason=Reason.COMMITMENT_TIMEOUT,
                    culprit=self.names[silent[0]],
                    remedy="see that this party runs and reaches the broker",
                )
                for other in silent[1:]:
                    self._choice.blame(other, None)
                return self._abort(late, culprit=silent[0])
            case Phase.SETTLING:
                slow = ConsortiumError(
                    f"round {self.round} was not settled in time", reason=Reason.CHAIN_UNREACHABLE
                )
                return self._abort(slow)
            case Phase.COMPUTING:
                late = RoundError(f"round {self.round} ran past its deadline", reason=Reason.ROUND_DEADLINE)
                return self._abort(late)
            case _:
                return []

    def _on_stop(self) -> list[Action]:
        stopped = RoundError("the coordinator is being stopped", reason=Reason.PARTY_STOPPED)
        # A round that is being settled stays open in the history: the next start settles it.
        record = self._record(stopped) if self._is_open(self.round) else []
        return [*record, *self._finish(stopped)]

    def _abort(
        self, error: ConsortiumError, *, culprit: int | None = None, accuser: int | None = None
    ) -> list[Action]:
        self._choice.blame(culprit, accuser)
        record = self._record(error)
        if self.attempt >= self.schedule.attempts:
            return [*record, *self._finish(error)]
        self.committee, self._last_error = (), error
        backoff = min(self.schedule.backoff_ms << (self.attempt - 1), self.schedule.backoff_limit_ms)
        return [*record, *self._enter(Phase.WAITING), SetTimer(self.round, Phase.WAITING, backoff)]

    def _record(self, error: ConsortiumError) -> list[Action]:
        return [RecordAbort(self.round, error.reason, error.culprit, error.message)]

    def _finish(self, error: ConsortiumError) -> list[Action]:
        self.phase, self.committee = Phase.IDLE, ()
        return [Finish(None, error)]

    def _enter(self, phase: Phase) -> list[Action]:
        self.phase = phase
        return [EnterPhase(self.round, phase)]

    @property
    def _commit_ms(self) -> int:
        # Parties give up on each other after half of the deadline, and then say who was missing.
        return self.schedule.deadline_ms // 2 + self.schedule.grace_ms

    def _in(self, number: int, phase: Phase) -> bool:
        return self.round == number and self.phase is phase

    def _is_open(self, number: int) -> bool:
        return any(self._in(number, p) for p in (Phase.PROPOSING, Phase.COMMITTING, Phase.COMPUTING))
