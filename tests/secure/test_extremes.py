"""The median of three and the largest of several: exact, whatever the order, with ties, and in the rounds that they say."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import largest, median_of_three, open_words_many
from mpc_party.secure.shares import ReplicatedShares
from tests.support.secure_parties import give, run_secure, same

EDGE = 2**18 - 1
near = st.integers(-EDGE, EDGE)


def medians(x, y, z, bits=20):
    def program(session):
        shared = [give(session, i, v, 0) for i, v in enumerate((x, y, z))]
        return open_words_many([median_of_three(*shared, bits=bits)])[0]

    return same(run_secure(program).results)


def largest_of(rows, bits=20):
    def program(session):
        shared = ReplicatedShares.stack([give(session, i % 3, v, 0) for i, v in enumerate(rows)], dim=0)
        return open_words_many([largest(shared, bits=bits)])[0]

    return same(run_secure(program).results)


@given(st.lists(st.tuples(near, near, near), min_size=1, max_size=150))
@settings(max_examples=40, deadline=None)
def test_the_median_is_the_middle_one(rows):
    table = torch.tensor(rows)
    assert medians(*table.unbind(1)).tolist() == table.median(dim=1).values.tolist()


@given(near, near, st.integers(-(2**61), 2**61))
@settings(max_examples=40, deadline=None)
def test_one_value_however_wild_leaves_the_median_between_the_two_others(honest, other, wild):
    values = [torch.tensor([v]) for v in (honest, wild, other)]
    found = int(medians(*values, bits=64)[0])
    assert min(honest, other) <= found <= max(honest, other)


def test_medians_of_every_order_and_of_ties():
    rows = torch.tensor([(a, b, c) for a in range(3) for b in range(3) for c in range(3)])
    assert medians(*rows.unbind(1)).tolist() == rows.median(dim=1).values.tolist()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_the_largest_is_the_largest(count, data):
    width = data.draw(st.integers(1, 70))
    small = data.draw(st.booleans())  # ties are the rule among small numbers
    value = st.integers(-2, 2) if small else near
    rows = torch.tensor(
        data.draw(
            st.lists(
                st.lists(value, min_size=width, max_size=width),
                min_size=count,
                max_size=count,
            )
        )
    )
    assert largest_of(rows).tolist() == rows.max(dim=0).values.tolist()


def test_shapes_with_several_dimensions_are_kept():
    rows = (
        torch.arange(4 * 6, dtype=torch.int64).reshape(4, 2, 3) * torch.tensor([1, -1, 1, -1])[:, None, None]
    )
    assert largest_of(rows).tolist() == rows.max(dim=0).values.tolist()
    x, y, z = rows[:3]
    assert medians(x, y, z).tolist() == torch.stack([x, y, z]).median(dim=0).values.tolist()


@pytest.mark.parametrize(("count", "bits", "levels", "conjunctions"), [(2, 20, 2, 0), (6, 26, 2, 1), (8, 64, 3, 2)])
def test_rounds_are_as_documented(count, bits, levels, conjunctions):
    def program(session):
        rows = ReplicatedShares.stack([give(session, 0, torch.arange(9), 0) for _ in range(count)], dim=0)
        x, y, z = (rows[i % count] for i in range(3))
        before = session.traffic.rounds
        median_of_three(x, y, z, bits=bits)
        between = session.traffic.rounds
        largest(rows, bits=bits)
        return between - before, session.traffic.rounds - between

    assert run_secure(program).results == [(levels + 1, levels + conjunctions + 1)] * 3
