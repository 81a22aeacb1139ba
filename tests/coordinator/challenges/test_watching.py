import pytest

from coordinator.challenges.exhibits import Candidate
from coordinator.challenges.watching import Seen, follow
from coordinator.settlement.types import SettlementError
from mpc_party.hedging.laws import Law
from mpc_party.protocol.errors import Reason


def seen(number, share=0.1, **changes):
    nearest = None if share is None else Candidate(Law.BLACK76, (1,), share, "law BLACK76: delta is off")
    fields = {
        "accepted": True, "digest": bytes([number]) * 32, "round": number, "block": number,
        "transaction": bytes(32), "signed": None, "book": None, "nearest": nearest, "trouble": None,
    }  # fmt: skip
    return Seen(**(fields | changes))


class Script:
    """A watcher that gives out what a test wrote down, one turn after the other, and the test's clock."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.now = 0.0
        self.slept = []

    def poll(self):
        turn = self.turns.pop(0) if self.turns else []
        for item in turn:
            if isinstance(item, Exception):
                raise item
            yield item

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def run(script, **options):
    got, complaints = [], []
    count = follow(
        script, got.append, every=3.0, complain=complaints.append, clock=script.clock, sleep=script.sleep, **options
    )  # fmt: skip
    return count, [one.round for one in got], complaints


def test_it_looks_until_its_time_is_over():
    script = Script([seen(1)], [], [seen(2), seen(3)])
    assert run(script, seconds=7.0) == (3, [1, 2, 3], [])
    assert script.slept == [3.0, 3.0, 1.0]


def test_no_time_is_one_look():
    script = Script([seen(1)], [seen(2)])
    assert run(script, seconds=0) == (1, [1], [])
    assert script.slept == []


def test_it_stops_after_so_many_reports():
    script = Script([], [seen(1), seen(2), seen(3)])
    assert run(script, count=2) == (2, [1, 2], [])


def test_a_node_that_is_silent_is_asked_again():
    silent = SettlementError("the node cannot be reached", reason=Reason.CHAIN_UNREACHABLE)
    script = Script([silent], [seen(1), silent], [seen(2)])
    count, rounds, complaints = run(script, count=2)
    assert (count, rounds, len(complaints)) == (2, [1, 2], 2)


def test_what_is_no_silence_ends_it():
    with pytest.raises(SettlementError, match="refuses"):
        run(Script([SettlementError("the contract refuses")]), seconds=10)


@pytest.mark.parametrize(
    ("share", "suspect"),
    [(0.1, False), (0.99, False), (1.2, True), (float("inf"), True), (float("nan"), True)],
)
def test_suspicion_begins_where_the_judge_should_be_asked(share, suspect):
    one = seen(1, share)
    assert one.suspect is suspect
    assert one.summary()["lawful"] is not suspect
    assert ("BREAKS" in one.line()) is suspect
    assert "\n" not in one.line()


def test_what_could_not_be_judged_is_neither_lawful_nor_unlawful():
    one = seen(1, None, trouble="its book is not registered", accepted=False)
    assert one.suspect is False
    assert (one.summary()["lawful"], one.summary()["nearest_law"]) == (None, None)
    assert "not judged: its book" in one.line()
    assert "rejected by the breaker" in one.line()
