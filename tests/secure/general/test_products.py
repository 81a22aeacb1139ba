"""Products, truncation and what they cost, in committees of five and seven."""

import itertools

import numpy as np
import pytest
import torch

from mpc_party.secure import ReplicatedShares, general, matmul, multiply, open_shares, reduce, truncate
from mpc_party.secure.general.closing import close, conjoined, multiplied
from mpc_party.secure.general.domains import BITS, RING
from mpc_party.secure.general.pairs import RANGE
from mpc_party.secure.general.pool import Item, Kind
from mpc_party.secure.general.sharing import open_to_all, share
from mpc_party.secure.steps import run
from tests.support.committees import (
    SIZES,
    all_equal,
    give_words,
    opened,
    run_committee,
    values_of,
)
from tests.support.secure_parties import generator_of

LARGEST = {5: 2.0, 7: 2.5}  # how far a quotient may be off, in units
VARIANCE = {5: 1 / 3, 7: 5 / 12}


def spread(generator, count, bits):
    """Words of both signs with magnitudes spread over all powers of two below 2^bits."""
    words = np.floor(2.0 ** generator.uniform(0, bits, count)).astype(np.int64)
    return words * generator.choice(np.array([-1, 1]), count)


def off_by(quotients, words, bits):
    """The errors in units, from exact integers."""
    return np.array(
        [float(int(q) * 2**bits - int(w)) / 2**bits for q, w in zip(quotients, words, strict=True)]
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("thrifty", [False, True])
@pytest.mark.parametrize("count", [0, 1, 8, 101])
def test_products_of_words_and_of_bits_are_closed(size, thrifty, count):
    x, y = generator_of(1).integers(-(2**63), 2**63, (2, count))

    def program(session):
        a, b = (give_words(session, owner, words) for owner, words in ((0, x), (3, y)))
        pieces = [(o, (count,), w if session.position == o else None) for o, w in ((1, x), (2, y))]
        c, d = run(share(session, BITS, pieces, "bits"))
        product = run(close(session, RING, multiplied(session, a, b), "x", thrifty=thrifty))
        both = run(close(session, BITS, conjoined(session, c, d), "x", thrifty=thrifty))
        return product, both

    results = run_committee(size, program).results
    with np.errstate(over="ignore"):
        assert np.array_equal(values_of([product for product, _ in results], size), x * y)
    assert np.array_equal(values_of([both for _, both in results], size, bits=True), x & y)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [1, 16, 33, 58])
def test_quotients_are_within_the_stated_error_over_the_whole_range(size, bits):
    edge = RANGE - 2**bits
    generator = generator_of(bits)
    words = np.concatenate([spread(generator, 3000, 61), [0, 1, -1, edge, -edge] * 20])
    words = np.clip(words, -edge, edge)

    def program(session):
        shares = give_words(session, 2, words)
        one = give_words(session, 0, np.ones_like(words))
        quotient = run(general.truncate(session, shares, bits))
        product = run(general.reshare(session, multiplied(session, shares, one), bits))
        return opened(session, quotient, product)

    for quotients in all_equal(run_committee(size, program).results):
        errors = off_by(quotients, words, bits)
        assert abs(errors).max() < LARGEST[size]
        bias = -(0.5**bits) / 2 if size == 7 else 0.0
        assert abs(errors.mean() - bias) < 5 * np.sqrt(VARIANCE[size] / len(words))
        if bits > 1:
            assert errors.var() == pytest.approx(VARIANCE[size], rel=0.15)


@pytest.mark.parametrize("size", SIZES)
def test_beyond_the_range_quotients_are_wrong(size):
    words = np.full(200, -(2**62) - 2**61)

    def program(session):
        return opened(session, run(general.truncate(session, give_words(session, 0, words), 16)))

    (quotients,) = all_equal(run_committee(size, program).results)
    assert abs(off_by(quotients, words, 16)).max() > 2**40


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [0, 59])
def test_more_bits_than_can_be_dropped_at_once_are_refused(size, bits):
    def program(session):
        general.prepare(session, {Item(Kind.TRUNCATION, bits): 1})

    with pytest.raises(ValueError, match="58 bits"):
        run_committee(size, program)


