"""A desk's private input: the root of its normal equations, of trace 1 and bounded pull."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.intervals import LEGENDRE
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.refit.equations import EXPLAINED_REACH, SIZE, TO_POWERS, Equations, equations, pooled_weights
from tests.support.refits import TRUE_WEIGHTS, desk_equations, desk_sums
from tests.support.secure_parties import generator_of


def parts(one: Equations):
    return one.root[:, :SIZE], one.root[:, SIZE]


def test_the_root_gives_the_normal_equations_back_over_their_trace():
    matrix, vector = desk_sums(1)
    root, explained = parts(equations(matrix, vector))
    assert np.allclose(root.T @ root, matrix / np.trace(matrix), atol=1e-14)
    assert np.allclose(root.T @ explained, vector / np.trace(matrix), atol=1e-14)
    assert np.isclose((root**2).sum(), 1.0)


def test_the_map_to_powers_is_that_of_the_basis():
    weights = np.array([0.3, -0.2, 0.7])
    assert np.allclose(TO_POWERS @ weights, weights @ LEGENDRE)


def test_one_desk_without_ridge_gets_its_own_least_squares():
    found = pooled_weights([desk_equations(1, rows=4000, noise=0.01)], 0.0)
    assert np.abs(found - TRUE_WEIGHTS).max() < 0.02


def test_desks_weigh_alike_whatever_they_trade():
    """A desk that trades a thousand times as much, or quotes in other units, counts no more."""
    matrix, vector = desk_sums(1)
    small, great = equations(matrix, vector), equations(1e6 * matrix, 1e6 * vector)
    assert np.allclose(small.root, great.root)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.01, 1.0))
def test_pooling_is_the_sum_of_normalised_equations_in_any_order(first, second, ridge):
    sums = [desk_sums(seed, rows=50) for seed in (first, second)]
    desks = [equations(*one) for one in sums]
    if any(desk.drawn_in for desk in desks):
        return
    matrix = sum(a / np.trace(a) for a, _ in sums) + 2 * ridge / 3 * np.eye(3)
    vector = sum(b / np.trace(a) for a, b in sums)
    expected = TO_POWERS @ np.linalg.solve(matrix, vector)
    assert np.allclose(pooled_weights(desks, ridge), expected, atol=1e-9)
    assert np.allclose(pooled_weights(desks[::-1], ridge), expected, atol=1e-9)


@given(st.integers(0, 10**6), st.floats(1 / 128, 1.0), st.integers(1, 3))
def test_no_input_within_the_bounds_pulls_further_than_its_q(seed, ridge, rank):
    """w'Mw <= sum of |q|^2, whatever the inputs: so a liar is held by |q| <= 1/2 in the norm of the pooled data."""
    generator = generator_of(seed)
    root = np.zeros((3, 3))
    root[:rank] = generator.normal(size=(rank, 3))
    root /= np.linalg.norm(root)
    explained = generator.normal(size=3)
    explained *= EXPLAINED_REACH / np.linalg.norm(explained)
    desks = [desk_equations(1), desk_equations(2), Equations(np.column_stack([root, explained]))]
    weights = np.linalg.solve(TO_POWERS, pooled_weights(desks, ridge))
    matrix = sum(r.T @ r for r, _ in map(parts, desks)) + ridge * np.eye(3)
    assert weights @ matrix @ weights <= sum((q**2).sum() for _, q in map(parts, desks)) + 1e-12


def test_a_direction_of_which_nothing_is_known_is_left_at_nothing():
    """All options of one delta: one weight can be told, the others are the ridge's."""
    row = np.array([1.0, 0.2, -0.5])
    found = equations(np.outer(row, row) * 40, row * 8)
    root, explained = parts(found)
    assert np.isfinite(found.root).all()
    assert np.isclose((root**2).sum(), 1.0)
    assert np.allclose(root.T @ explained, row * 8 / (40 * row @ row))


def test_a_desk_that_explains_too_much_is_drawn_in_to_the_bound():
    matrix, vector = desk_sums(1, weights=(3.0, 1.0, 0.0))
    found = equations(matrix, vector)
    root, explained = parts(found)
    assert found.drawn_in
    assert np.isclose(np.linalg.norm(explained), EXPLAINED_REACH, rtol=1e-4)
    assert np.linalg.norm(explained) < EXPLAINED_REACH
    # Its own weights keep their proportions.
    ratio = np.linalg.solve(root, explained) / np.linalg.solve(matrix, vector)
    assert np.allclose(ratio, ratio[0])
    assert not equations(*desk_sums(1)).drawn_in


@pytest.mark.parametrize(
    ("matrix", "vector"),
    [
        (np.zeros((3, 3)), np.zeros(3)),
        (np.full((3, 3), np.nan), np.zeros(3)),
        (np.eye(3), np.array([0.0, np.inf, 0.0])),
        (np.diag([1.0, 1.0, -0.5]), np.zeros(3)),
        (np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.zeros(3)),
        (np.array([[1.0, 0.3, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.zeros(3)),
    ],
    ids=["no data", "nan", "infinite", "negative", "indefinite", "unsymmetric"],
)
def test_sums_of_no_data_are_refused(matrix, vector):
    with pytest.raises(ConsortiumError) as caught:
        equations(matrix, vector)
    assert caught.value.reason is Reason.MARKET_DATA_INVALID


def test_other_shapes_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="shapes"):
        equations(np.eye(4), np.zeros(4))


def test_nothing_of_it_is_shown():
    one = desk_equations(1)
    assert repr(one) == "Equations(drawn_in=False)"
    with pytest.raises(TypeError):
        one.__reduce__()
