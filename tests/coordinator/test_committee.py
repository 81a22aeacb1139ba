import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.lifecycle.committee import CommitteeChoice


def test_everybody_serves_equally_often():
    choice = CommitteeChoice(members=5, size=3)
    served = [m for _ in range(50) for m in choice.next(range(5))]
    assert {served.count(m) for m in range(5)} == {30}


def test_too_few_make_no_committee():
    assert CommitteeChoice(5, 3).next([0, 4]) is None


def test_with_no_spare_member_a_culprit_serves_again():
    choice = CommitteeChoice(3, 3)
    choice.blame(1, 0)
    assert choice.next(range(3)) == (0, 1, 2)


@pytest.mark.parametrize("members", [4, 5, 7])
@pytest.mark.parametrize("place", ["first", "last"])
def test_who_spoils_every_round_unseen_does_not_stop_the_others(members, place):
    """A member whose every round ends in a disagreement without a culprit is found out by being in all of them."""
    spoiler = 0 if place == "first" else members - 1
    choice, settled, longest, run = CommitteeChoice(members, 3), 0, 0, 0
    for _ in range(200):
        committee = choice.next(range(members))
        if spoiler in committee:
            choice.disagreed(committee)
            run += 1
            longest = max(longest, run)
        else:
            choice.settled(committee)
            settled, run = settled + 1, 0
    assert longest < 4  # a request makes four attempts
    assert settled > 100


@given(
    st.lists(
        st.one_of(st.sets(st.integers(-1, 7)), st.tuples(st.integers(0, 4), st.integers(0, 4))), max_size=60
    )
)
def test_a_committee_is_always_ascending_distinct_and_fit(steps):
    choice = CommitteeChoice(5, 3)
    for step in steps:
        if isinstance(step, tuple):
            choice.blame(*step)
            continue
        fit = step & set(range(5))
        chosen = choice.next(step)
        assert (chosen is None) == (len(fit) < 3)
        if chosen is not None:
            assert list(chosen) == sorted(set(chosen))
            assert len(chosen) == 3
            assert set(chosen) <= fit


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_whatever_was_said_everybody_serves_again_in_the_end(blames):
    choice = CommitteeChoice(4, 3)
    for culprit, accuser in blames:
        choice.blame(culprit, accuser)
    served = {m for _ in range(30) for m in choice.next(range(4))}
    assert served == {0, 1, 2, 3}
