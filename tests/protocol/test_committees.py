"""Every round number belongs to one committee."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.committees import next_round, runs_round

SHAPES = [(n, t) for n in range(3, 8) for t in range(1, 4) if 2 * t < n]
sizes = st.sampled_from(SHAPES)
numbers = st.integers(0, 2**63)


@given(sizes, numbers)
def test_a_number_belongs_to_exactly_one_committee(shape, number):
    members, threshold = shape
    committees = itertools.combinations(range(members), 2 * threshold + 1)
    assert sum(runs_round(committee, members, number) for committee in committees) == 1


@given(sizes, numbers, st.data())
def test_the_next_number_is_above_and_the_lowest_that_belongs(shape, after, data):
    members, threshold = shape
    size = 2 * threshold + 1
    committee = data.draw(st.sampled_from(list(itertools.combinations(range(members), size))))
    number = next_round(committee, members, after)
    assert after < number <= after + math.comb(members, size)
    assert runs_round(committee, members, number)
    assert not any(runs_round(committee, members, n) for n in range(after + 1, number))


def test_where_all_members_are_the_committee_numbers_have_no_gaps():
    assert [next_round((0, 1, 2), 3, after) for after in range(4)] == [1, 2, 3, 4]


def test_numbers_count_through_the_committees_in_order():
    # Part of the protocol: members of two versions that disagree about it refuse each other's rounds.
    committees = [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    assert [next_round(c, 4, 0) for c in committees] == [4, 1, 2, 3]


@pytest.mark.parametrize("committee", [(2, 1, 0), (0, 1, 1), (0, 1, 5), ()])
def test_what_is_no_committee_runs_no_round(committee):
    assert not any(runs_round(committee, 5, number) for number in range(20) if committee)
    if committee:
        with pytest.raises(ValueError, match="no ascending choice"):
            next_round(committee, 5, 0)
