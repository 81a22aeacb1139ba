"""The two phases under every order of events and deaths: a model of disks, messages and meetings around the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.ceremony import EVENT_AFTER, Action, Event, Handover, Phase, resumed
from mpc_party.resharing.standing import Decision, verdict

ALL = (0, 1, 2)


@dataclass
class Disk:
    """What survives a death."""

    old_share: bool
    new_share: bool = False
    attested: bool = False
    aborted: bool = False
    recorded: bool = False
    moved: bool = False


@dataclass
class Actor:
    """One member: its disk, and while it lives the machine and what it has to do next."""

    seat: int
    is_old: bool
    is_new: bool
    disk: Disk
    machine: Handover | None = None
    todo: list[Action] = field(default_factory=list)
    announced: bool = False


class TwoPhases(RuleBasedStateMachine):
    """Old members 0 .. n-1 with threshold t, new ones with t'; some leave, some join; all may die at any moment."""

    @initialize(
        scene=st.sampled_from([(3, 1, 3, 1, 3), (3, 1, 4, 1, 3), (3, 1, 5, 2, 2), (5, 2, 3, 1, 2), (4, 1, 4, 1, 3)])
    )  # fmt: skip
    def begin(self, scene):
        old, self.t, new, self.new_t, staying = scene
        count = old + new - staying
        self.seats = tuple(range(count))
        self.actors = [
            Actor(seat, seat < old, seat >= old - staying, Disk(old_share=seat < old)) for seat in self.seats
        ]
        self.mail: set[tuple[int, int]] = set()
        for actor in self.actors:
            actor.machine = Handover(self.seats, actor.seat)
            self.tell(actor, actor.machine.after(Event.COMPUTED))

    def tell(self, actor, outcome):
        actor.machine, actions = outcome
        actor.todo += actions

    def effect(self, actor, action):
        """What an action leaves on the disk."""
        disk = actor.disk
        if action is Action.STORE:
            disk.new_share = actor.is_new
        elif action is Action.ATTEST:
            assert not disk.aborted
            disk.attested = True
        elif action is Action.RECORD:
            disk.recorded = True
        elif action is Action.MOVE:
            assert not actor.is_new or disk.new_share
            disk.old_share = False
            disk.moved = True
        elif action is Action.GIVE_UP:
            assert not disk.recorded
            disk.attested, disk.aborted = False, True

    @rule(picks=st.lists(st.integers(0, 1000), min_size=1, max_size=40), died=st.booleans())
    def act(self, picks, died):
        """So many steps of whoever can do one, in any order; the last may be its death."""
        for count, pick in enumerate(picks, start=1):
            ready = [actor for actor in self.actors if actor.todo and not self.waits(actor)]
            if ready:
                self.step(ready[pick % len(ready)], died=died and count == len(picks))

    def waits(self, actor):
        """For the others' hashes."""
        if actor.todo[0] is Action.COMPARE:
            actor.announced = True
            return not all(other.announced for other in self.actors)
        return False

    def step(self, actor, *, died):
        action = actor.todo.pop(0)
        self.effect(actor, action)
        if died:  # between what it did and what it knew of it; of a signature, it may have gone to some
            if action is Action.SIGN:
                self.mail |= {(actor.seat, to) for to in self.seats[::2] if to != actor.seat}
            self.kill(actor)
        elif action is Action.SIGN:
            self.mail |= {(actor.seat, to) for to in self.seats if to != actor.seat}
        else:
            self.tell(actor, actor.machine.after(EVENT_AFTER[action]))

    @rule(picks=st.lists(st.integers(0, 1000), min_size=1, max_size=30))
    @precondition(lambda self: self.mail)
    def deliver(self, picks):
        for pick in picks:
            if self.mail:
                sender, to = sorted(self.mail)[pick % len(self.mail)]
                self.mail.discard((sender, to))
                if (actor := self.actors[to]).machine is not None:
                    self.tell(actor, actor.machine.with_signatures([sender]))

    @rule(seat=st.integers(0, 6))
    def die(self, seat):
        self.kill(self.actors[seat % len(self.actors)])

    def kill(self, actor):
        actor.machine, actor.todo, actor.announced = None, [], False
        self.mail = {(sender, to) for sender, to in self.mail if to != actor.seat}

    def rise(self, actor):
        if actor.machine is not None and not actor.disk.moved:
            self.kill(actor)  # the same command again: what was in memory is gone
        disk = actor.disk
        self.tell(
            actor,
            resumed(
                self.seats,
                actor.seat,
                attested=disk.attested,
                aborted=disk.aborted,
                recorded=disk.recorded,
                moved=disk.moved,
            ),
        )
        while actor.todo:
            action = actor.todo.pop(0)
            self.effect(actor, action)
            self.tell(actor, actor.machine.after(EVENT_AFTER[action]))

    @rule(order=st.permutations(range(7)), dead=st.sets(st.integers(0, 6)))
    @precondition(lambda self: any(actor.machine is None for actor in self.actors))
    def meet(self, order, dead):
        self.gather(order, dead)

    def gather(self, order, dead):
        """All start the command again; some die between their answer and the others'."""
        order = [seat for seat in order if seat in self.seats]
        for seat in order:
            self.rise(self.actors[seat])
        certified = any(actor.disk.recorded or actor.disk.moved for actor in self.actors)
        signed = {}
        for seat in order:
            actor = self.actors[seat]
            if actor.machine.phase in {Phase.OLD, Phase.STORED} and not certified:
                self.tell(actor, actor.machine.after(Event.REFUSED))
                self.finish(actor)
            signed[seat] = actor.machine.phase is not Phase.GIVEN_UP
            if certified and actor.machine.phase in {Phase.OLD, Phase.STORED}:
                raise AssertionError("a certificate, and somebody that has not signed")
        found = verdict(
            tuple(map(str, self.seats)),
            (),
            certified=certified or all(signed.values()),
            refused=[seat for seat, has in signed.items() if not has],
            gone_back=False,
            may_stay_away=False,
        )
        assert found.decision is not Decision.UNDECIDED
        for seat in order:
            if seat in dead:
                self.kill(self.actors[seat])
                continue
            actor = self.actors[seat]
            if found.decision is Decision.COMMIT:
                self.tell(actor, actor.machine.with_signatures(self.seats))
            elif actor.machine.phase is not Phase.GIVEN_UP:
                self.tell(actor, actor.machine.after(Event.REFUSED))
            self.finish(actor)

    def finish(self, actor):
        while actor.todo:
            action = actor.todo.pop(0)
            self.effect(actor, action)
            self.tell(actor, actor.machine.after(EVENT_AFTER[action]))

    @invariant()
    def one_epoch_signs(self):
        if not hasattr(self, "actors"):
            return
        old = [a for a in self.actors if a.disk.old_share and not (a.disk.attested or a.disk.recorded)]
        new = [a for a in self.actors if a.is_new and a.disk.moved]
        assert not (len(old) >= 2 * self.t + 1 and len(new) >= 2 * self.new_t + 1)
        assert not (old and new)  # all that took part: not even one of each

    @invariant()
    def no_share_is_lost(self):
        if hasattr(self, "actors"):
            old = sum(actor.disk.old_share for actor in self.actors)
            new = sum(actor.disk.new_share for actor in self.actors)
            assert old == sum(a.is_old for a in self.actors) or new == sum(a.is_new for a in self.actors)

    @invariant()
    def the_machine_knows_its_disk(self):
        for actor in getattr(self, "actors", []):
            if actor.machine is not None and actor.machine.may_sign_old:
                assert not actor.disk.moved
            if actor.machine is not None and actor.machine.may_sign_new:
                assert actor.disk.moved

    def teardown(self):
        if not hasattr(self, "actors"):
            return
        for actor in self.actors:
            self.kill(actor)
        self.gather(list(range(7)), set())
        phases = {actor.machine.phase for actor in self.actors}
        assert phases in ({Phase.NEW}, {Phase.GIVEN_UP})
        if phases == {Phase.NEW}:
            assert not any(actor.disk.old_share for actor in self.actors)


