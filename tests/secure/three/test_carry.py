"""The sign of a word, zero, and conjunctions, with their rounds and bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure.bits import from_plane, to_planes
from mpc_party.secure.steps import run
from mpc_party.secure.three.carry import and_planes, plan, public_plane, sign_plane, zero_plane
from mpc_party.secure.three.gates import MAX_RADIX
from tests.support.secure_parties import generator_of, run_secure

words = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=200)


def combined(results):
    """The value of a binary sharing, from what all positions hold of it; both holders must agree."""
    assert all(np.array_equal(results[i][1], results[(i + 1) % 3][0]) for i in range(3))
    return results[0][0] ^ results[0][1] ^ results[1][1]


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
    return from_plane(combined([r[0] for r in results]), len(array)).tolist(), results


@given(words, st.integers(0, 2**32))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_sign_of_any_word(values, seed):
    assert circuit(sign_plane, values, 64, seed)[0] == [int(value < 0) for value in values]


@given(words, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_zero_and_nothing_else(values, seed):
    values = [*values, 0, 1, -1, -(2**63), 2**62]
    assert circuit(zero_plane, values, 64, seed)[0] == [int(value == 0) for value in values]


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 7, 9, 17, 25, 26, 27, 33, 48, 63, 64])
def test_bounded_widths_with_their_rounds(bits):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    near = (low, low + 1, low // 3, -2, -1, 0, 1, 2, high // 3, high - 1, high)
    values = sorted({value for value in near if low <= value <= high})
    signs, results = circuit(sign_plane, values, bits)
    assert signs == [int(value < 0) for value in values]
    assert [r[1] for r in results] == [1 if bits <= 6 else 2 if bits <= 26 else 3] * 3
    zeros, results = circuit(zero_plane, values, bits)
    assert zeros == [int(value == 0) for value in values]
    assert [r[1] for r in results] == [1 if bits <= 5 else 2 if bits <= 25 else 3] * 3


def test_the_full_width_in_bits_per_element():
    _, results = circuit(sign_plane, list(range(-32, 32)), 64)
    assert [r[2] for r in results] == [8 * 329, 8 * 39, 8 * 39]
    _, results = circuit(zero_plane, list(range(-32, 32)), 64)
    assert [r[2] for r in results] == [8 * 279, 8 * 28, 8 * 28]


@given(st.integers(1, 64), st.booleans(), st.booleans())
def test_plans_come_down_to_one_with_as_few_levels_as_can_be(count, carry, positions):
    levels = plan(count, carry=carry, positions=positions)
    left = count
    for level in levels:
        assert level.inputs == left
        assert 1 <= level.radix <= MAX_RADIX
        left = -(-left // level.radix)
    assert left == 1
    assert MAX_RADIX ** (len(levels) - 1) < max(count, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 16, 26])
def test_a_conjunction_of_shared_bits(count):
    generator = generator_of(count)
    bits = generator.integers(0, 2, (count, 3, 100)) | generator.integers(0, 2, (1, 3, 100))  # else mostly 0
    planes = np.stack([[to_planes(row)[0] for row in rows] for rows in bits])
    first, second = (generator.integers(-(2**63), 2**63, planes.shape) for _ in range(2))
    parts = [first, second, planes ^ first ^ second]

    def program(session):
        return run(and_planes(session, np.stack([parts[session.position], parts[session.next]])))

    result = combined(run_secure(program).results)
    assert np.array_equal(result, np.bitwise_and.reduce(planes, axis=0))


def test_public_bits_are_held_by_those_who_carry_them():
    plane = generator_of(1).integers(-(2**63), 2**63, (2, 5))
    assert np.array_equal(combined(run_secure(lambda s: public_plane(s, plane)).results), plane)
