from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_party.protocol.errors import MessageError, Reason
from mpc_party.protocol.sequence import (
    COUNTER_BITS,
    EPOCH_MS,
    RESERVE,
    WILL,
    DropCounts,
    ReplayGuard,
    Sequencer,
    session_of,
)

NOW = 1_800_000_000_000


def test_numbers_fit_in_63_bits_until_2093() -> None:
    sequencer = Sequencer()
    will = sequencer.begin_session(3_881_000_000_000)  # December 2092
    assert will < 2**63
    assert session_of(will) == sequencer.session == 3_881_000_000_000 - EPOCH_MS


def test_a_session_counts_up_to_its_will() -> None:
    sequencer = Sequencer()
    with pytest.raises(OverflowError):
        sequencer.next()
    will = sequencer.begin_session(NOW)
    first, second = sequencer.next(), sequencer.next()
    assert first == sequencer.session << COUNTER_BITS
    assert second == first + 1
    assert second < will
    assert not sequencer.exhausted
    sequencer._counter = WILL - RESERVE
    assert sequencer.exhausted
    sequencer._counter = WILL - 1
    assert sequencer.next() == will - 1
    with pytest.raises(OverflowError):
        sequencer.next()


@given(st.lists(st.tuples(st.integers(0, 2**41), st.integers(0, 2**30)), min_size=1, max_size=20))
def test_sessions_increase_whatever_the_clock_does(sessions: list[tuple[int, int]]) -> None:
    sequencer, last = Sequencer(), -1
    for now, above in sessions:
        will = sequencer.begin_session(EPOCH_MS + now, above)
        assert sequencer.session > above
        assert last < sequencer.next() < will
        last = will


def test_a_restarted_sender_goes_on_above() -> None:
    first, second = Sequencer(), Sequencer()
    will = first.begin_session(NOW)
    second.begin_session(NOW + 1)
    assert second.next() > will


def test_a_sender_whose_clock_went_back_goes_on_above_what_is_known_of_it() -> None:
    first, second = Sequencer(), Sequencer()
    will = first.begin_session(NOW)
    second.begin_session(NOW - 10**9, above=session_of(will))
    assert second.next() > will


def test_the_guard_takes_each_once_and_each_topic_by_itself() -> None:
    guard = ReplayGuard()
    assert guard.check("a", 5, b"5")
    assert guard.check("b", 4, b"4")  # one sender, another topic: the broker may have reordered them
    assert not guard.check("a", 5, b"5")  # redelivered, or retained: quietly
    for sequence, signature in ((5, b"other"), (4, b"4"), (0, b"")):
        with pytest.raises(MessageError) as refused:
            guard.check("a", sequence, signature)
        assert refused.value.reason is Reason.MESSAGE_REPLAYED
    assert guard.check("a", 6, b"6")
    with pytest.raises(MessageError):
        guard.check("a", 5, b"5")


def test_drop_counts() -> None:
    counts = DropCounts()
    assert counts["duplicate"] == 0
    assert dict(counts) == {}
    counts.add(Reason.MESSAGE_FORGED)
    counts.add("message-forged")
    counts.add("duplicate")
    assert dict(counts) == {"message-forged": 2, "duplicate": 1}
    assert len(counts) == 2
    assert "duplicate" in repr(counts)


class Presence(RuleBasedStateMachine):
    """A sender that says, dies, returns; a broker that publishes each will at any later time, and repeats things.

    Whatever the order, the receiver ends up believing the sender's latest word, once its latest word is there.
    """

    @initialize()
    def begin(self) -> None:
        self.sequencer = Sequencer()
        self.guard = ReplayGuard()
        self.now = NOW
        self.wills: list[int] = []
        self.pool: list[tuple[int, bool]] = []
        self.believed: tuple[int, bool] = (-1, False)
        self.connect()

    def deliver(self, sequence: int, *, online: bool) -> None:
        try:
            new = self.guard.check("status", sequence, str(sequence).encode())
        except MessageError:
            assert sequence < self.believed[0]
            return
        if new:
            assert sequence > self.believed[0]
            self.believed = (sequence, online)

    @rule()
    def connect(self) -> None:
        self.now += 1
        self.will = self.sequencer.begin_session(self.now)
        self.say()

    @rule()
    def say(self) -> None:
        sequence = self.sequencer.next()
        self.pool.append((sequence, True))
        self.deliver(sequence, online=True)

    @rule()
    def die(self) -> None:
        self.wills.append(self.will)
        self.connect()

    @rule(data=st.data())
    def late_will(self, data: st.DataObject) -> None:
        if self.wills:
            self.deliver(data.draw(st.sampled_from(self.wills)), online=False)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        self.deliver(*data.draw(st.sampled_from(self.pool))[:1], online=True)

    @invariant()
    def alive_is_believed_alive(self) -> None:
        if hasattr(self, "believed"):
            assert self.believed == (self.pool[-1][0], True)


TestPresence = Presence.TestCase
