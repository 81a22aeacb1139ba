"""Fixed point: what is exact, what is rounded, what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason
from mpc_party.secure import SecureError
from mpc_party.secure.encoding import FixedPoint, decode, encode, fixed


@given(st.lists(st.integers(-(2**52), 2**52), min_size=1), st.integers(0, 30))
def test_what_the_scale_holds_is_exact(words, fraction_bits):
    values = torch.tensor(words, dtype=torch.float64) * 2.0**-fraction_bits
    encoded = encode(values, fraction_bits)
    assert encoded.tolist() == words
    assert torch.equal(decode(encoded, fraction_bits), values)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.integers(0, 30))
def test_other_values_are_off_by_half_a_unit_at_most(values, fraction_bits):
    tensor = torch.tensor(values, dtype=torch.float64)
    error = (decode(encode(tensor, fraction_bits), fraction_bits) - tensor).abs()
    assert float(error.max()) <= 2.0 ** -(fraction_bits + 1)


def test_ties_go_to_even():
    assert encode(torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5]), 0).tolist() == [0, 2, 2, 0, -2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2.0**47, -1e300, 7.25e15])
def test_what_does_not_fit_is_refused_without_being_shown(value):
    with pytest.raises(SecureError) as caught:
        encode(torch.tensor([1.0, value], dtype=torch.float64), 16)
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert str(value) not in str(caught.value)


def test_integers_are_encoded_exactly_up_to_the_edge_of_the_ring():
    edge = torch.tensor([2**62, -(2**63), 2**63 - 1])
    assert encode(edge, 0).tolist() == edge.tolist()
    assert encode(torch.tensor([2**46 - 1, -(2**47)]), 16).tolist() == [(2**46 - 1) << 16, -(2**63)]
    for too_large in (2**47, -(2**47) - 1):
        with pytest.raises(SecureError):
            encode(torch.tensor([too_large]), 16)
    assert encode(torch.tensor([True, False]), 16).tolist() == [65536, 0]


@pytest.mark.parametrize(
    ("value", "words", "fraction_bits"),
    [
        (3, 3, 0), (True, 1, 0), (-7, -7, 0), (0.0, 0, 0), (4.0, 4, 0), (0.75, 3, 2), (-0.5, -1, 1),
        (2.0**-16, 1, 16), (0.1, 6554, 16), (2.0**-17, 0, 16), (torch.tensor(0.25), 1, 2),
    ],
)  # fmt: skip
def test_public_scalars_take_no_more_fraction_bits_than_they_need(value, words, fraction_bits):
    assert fixed(value, 16) == FixedPoint(words, fraction_bits)


def test_public_tensors_of_integers_need_no_fraction_whatever_their_type():
    for values in (
        torch.tensor([1, 2]),
        torch.tensor([1.0, -2.0]),
        np.array([3.0, 4.0]),
        torch.tensor([True]),
    ):
        assert fixed(values, 16).fraction_bits == 0
    assert fixed(torch.tensor([1.0, 0.5]), 16).words.tolist() == [65536, 32768]
    assert fixed(torch.tensor([2.0**40]), 16).fraction_bits == 16


@pytest.mark.parametrize("value", [2**63, -(2**63), float("nan"), 1e30, torch.tensor([float("inf"), 1.0])])
def test_public_values_out_of_range_are_refused(value):
    with pytest.raises(SecureError):
        fixed(value, 16)


@pytest.mark.parametrize(
    ("word", "shift"), [(2**50, 16), (-(2**50), 16), (3, 63), (1, 63), (1, 64), (2**62, 1)]
)
def test_what_does_not_fit_at_another_scale_is_refused_instead_of_wrapped(word, shift):
    for words in (word, torch.tensor([1, word])):
        with pytest.raises(SecureError) as caught:
            FixedPoint(words, 0).aligned(shift)
        assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE


def test_alignment_reaches_to_the_edge_of_the_ring():
    assert FixedPoint(-1, 0).aligned(63) == -(2**63)
    assert FixedPoint(torch.tensor([-1, 0]), 0).aligned(63).tolist() == [-(2**63), 0]
    assert FixedPoint(2**46, 0).aligned(16) == 2**62
