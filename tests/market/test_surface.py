"""The private fit: it finds what is there, weighs what it knows, borrows what it lacks, and stays in the band."""

import pickle  # noqa: TID251 - to show that it refuses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from mpc_party.market import Grid, SurfaceFit, VolQuotes, fit_surface
from mpc_party.market.black76 import greeks
from mpc_party.market.surface import (
    BASIS_SIZE,
    LARGEST_COEFFICIENT,
    STEEPEST,
    Z_LIMIT,
    effective_count,
    row_weights,
)

NOW = 1_767_258_000
DAY = 86_400
GRID = Grid(
    NOW,
    np.array([NOW + DAY, NOW + 9 * DAY, NOW + 81 * DAY, NOW + 361 * DAY], dtype=np.int64),
    np.array([90_000.0, 90_300.0, 91_000.0, 95_000.0]),
    np.array([0.5, 0.45, 0.5, 0.55]),
)
COEFFICIENTS = np.array([[0.1, -0.05, 0.02], [-0.2, 0.03, 0.01], [0.05, 0.0, 0.0], [0.3, -0.06, 0.03]])


def strikes(index: int, x) -> np.ndarray:
    return GRID.forward[index] * np.exp(np.asarray(x) * GRID.reference_vol[index] * np.sqrt(GRID.time[index]))


def held(x) -> np.ndarray:
    """The z of x standard deviations."""
    return np.asarray(x) / np.sqrt(1 + (np.asarray(x) / 3) ** 2)


def quotes(*parts: tuple[int, np.ndarray, np.ndarray, float]) -> VolQuotes:
    """Per part: index of the expiry, standard deviations, log-vol deviation, width."""
    return VolQuotes(
        np.concatenate([np.full(len(x), GRID.expiry[index]) for index, x, _, _ in parts]),
        np.concatenate([strikes(index, x) for index, x, _, _ in parts]),
        np.concatenate([GRID.reference_vol[index] * np.exp(dev) for index, _, dev, _ in parts]),
        np.concatenate([np.full(len(x), width) for _, x, _, width in parts]),
    )


def quadratic(index: int, count: int = 25, width: float = 0.01):
    x = np.linspace(-2.5, 2.5, count)
    a, b, c = COEFFICIENTS[index]
    z = held(x)
    return index, x, a + b * z + c * (z * z - 1.0), width


def deviation(fit: SurfaceFit, z) -> np.ndarray:
    z = np.asarray(z)
    return fit.coefficients @ np.stack([np.ones_like(z), z, z * z - 1.0])


