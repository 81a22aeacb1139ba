"""What any t of 2t + 1 parties see together tells them nothing about what they lack.

A coalition of t lacks one component, and the seed that belongs to it. The first test fixes all inputs and all other seeds,
and changes only that one: all that the coalition receives from outside must then change by uniform amounts that are
independent of each other. So it is masked by words that the coalition cannot know, each used once. The second asks whether
anything secret is a linear combination of everything that a coalition holds, draws and receives. Randomness is repeatable, so
that thresholds (p-values of 10^-9) cannot flake.
"""

# ruff: noqa: ARG005 - the functions of a table have one signature

import itertools
from unittest import mock

import numpy as np
import pytest
from scipy.stats import chi2

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure import general
from mpc_party.secure.general import closing, gates, pool, random_bits, sharing
from mpc_party.secure.general.closing import multiplied
from mpc_party.secure.general.domains import BITS
from mpc_party.secure.general.placement import openers
from mpc_party.secure.general.pool import Item, Kind
from mpc_party.secure.layout import layout_of
from mpc_party.secure.randomness import Purpose, SeedSet
from mpc_party.secure.steps import run
from tests.support.committees import SIZES, opened, run_committee
from tests.support.secure_parties import generator_of

N = 2240  # divides evenly between five and seven parties, and into planes
SURE = 1e-9
TRUNCATION, SIGN, ZERO = Item(Kind.TRUNCATION, 16), Item(Kind.SIGN, 64), Item(Kind.ZERO, 20)
SELECTION, FRACTION = Item(Kind.SELECTION, 0), Item(Kind.FRACTION, 4)

COALITIONS = {5: [(0, 1), (1, 4), (2, 3)], 7: [(0, 1, 2), (1, 4, 6)]}


def uniformity(words):
    """The smallest p-value of a chi-square test that a byte lane of the words is uniform.

    Opened squares less one are multiples of 8, and random above. The upper part of a mask has 49 bits, and one on top.
    """
    lanes = 8
    if not (words & 7).any():
        words, lanes = words >> 3, 7
    if not (words >> 50 & 0x1FFF).any():
        lanes = 5
    counts = [
        np.bincount(lane, minlength=256)
        for lane in np.ascontiguousarray(words).view(np.uint8).reshape(-1, 8).T[:lanes]
    ]
    expected = words.size / 256
    return min(float(chi2.sf(((c - expected) ** 2 / expected).sum(), 255)) for c in counts)


