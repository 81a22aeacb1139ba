"""The hedge model's weights and the header of its shares."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.model import (
    ACTIVATION_REACH,
    COUNTS,
    FEATURES,
    MINIMUM_VARIANCE,
    MODEL_REACH,
    POLICY,
    WEIGHTS,
    check_header,
    encode_weights,
    policy_bounds,
    policy_parts,
    policy_weights,
)
from mpc_party.market.streams import normal, uniform
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader

CONSORTIUM = bytes(range(32))
HEADER = ModelHeader(1, CONSORTIUM, 3, MINIMUM_VARIANCE, len(WEIGHTS), 16, 3, 1)
EXPECTED = {"consortium": CONSORTIUM, "epoch": 3, "fraction_bits": 16}


def test_weights_become_ring_integers():
    assert encode_weights(MINIMUM_VARIANCE, [1.0, -0.5, 0.25], 16) == [65_536, -32_768, 16_384]
    assert encode_weights(MINIMUM_VARIANCE, (0, 0, 0), 12) == [0, 0, 0]
    assert all(type(word) is int for word in encode_weights(MINIMUM_VARIANCE, [0.1, 0.2, 0.3], 20))


@given(st.lists(st.floats(-2.6, 2.6), min_size=3, max_size=3), st.integers(12, 20))
def test_weights_within_reach_are_rounded_to_the_nearest(weights, bits):
    for weight, word in zip(weights, encode_weights(MINIMUM_VARIANCE, weights, bits), strict=True):
        assert abs(word / (1 << bits) - weight) <= 0.5 / (1 << bits)


@pytest.mark.parametrize("weights", [(8, 0, 0), (0, -8, 0), (-3, 3, -2), (2.5, 2.5, 3.0)])
def test_weights_at_the_limit(weights):
    assert len(encode_weights(MINIMUM_VARIANCE, weights, 16)) == 3
    assert sum(abs(w) for w in weights) == MODEL_REACH


@pytest.mark.parametrize(
    "weights",
    [
        (),
        (1.0, 2.0),
        (1.0, 1.0, 1.0, 1.0),
        ((1.0, 1.0, 1.0),),
        (8.000001, 0, 0),
        (-3, 3, -2.1),
        (float("nan"), 0, 0),
        (float("inf"), 0, 0),
        (0, 0, -float("inf")),
        (1e300, 1e300, 1e300),
    ],
)
def test_weights_out_of_reach(weights):
    with pytest.raises(ConfigError, match="finite weights") as caught:
        encode_weights(MINIMUM_VARIANCE, weights, 16)
    assert str(caught.value).count("1e+300") == 0  # secrets do not stand in messages
    assert caught.value.reason is Reason.CONFIG_INVALID


def test_the_header_of_this_program():
    check_header(HEADER, **EXPECTED)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("kind", "neural-network", "kind neural-network"),
        ("count", 4, "count 4"),
        ("consortium", bytes(32), "consortium 0000"),
        ("epoch", 2, "epoch 2"),
        ("fraction_bits", 17, "fraction bits 17"),
    ],
)
def test_a_header_of_another(field, value, message):
    with pytest.raises(ConsortiumError, match=message) as caught:
        check_header(msgspec.structs.replace(HEADER, **{field: value}), **EXPECTED)
    assert caught.value.reason is Reason.MODEL_MISMATCH


def test_a_header_of_the_network():
    check_header(msgspec.structs.replace(HEADER, kind=POLICY, count=401), **EXPECTED)
    with pytest.raises(ConsortiumError, match="count 3, this consortium needs 401"):
        check_header(msgspec.structs.replace(HEADER, kind=POLICY), **EXPECTED)


def test_a_kind_that_no_program_runs():
    with pytest.raises(ConfigError, match="no model kind 'linear'"):
        encode_weights("linear", (1.0,), 16)


def test_the_parts_of_the_network_cover_its_weights_once():
    assert COUNTS[POLICY] == 401
    parts = policy_weights(np.arange(401.0))
    assert [part.shape for part in parts] == [(16, 6), (16,), (16, 16), (16,), (16,), (1,)]
    assert np.concatenate([part.ravel() for part in parts]).tolist() == list(range(401))
    assert [part.stop for part, _ in policy_parts()][-1] == 401


def network(weights: np.ndarray, features: np.ndarray) -> tuple[float, float, float]:
    parts = policy_weights(weights)
    first = parts.first @ features + parts.first_bias
    second = parts.second @ first**2 + parts.second_bias
    return np.abs(first).max(), np.abs(second).max(), abs(parts.last @ second**2 + parts.last_bias[0])


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.1, 0.5]))
def test_no_feature_vector_leaves_the_bounds(seed, size):
    weights = size * normal(f"test/weights/{seed}", 401)
    bounds = policy_bounds(weights)
    low, high = (np.array([getattr(f, end) for f in FEATURES]) for end in ("low", "high"))
    inside = uniform(f"test/features/{seed}", 40 * len(FEATURES)).reshape(40, -1)
    inside[:20] = np.rint(inside[:20])  # corners of the box
    for features in low + inside * (high - low):
        for found, bound in zip(network(weights, features), bounds, strict=True):
            assert found <= bound * (1 + 1e-12)


def test_the_bounds_of_one_unit_are_reached():
    weights = np.zeros(401)
    weights[3], weights[96 + 16], weights[96 + 16 + 256 + 16] = 2.0, 0.5, 0.125  # W1[0, 3], W2[0, 0], w3[0]
    assert policy_bounds(weights) == (4.0, 8.0, 8.0)  # log-vol reaches 2
    encode_weights(POLICY, weights, 16)


@pytest.mark.parametrize(("at", "value"), [(3, 8.1), (96 + 16, 17.0), (400, 8.1)])
def test_a_network_that_could_leave_the_range_is_refused_without_its_weights(at, value):
    weights = np.zeros(401)
    weights[3], weights[96 + 16] = 0.5, 1e-3
    weights[at] = value
    assert max(policy_bounds(weights)[:2]) > ACTIVATION_REACH or policy_bounds(weights)[2] > MODEL_REACH
    with pytest.raises(ConfigError, match="smaller weights"):
        encode_weights(POLICY, weights, 16)
