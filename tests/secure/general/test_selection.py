"""From bits back to words in committees of five and seven: selections by bits that all know, and random fractions."""

import numpy as np
import pytest

from mpc_party.secure import general
from mpc_party.secure.bits import from_plane, words_per_plane
from mpc_party.secure.steps import run
from tests.support.committees import SIZES, all_equal, give_words, opened, run_committee
from tests.support.secure_parties import generator_of


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("negate", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (64,), (5, 13)])
def test_whole_words_are_selected_bit_by_bit(size, negate, shape):
    generator = generator_of(2)
    count = int(np.prod(shape))
    values = generator.integers(-(2**63), 2**63, shape)
    plane = generator.integers(-(2**63), 2**63, words_per_plane(count))

    def program(session):
        shares = give_words(session, 1, values)
        known = general.public_plane(session, plane)
        return opened(
            session,
            run(general.select(session, shares, known, negate=negate)),
            run(general.lift(session, known, shape, negate=negate)),
        )

    selected, lifted = all_equal(run_committee(size, program).results)
    bits = from_plane(plane, count).reshape(shape) ^ int(negate)
    assert np.array_equal(lifted, bits)
    assert np.array_equal(selected, np.where(bits == 1, values, 0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1, 2, 3, 16])
def test_random_fractions_fill_their_range_evenly(size, scale):
    def program(session):
        return opened(session, run(general.random_fractions(session, (40, 50), scale)))

    (words,) = all_equal(run_committee(size, program, seed=scale).results)
    assert words.shape == (40, 50)
    assert words.min() >= 0
    assert words.max() < 2**scale
    for bit in range(scale):
        assert abs((words >> bit & 1).mean() - 0.5) < 0.06  # more than five standard deviations


@pytest.mark.parametrize("size", SIZES)
def test_nothing_at_all_is_compared_too(size):
    def program(session):
        shares = give_words(session, 0, np.zeros((0,), dtype=np.int64))
        plane = run(general.sign_plane(session, shares, 64))
        zero = run(general.zero_plane(session, shares, 64))
        both = run(general.and_planes(session, np.stack([plane, zero, plane], axis=1)))
        return opened(
            session,
            run(general.select(session, shares, both)),
            run(general.random_fractions(session, (0,), 16)),
        )

    assert [words.shape for words in all_equal(run_committee(size, program).results)] == [(0,), (0,)]