def components(size, seed, values):
    """Sharings of values, fixed by the seed: (components, N)."""
    count = len(layout_of(size // 2).subsets)
    words = generator_of(seed).integers(-(2**63), 2**63, (count, N))
    words[-1] = values - words[:-1].sum(0)
    return words


def seeds_for(session, changed=None):
    lacking = {c: session.layout.subsets[c] for c in session.held}
    seeds = {c: bytes([c + (100 if session.layout.subsets[c] == changed else 0)]) * 32 for c in session.held}
    return SeedSet(seeds, lacking, bytes(32))


def received(size, operation, coalition, changed):
    """All arrays that the coalition receives from outside, while `operation` runs on fixed components with fixed seeds.

    Where shares are opened, the opened values stand for what is sent: see the test of openings.
    """
    inputs = [components(size, 1, 77), components(size, 2, np.arange(N) - 1000)]
    seen = {position: [] for position in coalition}
    opening = sharing._open

    def watched_opening(session, domain, positions, shares, name):
        values = yield from opening(session, domain, positions, shares, name)
        if session.position == coalition[0]:
            seen[session.position] += [("opened", words.reshape(-1)) for words in values]
        return values

    def program(session):
        session._seeds = seeds_for(session, coalition if changed else None)
        exchange = session.exchange

        def watched(batch):
            exchange(batch)
            for messages in batch:
                if messages.operation in OPENINGS or (messages.operation, messages.kind) == SELECTING:
                    continue
                outside = [
                    (peer, words.copy().reshape(-1))
                    for peer, words in messages.receive
                    if peer not in coalition
                ]
                seen[session.position] += outside
                if len({peer for peer, _ in outside}) == len(outside) > 1:  # summands of something, perhaps
                    add = np.bitwise_xor if messages.kind is FrameKind.BITS else np.add
                    seen[session.position].append(
                        ("sum", add.reduce([words for _, words in outside], axis=0))
                    )

        if session.position in coalition:
            session.exchange = watched
        operation(session, *(words[list(session.held)] for words in inputs))

    with mock.patch.object(sharing, "_open", watched_opening):
        run_committee(size, program)
    return [array for arrays in seen.values() for array in arrays]


OPENINGS = {"open", "truncate", "compare", "equal", "and", "lift"}  # of shares; summands are opened otherwise
SELECTING = ("select", FrameKind.BITS)


def plane_of_signs(session, x):
    return run(general.sign_plane(session, x, 64))


def prepared(item, count, operation):
    """The operation, after making what it uses up."""

    def program(session, x, y):
        general.prepare(session, {item: count})
        operation(session, x, y)

    return program


def multiply_truncated(session, x, y):
    run(general.reshare(session, multiplied(session, x, y), 16))


def select_by_known(session, x, y):
    plane = general.public_plane(session, np.arange(N // 64) * 12345)
    run(general.select(session, x, plane))
    run(general.lift(session, plane, (N,)))


def shared_by_all(share):
    """Sharing of fixed values of each party."""

    def program(session, x, y):
        own = np.arange(N) + session.position
        run(share(session, [(p, own if p == session.position else None) for p in range(session.parties)]))

    return program


MASKED = {
    "share": shared_by_all(lambda s, own: general.share_words(s, [(p, (N,), w) for p, w in own])),
    "share bits": shared_by_all(lambda s, own: sharing.share(s, BITS, [(p, (N,), w) for p, w in own], "x")),
    "share narrow": shared_by_all(
        lambda s, own: sharing.share_narrow(s, [(p, N, w) for p, w in own], 40, "x")
    ),
    "multiply": lambda s, x, y: run(general.reshare(s, multiplied(s, x, y), 0)),
    "multiply and truncate": multiply_truncated,
    "open a product": lambda s, x, y: run(general.open_product(s, multiplied(s, x, y), 16)),
    "truncate, prepared": prepared(TRUNCATION, N, lambda s, x, y: run(general.truncate(s, x, 16))),
    "sign": lambda s, x, y: plane_of_signs(s, x),
    "sign, prepared": prepared(SIGN, N // 64, lambda s, x, y: plane_of_signs(s, x)),
    "zero, prepared": prepared(ZERO, N // 64, lambda s, x, y: run(general.zero_plane(s, y, 20))),
    "select": select_by_known,
    "select, prepared": prepared(SELECTION, N // 32, select_by_known),
    "fractions": lambda s, x, y: run(general.random_fractions(s, (N,), 4)),
}


def worst_change(size, name, coalitions):
    """The smallest p-value over all that the coalitions receive, by itself and in pairs."""
    worst, seen = 1.0, 0
    for coalition in coalitions:
        base, other = (received(size, MASKED[name], coalition, changed) for changed in (False, True))
        assert [(peer, a.size) for peer, a in base] == [(peer, a.size) for peer, a in other]
        # what two of the coalition are both told is looked at once
        distinct = {(a.tobytes(), b.tobytes()) for (_, a), (_, b) in zip(base, other, strict=True)}
        pairs = [tuple(np.frombuffer(data, dtype="<i8") for data in pair) for pair in sorted(distinct)]
        pairs = [(a, b) for a, b in pairs if a.size >= 256]
        seen += len(pairs)
        for a, b in pairs:
            worst = min(worst, uniformity(a ^ b))
        by_size = itertools.groupby(sorted(pairs, key=lambda p: p[0].size), key=lambda p: p[0].size)
        for _, group in by_size:
            for (a, b), (c, d) in itertools.islice(itertools.combinations(group, 2), 20):
                worst = min(worst, uniformity((a - b) - (c - d)), uniformity(a ^ b ^ c ^ d))
    assert seen
    return worst


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", MASKED)
def test_all_that_a_coalition_receives_is_masked_by_words_that_it_cannot_know(size, name):
    assert worst_change(size, name, COALITIONS[size]) > SURE


@pytest.mark.parametrize(
    "name", ["multiply and truncate", "truncate, prepared", "sign, prepared", "select, prepared"]
)
def test_the_test_sees_a_missing_zero_share(name, monkeypatch):
    monkeypatch.setattr(closing, "mask_summand", lambda *_: None)
    assert worst_change(5, name, COALITIONS[5][:2]) < SURE


@pytest.mark.parametrize(
    ("purpose", "name"),
    [
        (Purpose.PRODUCT_WORDS, "multiply"),
        (Purpose.ZERO_WORDS, "multiply and truncate"),
        (Purpose.PRODUCT_BITS, "sign"),
        (Purpose.INPUT_WORDS, "share"),
        (Purpose.INPUT_WORDS, "share narrow"),
        (Purpose.INPUT_BITS, "share bits"),
        (Purpose.RANDOM_WORDS, "sign"),
    ],
)
def test_the_test_sees_a_mask_that_is_used_twice(purpose, name, monkeypatch):
    draw, fill = SeedSet.words, SeedSet.fill

    def constant_words(self, component, wanted, shape):
        words = draw(self, component, wanted, shape)
        return np.full_like(words, words.flat[0]) if wanted is purpose and words.size else words

    def constant_fill(self, component, wanted, target):
        fill(self, component, wanted, target)
        if wanted is purpose and target.size:
            target[...] = target.flat[0]

    monkeypatch.setattr(SeedSet, "words", constant_words)
    monkeypatch.setattr(SeedSet, "fill", constant_fill)
    assert worst_change(5, name, COALITIONS[5][:2]) < SURE


@pytest.mark.parametrize("name", ["sign, prepared", "select, prepared"])
def test_the_test_sees_who_adds_up_the_product_itself(name, monkeypatch):
    """That is, if what is drawn from seeds were not taken off before."""
    monkeypatch.setattr(
        closing, "summand", lambda _session, _domain, shares: np.zeros(shares.shape[1], dtype=np.int64)
    )
    assert worst_change(5, name, COALITIONS[5][:2]) < SURE


@pytest.mark.parametrize("module", [gates, random_bits])
def test_the_test_sees_masks_of_gates_and_bits_that_nobody_lacks(module, monkeypatch):
    def known(session, domain, count):
        return np.zeros((len(session.held), count), dtype=np.int64)

    monkeypatch.setattr(module, "random_words", known)
    name = "sign, prepared" if module is gates else "select, prepared"
    assert worst_change(5, name, COALITIONS[5][:2]) < SURE


class LoggedSeeds(SeedSet):
    """Seeds that remember all that was drawn from them."""

    __slots__ = ("log",)

    def words(self, component, purpose, shape):
        words = super().words(component, purpose, shape)
        self.log.append(words.copy())
        return words

    def fill(self, component, purpose, target):
        super().fill(component, purpose, target)
        self.log.append(target.copy())


ROWS = 1408


def parities(rows):
    """The lowest bits of each row of ROWS words, as one integer."""
    return [int.from_bytes(np.packbits((row & 1).astype(np.uint8)).tobytes(), "big") for row in rows]


def spanned(rows, target):
    """Whether the parities of `target` are a sum of some of those of the rows: as they are if it is a linear combination."""
    basis: dict[int, int] = {}

    def reduced(vector):
        while vector and vector.bit_length() in basis:
            vector ^= basis[vector.bit_length()]
        return vector

    for vector in parities(rows):
        if rest := reduced(vector):
            basis[rest.bit_length()] = rest
    assert len(basis) < ROWS // 2  # or all would be spanned
    return reduced(parities([target])[0]) == 0


def knowledge(session, operation, x, y):
    """All arrays of ROWS words that a party holds, draws and receives from making masks to having the result."""
    general.prepare(session, {TRUNCATION: ROWS})
    known = [*x, *y, np.ones(ROWS, dtype=np.int64)]
    for arrays in pool._pools[session].stock.values():
        known += [row for words in arrays for row in words]
    session._seeds.__class__ = LoggedSeeds
    session._seeds.log = []
    session._exchange.received.clear()
    known += list(operation(session, x, y))
    known += [row for words in session._seeds.log for row in words.reshape(-1, ROWS)]
    for _, _, data in session._exchange.received:
        known += list(np.frombuffer(data, dtype="<i8").reshape(-1, ROWS))
    return known


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [0, 16])
def test_no_t_parties_can_put_together_a_factor_or_the_product_before_it_is_divided(size, bits):
    threshold = size // 2
    generator = generator_of(size + bits)
    x, y = generator.integers(-(2**28), 2**28, (2, ROWS))
    shared = []
    for index, values in enumerate((x, y)):
        words = generator_of(index).integers(-(2**63), 2**63, (len(layout_of(threshold).subsets), ROWS))
        words[0] = values - words[1:].sum(0)
        shared.append(words)

    def operation(session, a, b):
        part = multiplied(session, a, b)
        result = run(general.reshare(session, part, bits))
        return [part, *result]

    def program(session):
        session._seeds = LoggedSeeds(
            {c: bytes([c]) * 32 for c in session.held},
            {c: session.layout.subsets[c] for c in session.held},
            bytes(32),
        )
        session._seeds.log = []
        return knowledge(session, operation, *(words[list(session.held)] for words in shared))

    known = run_committee(size, program).results
    for coalition in COALITIONS[size]:
        rows = [row for position in coalition for row in known[position]]
        assert not any(spanned(rows, secret) for secret in (x, y, x * y))
    for coalition in [(*COALITIONS[size][0], size - 1), tuple(range(threshold + 1))]:
        rows = [row for position in coalition for row in known[position]]
        assert all(spanned(rows, secret) for secret in (x, y, x * y))  # t + 1 can: the attack works


@pytest.mark.parametrize("size", SIZES)
def test_opening_tells_no_more_than_the_value(size):
    layout = layout_of(size // 2)
    values = np.arange(N)
    words = components(size, 5, values)

    def program(session):
        opened(session, words[list(session.held)])

    links = run_committee(size, program).links
    for coalition in COALITIONS[size]:
        lacking = layout.subsets.index(coalition)
        simulated = words.copy()
        simulated[lacking] = values - np.delete(words, lacking, axis=0).sum(0)
        for position in coalition:
            frames = {peer: data for peer, _, data in links[position].received}
            for sender, given in openers(size // 2, position):
                assert frames[sender] == simulated[list(given)].sum(0).tobytes()


@pytest.mark.parametrize("size", SIZES)
def test_what_two_runs_on_different_secrets_show_is_distributed_alike(size):
    def view(session, value):
        piece = (3, (N,), np.full(N, value) if session.position == 3 else None)
        x = run(general.share_words(session, [piece]))[0]
        plane = run(general.sign_plane(session, x, 64))
        result = run(general.select(session, run(general.truncate(session, x, 8)), plane))
        frames = [np.frombuffer(data, dtype="<i8") for _, _, data in session._exchange.received]
        return [words for words in [*frames, *x, *result] if words.size >= 256]

    low = run_committee(size, lambda s: view(s, 0), seed="low").results
    high = run_committee(size, lambda s: view(s, -123_456_789), seed="high").results
    for position in range(size):
        for first, second in zip(low[position], high[position], strict=True):
            assert alike(first, second) > SURE
    # The owner holds its value; and so do t + 1 others together.
    layout = layout_of(size // 2)
    held = slice(-2 * len(layout.held[3]), -len(layout.held[3]))
    assert alike(sum(low[3][held]), sum(high[3][held])) < SURE


def alike(first, second):
    """The smallest p-value of a two-sample chi-square test, over the byte lanes of the words."""
    result = 1.0
    lanes = [np.ascontiguousarray(s).view(np.uint8).reshape(-1, 8).T for s in (first, second)]
    for a, b in zip(*lanes, strict=True):
        counts = np.stack([np.bincount(a, minlength=256), np.bincount(b, minlength=256)])
        used = counts[:, counts.sum(0) > 0]
        statistic = ((used[0] - used[1]) ** 2 / used.sum(0)).sum()
        result = min(result, float(chi2.sf(statistic, max(1, used.shape[1] - 1))))
    return result
