"""What is made before the round: that it is what it should be, what it costs, and how it is used up."""

import numpy as np
import pytest

from mpc_party.secure import general
from mpc_party.secure.bits import to_planes
from mpc_party.secure.general import pool
from mpc_party.secure.general.gates import complete, gate, make_gates, parts_of, product
from mpc_party.secure.general.joining import ALL, EQUAL, LESS
from mpc_party.secure.general.masks import make_masks
from mpc_party.secure.general.pairs import make_pairs
from mpc_party.secure.general.pool import Item, Kind, in_stock, take
from mpc_party.secure.general.random_bits import inverse_root, ring_bits, root_bits
from mpc_party.secure.general.selecting import make_selectors
from mpc_party.secure.steps import run
from tests.support.committees import SIZES, all_equal, cost, give_words, opened, run_committee, values_of
from tests.support.secure_parties import generator_of

TRUNCATION = Item(Kind.TRUNCATION, 16)


def made(size, maker, *arguments):
    """The arrays that a maker gives at each party, thrifty or not."""
    for thrifty in (False, True):
        yield run_committee(size, lambda s, how=thrifty: run(maker(s, *arguments, thrifty=how)))


def test_roots_of_odd_squares():
    odd = generator_of(1).integers(-(2**63), 2**63, 1000) | 1
    odd[:4] = [1, -1, 2**63 - 1, 3]
    with np.errstate(over="ignore"):
        square = odd * odd
        root = inverse_root(square)
        assert (square * root * root == 1).all()
        # both signs of a root have the same square, so that nobody can tell which it was, and give different bits
        bits = [((sign * odd * root + 1) >> 1) & (2**62 - 1) for sign in (1, -1)]
    assert ((bits[0] == 0) | (bits[0] == 1)).all()
    assert (bits[0] + bits[1] == 1).all()


@pytest.mark.parametrize("size", SIZES)
def test_random_bits_are_bits_in_the_lower_62_bits_and_then_in_all(size):
    for outcome in made(size, root_bits, 3000):
        bits = values_of(outcome.results, size)
        assert set(np.unique(bits & (2**62 - 1))) == {0, 1}
        assert len(np.unique(bits)) > 2  # above, anything
        assert abs((bits & 1).mean() - 0.5) < 0.05
    for outcome in made(size, ring_bits, 500):
        assert set(np.unique(values_of(outcome.results, size))) == {0, 1}


@pytest.mark.parametrize("size", SIZES)
def test_the_parity_of_a_selector_is_its_plane(size):
    for outcome in made(size, make_selectors, 3):
        numbers = values_of([words for words, _ in outcome.results], size)
        planes = values_of([plane for _, plane in outcome.results], size, bits=True)
        assert np.array_equal(to_planes(numbers, 1)[0], planes)
        assert set(np.unique(numbers)) == {0, 1}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [1, 16, 58])
def test_pairs_hold_a_mask_its_upper_part_and_its_top_bit(size, bits):
    count, threshold = 500, size // 2
    for outcome in made(size, make_pairs, bits, count):
        mask, upper, top = (values_of([r[i] for r in outcome.results], size) for i in range(3))
        tops = (top >> (64 - bits)) & 1
        assert np.array_equal(tops << (64 - bits), top)
        for k in range(count):
            whole = (int(upper[k]) % 2**64) << bits
            dropped = (int(mask[k]) - whole) % 2**64
            assert dropped <= (threshold + 1) * (2**bits - 1)
            # The mask is u + 2^60 V over the integers, with u < (t + 1) 2^60; V is less than 8, or not, as its top bit says.
            least, beyond = (8, 16 + threshold) if tops[k] else (0, 8 + threshold)
            assert least << 60 <= whole + dropped < beyond << 60
        assert abs(tops.mean() - 0.5) < 0.12


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [1, 2, 7, 64])
def test_masks_are_shared_bit_by_bit_as_well(size, bits):
    for outcome in made(size, make_masks, bits, 3):
        words = values_of([r[0] for r in outcome.results], size)
        planes = values_of([r[1] for r in outcome.results], size, bits=True)
        assert np.array_equal(to_planes(words.reshape(-1), bits), planes)
        assert len(np.unique(words)) == words.size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "form", [EQUAL, LESS, gate([0b11]), gate([0b10110])], ids=["equal", "less", "two", "three"]
)
def test_gates_hold_all_products_of_their_masks(size, form):
    for outcome in made(size, make_gates, form, (2, 3)):
        values = values_of(outcome.results, size, bits=True)
        for place, wanted in enumerate(form.products):
            inputs = [values[i] for i in range(form.inputs) if wanted >> i & 1]
            assert np.array_equal(values[place], np.bitwise_and.reduce(inputs, axis=0))
        assert {part for p in form.products for part in parts_of(p)} - {0} == set(form.products)


def test_products_of_public_and_shared_factors():
    generator = generator_of(8)
    public, secret = generator.integers(-(2**63), 2**63, (2, 4, 5))

    def program(session):
        masks = run(complete(session, EQUAL, general.public_plane(session, secret), thrifty=False))
        return [
            product(session, EQUAL, public, masks, ALL),
            product(session, EQUAL, public, masks, 0b1011, only=0b0010),
        ]

    results = run_committee(5, program).results
    factors = public ^ secret
    assert np.array_equal(
        values_of([r[0] for r in results], 5, bits=True), np.bitwise_and.reduce(factors, axis=0)
    )
    assert np.array_equal(
        values_of([r[1] for r in results], 5, bits=True), factors[0] & secret[1] & factors[3]
    )


# Bytes per element, or per 64 gates, that position 0, which deals, and the last one, which does not, send for it: prepared, and on the spot.
BITS_OF_SIGN = {
    5: 715,
    7: 778,
}  # gates of two inputs for a mask of 64 bits, its groups and the gates that join them


