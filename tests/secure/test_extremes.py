"""The median and the largest of several: exact, whatever the order, with ties, and in the rounds that they say."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import general, largest, median_of_three, open_words_many
from mpc_party.secure.extremes import median
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import run
from tests.support.committees import all_equal, run_committee
from tests.support.secure_parties import generator_of, give, run_secure, same

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


def median_of(rows, bits=20):
    def program(session):
        shared = ReplicatedShares.stack([give(session, i % 3, v, 0) for i, v in enumerate(rows)], dim=0)
        return open_words_many([median(shared, bits=bits)])[0]

    return same(run_secure(program).results)


@pytest.mark.parametrize("count", [5, 7])
def test_medians_of_five_and_seven_in_every_order_and_with_ties(count):
    if count == 5:
        orders = torch.tensor(list(itertools.product(range(5), repeat=5))).T  # every tie as well
    else:
        orders = torch.tensor([*itertools.permutations(range(7)), *itertools.product(range(2), repeat=7)]).T
    assert median_of(orders).tolist() == orders.median(dim=0).values.tolist()


@pytest.mark.parametrize("count", [1, 3, 5, 7])
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_any_minority_however_wild_leaves_the_median_within_the_others(count, data):
    size = st.integers(-(2**61), 2**61)
    wild = data.draw(st.lists(size, min_size=count // 2, max_size=count // 2))
    honest = data.draw(st.lists(near, min_size=count - len(wild), max_size=count - len(wild)))
    mixed = data.draw(st.permutations(wild + honest))
    (found,) = median_of(torch.tensor(mixed)[:, None], bits=64).tolist()
    assert min(honest) <= found <= max(honest)
    assert found == sorted(mixed)[count // 2]


@pytest.mark.parametrize("count", [2, 4, 9])
def test_medians_of_other_numbers_are_refused(count):
    with pytest.raises(ValueError, match=f"not {count}"):
        median_of(torch.zeros(count, 3, dtype=torch.int64))


@pytest.mark.parametrize("size", [5, 7])
def test_the_median_of_a_whole_committee_by_itself(size):
    rows = torch.from_numpy(generator_of(size).integers(-EDGE, EDGE, (size, 2, 40)))

    def program(session):
        words = run(
            general.share_words(
                session,
                [(p, (2, 40), rows[p].numpy() if p == session.position else None) for p in range(size)],
            )
        )
        shares = ReplicatedShares(session, torch.from_numpy(np.stack(words, axis=1)), 0)
        median(shares, bits=20)
        general.prepare(session, general.used(session))
        before = session.traffic.rounds
        middle = median(shares, bits=20)
        taken = session.traffic.rounds - before
        return [open_words_many([middle])[0].numpy(), np.array(taken)]

    middle, rounds = all_equal(run_committee(size, program).results)
    assert np.array_equal(middle, rows.median(dim=0).values.numpy())
    assert rounds == 3 + 2 + 1


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


@pytest.mark.parametrize(
    ("count", "bits", "levels", "conjunctions"), [(2, 20, 2, 0), (6, 26, 2, 1), (8, 64, 3, 2)]
)
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


@pytest.mark.parametrize("bits", [65, 70, 1, 0, -1])
def test_widths_that_words_do_not_have(bits):
    def program(session):
        rows = ReplicatedShares.stack([give(session, 0, torch.arange(3), 0)] * 3, dim=0)
        for operation in (median, largest):
            with pytest.raises(ValueError, match="bits is"):
                operation(rows, bits=bits)

    run_secure(program)