@pytest.mark.parametrize("size", SIZES)
def test_a_product_takes_one_round_and_t_words_and_with_truncation_two_t(size):
    threshold, count = size // 2, 37
    words = spread(generator_of(5), count, 30)

    def program(session):
        shares = give_words(session, 0, words)
        general.prepare(session, {Item(Kind.TRUNCATION, 16): 2 * count})
        marks = [(session.traffic.rounds, session.traffic.bytes_sent)]
        for step in (
            general.reshare(session, multiplied(session, shares, shares), 0),
            general.reshare(session, multiplied(session, shares, shares), 16),
            general.truncate(session, shares, 16),
        ):
            run(step)
            marks.append((session.traffic.rounds, session.traffic.bytes_sent))
        return [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(marks)]

    expected = [(1, 8 * factor * threshold * count) for factor in (1, 2, 1)]
    assert run_committee(size, program).results == [expected] * size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("bits", "rounds", "words"), [(0, 1, 2), (1, 2, 3), (2, 1, 3), (16, 1, 3), (58, 1, 3)]
)
def test_a_product_is_opened_in_the_round_that_closes_it(size, bits, rounds, words):
    threshold, count = size // 2, 600
    factors = np.stack([spread(generator_of(bits), count, 30), spread(generator_of(bits + 1), count, 30)])
    if bits:
        factors[:, :4] = [[2**60, -(2**60), 0, 2**61 - 2**bits], [1, 1, 5, 1]]

    def program(session):
        x, y = (give_words(session, 0, values) for values in factors)
        if bits:
            general.prepare(session, {Item(Kind.TRUNCATION, bits): count})
        before = session.traffic.rounds, session.traffic.bytes_sent
        part = multiplied(session, x, y).reshape(20, 30)
        result = run(general.open_product(session, part, bits))
        assert session.traffic.rounds - before[0] == rounds
        assert session.traffic.bytes_sent - before[1] == 8 * words * threshold * count
        return [result]

    (result,) = all_equal(run_committee(size, program).results)
    assert result.shape == (20, 30)
    exact = [int(a) * int(b) for a, b in factors.T]
    assert abs(off_by(result.reshape(-1), exact, bits)).max() < (LARGEST[size] if bits else 1e-300)


@pytest.mark.parametrize("size", SIZES)
def test_operators_on_shares_reach_the_scheme(size):
    generator = generator_of(9)
    x, y = generator.uniform(-50, 50, (2, 6, 5))

    def shares(session, owner, value):
        words = give_words(session, owner, np.round(value * 2**16).astype(np.int64))
        return ReplicatedShares(session, torch.from_numpy(words), 16)

    def program(session):
        a, b = shares(session, 0, x), shares(session, 1, y.T)
        return [
            open_shares(matmul(a, b)).numpy(),
            open_shares(multiply(a, b.transpose(0, 1))).numpy(),
            open_shares(reduce(a.square() + a, 16)).numpy(),
        ]

    product, elements, mixed = all_equal(run_committee(size, program).results)
    assert abs(product - x @ y.T).max() < 0.02
    assert abs(elements - x * y).max() < 0.005
    assert abs(mixed - (x * x + x)).max() < 0.005


@pytest.mark.parametrize("size", SIZES)
def test_bits_open_to_what_was_shared(size):
    plane = generator_of(3).integers(-(2**63), 2**63, (2, 3))
    results = run_committee(
        size, lambda s: run(open_to_all(s, BITS, [general.public_plane(s, plane)], "open"))
    ).results
    assert np.array_equal(all_equal(results)[0], plane)


def test_no_more_bits_are_dropped_than_there_are_pairs_for():
    def program(session):
        x = ReplicatedShares(session, torch.from_numpy(give_words(session, 0, np.arange(3))), 30)
        with pytest.raises(ValueError, match="0 to 58"):
            truncate(x, 59)
        with pytest.raises(ValueError, match="0 to 58"):
            reduce(x * x, 0)
        assert not general.used(session)
        truncate(x, 58)

    run_committee(5, program)
