import numpy as np
import pytest
import torch

from models.adjustment import adjustment
from models.model_file import ModelFile
from models.policy.network import PolicyNetwork
from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY
from mpc_party.market.streams import normal, uniform

COUNT = 50
DELTA = 0.02 + 0.96 * uniform("delta", COUNT)
DENSITY = 0.4 * uniform("density", COUNT)
TIME = 2.0 * uniform("time", COUNT)
VOL = 0.1 + 1.4 * uniform("vol", COUNT)


def test_the_quadratic_by_hand():
    found = adjustment(ModelFile(MINIMUM_VARIANCE, (-0.25, 0.4, -0.3)), DELTA, DENSITY, TIME, VOL)
    assert found[7] == pytest.approx(DENSITY[7] * (-0.25 + 0.4 * DELTA[7] - 0.3 * DELTA[7] ** 2), abs=1e-15)
    assert found.shape == (COUNT,)


def test_the_policy_is_the_trained_network():
    weights = (0.2 * normal("weights", COUNTS[POLICY])).tolist()
    found = adjustment(ModelFile(POLICY, tuple(weights)), DELTA, DENSITY, TIME, VOL)
    features = np.stack(
        [DELTA - 0.5, DENSITY, np.sqrt(TIME) / 2, np.log(VOL / 0.5) / 2, 0 * DELTA, 0 * DELTA], axis=1
    )
    network = PolicyNetwork.from_weights(weights)
    with torch.no_grad():
        expected = network(torch.from_numpy(features).to(network.first.weight.dtype)).double().numpy()
    np.testing.assert_allclose(found, DENSITY * expected, atol=1e-6)
    assert np.abs(found).max() > 1e-3


def test_features_beyond_their_range_are_held():
    model = ModelFile(POLICY, tuple(0.2 * normal("weights", COUNTS[POLICY])))
    one, far = np.ones(1), np.full(1, 9.0)
    assert adjustment(model, 0.5 * one, 0.3 * one, far, 0.5 * one) == adjustment(
        model, 0.5 * one, 0.3 * one, 4 * one, 0.5 * one
    )
