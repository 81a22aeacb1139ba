import numpy as np
import pytest

from models.paths import STEP_YEARS, HestonMarket, Paths
from models.policy.features import call_inputs
from mpc_party.hedging.model import FEATURES
from mpc_party.market.black76 import greeks


@pytest.fixture(scope="module")
def paths():
    return HestonMarket().simulate("features", 200, 10)


def test_delta_and_density_are_black_76_at_the_paths_vol(paths):
    inputs = call_inputs(paths, 1.02, STEP_YEARS)
    step = 4
    time = np.full(200, 6 * STEP_YEARS)
    expected = greeks(1.02 / paths.spot[:, step], paths.vol[:, step], time, np.ones(200, dtype=bool))
    np.testing.assert_allclose(inputs.delta[:, step], expected.delta, atol=1e-12)
    np.testing.assert_allclose(inputs.density[:, step], expected.vega / np.sqrt(time), atol=1e-12)


def test_features_come_in_the_order_in_which_the_joint_computation_has_them(paths):
    inputs = call_inputs(paths, 1.0, STEP_YEARS)
    assert inputs.features.shape == (200, 10, 6)
    step = 7
    expected = (
        inputs.delta[:, step] - 0.5,
        inputs.density[:, step],
        np.full(200, np.sqrt(3 * STEP_YEARS) / 2),
        np.log(paths.vol[:, step] / 0.5) / 2,
        paths.imbalance[:, step],
        paths.realised[:, step],
    )
    np.testing.assert_allclose(inputs.features[:, step], np.stack(expected, axis=-1), atol=1e-12)


def test_features_stay_in_their_ranges_even_where_the_vol_is_nought_and_expiry_is_years_away():
    spot = np.array([[1.0, 1.5, 0.2, 1.0]])
    flat = np.zeros((1, 4))
    wild = Paths(spot, np.array([[0.0, 30.0, 1e-9, 0.2]]), flat + 5.0, flat - 5.0)
    inputs = call_inputs(wild, 1.0, 2.0)
    for column, known in enumerate(FEATURES):
        assert (inputs.features[..., column] >= known.low).all()
        assert (inputs.features[..., column] <= known.high).all()
    assert np.isfinite(inputs.features).all()
    assert np.isfinite(inputs.delta).all()


def test_payoff_and_premium_are_the_calls(paths):
    inputs = call_inputs(paths, 0.99, STEP_YEARS)
    np.testing.assert_array_equal(inputs.payoff, np.maximum(paths.spot[:, -1] - 0.99, 0.0))
    one = np.ones(1)
    expected = greeks(0.99 * one, 0.2 * one, 10 * STEP_YEARS * one, np.ones(1, dtype=bool)).premium[0]
    assert inputs.premium == pytest.approx(expected, rel=1e-12)
