"""What one party sees tells it nothing about what it lacks.

Position p lacks component x_{p+2} and the seed s_{p+2} that belongs to it. The first test fixes all inputs, and all
that p knows, and changes only that seed: every word that p receives must then change by a uniform amount, and the
changes of different words must be independent of each other. So, whatever p receives is masked by words that it
cannot know, each used once, and is consistent with any value of the component that it lacks. The others look at
distributions. All randomness is repeatable, so that the thresholds (p-values of 10^-9 and the like) cannot flake.
"""

# ruff: noqa: ARG005 - the functions of a table have one signature

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure import (
    ReplicatedShares,
    multiply,
    open_product,
    open_shares,
    reduce,
    share_many,
    square,
    truncate,
)
from mpc_party.secure.comparison import equal, less_than_zero, relu
from mpc_party.secure.extremes import largest
from mpc_party.secure.randomness import Purpose, SeedSet
from mpc_party.secure.sharing import PrivateInput, random_fractions
from tests.support.secure_parties import generator_of, give, run_secure

N = 8192
SURE = 1e-9


def uniformity(sample):
    """The smallest p-value of a chi-square test that a byte lane of the words is uniform."""
    lanes = np.ascontiguousarray(sample).view(np.uint8).reshape(-1, 8)
    counts = np.stack([np.bincount(lane, minlength=256) for lane in lanes.T])
    expected = len(lanes) / 256
    return chi2.sf(((counts - expected) ** 2 / expected).sum(1), 255)


def same_distribution(first, second):
    """The smallest p-value of a two-sample chi-square test, over the byte lanes of the words."""
    result = 1.0
    for a, b in zip(
        *(np.ascontiguousarray(s).view(np.uint8).reshape(-1, 8).T for s in (first, second)), strict=True
    ):
        counts = np.stack([np.bincount(a, minlength=256), np.bincount(b, minlength=256)])
        used = counts[:, counts.sum(0) > 0]
        statistic = ((used[0] - used[1]) ** 2 / used.sum(0)).sum()
        result = min(result, float(chi2.sf(statistic, max(1, used.shape[1] - 1))))
    return result


def components(seed, value):
    """Three components of N sharings of one value, fixed by the seed."""
    generator = generator_of(seed)
    x0, x1 = (torch.from_numpy(generator.integers(-(2**63), 2**63, N)) for _ in range(2))
    return [x0, x1, value - x0 - x1]


def seeds(changed=None):
    return [bytes([i + (100 if i == changed else 0)]) * 32 for i in range(3)]


def received(operation, inputs, all_seeds, observer):
    """The words that the observer receives while `operation` runs on fixed components with fixed seeds."""

    def program(session):
        i, j = session.position, session.next
        lacking = {c: ((c + 1) % 3,) for c in (i, j)}
        session._seeds = SeedSet({c: all_seeds[c] for c in (i, j)}, lacking, bytes(32))
        operation(*[ReplicatedShares(session, torch.stack([c[i], c[j]]), 16) for c in inputs])

    frames = run_secure(program).links[observer].received
    return [(kind, np.frombuffer(data, dtype="<i8")) for _, kind, data in frames]


MASKED = {
    "multiply and truncate": multiply,
    "multiply": lambda x, y: reduce(x * y, 32),
    "square": lambda x, y: square(x),
    "truncate": lambda x, y: truncate(x, 5),
    "sign": lambda x, y: less_than_zero(x),
    "sign of few bits": lambda x, y: less_than_zero(x, bits=20),
    "relu": lambda x, y: relu(x),
    "equality": equal,
    "equality of few bits": lambda x, y: equal(x, y, bits=21),
    "largest": lambda x, y: largest(ReplicatedShares.stack([x[:1024], y[:1024], -y[:1024]], dim=0)),
    "random fractions": lambda x, y: random_fractions((N,)),
}
# What the operations send one another: 0 nothing at all, and 2 nothing where only 0 has something to say.
RECEIVES = {name: {1} if name == "truncate" else {1, 2} for name in MASKED}


