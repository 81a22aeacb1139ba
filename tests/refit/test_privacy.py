"""What one party of a refit sees tells it nothing about the others' data or the weights."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from mpc_party.refit import solve as program
from mpc_party.refit.solve import FRACTION_BITS, require_inputs_in_range, solve
from mpc_party.secure import PrivateInput, share_many
from mpc_party.secure.randomness import SeedSet
from tests.support.refits import desk_equations
from tests.support.secure_parties import run_secure

SMALL = 2**21  # inputs are below 2^20 units
SURE = 1e-9
FULL_BYTES = 8


@pytest.fixture(autouse=True)
def openings_forgotten(monkeypatch):
    """What is opened may be known to everybody; all else that a party receives is looked at."""
    real = program.open_words_many

    def opened(shares):
        received = shares[0].session._exchange.received
        before = len(received)
        result = real(shares)
        del received[before:]
        return result

    monkeypatch.setattr(program, "open_words_many", opened)


def received(inputs, seed=0):
    """Per party, the words of each message that it receives from the inputs to the shares of the weights."""

    def party(session):
        session._exchange.received.clear()
        shares = share_many(
            [
                PrivateInput(p, (3, 4), torch.from_numpy(words) if p == session.position else None)
                for p, words in enumerate(inputs)
            ]
        )
        require_inputs_in_range(shares, "abc")
        solve(shares, 0.05, 16)

    links = run_secure(party, seed=seed, fraction_bits=FRACTION_BITS).links
    return [[np.frombuffer(data, dtype="<i8") for _, _, data in link.received] for link in links]


def roots():
    return [desk_equations(seed).root for seed in range(3)]


def is_small(words):
    return np.abs(words.astype(np.float64)) < SMALL


def test_no_two_messages_that_a_party_receives_rebuild_an_input():
    for party, messages in enumerate(received(roots())):
        # Position 0 is sent nothing but what is opened.
        assert len(messages) >= 20 if party else not messages
        for message in messages:
            assert not is_small(message).any()
        for first, second in itertools.combinations(messages, 2):
            size = min(len(first), len(second))
            for combined in (first[:size] + second[:size], first[:size] - second[:size]):
                assert not is_small(combined).any()


def test_the_test_sees_an_input_that_is_sent_in_the_clear(monkeypatch):
    """Masks of zero: the first message is then the input itself."""
    monkeypatch.setattr(SeedSet, "words", lambda *a: np.zeros(a[3], dtype=np.int64))
    monkeypatch.setattr(SeedSet, "fill", lambda *a: a[3].fill(0))
    assert any(is_small(message).any() for messages in received(roots()) for message in messages)


def lanes(messages):
    words = np.concatenate([np.empty(0, dtype=np.int64), *messages])
    return np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8)[:, :FULL_BYTES]


def test_what_a_party_receives_is_uniform_whatever_the_inputs():
    seen = [[], [], []]
    for seed in range(8):
        for party, messages in enumerate(received([roots()[0]] * 3, seed)):
            seen[party].append(lanes(messages))
    for party in (1, 2):  # 0 receives nothing
        counts = np.bincount(np.concatenate(seen[party]).ravel(), minlength=256)
        expected = counts.sum() / 256
        assert chi2.sf(((counts - expected) ** 2 / expected).sum(), 255) > SURE, f"party {party}"


def test_views_of_different_data_are_distributed_alike():
    """The same program on opposite data, with other randomness: no byte lane tells one from the other."""
    low, high = roots(), [root * np.array([1, 1, 1, -1]) for root in roots()]
    views = {
        name: [np.concatenate(lane) for lane in zip(*[
            [lanes(messages) for messages in received(inputs, f"{name}/{seed}")] for seed in range(6)
        ], strict=True)]
        for name, inputs in (("low", low), ("high", high))
    }  # fmt: skip
    for first, second in list(zip(views["low"], views["high"], strict=True))[1:]:  # 0 receives nothing
        for a, b in zip(first.T, second.T, strict=True):
            counts = np.stack([np.bincount(a, minlength=256), np.bincount(b, minlength=256)])
            statistic = ((counts[0] - counts[1]) ** 2 / np.maximum(counts.sum(0), 1)).sum()
            assert chi2.sf(statistic, 255) > SURE


def test_equal_inputs_give_unequal_messages_in_every_refit():
    seen: set[bytes] = set()
    for seed in range(2):
        for messages in received([roots()[0]] * 3, seed):
            for message in messages:
                assert message.tobytes() not in seen
                seen.add(message.tobytes())
