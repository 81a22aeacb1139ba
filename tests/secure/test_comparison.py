"""Comparison is exact, at the extremes of the ring too."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import constant, open_shares, open_words_many, together
from mpc_party.secure.comparison import (
    absolute,
    equal,
    greater_equal,
    greater_than,
    less_equal,
    less_than,
    less_than_zero,
    maximum,
    minimum,
    not_equal,
    not_less_than_zero,
    relu,
    sign,
    where,
)
from tests.support.secure_parties import give, run_secure, same

LOWEST, HIGHEST = -(2**63), 2**63 - 1
EXTREMES = torch.tensor(
    [0, 1, -1, LOWEST, LOWEST + 1, HIGHEST, HIGHEST - 1, 2**62, -(2**62), 2**32, -(2**32), 2**31, 65535, -65536]
)  # fmt: skip


def words(function, *inputs):
    """The ring words of a collective function of integers (scale 0), each from another owner."""
    return same(
        run_secure(
            lambda s: open_words_many([function(*[give(s, i % 3, v, 0) for i, v in enumerate(inputs)])])[0]
        ).results
    )


def test_the_sign_is_exact_at_the_extremes():
    assert words(less_than_zero, EXTREMES).tolist() == (EXTREMES < 0).long().tolist()
    assert words(not_less_than_zero, EXTREMES).tolist() == (EXTREMES >= 0).long().tolist()
    assert words(relu, EXTREMES).tolist() == EXTREMES.clamp(min=0).tolist()
    assert words(absolute, EXTREMES).tolist() == EXTREMES.abs().tolist()  # |-2^63| wraps, as in torch
    assert words(sign, EXTREMES).tolist() == [1 if v >= 0 else -1 for v in EXTREMES.tolist()]
    assert words(lambda x: equal(x, 0), EXTREMES).tolist() == (EXTREMES == 0).long().tolist()


half = st.integers(-(2**62), 2**62 - 1)  # differences stay in the ring
PAIRS = {
    "less_than": (less_than, torch.lt), "greater_than": (greater_than, torch.gt),
    "less_equal": (less_equal, torch.le), "greater_equal": (greater_equal, torch.ge),
    "equal": (equal, torch.eq), "not_equal": (not_equal, torch.ne),
    "maximum": (maximum, torch.maximum), "minimum": (minimum, torch.minimum),
}  # fmt: skip


@given(st.lists(st.tuples(half, half), min_size=1, max_size=80))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_comparisons_are_those_of_torch(pairs):
    pairs = [*pairs, (5, 5), (5, 6), (6, 5), (-1, 0), (0, -1), (-(2**62), 2**62 - 1), (2**62 - 1, -(2**62))]
    x, y = torch.tensor(pairs).T

    def program(session):
        a, b = give(session, 0, x, 0), give(session, 1, y, 0)
        return torch.stack(open_words_many(together(*[f.steps(a, b) for f, _ in PAIRS.values()])))

    results = same(run_secure(program).results)
    for result, (_, reference) in zip(results, PAIRS.values(), strict=True):
        assert torch.equal(result, reference(x, y).long())


@pytest.mark.parametrize("name", PAIRS)
def test_comparisons_broadcast_and_take_public_values(name):
    function, reference = PAIRS[name]
    x, y = torch.linspace(-2, 2, 12).reshape(3, 4), torch.tensor([-0.5, 0.25, 1.0, 3.0])

    def program(session):
        a, b = give(session, 0, x), give(session, 1, y)
        opened = [open_shares(function(a, b)), open_shares(function(a, y)), open_shares(function(a, 0.25))]
        return torch.stack([*opened, open_shares(a)])

    by_secret, by_tensor, by_number, exact = same(run_secure(program).results)
    assert torch.equal(by_secret, reference(exact, y.double()).double())
    assert torch.equal(by_tensor, reference(exact, y.double()).double())
    assert torch.equal(by_number, reference(exact, torch.tensor(0.25).double()).double())


@pytest.mark.parametrize("bits", [5, 17, 33])
def test_a_bounded_width_is_exact_within_its_bound(bits):
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    values = torch.tensor([low, low + 1, -1, 0, 1, high - 1, high])
    assert words(lambda x: relu(x, bits=bits), values).tolist() == values.clamp(min=0).tolist()
    assert words(lambda x: less_than_zero(x, bits=bits), values).tolist() == (values < 0).long().tolist()
    assert words(lambda x: equal(x, 0, bits=bits), values).tolist() == (values == 0).long().tolist()


@pytest.mark.parametrize("bits", [1, 0, 65, -3])
def test_widths_out_of_range(bits):
    with pytest.raises(ValueError, match="bits is"):
        run_secure(lambda _: relu(constant(torch.ones(2)), bits=bits))
    if bits != 1:
        with pytest.raises(ValueError, match="bits is"):
            run_secure(lambda _: equal(constant(torch.ones(2)), 1, bits=bits))


def test_choosing_is_exact():
    x, y = torch.linspace(-3, 3, 10), torch.linspace(5, 6, 10)

    def program(session):
        a, b = give(session, 0, x), give(session, 1, y)
        condition = less_than(a, 0.0)
        rounds = session.traffic.rounds
        chosen = where(condition, a, b)
        assert session.traffic.rounds - rounds == 1
        public = where(x > 1, a, b)
        assert session.traffic.rounds - rounds == 1
        with pytest.raises(ValueError, match="condition"):
            where(a, a, b)
        return torch.stack([open_shares(s) for s in (chosen, public, where(condition, a, 9.0), a, b)])

    chosen, public, constant_other, a, b = same(run_secure(program).results)
    assert torch.equal(chosen, torch.where(a < 0, a, b))
    assert torch.equal(public, torch.where(x > 1, a, b))
    assert torch.equal(constant_other, torch.where(a < 0, a, torch.tensor(9.0).double()))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (65,), (3, 0, 2)])
def test_any_shape(shape):
    values = torch.full(shape, -1.5)
    result = same(run_secure(lambda s: open_shares(relu(-give(s, 0, values)))).results)
    assert torch.equal(result, values.abs().double())


COSTS = {
    # rounds; bits per element from position 0 and from each of the others, for 64 elements
    "less_than_zero": (less_than_zero, 4, 329 + 64, 39 + 64),
    "relu": (relu, 4, 329 + 128, 39 + 64),
    "absolute": (absolute, 4, 329 + 128, 39 + 64),
    "maximum": (lambda x: maximum(x, x), 4, 329 + 128, 39 + 64),
    "equal": (lambda x: equal(x, 1), 4, 279 + 64, 28 + 64),
    "relu of 33 bits": (lambda x: relu(x, bits=33), 4, 114 + 128, 29 + 64),
    "relu of 26 bits": (lambda x: relu(x, bits=26), 3, 193 + 128, 10 + 64),
    "relu of 17 bits": (lambda x: relu(x, bits=17), 3, 76 + 128, 8 + 64),
    "relu of 6 bits": (lambda x: relu(x, bits=6), 2, 32 + 128, 1 + 64),
}


@pytest.mark.parametrize("name", COSTS)
def test_rounds_and_bytes(name):
    function, rounds, first, others = COSTS[name]

    def program(session):
        x = give(session, 1, torch.ones(64))
        before = session.traffic.rounds, session.traffic.bytes_sent
        function(x)
        return session.traffic.rounds - before[0], (session.traffic.bytes_sent - before[1]) / 8

    assert run_secure(program).results == [(rounds, first), (rounds, others), (rounds, others)]
    assert first <= 60 * 8  # bytes per element and party