def changes(operation, observer, value=77):
    """How each received array changes when only the seed changes that the observer lacks."""
    inputs = [components(1, value), components(2, 2 * value)]
    base = received(operation, inputs, seeds(), observer)
    other = received(operation, inputs, seeds(changed=(observer + 2) % 3), observer)
    assert [kind for kind, _ in base] == [kind for kind, _ in other]
    return [
        (kind, (a ^ b) if kind is FrameKind.BITS else a - b)
        for (kind, a), (_, b) in zip(base, other, strict=True)
    ]


def worst_change(operation, observer):
    arrays = changes(operation, observer)
    worst = min((float(uniformity(change).min()) for _, change in arrays), default=1.0)
    for (_, a), (_, b) in itertools.combinations(arrays, 2):
        if len(a) == len(b):  # reused masks would cancel
            worst = min(worst, *(float(uniformity(c)[:6].min()) for c in (a - b, a + b, a ^ b)))
    return worst


@pytest.mark.parametrize("observer", [0, 1, 2])
@pytest.mark.parametrize("name", MASKED)
def test_every_word_received_is_masked_by_words_that_the_receiver_cannot_know(name, observer):
    assert bool(changes(MASKED[name], observer)) == (observer in RECEIVES[name])
    assert worst_change(MASKED[name], observer) > SURE


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("multiply", Purpose.PRODUCT_WORDS),
        ("multiply", Purpose.MASK_WORDS),
        ("multiply and truncate", Purpose.PRODUCT_WORDS),
        ("multiply and truncate", Purpose.MASK_WORDS),
        ("truncate", Purpose.TRUNCATED_WORDS),
        ("relu", Purpose.PRODUCT_WORDS),
        ("relu", Purpose.MASK_WORDS),
        ("sign", Purpose.PRODUCT_BITS),
        ("sign", Purpose.MASK_BITS),
        ("equality", Purpose.PRODUCT_BITS),
        ("largest", Purpose.MASK_BITS),
        ("random fractions", Purpose.PRODUCT_WORDS),
    ],
)
@pytest.mark.parametrize("kind", ["missing", "used twice"])
def test_the_test_sees_a_mask_that_is_missing_or_used_twice(name, purpose, kind, monkeypatch):
    fill, draw = SeedSet.fill, SeedSet.words

    def spoiled(words):
        words[...] = 0 if kind == "missing" else words.flat[0]
        return words

    def bad_fill(self, component, wanted, target):
        fill(self, component, wanted, target)
        if wanted is purpose:
            spoiled(target)

    def bad_words(self, component, wanted, shape):
        words = draw(self, component, wanted, shape)
        return spoiled(words) if wanted is purpose else words

    monkeypatch.setattr(SeedSet, "fill", bad_fill)
    monkeypatch.setattr(SeedSet, "words", bad_words)
    assert min(worst_change(MASKED[name], observer) for observer in range(3)) < SURE


def view(session, owner, value, operation):
    """All that this party holds and receives: its components before and after, and the frames between."""
    link = session._exchange
    x = give(session, owner, torch.full((N,), value))
    result = operation(x)
    frames = [np.frombuffer(data, dtype="<i8") for _, _, data in link.received]
    held = [component.numpy().reshape(-1) for shares in (x, result) for component in shares.words]
    return frames + held


@pytest.mark.parametrize(
    "operation", [square, relu, lambda x: truncate(x, 5)], ids=["square", "relu", "truncate"]
)
@pytest.mark.parametrize("owner", [0, 1, 2])
def test_views_of_different_inputs_are_distributed_alike(owner, operation):
    low = run_secure(lambda s: view(s, owner, 0.0, operation), seed="low").results
    high = run_secure(lambda s: view(s, owner, -1234.56, operation), seed="high").results
    for observer in {0, 1, 2} - {owner}:
        for first, second in zip(low[observer], high[observer], strict=True):
            assert same_distribution(first, second) > SURE
        # Nor do two of them together: not their sums, differences or exclusive ors.
        for i, j in itertools.combinations(range(len(low[observer])), 2):
            (a, b), (c, d) = [(v[observer][i], v[observer][j]) for v in (low, high)]
            if len(a) == len(b):
                assert same_distribution(a + b, c + d) > SURE
                assert same_distribution(a - b, c - d) > SURE
                assert same_distribution(a ^ b, c ^ d) > SURE


