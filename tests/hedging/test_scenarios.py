"""Scenario losses by hand, as polynomials, and as margins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.chebyshev import chebyshev_nodes, coefficients_of
from mpc_party.hedging.scenarios import scenario_table, short_losses
from mpc_party.market.black76 import greeks
from mpc_party.protocol.consortium import SCENARIOS, Scenario

MONEYNESS, TIME = np.array([0.7, 0.9, 1.0, 1.1, 1.4]), np.full(5, 30 / 365)
CALL, PUT = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)


def price(moneyness, vol, time, call):
    return greeks(moneyness, np.full_like(moneyness, vol), time, call).premium


def test_a_loss_is_the_price_after_less_the_price_before():
    scenario = Scenario(0.15, 1.3, 0.5)
    found = short_losses(MONEYNESS, np.full(5, 0.5), TIME, CALL, [scenario])[0]
    expected = 0.5 * (1.15 * price(MONEYNESS / 1.15, 0.65, TIME, CALL) - price(MONEYNESS, 0.5, TIME, CALL))
    assert np.abs(found - expected).max() < 1e-12


def test_nothing_happens_nothing_is_lost():
    assert np.abs(short_losses(MONEYNESS, np.full(5, 0.5), TIME, PUT, [Scenario(0.0, 1.0)])).max() < 1e-15


def test_a_worthless_vol_leaves_the_intrinsic_move():
    """At next to no vol a call in the money loses its writer the whole move, one out of the money nothing."""
    found = short_losses(MONEYNESS, np.full(5, 1e-3), TIME, CALL, [Scenario(0.15, 1.0), Scenario(-0.15, 1.0)])
    assert found[0].tolist() == pytest.approx([0.15, 0.15, 0.15, 0.05, 0.0], abs=2e-4)
    assert found[1].tolist() == pytest.approx([-0.15, -0.1, 0.0, 0.0, 0.0], abs=2e-4)


@given(st.floats(0.6, 1.7), st.floats(0.05, 3.0), st.floats(0.003, 2.0), st.sampled_from(SCENARIOS))
def test_a_put_loses_what_the_call_loses_less_the_move(moneyness, vol, time, scenario):
    m, t, v = np.array([moneyness]), np.array([time]), np.array([vol])
    call = short_losses(m, v, t, np.array([True]), [scenario])[0, 0]
    put = short_losses(m, v, t, np.array([False]), [scenario])[0, 0]
    assert put == pytest.approx(call - scenario.weight * scenario.move, abs=1e-12)


@given(st.floats(0.05, 20.0), st.floats(0.01, 5.0), st.floats(0.0003, 10.0), st.booleans())
def test_no_loss_leaves_the_range_that_comparisons_are_promised(moneyness, vol, time, call):
    extremes = [Scenario(move, factor) for move in (-0.9, 0.0, 1.0) for factor in (0.25, 4.0)]
    found = short_losses(np.array([moneyness]), np.array([vol]), np.array([time]), np.array([call]), extremes)
    # A call is worth at most the forward (1 + move <= 2), a put at most its strike, of which it loses what the call
    # loses less the move.
    assert np.abs(found).max() <= 2.0


def test_the_worst_scenario_depends_on_the_vol():
    """Otherwise the maximum could be taken in public."""
    vols = np.geomspace(0.15, 1.5, 12)
    worst = {
        int(
            np.argmax(
                short_losses(np.array([1.3]), np.array([vol]), np.array([0.1]), np.array([True]), SCENARIOS)
            )
        )
        for vol in vols
    }
    assert len(worst) > 1


@pytest.mark.parametrize("call", [CALL, PUT])
def test_the_polynomials_give_the_losses_over_the_band(call):
    reference, band, degree = np.full(5, 0.5), 1.4, 12
    table = scenario_table(MONEYNESS, reference, TIME, call, band, degree, SCENARIOS)
    assert table.shape == (len(SCENARIOS), degree + 1, 5)
    u = np.linspace(-1, 1, 101)[:, None]
    exact = short_losses(MONEYNESS, reference * np.exp(band * u), TIME, call, SCENARIOS)
    polynomials = np.cos(np.arange(degree + 1)[:, None] * np.arccos(u[:, 0]))
    found = np.einsum("skn,kj->sjn", table, polynomials)
    assert np.abs(found - exact).max() < 5e-5


def test_nodes_and_coefficients_rebuild_a_polynomial():
    nodes = chebyshev_nodes(5)
    values = (1 + 2 * nodes - 3 * nodes**3)[None, :, None]
    found = coefficients_of(values, 5)[0, :, 0]
    # x^3 = (3 T_1 + T_3) / 4
    assert found.tolist() == pytest.approx([1.0, 2.0 - 2.25, 0.0, -0.75, 0.0, 0.0], abs=1e-14)
