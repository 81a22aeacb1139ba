import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.paths import STEP_YEARS, BrownianMarket
from models.policy.band import whalley_wilmott_width, within_band
from models.policy.features import call_inputs

numbers = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def test_width_is_whalley_and_wilmotts():
    paths = BrownianMarket(vol=0.3).simulate("band", 50, 8)
    inputs = call_inputs(paths, 1.0, STEP_YEARS)
    found = whalley_wilmott_width(inputs, 1e-3, 2.0, STEP_YEARS)
    step = 5
    spot = paths.spot[:, step]
    gamma = inputs.density[:, step] / (spot * 0.3 * np.sqrt(3 * STEP_YEARS))
    np.testing.assert_allclose(found[:, step], (1.5 / 2.0 * 1e-3 * spot * gamma**2) ** (1 / 3), rtol=1e-9)


@given(numbers, st.floats(0, 1))
def test_the_hedge_stays_in_the_band_and_moves_only_at_its_edge(target, half):
    target = np.array([target])
    held = within_band(target, np.full_like(target, half))
    assert (np.abs(held - target) <= half + 1e-12).all()
    moved = np.diff(held, axis=1, prepend=0.0) != 0
    assert np.abs(np.abs(held - target)[moved] - half).max(initial=0.0) <= 1e-12


@given(numbers)
def test_a_band_without_width_is_the_target(target):
    target = np.array([target])
    np.testing.assert_array_equal(within_band(target, np.zeros_like(target)), target)


def test_a_wide_band_never_trades():
    assert not within_band(np.full((3, 4), 0.5), np.full((3, 4), 0.6)).any()


def test_trading_to_the_nearer_edge():
    held = within_band(np.array([[0.5, 0.55, 0.8, 0.1]]), np.full((1, 4), 0.1))
    assert held[0] == pytest.approx([0.4, 0.45, 0.7, 0.2])