def shared(size, words):
    """What 2t + 1 parties send for so many words if one of them adds up and tells all, 4t / (2t + 1) each."""
    return 4 * (size // 2) / size * words


COSTS = {
    TRUNCATION: lambda t, n: (
        (2, 8 * shared(n, 4) + 8.5 * t, 8 * shared(n, 4)),
        (1, 8 * 8 * t + 8.5 * t, 8 * 8 * t),
    ),
    Item(Kind.SELECTION, 0): lambda t, n: (
        (6, *[8 * shared(n, 1) + 16 * 3 * t / n] * 2),
        (3, *[8 * 2 * t + 16 * t] * 2),
    ),
    Item(Kind.SIGN, 64): lambda t, n: (
        (1 + 2 * (t + 8), 8 * t + BITS_OF_SIGN[n] / 8 * 3 * t / n, BITS_OF_SIGN[n] / 8 * 3 * t / n),
        (1 + t + 8, 8 * t + BITS_OF_SIGN[n] / 8 * t, BITS_OF_SIGN[n] / 8 * t),
    ),
    Item(Kind.CONJUNCTION, 0): lambda t, n: ((4, *[11 / 8 * 3 * t / n] * 2), (2, *[11 / 8 * t] * 2)),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("item", COSTS, ids=lambda item: str(item.kind))
def test_what_making_costs_before_and_on_the_spot(size, item):
    columns = 5 * 7  # which divides evenly
    count = 64 * columns
    amount = count if item.kind is Kind.TRUNCATION else columns

    def prepared(session):
        general.prepare(session, {item: amount})

    def on_the_spot(session):
        run(take(session, item, amount))

    for program, (rounds, first, last) in zip(
        (prepared, on_the_spot), COSTS[item](size // 2, size), strict=True
    ):
        outcome = run_committee(size, program)
        assert cost(outcome)[0] == rounds
        sent = [b / count for b in cost(outcome)[1]]
        assert sent[0] == pytest.approx(first, rel=1e-12)
        assert sent[-1] == pytest.approx(last, rel=1e-12)
        assert all(set(s.traffic.by_operation) == {"pairs"} for s in outcome.sessions)
        assert all(
            s.traffic.by_operation["pairs"].bytes_sent == s.traffic.bytes_sent for s in outcome.sessions
        )


@pytest.mark.parametrize("size", SIZES)
def test_stock_is_used_up_piece_by_piece_and_then_made_on_the_spot(size):
    words = np.arange(-50, 50) << 16

    def program(session):
        shares = give_words(session, 0, words)
        general.prepare(session, {TRUNCATION: 150})
        general.prepare(session, {TRUNCATION: 130})  # enough there
        stock = [in_stock(session, TRUNCATION)]
        results = []
        for _ in range(3):
            results.append(run(general.truncate(session, shares, 16)))
            stock.append(in_stock(session, TRUNCATION))
        return stock, general.used(session), opened(session, *results)

    outcome = run_committee(size, program)
    assert [stock for stock, _, _ in outcome.results] == [[150, 50, 0, 0]] * size
    assert [used for _, used, _ in outcome.results] == [{TRUNCATION: 300}] * size
    quotients = all_equal([r for _, _, r in outcome.results])
    assert all(abs(q - np.arange(-50, 50)).max() < 3 for q in quotients)
    assert all(not np.array_equal(quotients[0], q) for q in quotients[1:])  # other masks, other rounding


def test_what_is_made_in_blocks_is_the_same_in_the_same_rounds(monkeypatch):
    words = generator_of(6).integers(-(2**63), 2**63, 64 * 11)

    def program(session):
        general.prepare(session, {Item(Kind.SIGN, 64): 11})
        rounds = session.traffic.rounds
        shares = give_words(session, 0, words)
        plane = run(general.sign_plane(session, shares, 64))
        return [*opened(session, run(general.lift(session, plane, words.shape))), np.array(rounds)]

    whole = all_equal(run_committee(5, program).results)
    monkeypatch.setitem(pool._BLOCKS, Kind.SIGN, 4)
    blocks = all_equal(run_committee(5, program).results)
    assert np.array_equal(whole[0], words < 0)
    assert np.array_equal(blocks[0], words < 0)
    assert whole[1] == blocks[1]


@pytest.mark.parametrize("size", SIZES)
def test_what_one_session_used_prepares_the_next_so_that_nothing_is_made_in_between(size):
    words = np.arange(-50, 50) << 16

    def work(session):
        shares = give_words(session, 0, words)
        plane = run(general.sign_plane(session, shares, 40))
        run(general.truncate(session, run(general.select(session, shares, plane)), 16))
        run(general.random_fractions(session, (3,), 8))

    first = run_committee(size, lambda s: (work(s), general.used(s))[1]).results

    def again(session):
        general.prepare(session, first[session.position])
        before = session.traffic.by_operation["pairs"].rounds
        work(session)
        return session.traffic.by_operation["pairs"].rounds - before, session.traffic.rounds

    results = run_committee(size, again).results
    assert [made for made, _ in results] == [0] * size
    assert first == [first[0]] * size


@pytest.mark.parametrize("size", SIZES)
def test_traffic_is_the_same_whatever_the_values(size):
    def program(session, words):
        shares = give_words(session, 0, words)
        plane = run(general.sign_plane(session, shares, 64))
        run(general.truncate(session, run(general.select(session, shares, plane)), 16))

    costs = [
        cost(run_committee(size, lambda s, w=words: program(s, w), seed=words[0]))
        for words in (np.zeros(70, dtype=np.int64), np.arange(70) - 35)
    ]
    assert costs[0] == costs[1]