def test_the_owner_itself_would_be_told_apart():
    low = run_secure(lambda s: view(s, 1, 0.0, square), seed="low").results[1]
    high = run_secure(lambda s: view(s, 1, -1234.56, square), seed="high").results[1]
    held = slice(-4, -2)  # the two components that make up its input
    assert same_distribution(sum(low[held]), sum(high[held])) < SURE


@pytest.mark.parametrize("owner", [0, 1, 2])
def test_the_missing_component_of_an_input_is_uniform_and_equal_inputs_give_unequal_shares(owner):
    value = torch.full((N,), 0.5)

    def program(session):
        held = value if session.position == owner else None
        first, second = share_many([PrivateInput(owner, (N,), held), PrivateInput(owner, (N,), held)])
        return first.words.numpy(), second.words.numpy()

    results = run_secure(program).results
    word = 2**15
    for observer in {0, 1, 2} - {owner}:
        first, second = results[observer]
        missing = word - first.sum(0)
        assert uniformity(missing).min() > SURE
        assert uniformity(missing - (word - second.sum(0))).min() > SURE
    first, second = results[owner]
    random = np.concatenate([first.reshape(-1), second.reshape(-1)])
    assert len(np.unique(random)) == len(random)  # 4N words, none twice


@pytest.mark.parametrize("name", ["multiply", "relu", "sign", "truncate", "multiply and truncate"])
def test_the_missing_component_of_a_result_is_uniform(name):
    def program(session):
        x = give(session, 0, torch.full((N,), -3.25))
        result = MASKED[name](x, x)
        link = session._exchange
        link.received.clear()
        open_shares(result)
        return np.frombuffer(link.received[-1][2], dtype="<i8")  # what the party lacked until now

    for observer, missing in enumerate(run_secure(program).results):
        # Position 1 lacks r_0, 2 lacks r_1, and 0 what is left of the result. After a plain truncation that is x_2 / 2^f,
        # which 1 and 2 know as it stands: a word of fewer bits, but not fewer than the mask that 0 knows of it has.
        lanes = 7 if (name, observer) == ("truncate", 0) else 8
        assert uniformity(missing)[:lanes].min() > SURE


def test_opening_tells_no_more_than_the_value():
    def program(session):
        x = give(session, 0, torch.linspace(-3, 3, N))
        link = session._exchange
        link.received.clear()
        value = open_shares(x)
        words = (value * 2**16).to(torch.int64) - x.words[0] - x.words[1]
        ((_, _, data),) = link.received  # simulated from the value and the party's own shares
        return data == words.numpy().tobytes()

    assert run_secure(program).results == [True] * 3


@pytest.mark.parametrize("seed", range(3))
def test_opening_a_product_tells_no_more_than_the_value(seed):
    inputs = [components(1, 77), components(2, 99)]

    def frames(all_seeds):
        """What each position is sent last: by 1 and 2 at 0, and by each other."""

        def program(session):
            i, j = session.position, session.next
            session._seeds = SeedSet(
                {c: all_seeds[c] for c in (i, j)}, {c: ((c + 1) % 3,) for c in (i, j)}, bytes(32)
            )
            x, y = (ReplicatedShares(session, torch.stack([c[i], c[j]]), 16) for c in inputs)
            value = open_product(x * y)
            received = session._exchange.received[-2 if i == 0 else -1 :]
            return value, [np.frombuffer(data, dtype="<i8") for _, _, data in received]

        return run_secure(program, seed=seed).results

    base, other = frames(seeds()), frames(seeds(changed=2))
    for (value, _), (again, _) in zip(base, other, strict=True):
        words = (value * 2**16).long().numpy()
        assert np.abs(words - 77 * 99 / 2**16).max() <= 1
        assert torch.equal(value, again)  # component 2's seed masks, and changes nothing
    words = (base[0][0] * 2**16).long().numpy()
    # To 0, one of the two is uniform, whatever was multiplied; both add up to the value.
    assert np.array_equal(sum(base[0][1]), words)
    for first, second in zip(base[0][1], other[0][1], strict=True):
        assert uniformity(first - second).min() > SURE
    # What 1 and 2 send each other is the value less what the other has itself.
    assert np.array_equal(base[1][1][0] + base[2][1][0], words)
