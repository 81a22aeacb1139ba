"""The hedge model's weights and the header of its shares."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.hedging.model import KIND, WEIGHTS, check_header, encode_weights
from mpc_party.hedging.outputs import MODEL_REACH
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader

CONSORTIUM = bytes(range(32))
HEADER = ModelHeader(1, CONSORTIUM, 3, KIND, len(WEIGHTS), 16, 3, 1)
EXPECTED = {"consortium": CONSORTIUM, "epoch": 3, "fraction_bits": 16}


def test_weights_become_ring_integers():
    assert encode_weights([1.0, -0.5, 0.25], 16) == [65_536, -32_768, 16_384]
    assert encode_weights((0, 0, 0), 12) == [0, 0, 0]
    assert all(type(word) is int for word in encode_weights([0.1, 0.2, 0.3], 20))


@given(st.lists(st.floats(-2.6, 2.6), min_size=3, max_size=3), st.integers(12, 20))
def test_weights_within_reach_are_rounded_to_the_nearest(weights, bits):
    for weight, word in zip(weights, encode_weights(weights, bits), strict=True):
        assert abs(word / (1 << bits) - weight) <= 0.5 / (1 << bits)


@pytest.mark.parametrize("weights", [(8, 0, 0), (0, -8, 0), (-3, 3, -2), (2.5, 2.5, 3.0)])
def test_weights_at_the_limit(weights):
    assert len(encode_weights(weights, 16)) == 3
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
    with pytest.raises(ConfigError, match="three finite weights") as caught:
        encode_weights(weights, 16)
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