TestTwoPhases = TwoPhases.TestCase
TestTwoPhases.settings = settings(
    max_examples=60, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
class TestManyDeaths(TwoPhases.TestCase):
    settings = settings(
        max_examples=1500, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )


def run(*events):
    machine, asked = Handover(ALL, 0), []
    for event in events:
        machine, actions = machine.after(event)
        asked += actions
    return machine, asked


def test_the_order_of_things_without_a_death():
    machine, asked = run(Event.COMPUTED, Event.STORED, Event.AGREED, Event.ATTESTED)
    assert asked == [Action.STORE, Action.COMPARE, Action.ATTEST, Action.SIGN]
    assert machine.phase is Phase.PREPARED
    assert not machine.may_sign_old
    assert not machine.may_sign_new
    machine, actions = machine.with_signatures([1])
    assert not actions
    machine, actions = machine.with_signatures([2])
    assert actions == (Action.RECORD,)
    machine, actions = machine.after(Event.RECORDED)
    assert actions == (Action.MOVE,)
    machine, actions = machine.after(Event.MOVED)
    assert machine.phase is Phase.NEW
    assert machine.may_sign_new
    assert not actions


def test_signatures_that_come_before_its_own_promise_wait():
    machine, _ = run(Event.COMPUTED, Event.STORED, Event.AGREED)
    machine, actions = machine.with_signatures([1, 2])
    assert not actions
    machine, actions = machine.after(Event.ATTESTED)
    assert actions == (Action.SIGN, Action.RECORD)


@pytest.mark.parametrize("event", [Event.RECORDED, Event.MOVED, Event.COMPUTED])
def test_nothing_is_recorded_without_the_signatures_of_all(event):
    machine, _ = run(Event.COMPUTED, Event.STORED, Event.AGREED, Event.ATTESTED)
    machine, _ = machine.with_signatures([1])
    with pytest.raises(ConsortiumError) as caught:
        machine.after(event)
    assert caught.value.reason is Reason.INTERNAL


def test_a_signature_that_it_never_gave_stops_a_member():
    machine, _ = run(Event.COMPUTED, Event.STORED)
    with pytest.raises(ConsortiumError, match="has not given"):
        machine.with_signatures(ALL)


def test_who_has_given_up_is_moved_by_no_certificate():
    machine, _ = run(Event.REFUSED, Event.ABORTED)
    assert machine.with_signatures(ALL) == (machine, ())
    assert machine.may_sign_old


@pytest.mark.parametrize(
    ("disk", "phase", "asked"),
    [
        ({}, Phase.OLD, ()),
        ({"attested": True}, Phase.PREPARED, ()),
        ({"aborted": True}, Phase.GIVEN_UP, ()),
        ({"attested": True, "recorded": True}, Phase.DECIDED, (Action.MOVE,)),
        ({"recorded": True, "moved": True}, Phase.NEW, ()),
    ],
)
def test_what_a_disk_says(disk, phase, asked):
    said = dict.fromkeys(("attested", "aborted", "recorded", "moved"), False) | disk
    machine, actions = resumed(ALL, 0, **said)
    assert (machine.phase, actions) == (phase, asked)
