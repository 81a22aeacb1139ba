"""Signs, zeros and conjunctions against plain integers, lifted and selected by, in committees of five and seven."""

import itertools

import numpy as np
import pytest
import torch

from mpc_party.secure import ReplicatedShares, equal, general, largest, less_than, open_shares, relu
from mpc_party.secure.bits import from_plane
from mpc_party.secure.general.domains import BITS
from mpc_party.secure.general.pool import Item, Kind
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.steps import run
from tests.support.committees import (
    SIZES,
    all_equal,
    give_words,
    opened,
    run_committee,
)
from tests.support.secure_parties import generator_of


def words_of(bits, count, seed=0):
    """Words over the whole range of so many bits, and its edges."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    edges = np.array([low, high, 0, -1, 1 if bits > 1 else 0, low // 2], dtype=np.int64)
    return np.concatenate([generator_of(seed).integers(low, high, count, endpoint=True), np.repeat(edges, 3)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 17, 18, 32, 63, 64])
def test_signs_lifted_and_selected_by(size, bits):
    words = words_of(bits, 100)

    def program(session):
        shares = give_words(session, 1, words)
        plane = run(general.sign_plane(session, shares, bits))
        return opened(
            session,
            run(general.lift(session, plane, words.shape)),
            run(general.lift(session, plane, words.shape, negate=True)),
            run(general.select(session, shares, plane)),
            run(general.select(session, shares, plane, negate=True)),
        )

    negative, other, below, above = all_equal(run_committee(size, program).results)
    assert np.array_equal(negative, words < 0)
    assert np.array_equal(other, words >= 0)
    assert np.array_equal(below, np.minimum(words, 0))
    assert np.array_equal(above, np.maximum(words, 0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [1, 2, 4, 5, 16, 17, 64])
def test_zeros_in_the_lower_bits(size, bits):
    words = np.concatenate([words_of(64, 30), words_of(bits, 30), np.int64(1) << np.arange(64)])

    def program(session):
        plane = run(general.zero_plane(session, give_words(session, 0, words), bits))
        return opened(session, run(general.lift(session, plane, words.shape)))

    (zero,) = all_equal(run_committee(size, program).results)
    assert np.array_equal(zero, words << (64 - bits) == 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 17])
def test_conjunctions_along_a_dimension(size, count):
    planes = generator_of(count).integers(-(2**63), 2**63, (count, 2, 3)) | generator_of(99).integers(
        -(2**63), 2**63, (2, 3)
    )

    def program(session):
        shares = general.public_plane(session, planes)
        return run(open_to_all(session, BITS, [run(general.and_planes(session, shares))], "open"))

    (result,) = all_equal(run_committee(size, program).results)
    assert np.array_equal(result, np.bitwise_and.reduce(planes, axis=0))


@pytest.mark.parametrize("size", SIZES)
def test_operators_on_shares_reach_the_scheme(size):
    x, y, z = generator_of(4).integers(-500, 500, (3, 2, 50)) / 8
    z[:, ::3] = x[:, ::3]

    def program(session):
        a, b, c = (
            ReplicatedShares(
                session, torch.from_numpy(give_words(session, o, (v * 2**16).astype(np.int64))), 16
            )
            for o, v in enumerate((x, y, z))
        )
        operations = [
            relu(a),
            less_than(a, b, bits=40),
            equal(a, c),
            largest(ReplicatedShares.stack([a, b, c], dim=0)),
        ]
        return [open_shares(result).numpy() for result in operations]

    results = all_equal(run_committee(size, program).results)
    for result, expected in zip(
        results, [np.maximum(x, 0), x < y, x == z, np.maximum(np.maximum(x, y), z)], strict=True
    ):
        assert np.array_equal(result, expected)


def gate_inputs(bits):
    """The inputs of the gates that join groups of four: seven to a gate, six to the last."""
    groups, total = -(-bits // 4), 0
    while groups > 1:
        groups = -(-groups // 4)
        total += 6 if groups == 1 else 7 * groups
    return total


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("bits", "rounds", "inputs"), [(64, 3, 34), (32, 3, 20), (17, 2, 6), (5, 1, 0)])
def test_what_a_sign_and_a_selection_cost_online(size, bits, rounds, inputs):
    threshold, columns = size // 2, 3
    count = 64 * columns
    words = words_of(bits, count - 18)
    assert gate_inputs(bits - 1) == inputs

    def program(session):
        general.prepare(
            session,
            {
                Item(Kind.SIGN, bits): columns,
                Item(Kind.SELECTION, 0): 2 * columns,
                Item(Kind.ZERO, 64): columns,
            },
        )
        shares = give_words(session, 0, words)
        marks = [(session.traffic.rounds, session.traffic.bytes_sent)]

        def costing(result):
            marks.append((session.traffic.rounds, session.traffic.bytes_sent))
            return result

        plane = costing(run(general.sign_plane(session, shares, bits)))
        costing(run(general.select(session, shares, plane)))
        costing(run(general.lift(session, plane, words.shape)))
        costing(run(general.zero_plane(session, shares, 64)))
        return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(marks)]

    expected = [
        (rounds, threshold * (8 * count + 8 * columns * inputs)),
        (1, threshold * (8 * count + 8 * columns)),
        (1, threshold * 8 * columns),
        (3, threshold * (8 * count + 8 * columns * 20)),
    ]
    assert run_committee(size, program).results == [expected] * size


@pytest.mark.parametrize("size", SIZES)
def test_a_relu_takes_four_rounds(size):
    def program(session):
        shares = ReplicatedShares(session, torch.from_numpy(give_words(session, 0, np.arange(-32, 32))), 0)
        general.prepare(session, {Item(Kind.SIGN, 64): 1, Item(Kind.SELECTION, 0): 1})
        before = session.traffic.rounds
        relu(shares)
        return session.traffic.rounds - before

    assert run_committee(size, program).results == [4] * size


def test_a_plane_lies_as_bits_has_it():
    words = words_of(64, 100)

    def program(session):
        plane = run(general.sign_plane(session, give_words(session, 0, words), 64))
        (opening,) = run(open_to_all(session, BITS, [plane], "open"))
        return [from_plane(opening, len(words))]

    assert np.array_equal(all_equal(run_committee(5, program).results)[0], words < 0)
