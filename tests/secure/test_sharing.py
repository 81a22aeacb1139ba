"""Inputs, constants, random values and opening: values, rounds, bytes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.errors import Reason
from mpc_party.secure import (
    PrivateInput,
    SecureError,
    constant,
    open_many,
    open_shares,
    open_to,
    open_words_many,
    random_shares,
    share,
    share_from_each,
    share_many,
)
from tests.support.secure_parties import give, run_secure, same


@given(st.integers(0, 2), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_any_ring_word_survives_sharing_and_opening(owner, words):
    values = torch.tensor(words, dtype=torch.int64)
    results = run_secure(lambda s: open_words_many([give(s, owner, values, 0)])[0]).results
    assert torch.equal(same(results), values)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 3), (2, 0, 3)])
def test_any_shape(shape):
    values = torch.full(shape, -1.5)
    assert torch.equal(same(run_secure(lambda s: open_shares(give(s, 1, values))).results), values.double())


def test_inputs_of_several_owners_take_one_round_and_a_word_from_the_owner_only():
    def program(session):
        rounds = session.traffic.rounds
        inputs = [
            PrivateInput(owner, (10 + owner,), torch.full((10 + owner,), float(owner)) if owner == session.position else None)
            for owner in (2, 0, 1, 0)
        ]  # fmt: skip
        shares = share_many(inputs)
        assert session.traffic.rounds - rounds == 1
        sent = session.traffic.by_operation["share"].bytes_sent
        return sent, open_many(shares)

    outcome = run_secure(program)
    assert [sent for sent, _ in outcome.results] == [2 * 80, 88, 96]
    for opened, owner in zip(outcome.results[1][1], (2, 0, 1, 0), strict=True):
        assert torch.equal(opened, torch.full((10 + owner,), float(owner), dtype=torch.float64))


def test_each_party_gives_one():
    def program(session):
        return open_many(share_from_each(torch.tensor([session.position + 0.5])))

    assert [v.tolist() for v in run_secure(program).results[2]] == [[0.5], [1.5], [2.5]]


def test_an_owner_gives_a_value_of_the_announced_shape():
    def program(session):
        for value in (None, torch.zeros(3), torch.zeros(2, 1)):
            with pytest.raises(ValueError, match="announced shape"):
                share(session.position, (2,), value)
        with pytest.raises(ValueError, match="owner"):
            share(3, (2,), None)
        with pytest.raises(SecureError, match="not finite"):
            share(session.position, (2,), torch.tensor([1.0, float("nan")]))

    run_secure(program)


def test_a_private_input_hides_its_value():
    assert "77" not in repr(PrivateInput(0, (1,), torch.tensor([77.0])))


def test_sharing_needs_a_current_session():
    with pytest.raises(SecureError) as caught:
        share(0, (1,), torch.zeros(1))
    assert caught.value.reason is Reason.INTERNAL


@pytest.mark.parametrize(
    ("value", "fraction_bits", "scale"),
    [(torch.tensor([1.5, -2.25]), None, 16), (torch.tensor([1, -2]), None, 0), (7, None, 0), (2.5, 20, 20), (3, 16, 16)],
)  # fmt: skip
def test_constants_are_free(value, fraction_bits, scale):
    def program(session):
        rounds = session.traffic.rounds
        shares = constant(value, fraction_bits)
        assert session.traffic.rounds == rounds
        assert shares.fraction_bits == scale
        return open_shares(shares)

    assert torch.equal(same(run_secure(program).results), torch.as_tensor(value).double())


def test_random_shares_are_free_and_new_each_time():
    def program(session):
        rounds = session.traffic.rounds
        first, second = random_shares((50,)), random_shares((50,))
        assert session.traffic.rounds == rounds
        return torch.cat(open_words_many([first, second]))

    words = same(run_secure(program).results)
    assert len(set(words.tolist())) == 100
    assert not torch.equal(words, same(run_secure(program, seed=1).results))


def test_opening_takes_one_round_and_one_word_from_each():
    def program(session):
        x, y = give(session, 0, torch.ones(10)), give(session, 1, torch.ones(2, 3))
        rounds = session.traffic.rounds
        open_many([x, y])
        return session.traffic.rounds - rounds, session.traffic.by_operation["open"].bytes_sent

    assert run_secure(program).results == [(1, 128)] * 3
    run_secure(lambda _: open_many([]))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_opening_to_one_party_tells_the_others_nothing(position):
    def program(session):
        x = give(session, 0, torch.tensor([4.5]))
        link = session._exchange
        received, rounds = len(link.received), session.traffic.rounds
        opened = open_to(position, x)
        assert session.traffic.rounds - rounds == 1
        return opened, len(link.received) - received, session.traffic.by_operation["open"].bytes_sent

    outcome = run_secure(program).results
    for place, (opened, received, sent) in enumerate(outcome):
        assert (opened.tolist() if place == position else opened) == ([4.5] if place == position else None)
        assert received == (place == position)
        assert sent == (8 if (place + 1) % 3 == position else 0)
    with pytest.raises(ValueError, match="position"):
        run_secure(lambda _: open_to(3, constant(1)))
