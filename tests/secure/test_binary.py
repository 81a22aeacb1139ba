"""Bit planes and the two circuits on them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure.binary import from_plane, sign_plane, to_planes, words_per_plane, zero_plane
from mpc_party.secure.steps import run
from tests.support.secure_parties import generator_of, run_secure

words = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=200)


@given(words)
@settings(max_examples=60, deadline=None)
def test_planes_hold_the_bits_of_each_element(values):
    array = np.array(values, dtype=np.int64)
    planes = to_planes(array)
    assert planes.shape == (64, words_per_plane(len(values)))
    for p in (0, 1, 31, 32, 62, 63):
        assert from_plane(planes[p], len(values)).tolist() == [(value >> p) & 1 for value in values]


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


def circuit(protocol, values, bits, seed=0):
    """Split values into random components, run the circuit, put the shared bits together."""
    generator = generator_of(seed)
    array = np.array(values, dtype=np.int64)
    x0, x1 = generator.integers(-(2**63), 2**63, (2, len(array)))
    parts = [x0, x1, array - x0 - x1]

    def program(session):
        held = np.stack([parts[session.position], parts[session.next]])
        rounds = session.traffic.rounds
        plane = run(protocol(session, held, bits))
        return plane, session.traffic.rounds - rounds, session.traffic.bytes_sent - 128

    results = run_secure(program).results
    assert all(np.array_equal(results[i][0][1], results[(i + 1) % 3][0][0]) for i in range(3))
    plane = results[0][0][0] ^ results[0][0][1] ^ results[1][0][1]
    return from_plane(plane, len(array)).tolist(), results


@given(words, st.integers(0, 2**32))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_sign_of_any_word(values, seed):
    assert circuit(sign_plane, values, 64, seed)[0] == [int(value < 0) for value in values]


@given(words, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_zero_and_nothing_else(values, seed):
    values = [*values, 0, 1, -1, -(2**63), 2**62]
    assert circuit(zero_plane, values, 64, seed)[0] == [int(value == 0) for value in values]


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 8, 9, 17, 31, 32, 33, 34, 48, 63, 64])
def test_bounded_widths_with_their_rounds_and_bytes(bits):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = sorted({low, low + 1, -1, 0, 1, high - 1, high} & set(range(low, high + 1))) if bits < 10 else [
        low, low + 1, low // 3, -2, -1, 0, 1, 2, high // 3, high - 1, high
    ]  # fmt: skip
    values = (values * 64)[:64]  # one word in a plane
    signs, results = circuit(sign_plane, values, bits)
    assert signs == [int(value < 0) for value in values]
    positions, ands = bits - 1, bits - 1
    while positions > 1:
        ands += 2 * (positions // 2) - 1
        positions -= positions // 2
    rounds = 2 + math.ceil(math.log2(bits - 1))
    assert [r[1] for r in results] == [rounds] * 3
    assert [r[2] for r in results] == [8 * (bits + ands), 8 * ands, 8 * ands]
    zeros, results = circuit(zero_plane, values, bits)
    assert zeros == [int(value == 0) for value in values]
    rounds = 1 + math.ceil(math.log2(bits))
    assert [r[1] for r in results] == [rounds] * 3
    assert [r[2] for r in results] == [8 * (2 * bits - 1), 8 * (bits - 1), 8 * (bits - 1)]


def test_the_full_width_sends_181_bits():
    _, results = circuit(sign_plane, list(range(-32, 32)), 64)
    assert [r[2] for r in results] == [8 * (64 + 181), 8 * 181, 8 * 181]
