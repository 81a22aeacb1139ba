"""The coordinator's rounds, whatever members, timers, market and chain do, in whatever order."""

import copy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from coordinator.lifecycle import CoordinatorMachine, Phase, Schedule
from coordinator.lifecycle import events as ev
from mpc_party.protocol.committees import runs_round
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Abort, Commitment, PhaseTimes, Result, Status

NAMES = ("alpha", "bravo", "charlie", "delta")
TIMES = PhaseTimes(1, 1, 1, 1, 1, 5, 10, 3)
DIGEST = bytes(range(32))


def status(member, *, online=True, last_round=0, same=True):
    return ev.StatusArrived(member, Status(online, bytes(32), last_round), same)


def result(number):
    return Result(number, bytes(32), b"report", bytes(65), TIMES)


class AnyOrderOfEvents(RuleBasedStateMachine):
    """Members, timers, market and chain do as they please; the coordinator keeps its promises."""

    @initialize(members=st.integers(3, 4), attempts=st.integers(1, 4))
    def begin(self, members, attempts):
        self.machine = CoordinatorMachine(NAMES[:members], 1, Schedule(attempts=attempts))
        self.members = range(members)
        self.proposed = []
        self.ended = []
        self.open_request = False
        self.attempts = 0
        self.online = set()

    def take(self, event):
        for action in self.machine.handle(event):
            match action:
                case ev.Propose(number, _, attempt, committee):
                    assert self.open_request
                    assert number > max(self.proposed, default=0)
                    assert runs_round(committee, len(self.members), number)
                    assert list(committee) == sorted(set(committee))
                    assert len(committee) == 3
                    assert set(committee) <= self.online
                    self.attempts += 1
                    assert attempt == self.attempts <= self.machine.schedule.attempts
                    assert len(self.ended) == len(self.proposed), "the round before has not ended"
                    self.proposed.append(number)
                case ev.RecordAbort(number, _, _, _) | ev.RecordSettled(number):
                    assert number == self.proposed[-1]
                    assert number not in self.ended
                    self.ended.append(number)
                case ev.Finish(settled, error):
                    assert self.open_request
                    assert (settled is None) != (error is None)
                    assert settled in {None, self.proposed[-1] if self.proposed else None}
                    self.open_request = False
                    self.attempts = 0
                    if len(self.ended) < len(self.proposed):  # stopped while settling
                        self.ended.append(self.proposed[-1])
                case ev.Settle(number, given):
                    assert number == given.round == self.proposed[-1]

    numbers = st.one_of(st.just(0), st.integers(-2, 2))
    who = st.integers(0, 4)

    @precondition(lambda self: self.machine.phase is Phase.IDLE)
    @rule(above=st.integers(0, 50))
    def request(self, above):
        self.open_request = True
        self.take(ev.RoundRequested(above))

    @rule(member=who, online=st.booleans(), same=st.booleans(), last=st.integers(0, 2**63 - 1))
    def status(self, member, online, same, last):
        if member in self.members:
            (self.online.add if online and same else self.online.discard)(member)
        self.take(ev.StatusArrived(member, Status(online, bytes(32), last % 100 if last % 2 else last), same))

    @rule(offset=numbers, digest=st.sampled_from([DIGEST, bytes(32)]))
    def proposed_event(self, offset, digest):
        self.take(ev.Proposed(max(0, self.machine.round + offset), digest))

    @rule(offset=numbers)
    def no_proposal(self, offset):
        self.take(ev.ProposalFailed(self.machine.round + offset, RoundError("none")))

    @rule(member=who, offset=numbers, digest=st.sampled_from([DIGEST, bytes(32)]))
    def commitment(self, member, offset, digest):
        self.take(
            ev.CommitmentArrived(member, Commitment(max(0, self.machine.round + offset), digest, bytes(32)))
        )

    @rule(member=who, offset=numbers, refused=st.booleans())
    def result_event(self, member, offset, refused):
        number = max(0, self.machine.round + offset)
        if refused:
            self.take(ev.ResultRefused(member, number, RoundError("bad")))
        else:
            self.take(ev.ResultArrived(member, result(number)))

    @rule(member=who, offset=numbers, culprit=st.sampled_from([None, *NAMES, "nobody"]))
    def abort(self, member, offset, culprit):
        number = max(0, self.machine.round + offset)
        self.take(ev.AbortArrived(member, Abort(number, Reason.PEER_TIMEOUT, culprit, "")))

    @rule(
        offset=numbers, reason=st.sampled_from([None, Reason.CHAIN_UNREACHABLE, Reason.SETTLEMENT_REVERTED])
    )
    def settlement(self, offset, reason):
        number = self.machine.round + offset
        if reason is None:
            self.take(ev.SettlementDone(number))
        else:
            self.take(ev.SettlementFailed(number, RoundError("no", reason=reason)))

    @rule(offset=numbers, phase=st.sampled_from(list(Phase)))
    def timer(self, offset, phase):
        self.take(ev.TimerFired(self.machine.round + offset, phase))

    @rule()
    def stop(self):
        self.take(ev.StopRequested())

    @invariant()
    def idle_only_between_requests(self):
        assert (self.machine.phase is Phase.IDLE) == (not self.open_request)

    @invariant()
    def a_request_always_ends_by_timers_alone(self):
        """Whatever has happened: let every timer run out, and the request is answered after bounded attempts."""

        machine = copy.deepcopy(self.machine)
        for _ in range(40):
            if machine.phase is Phase.IDLE:
                return
            if machine.phase is Phase.PROPOSING:
                machine.handle(ev.Proposed(machine.round, DIGEST))
            else:
                machine.handle(ev.TimerFired(machine.round, machine.phase))
        raise AssertionError(f"stuck in {machine.phase}")


TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
TestAnyOrderOfEvents.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
