"""Bits of words in planes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure.bits import from_plane, to_planes, words_per_plane
from tests.support.secure_parties import generator_of

words = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=200)


@given(words, st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_planes_hold_the_bits_of_each_element(values, bits):
    planes = to_planes(np.array(values, dtype=np.int64), bits)
    assert planes.shape == (bits, words_per_plane(len(values)))
    for p in {0, 1, 31, 32, 62, 63, bits - 1} & set(range(bits)):
        assert from_plane(planes[p], len(values)).tolist() == [(value >> p) & 1 for value in values]


@pytest.mark.parametrize("count", [511, 512, 513, 575, 1024, 1500, 4096, 4097])
def test_whole_blocks_of_matrices_and_what_is_left_over(count):
    values = generator_of(count).integers(-(2**63), 2**63, count)
    planes = to_planes(values)
    expected = (values[:, None] >> np.arange(64)) & 1
    assert all(
        np.array_equal(from_plane(plane, count), bit) for plane, bit in zip(planes, expected.T, strict=True)
    )


def test_planes_against_single_bits():
    for element in (0, 1, 63, 64, 129):
        for bit in (0, 5, 32, 63):
            array = np.zeros(130, dtype=np.uint64)
            array[element] = np.uint64(1) << np.uint64(bit)
            planes = to_planes(array.view(np.int64))
            k, m = divmod(element, 3)  # 130 elements take three words in a plane
            assert np.argwhere(planes).tolist() == [[bit, m]]
            assert int(planes[bit, m]) & (2**64 - 1) == 1 << k


def test_padding_of_the_last_word():
    assert [words_per_plane(n) for n in (0, 1, 64, 65)] == [0, 1, 1, 2]
    assert to_planes(np.zeros(0, dtype=np.int64)).shape == (64, 0)
    # Of 65 elements 33 are in the first word and 32 in the second.
    assert np.array_equal(to_planes(np.full(65, -1)), np.tile([2**33 - 1, 2**32 - 1], (64, 1)))


def test_views_are_taken_as_they_are():
    values = np.arange(200).reshape(2, 100)[:, ::3]
    assert np.array_equal(to_planes(values), to_planes(values.copy()))


@pytest.mark.parametrize("bits", [65, 100, -1])
def test_words_have_no_more_than_64_planes(bits):
    with pytest.raises(ValueError, match="64 bits"):
        to_planes(np.zeros(3, dtype=np.int64), bits)
