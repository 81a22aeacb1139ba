"""Into shares and out of them, in committees of five and seven."""

import itertools

import numpy as np
import pytest

from mpc_party.secure import general
from mpc_party.secure.general.domains import BITS, RING, mask_summand, summand
from mpc_party.secure.general.placement import openers, receivers, senders, sent_components
from mpc_party.secure.general.sharing import open_to_all, share, share_narrow
from mpc_party.secure.layout import layout_of
from mpc_party.secure.steps import run
from tests.support.committees import (
    SIZES,
    all_equal,
    cost,
    give_words,
    opened,
    run_committee,
    values_of,
)
from tests.support.secure_parties import generator_of

EDGES = np.array([0, 1, -1, 2**63 - 1, -(2**63), 123_456_789], dtype=np.int64)


@pytest.mark.parametrize("threshold", [2, 3])
def test_what_is_sent_goes_to_all_other_holders_and_the_load_is_even(threshold):
    layout = layout_of(threshold)
    assert len(set(sent_components(threshold))) == layout.parties
    for position in range(layout.parties):
        component = sent_components(threshold)[position]
        assert {position, *receivers(threshold, position)} == set(layout.holders(component))
        assert len(receivers(threshold, position)) == len(senders(threshold, position)) == threshold
        assert not set(receivers(threshold, position)) & set(senders(threshold, position))


@pytest.mark.parametrize("threshold", [2, 3])
def test_what_a_party_lacks_comes_from_t_others_once(threshold):
    layout = layout_of(threshold)
    served = []
    for position in range(layout.parties):
        given = openers(threshold, position)
        assert len(given) == threshold
        for sender, components in given:
            assert set(components) <= set(layout.held[sender])
            served.append(sender)
        told = [c for _, components in given for c in components]
        assert sorted(told) == [c for c, lacking in enumerate(layout.subsets) if position in lacking]
    assert all(served.count(p) == threshold for p in range(layout.parties))


@pytest.mark.parametrize("size", SIZES)
def test_shares_of_every_owner_open_to_its_values(size):
    rows = [np.roll(EDGES, p).reshape(2, 3) for p in range(size)]

    def program(session):
        pieces = [(p, (2, 3), rows[p] if p == session.position else None) for p in range(size)]
        shares = run(general.share_words(session, pieces))
        return shares, opened(session, *shares)

    outcome = run_committee(size, program)
    for owner in range(size):
        assert np.array_equal(values_of([shares[owner] for shares, _ in outcome.results], size), rows[owner])
    assert np.array_equal(all_equal([values for _, values in outcome.results]), rows)
    rounds, sent = cost(outcome)
    threshold = size // 2
    assert rounds == 2
    # t words per element of the own value, and t for each of the values opened
    assert sent == [6 * 8 * threshold * (1 + size)] * size


@pytest.mark.parametrize("size", SIZES)
def test_one_owner_sends_t_words_and_the_others_nothing(size):
    outcome = run_committee(size, lambda s: give_words(s, 3, EDGES))
    assert cost(outcome) == (1, [8 * EDGES.size * (size // 2) * (p == 3) for p in range(size)])


@pytest.mark.parametrize("size", SIZES)
def test_an_owner_without_a_value_is_told_so(size):
    with pytest.raises(ValueError, match="the owner gives"):
        run_committee(size, lambda s: run(general.share_words(s, [(1, (2,), None)])))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,)])
def test_scalars_and_nothing_at_all_keep_their_shapes(size, shape):
    values = np.full(shape, -7, dtype=np.int64)

    def program(session):
        words = give_words(session, 0, values)
        return [*opened(session, words), *opened(session, run(general.truncate(session, words, 3)))]

    same, divided = all_equal(run_committee(size, program).results)
    assert same.shape == divided.shape == shape
    assert np.array_equal(same, values)


@pytest.mark.parametrize("size", SIZES)
def test_opening_to_one_tells_the_others_nothing(size):
    def program(session):
        words = give_words(session, 1, EDGES)
        session._exchange.received.clear()
        return [run(general.open_words_to(session, p, [words, words])) for p in range(size)]

    outcome = run_committee(size, program)
    for position, results in enumerate(outcome.results):
        assert [r is not None for r in results] == [p == position for p in range(size)]
        assert all(np.array_equal(words, EDGES) for words in results[position])
        assert len(outcome.links[position].received) == size // 2
    rounds, sent = cost(outcome)
    assert rounds == 1 + size
    assert sent == [8 * EDGES.size * (size // 2) * (2 + (p == 1)) for p in range(size)]


@pytest.mark.parametrize("size", SIZES)
def test_bits_and_narrow_words(size):
    words = generator_of(size).integers(-(2**63), 2**63, 70)

    def program(session):
        own = words if session.position == 2 else None
        bits = run(share(session, BITS, [(2, (70,), own)], "bits"))
        narrow = run(
            share_narrow(
                session, [(2, 70, own), (0, 70, words * 3 if session.position == 0 else None)], 5, "x"
            )
        )
        return bits, narrow, run(open_to_all(session, BITS, bits, "open"))

    outcome = run_committee(size, program)
    assert np.array_equal(values_of([bits[0] for bits, _, _ in outcome.results], size, bits=True), words)
    assert np.array_equal(all_equal([values for _, _, values in outcome.results])[0], words)
    for index, expected in enumerate([words, words * 3]):  # right in the lowest five bits
        held = [narrow[index] & 31 for _, narrow, _ in outcome.results]
        assert np.array_equal(values_of(held, size) & 31, expected & 31)
    threshold = size // 2
    assert (
        cost(outcome)[1][0] == threshold * 8 * (5 * 2) + threshold * 8 * 70
    )  # five planes of two words, and the opening


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("domain", [RING, BITS])
def test_zero_shares_add_up_to_zero_and_any_t_of_them_are_random(size, domain):
    count = 64

    def program(session):
        part = np.zeros(count, dtype=np.int64)
        mask_summand(session, domain, part)
        return part

    parts = run_committee(size, program).results
    assert not domain.add.reduce(parts, axis=0).any()
    for group in itertools.combinations(parts, size // 2):
        assert np.unique(domain.add.reduce(group, axis=0)).size == count


@pytest.mark.parametrize("size", SIZES)
def test_summands_add_up_to_the_value(size):
    parts = run_committee(size, lambda s: summand(s, RING, give_words(s, 4, EDGES))).results
    assert np.array_equal(sum(parts), EDGES)
