import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.policy.network import MARGIN, PolicyNetwork, quantised
from mpc_party.hedging.model import (
    ACTIVATION_REACH,
    COUNTS,
    FEATURES,
    MODEL_REACH,
    POLICY,
    encode_weights,
    policy_bounds,
)
from mpc_party.protocol.errors import ConfigError

LOW = np.array([known.low for known in FEATURES])
HIGH = np.array([known.high for known in FEATURES])


def random_weights(seed, scale=0.3):
    return (scale * np.random.default_rng(seed).standard_normal(COUNTS[POLICY])).tolist()  # noqa: TID251 - no secrets here


def points(count, seed=0):
    return LOW + (HIGH - LOW) * np.random.default_rng(seed).random((count, len(FEATURES)))  # noqa: TID251 - no secrets here


def test_a_new_network_hedges_as_black_scholes_does_and_may_be_dealt():
    network = PolicyNetwork(3)
    assert not network(torch.from_numpy(points(50)).float()).any()
    encode_weights(POLICY, network.weights(), 16)


def test_the_seed_determines_the_weights():
    assert PolicyNetwork(3).weights() == PolicyNetwork(3).weights()
    assert PolicyNetwork(3).weights() != PolicyNetwork(4).weights()


def test_weights_come_back_in_the_documented_order():
    weights = random_weights(1)
    network = PolicyNetwork.from_weights(weights)
    assert network.weights() == weights
    flat = np.array(weights)
    features = points(20)
    first = (features @ flat[:96].reshape(16, 6).T + flat[96:112]) ** 2
    second = (first @ flat[112:368].reshape(16, 16).T + flat[368:384]) ** 2
    expected = second @ flat[384:400] + flat[400]
    with torch.no_grad():
        np.testing.assert_allclose(network(torch.from_numpy(features)).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "weights", [[0.0] * 400, [0.0] * 402, [], [float("nan")] * 401, [float("inf")] * 401]
)
def test_other_weights_are_refused(weights):
    with pytest.raises(ConfigError, match="401 finite weights"):
        PolicyNetwork.from_weights(weights)


@given(st.integers(0, 2**32), st.floats(0.01, 1.0))
@settings(max_examples=25, deadline=None)
def test_no_point_of_the_box_gets_past_the_bounds(seed, scale):
    network = PolicyNetwork.from_weights(random_weights(seed, scale))
    features = torch.from_numpy(np.vstack([points(200, seed), LOW, HIGH]))
    first, second, last = network.bounds()
    with torch.no_grad():
        one = network.first(features)
        two = network.second(one.square())
        assert float(one.abs().max()) <= first * (1 + 1e-12)
        assert float(two.abs().max()) <= second * (1 + 1e-12)
        assert float(network(features).abs().max()) <= last * (1 + 1e-12)


@given(st.integers(0, 2**32), st.floats(0.01, 1.0))
@settings(max_examples=25, deadline=None)
def test_the_bounds_for_the_penalty_are_those_that_dealing_checks(seed, scale):
    weights = random_weights(seed, scale)
    limits = np.array([ACTIVATION_REACH, ACTIVATION_REACH, MODEL_REACH])
    reach = PolicyNetwork.from_weights(weights).reach().detach().numpy()
    np.testing.assert_allclose(reach, np.array(policy_bounds(np.array(weights))) / limits, rtol=1e-9)


def test_the_bounds_have_gradients():
    network = PolicyNetwork.from_weights(random_weights(2))
    network.reach().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("scale", [0.5, 1.0, 5.0])
def test_projection_makes_any_network_one_that_may_be_dealt(scale):
    network = PolicyNetwork.from_weights(random_weights(5, scale))
    with pytest.raises(ConfigError, match="allowed are 16 and 8"):
        encode_weights(POLICY, network.weights(), 16)
    network.project()
    encode_weights(POLICY, quantised(network.weights()), 16)
    assert network.bounds()[2] == pytest.approx(MARGIN * MODEL_REACH)


def test_projection_leaves_a_network_within_the_bounds_alone():
    weights = random_weights(5, 0.05)
    network = PolicyNetwork.from_weights(weights)
    network.project()
    assert network.weights() == weights


def test_quantised_weights_are_what_fixed_point_gives_back():
    weights = random_weights(6, 0.05)
    found = quantised(weights)
    assert found == quantised(found)
    assert found == [word / 2**16 for word in encode_weights(POLICY, weights, 16)]
    assert np.abs(np.array(found) - weights).max() <= 2.0**-17
