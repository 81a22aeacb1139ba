"""Whatever runs in lockstep with whatever: results are those of each alone, and the holders of a seed stay in step.

Two holders that draw from a seed in different steps would mask two messages with the same words, or one with different ones.
"""

import itertools
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import (
    ReplicatedShares,
    SecureSession,
    absolute,
    current_session,
    equal,
    largest,
    less_than_zero,
    multiply,
    open_many,
    open_product,
    open_shares,
    random_fractions,
    reduce,
    relu,
    require_in_range,
    share_from_each,
    square,
    together,
    truncate,
    until_in_range,
)
from mpc_party.secure.errors import OutOfRangeError
from mpc_party.secure.randomness import SeedSet
from mpc_party.secure.steps import collective, merged
from tests.support.secure_parties import give, run_secure, same

X = torch.tensor([1.5, -2.5, 0.25, -0.5, 3.0])


def opened_too(x):
    """Opens on the way, and goes on with the secret."""
    yield from open_shares.steps(x)
    return x


def opened_product(x):
    yield from open_product.steps(x * x)
    return x


def fractions(x):
    """Something in 0 .. 1 is added, and taken away again."""
    noise = yield from random_fractions.steps(tuple(x.shape))
    return x + noise - noise


# What each does to a secret, and to a number.
STEPS = {
    "multiply": (lambda x: multiply.steps(x, x * 0 + 1), lambda v: v),
    "square": (square.steps, lambda v: v * v),
    "factor": (lambda x: reduce.steps(x.times(0.5, 16)), lambda v: v / 2),
    "truncate": (lambda x: truncate.steps(x, 1), lambda v: v / 2),
    "relu": (relu.steps, lambda v: v.clamp(min=0)),
    "absolute": (lambda x: absolute.steps(x, bits=26), torch.abs),
    "sign": (less_than_zero.steps, lambda v: (v < 0).double()),
    "equal": (lambda x: equal.steps(x, 0.25), lambda v: (v == 0.25).double()),
    "largest": (
        lambda x: largest.steps(ReplicatedShares.stack([x, x - 1, -x])),
        lambda v: torch.maximum(v, -v),
    ),
    "open": (opened_too, lambda v: v),
    "open product": (opened_product, lambda v: v),
    "fractions": (fractions, lambda v: v),
}
programs = st.recursive(
    st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=3).map(tuple),
    lambda inner: st.lists(inner, min_size=1, max_size=3),
    max_leaves=6,
)


@collective
def run_one(x, names):
    for name in names:
        x = yield from STEPS[name][0](x)
        if x.fraction_bits == 0:
            x = x.at_scale(16)
    return x


def steps_of(x, program):
    """A tree of programs: tuples run their steps one after the other, lists run side by side."""
    if isinstance(program, tuple):
        return run_one.steps(x, program)
    return merged([steps_of(x, inner) for inner in program])


def leaves(results):
    return [results] if isinstance(results, ReplicatedShares) else [s for r in results for s in leaves(r)]


def names_of(program):
    return (
        [program] if isinstance(program, tuple) else [names for inner in program for names in names_of(inner)]
    )


def check(program, *, committee=(0, 1, 2)):
    def party(session):
        x = give(session, 1, X)
        results = leaves(together(steps_of(x, program))[0])
        return torch.stack(open_many(results))

    outcome = run_secure(party, committee=committee)
    opened = same(outcome.results)
    for names, result in zip(names_of(program), opened, strict=True):
        value = X.double()
        for name in names:
            value = STEPS[name][1](value)
        # Signs and equalities of values that have been rounded may be on either side.
        exact = not any(n in {"factor", "truncate", "square", "multiply"} for n in names[:-1])
        if exact or not {"sign", "equal"} & set(names):
            assert torch.allclose(result, value, atol=20 * 2**-16), names


@pytest.mark.parametrize(("first", "second"), itertools.product(STEPS, STEPS))
def test_every_pair_of_operations_in_both_orders(first, second):
    check([(first, second), (second,), [(first,), (second, first)]])


@given(programs)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_tree_of_programs(program):
    check([program])


@given(programs)
@settings(max_examples=8, deadline=None, derandomize=True)
def test_any_tree_of_programs_between_five(program):
    check([program], committee=range(5))


@pytest.mark.parametrize("size", [3, 5])
def test_holders_of_a_seed_draw_alike(size, monkeypatch):
    """At every exchange, all holders of a seed have drawn as often from each of its streams."""
    program = [
        ("square", "truncate", "relu"),
        ("truncate", "sign"),
        [("factor", "open"), ("largest", "factor")],
    ]
    program += [("open product", "fractions"), ("equal", "multiply")]
    drawn: dict[int, Counter] = {position: Counter() for position in range(size)}
    logs: dict[int, list] = {position: [] for position in range(size)}
    stream, exchange = SeedSet._stream, SecureSession.exchange

    def counted(self, component, purpose):
        drawn[current_session().position][component, purpose] += 1
        return stream(self, component, purpose)

    def logged(self, batch):
        logs[self.position].append(Counter(drawn[self.position]))
        exchange(self, batch)

    monkeypatch.setattr(SeedSet, "_stream", counted)
    monkeypatch.setattr(SecureSession, "exchange", logged)
    sessions = run_secure(
        lambda session: together(steps_of(give(session, 1, X), program)), committee=range(size)
    ).sessions
    for one, other in itertools.combinations(sessions, 2):
        shared = set(one.held) & set(other.held)
        steps = list(zip(logs[one.position], logs[other.position], strict=True))
        assert len(steps) > 10
        for mine, theirs in steps:
            of_shared = [
                {key: n for key, n in counts.items() if key[0] in shared} for counts in (mine, theirs)
            ]
            assert of_shared[0] == of_shared[1]


def test_a_repeated_program_stays_in_step_with_what_ran_beside_it():
    def party(session):
        x, w = give(session, 1, X), give(session, 0, X * 100)
        tries = []

        @collective
        def checked():
            value = yield from open_shares.steps(w)
            tries.append(value)
            return require_in_range(value, -1, 1 if len(tries) < 3 else 1000, "w")

        def once():
            together(checked.steps(), multiply.steps(x, x))

        with pytest.raises(OutOfRangeError):
            until_in_range(once, attempts=3)
        return open_shares(multiply(x, x))

    assert torch.allclose(same(run_secure(party).results), (X * X).double(), atol=2**-15)


def test_a_protocol_that_fails_in_the_middle_ends_the_session():
    def party(session):
        x = give(session, 1, X)

        @collective
        def fails():
            yield from open_shares.steps(x)
            raise ValueError("something local")

        with pytest.raises(ValueError, match="something local"):
            together(fails.steps(), multiply.steps(x, x))
        with pytest.raises(Exception, match="failed before"):
            open_shares(x)

    run_secure(party)


def test_inputs_beside_other_protocols():
    def party(session):
        x = give(session, 1, X)
        product, (first, _, third) = together(square.steps(x), share_from_each.steps(X))
        return torch.stack(open_many([product, first + third]))

    opened = same(run_secure(party).results)
    assert torch.allclose(opened, torch.stack([X * X, 2 * X]).double(), atol=2**-15)