NONE = VolQuotes(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


def test_a_quadratic_is_found_again():
    fit = fit_surface(GRID, quotes(*(quadratic(i) for i in range(4))), band=1.4)
    # The ridge takes a part in a thousand of the higher orders.
    assert np.abs(fit.coefficients - COEFFICIENTS).max() < 1e-3
    assert np.allclose(fit.coefficients[2], COEFFICIENTS[2], atol=1e-8)  # a flat one, exactly
    assert (fit.borrowed, fit.clipped) == (0, 0)


def test_order_and_strange_expiries_do_not_matter():
    ordered = quotes(*(quadratic(i) for i in range(4)))
    order = np.argsort(np.sin(np.arange(len(ordered)) * 17.0))
    stranger = VolQuotes(
        np.append(ordered.expiry[order], NOW + 5),
        np.append(ordered.strike[order], 1.0),
        np.append(ordered.vol[order], 9.9),
        np.append(ordered.width[order], 1e-4),
    )
    one, other = fit_surface(GRID, ordered, 1.4), fit_surface(GRID, stranger, 1.4)
    assert np.allclose(one.coefficients, other.coefficients, rtol=0, atol=1e-11)


def test_good_quotes_outweigh_bad_ones():
    index, z, dev, _ = quadratic(2)
    tight, wide = (index, z, dev, 0.01), (index, z + 0.01, dev + 0.5, 0.2)
    fit = fit_surface(GRID, quotes(tight, wide), band=1.4)
    assert abs(deviation(fit, 0.0)[2] - COEFFICIENTS[2, 0]) < 0.01


def test_the_wings_count_for_less_than_the_money():
    weights = row_weights(GRID, 1, quotes(quadratic(1)), np.ones(25, bool))
    assert weights.max() == 1.0
    assert np.argmax(weights) in (11, 12, 13)
    assert weights[0] < 0.02
    assert weights[-1] < 0.02


def test_a_width_below_half_a_percent_counts_as_half_a_percent():
    z = np.zeros(2)
    vols = VolQuotes(np.full(2, GRID.expiry[1]), strikes(1, z), np.full(2, 0.5), np.array([1e-4, 0.0025]))
    assert row_weights(GRID, 1, vols, np.ones(2, bool)).tolist() == [1.0, 1.0]


def test_effective_count():
    assert effective_count(np.ones(7)) == pytest.approx(7)
    assert effective_count(np.array([1.0, 0, 0, 0])) == 1
    assert effective_count(np.array([1.0, 1e-9, 1e-9])) == pytest.approx(1)
    assert effective_count(np.zeros(3)) == 0


def test_an_expiry_with_too_few_quotes_borrows_from_its_neighbours():
    thin = quadratic(1, count=3)
    fit = fit_surface(GRID, quotes(quadratic(0), thin, quadratic(2), quadratic(3)), band=1.4)
    assert fit.borrowed == 1
    # In the square root of time, 3 lies a quarter of the way from 1 to 9.
    expected = 0.75 * fit.coefficients[0] + 0.25 * fit.coefficients[2]
    assert np.allclose(fit.coefficients[1], expected)


def test_ends_borrow_from_their_one_neighbour_and_all_from_the_reference():
    fit = fit_surface(GRID, quotes(quadratic(1)), band=1.4)
    assert fit.borrowed == 3
    assert (fit.coefficients == fit.coefficients[1]).all()
    fit = fit_surface(GRID, NONE, band=1.4)
    assert (fit.coefficients == 0).all()
    assert (fit.borrowed, fit.clipped) == (4, 0)


@pytest.mark.parametrize(
    "z", [np.zeros(6), np.full(6, 2.0), np.array([0.0, 0, 0, 1, 1, 1]), np.full(4, 9.0), np.full(5, -4.0)]
)
def test_strikes_that_leave_a_quadratic_open_give_the_level(z):
    fit = fit_surface(GRID, quotes((1, z, np.full(len(z), 0.3), 0.01)), band=1.4)
    assert np.abs(deviation(fit, held(z))[1] - 0.3).max() < 0.01
    assert np.isfinite(fit.coefficients).all()


def test_quotes_without_any_vega_say_nothing():
    z = np.linspace(300, 400, 6)
    fit = fit_surface(GRID, quotes((0, z, np.full(6, -3.0), 0.01)), band=1.4)
    assert np.allclose(fit.coefficients[0], 0)


Z = np.linspace(-Z_LIMIT, Z_LIMIT, 2001)


@pytest.mark.parametrize("level", [-3.0, -1.5, 1.5, 3.0])
def test_a_level_beyond_the_band_is_drawn_in(level):
    z = np.linspace(-2, 2, 9)
    fit = fit_surface(GRID, quotes((2, z, np.full(9, level), 0.01)), band=1.4)
    assert fit.clipped == 4  # its borrowers with it
    assert np.allclose(np.abs(deviation(fit, Z)), 0.9 * 1.4, atol=1e-3)
    assert np.sign(fit.coefficients[2, 0]) == np.sign(level)


def test_a_vertex_between_the_ends_is_held_too():
    z = np.linspace(-2.2, 3.0, 30)
    wild = 0.5 - 0.31 * (z - 0.55) ** 2 + 1.0
    fit = fit_surface(GRID, quotes((2, z, wild, 0.01)), band=1.4)
    assert np.abs(deviation(fit, Z)).max() <= 1.4 * (1 + 1e-12)


vols = st.floats(0.01, 10.0)
row = st.tuples(st.integers(0, 3), st.floats(-9, 9), vols, st.floats(1e-4, 20.0))


@given(
    st.lists(row, min_size=0, max_size=60),
    st.floats(0.11, 2.0),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
)
@settings(max_examples=120)
def test_whatever_the_quotes_the_fit_stays_in_the_band_and_in_what_a_round_accepts(rows, band, ends):
    given_quotes = VolQuotes(
        np.array([GRID.expiry[i] for i, _, _, _ in rows], dtype=np.int64),
        np.array([strikes(i, z) for i, z, _, _ in rows], dtype=np.float64),
        np.array([vol for _, _, vol, _ in rows], dtype=np.float64),
        np.array([width for _, _, _, width in rows], dtype=np.float64),
    )
    fit = fit_surface(GRID, given_quotes, band)
    assert fit.coefficients.shape == (4, BASIS_SIZE)
    assert np.abs(deviation(fit, Z)).max() <= band * (1 + 1e-12)
    assert np.abs(fit.coefficients).max() <= LARGEST_COEFFICIENT * (1 + 1e-12)
    few = fit_surface(GRID, given_quotes, band, np.tile(sorted(ends), (4, 1)))
    assert np.abs(few.coefficients).max() <= LARGEST_COEFFICIENT * (1 + 1e-12)
    assert np.abs(deviation(few, np.linspace(*sorted(ends), 101))).max() <= band * (1 + 1e-9)
    assert 0 <= fit.borrowed <= 4
    assert 0 <= fit.clipped <= 4


spans = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(sorted)


@given(st.lists(row, min_size=4, max_size=40), st.lists(spans, min_size=4, max_size=4))
@settings(max_examples=80)
def test_with_a_span_the_band_holds_within_it(rows, span):
    given_quotes = VolQuotes(
        np.array([GRID.expiry[i] for i, _, _, _ in rows], dtype=np.int64),
        np.array([strikes(i, z) for i, z, _, _ in rows], dtype=np.float64),
        np.array([vol for _, _, vol, _ in rows], dtype=np.float64),
        np.array([width for _, _, _, width in rows], dtype=np.float64),
    )
    fit = fit_surface(GRID, given_quotes, 1.4, np.array(span))
    for index, (low, high) in enumerate(span):
        z = np.linspace(low, high, 301)
        assert np.abs(deviation(fit, z)[index]).max() <= 1.4 * (1 + 1e-12)


def test_within_its_span_a_fit_is_left_as_it_is():
    x = np.linspace(-1, 1, 15)
    inside = quotes((2, x, 0.5 * held(x), 0.01))
    assert fit_surface(GRID, inside, 1.4, np.tile([-1.0, 1.0], (4, 1))).clipped == 0
    assert fit_surface(GRID, inside, 1.4).clipped == 4


def test_the_grid():
    assert GRID.time.tolist() == [1 / 365, 9 / 365, 81 / 365, 361 / 365]
    assert np.allclose(GRID.deviation, GRID.reference_vol * np.sqrt(GRID.time), atol=0)
    index = np.array([0, 1, 3, 3])
    strike = np.array([strikes(i, x) for i, x in zip(index, (-1.5, 0.0, 4.0, 1000.0), strict=True)])
    z = [-1.5 / np.sqrt(1.25), 0.0, 2.4, 3.0]
    assert np.allclose(GRID.standardised(index, strike), z, atol=2e-5)
    assert (np.abs(GRID.standardised(index, strike)) <= Z_LIMIT).all()
    expected = [[1, zi, zi * zi - 1] for zi in GRID.standardised(index, strike)]
    assert np.allclose(GRID.basis(index, strike), expected, atol=1e-12)


def test_near_the_money_z_counts_standard_deviations():
    x = np.linspace(-0.2, 0.2, 9)
    assert np.allclose(GRID.standardised(np.full(9, 2), strikes(2, x)), x, rtol=3e-3)


def test_the_span_of_a_book():
    index = np.array([0, 0, 1, 2, 2, 2, 3])
    x = np.array([-1.0, 2.0, 0.5, -9.0, 0.0, 1.0, 3.0])
    strike = np.array([strikes(i, xi) for i, xi in zip(index, x, strict=True)])
    expected = held([[-1, 2], [0.5, 0.5], [-9, 1], [3, 3]])
    assert np.allclose(GRID.span(index, strike), expected, atol=1e-12)


# Wings


def d1(index: int, coefficients, x) -> np.ndarray:
    """Of options x standard deviations from the money, at the surface's own vols."""
    z, a = held(x), GRID.reference_vol[index] * np.sqrt(GRID.time[index])
    r = np.exp(coefficients[0] + coefficients[1] * z + coefficients[2] * (z * z - 1.0))
    return -x / r + 0.5 * a * r


X = np.linspace(-12, 12, 1201)
smiles = st.tuples(st.floats(-0.8, 0.8), st.floats(-0.6, 0.6), st.floats(-0.2, 0.6))


def smile_quotes(index: int, smile) -> VolQuotes:
    x = np.linspace(-3, 3, 25)
    a, b, c = smile
    return quotes((index, x, a + b * held(x) + c * (held(x) ** 2 - 1.0), 0.01))


def test_a_smile_that_steep_would_be_unlawful_and_is_flattened_only_as_far_as_it_must():
    smile = (0.0, 0.1, 0.3)
    assert (np.diff(d1(2, smile, X)) > 0).any()
    fit = fit_surface(GRID, smile_quotes(2, smile), 2.0)
    found = fit.coefficients[2]
    assert fit.clipped == 4  # its borrowers with it
    assert (np.diff(d1(2, found, X)) < 0).all()
    z = held(X)
    steepness = (found[1] + 2 * found[2] * z) * (1 - (z / 3) ** 2) * z
    assert STEEPEST - 0.2 < steepness.max() <= STEEPEST
    assert found[1] / found[2] == pytest.approx(1 / 3, rel=2e-2)  # both by one factor


def test_the_smile_of_a_market_is_left_as_it_is():
    assert fit_surface(GRID, smile_quotes(2, (0.1, -0.1, 0.1)), 1.4).clipped == 0


@given(st.integers(0, 3), smiles)
@settings(max_examples=80)
def test_whatever_the_smile_d1_falls_with_the_strike(index, smile):
    fit = fit_surface(GRID, smile_quotes(index, smile), 1.4)
    assert (np.diff(d1(index, fit.coefficients[index], X)) < 1e-12).all()


@given(st.integers(0, 3), st.lists(smiles, min_size=3, max_size=3))
@settings(max_examples=80)
def test_it_falls_for_the_median_of_three_desks_as_well(index, three):
    """Even where they have nothing in common."""
    fits = [fit_surface(GRID, smile_quotes(index, smile), 1.4).coefficients[index] for smile in three]
    delta = ndtr(d1(index, np.median(fits, axis=0), X))
    assert (delta[1:] - np.minimum.accumulate(delta)[:-1]).max() < 0.5 * 2 * 1500e-6


@pytest.mark.parametrize("liar", [(2.0, 2.0, 2.0), (-2.0, 2.0, 2.0), (2.0, -2.0, 2.0), (-2.0, -2.0, 2.0)])
def test_one_liar_among_desks_that_see_one_market_does_not_make_it_rise(liar):
    """The liar's coefficients are within what a round accepts, and the median takes the steeper of the honest ones."""
    honest = [
        fit_surface(GRID, smile_quotes(0, (0.0, skew, 0.3 + skew / 5)), 1.4).coefficients[0]
        for skew in (-0.02, 0.02)
    ]
    assert (np.diff(d1(0, np.median([*honest, np.array(liar)], axis=0), X)) < 0).all()


def test_vega_weights_agree_with_black_76():
    vols_at = quotes(quadratic(3))
    moneyness = vols_at.strike / GRID.forward[3]
    vega = greeks(moneyness, vols_at.vol, np.full(25, GRID.time[3]), np.ones(25, bool)).vega
    expected = vega**2 * vols_at.vol**2
    found = row_weights(GRID, 3, vols_at, np.ones(25, bool))
    assert np.allclose(found, expected / expected.max())


def test_a_fit_neither_shows_nor_ships_its_numbers():
    fit = fit_surface(GRID, quotes(quadratic(0)), 1.4)
    assert repr(fit) == "SurfaceFit(4 expiries, 3 borrowed, 0 clipped)"
    assert "[" not in f"{fit} {fit!s}"
    with pytest.raises(TypeError, match="secret"):
        pickle.dumps(fit)
