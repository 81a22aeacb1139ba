"""Chebyshev tables against the exact outputs: the errors that the module claims, and no more."""

import numpy as np
import pytest

from mpc_party.hedging.chebyshev import Output, coefficient_table, output_values
from mpc_party.market.black76 import greeks

BAND, DEGREE = 1.4, 12


def grid(moneyness, reference, years):
    """All combinations, each of shape (n,)."""
    return tuple(axis.ravel() for axis in np.meshgrid(moneyness, reference, years, indexing="ij"))


def evaluate(table, u):
    """(5, points, n) from coefficients (5, degree + 1, n)."""
    polynomials = np.cos(np.arange(table.shape[1])[:, None] * np.arccos(u))
    return np.einsum("okn,kj->ojn", table, polynomials)


def greatest_errors(moneyness, reference, years, band=BAND, degree=DEGREE, points=161):
    moneyness, reference, years = grid(moneyness, reference, years)
    call = np.arange(len(moneyness)) % 2 == 0
    table = coefficient_table(moneyness, reference, years, call, band, degree)
    assert table.shape == (5, degree + 1, len(moneyness))
    u = np.cos(np.linspace(0, np.pi, points))
    ratio = np.exp(band * u)[:, None]
    exact = output_values(moneyness, reference * ratio, years, call, ratio)
    return np.abs(evaluate(table, u) - exact).max(axis=(1, 2))


def test_errors_where_options_are_traded():
    found = greatest_errors(
        np.append(np.geomspace(0.7, 1.4, 41), 1.0), np.geomspace(0.15, 1.5, 9), np.geomspace(1, 365, 10) / 365
    )
    assert (found < [1e-11, 5.5e-5, 1.7e-4, 2.0e-4, 8e-6]).all()
    assert (found > [0, 4e-5, 1.3e-4, 1.6e-4, 5e-6]).all()  # the claim is not idle either


def test_errors_for_all_that_a_proposal_may_hold():
    found = greatest_errors(
        np.append(np.geomspace(1 / 20, 20, 61), 1.0),
        np.geomspace(0.01, 5.0, 12),
        np.array([1 / 8760, 1 / 365, 0.05, 0.3, 1, 3, 10]),
        points=81,
    )
    assert (found < [1e-11, 2.1e-4, 6.3e-4, 7.6e-4, 4.2e-4]).all()


@pytest.mark.parametrize(("band", "degree", "delta"), [(0.5, 4, 2.5e-3), (1.0, 8, 1.2e-4), (2.0, 16, 2e-4)])
def test_errors_at_other_bands_and_degrees(band, degree, delta):
    found = greatest_errors(
        np.geomspace(0.7, 1.4, 21), np.geomspace(0.15, 1.5, 5), np.geomspace(1, 365, 6) / 365, band, degree
    )
    assert found[Output.DELTA] < delta


def test_coefficients_fall_off():
    table = coefficient_table(
        np.array([0.9, 1.1]), np.array([0.5, 0.5]), np.array([0.1, 0.1]), np.array([True, False]), BAND, 16
    )
    size = np.abs(table).max(axis=(0, 2))
    assert (size[13:] < 3e-4).all()
    assert size[0] > 0.1


def test_the_first_row_is_the_exponential():
    table = coefficient_table(
        np.array([1.0]), np.array([0.5]), np.array([0.1]), np.array([True]), BAND, DEGREE
    )
    from scipy.special import iv  # noqa: PLC0415 - e^(band u) = I_0 + 2 sum I_k(band) T_k(u)

    expected = iv(np.arange(DEGREE + 1), BAND) * np.where(np.arange(DEGREE + 1) == 0, 1, 2)
    assert np.allclose(table[Output.VOL_RATIO, :, 0], expected, rtol=0, atol=1e-13)


def test_output_values_are_the_greeks_in_the_reports_shape():
    moneyness, vol = np.array([0.8, 1.0, 1.3]), np.array([0.4, 0.5, 0.9])
    years, call, reference = np.array([0.1, 0.5, 1.0]), np.array([True, False, False]), 0.6
    exact = greeks(moneyness, vol, years, call)
    values = output_values(moneyness, vol, years, call, vol / reference)
    assert values.shape == (len(Output), 3)
    assert np.allclose(values[Output.VOL_RATIO] * reference, vol)
    assert np.array_equal(values[Output.DELTA], exact.delta)
    assert np.allclose(values[Output.DENSITY] * np.sqrt(years), exact.vega)
    assert np.allclose(values[Output.GAMMA_SHAPE] / (reference * np.sqrt(years)), exact.gamma)
    intrinsic = np.maximum(np.where(call, 1 - moneyness, moneyness - 1), 0)
    assert np.allclose(values[Output.TIME_VALUE] + intrinsic, exact.premium)


def test_put_and_call_tables_differ_by_one_in_delta_alone():
    arguments = np.array([0.9]), np.array([0.5]), np.array([0.1])
    call = coefficient_table(*arguments, np.array([True]), BAND, DEGREE)
    put = coefficient_table(*arguments, np.array([False]), BAND, DEGREE)
    difference = call - put
    assert difference[Output.DELTA, 0, 0] == pytest.approx(1.0)
    difference[Output.DELTA, 0, 0] = 0
    assert np.abs(difference).max() < 1e-14
