"""Products and truncation against float64: error, bias, failures, rounds and bytes."""

# ruff: noqa: ARG005 - the functions of a table have one signature

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc_party.secure import (
    ReplicatedShares,
    SecureError,
    constant,
    linear_map,
    matmul,
    multiply,
    multiply_many,
    open_many,
    open_product,
    open_shares,
    open_words_many,
    reduce,
    reduce_many,
    require_in_range,
    square,
    sum_of_products,
    truncate,
)
from tests.support.secure_parties import generator_of, give, run_secure, same

UNIT = 2.0**-16


def values(generator, shape, largest):
    """Multiples of the unit, of both signs, with magnitudes spread over all powers of two up to `largest`."""
    bits = generator.uniform(0, np.log2(largest) + 16, shape)
    words = np.floor(2.0**bits) * generator.choice([-1, 0, 1], shape, p=[0.45, 0.1, 0.45])
    return torch.from_numpy(np.asarray(words * UNIT))


def compute(function, *inputs, seed=0):
    """Share each input from another owner, apply a collective function, open."""
    return same(
        run_secure(
            lambda s: open_shares(function(*[give(s, i % 3, v) for i, v in enumerate(inputs)])), seed=seed
        ).results
    )


def units(result, expected):
    """The error in units in the last place."""
    return float((result - expected).abs().max() / UNIT) if result.numel() else 0.0


broadcastable = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=5, min_side=0)


@given(broadcastable, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_product_is_off_by_less_than_a_unit(shapes, seed):
    generator = generator_of(seed)
    x, y = (values(generator, shape, 2.0**6) for shape in shapes.input_shapes)
    result = compute(multiply, x, y, seed=seed)
    assert result.shape == (x * y).shape
    assert units(result, x * y) < 1


@given(hnp.array_shapes(max_dims=3, max_side=6), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_square_is_off_by_less_than_a_unit(shape, seed):
    x = values(generator_of(seed), shape, 2.0**6)
    assert units(compute(square, x, seed=seed), x * x) < 1


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_matrix_product_is_truncated_once(rows, inner, columns, seed):
    generator = generator_of(seed)
    x, y = values(generator, (rows, inner), 8.0), values(generator, (inner, columns), 8.0)
    assert units(compute(matmul, x, y, seed=seed), x @ y) < 1


@given(st.integers(0, 2**32), st.integers(1, 24))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_truncation_divides_by_any_power_of_two(seed, bits):
    x = values(generator_of(seed), (20,), 2.0**10)
    assert units(compute(lambda a: truncate(a, bits), x, seed=seed), x / 2**bits) < 1


def test_truncation_at_any_scale_and_by_no_bits():
    def program(session):
        x = give(session, 1, torch.tensor([2**60, -(2**60) + 5, 0]), 0)
        fine = ReplicatedShares(session, x.words, 30)
        with pytest.raises(ValueError, match="drops 0 to 62"):
            truncate(x, 63)
        assert truncate(x, 0) is x
        return open_words_many([truncate(fine, 62), truncate(fine, 50)])[1]

    assert (same(run_secure(program).results) - torch.tensor([2**10, -(2**10), 0])).abs().max() <= 1


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_public_maps_and_constants(seed):
    generator = generator_of(seed)
    x = values(generator, (6, 2), 8.0)
    matrix = values(generator, (4, 6), 8.0)
    assert units(compute(lambda a: linear_map(matrix, a), x, seed=seed), matrix @ x) < 1
    assert (
        units(compute(lambda a: reduce(a * -2.7182769775390625), x, seed=seed), x * -2.7182769775390625) < 1
    )
    assert units(compute(lambda a: reduce(a * 4), x, seed=seed), x * 4) == 0


@given(st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_long_expression_is_truncated_once(seed):
    generator = generator_of(seed)
    a, b, c = (values(generator, (7,), 8.0) for _ in range(3))
    result = compute(lambda x, y, z: reduce(x * y + z.square() - 0.75 * x + y * 3 - 1.5), a, b, c, seed=seed)
    assert units(result, a * b + c * c - 0.75 * a + 3 * b - 1.5) < 1
    result = compute(lambda x, y, z: sum_of_products([(x, y), (y, z), (z, x)]), a, b, c, seed=seed)
    assert units(result, a * b + b * c + c * a) < 1


def test_values_that_need_no_rounding_stay_exact():
    x = torch.arange(-500, 500) / 256
    assert torch.equal(compute(square, x), (x * x).double())
    assert torch.equal(compute(lambda a: truncate(a, 8), x), (x / 256).double())


@pytest.mark.parametrize("kind", ["product", "replicated"])
@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.9])
def test_rounding_has_no_bias(kind, fraction):
    # z = (5 + fraction) units, 40,000 times: up with probability `fraction`, so the mean has deviation 0.0025 units.
    count = 40_000
    x = torch.full((count,), (5 + fraction) * 2**-8)  # at scale 16 with 8 bits to drop

    def program(session):
        shares = give(session, 0, x)
        one = constant(torch.ones(count))
        return open_words_many([reduce(shares * one if kind == "product" else shares, 8)])[0]

    words = same(run_secure(program).results)
    assert set(words.tolist()) == {5, 6}
    assert abs(float(words.double().mean()) - 5 - fraction) < 5 * 0.0025


@pytest.mark.parametrize("kind", ["product", "replicated"])
@pytest.mark.parametrize("magnitude", [60, 58])
def test_wild_truncations_come_at_the_rate_stated_and_are_far_off(kind, magnitude):
    """|z| / 2^64 per element (the design says about |z| / 2^63), off by 2^(64 - bits) units."""
    count, bits = 60_000, 16
    words = torch.full((count,), -(2**magnitude))
    words[::2] *= -1

    def program(session):
        shares = ReplicatedShares(session, give(session, 0, words, 0).words, 16)
        one = constant(torch.ones(count, dtype=torch.int64))
        return open_words_many([reduce(shares * one if kind == "product" else shares, 0)])[0]

    opened = same(run_secure(program).results)
    error = opened - (words >> bits)
    wild = error.abs() > 1
    expected = count * 2.0 ** (magnitude - 64)
    assert abs(int(wild.sum()) - expected) < 6 * expected**0.5
    assert bool(((error[wild].abs() - 2 ** (64 - bits)).abs() <= 1).all())
    with pytest.raises(SecureError, match="outside"):
        require_in_range(opened.double(), -(2.0**45), 2.0**45, "results")


def test_values_near_one_do_not_go_wild():
    x = torch.linspace(-2, 2, 200_000)
    assert units(compute(square, x), encoded(x) ** 2) < 1


def encoded(x):
    return torch.round(x.double() / UNIT) * UNIT


N = 128
COSTS = {
    # rounds, bytes per element sent by positions 0, 1, 2
    "multiply integers": (lambda x, y, b: multiply(x, b), 1, (8, 8, 8)),
    "multiply": (lambda x, y, b: multiply(x, y), 1, (8, 8, 8)),
    "square": (lambda x, y, b: square(x), 1, (8, 8, 8)),
    "sum of products": (lambda x, y, b: sum_of_products([(x, y), (y, y), (x, x)]), 1, (8, 8, 8)),
    "two products": (lambda x, y, b: multiply_many([(x, y), (y, y)]), 1, (16, 16, 16)),
    "product kept at scale 32": (lambda x, y, b: multiply(x, y, fraction_bits=32), 1, (8, 8, 8)),
    "truncate": (lambda x, y, b: truncate(x, 3), 0, (8, 0, 0)),
    "public factor": (lambda x, y, b: reduce(x * 0.3), 0, (8, 0, 0)),
    "public integer": (lambda x, y, b: reduce(x * 3), 0, (0, 0, 0)),
    "a mixture": (lambda x, y, b: reduce_many([x * y, x * b, 0.3 * x, x]), 1, (24, 16, 16)),
}


@pytest.mark.parametrize("name", COSTS)
def test_rounds_and_bytes(name):
    function, rounds, sent = COSTS[name]

    def program(session):
        x, y = give(session, 0, torch.ones(N)), give(session, 1, torch.ones(N))
        bit = give(session, 2, torch.ones(N, dtype=torch.int64), 0)
        before = session.traffic.rounds, session.traffic.bytes_sent
        function(x, y, bit)
        return session.traffic.rounds - before[0], session.traffic.bytes_sent - before[1]

    assert run_secure(program).results == [(rounds, N * per_element) for per_element in sent]


def test_a_matrix_product_sends_words_of_the_result_only():
    def program(session):
        x, y = give(session, 0, torch.ones(4, 100)), give(session, 1, torch.ones(100, 2))
        before = session.traffic.bytes_sent
        matmul(x, y)
        return session.traffic.bytes_sent - before

    assert run_secure(program).results == [8 * 8] * 3


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_product_is_opened_in_the_round_that_closes_it(rows, inner, columns, seed):
    generator = generator_of(seed)
    x, y = values(generator, (rows, inner), 8.0), values(generator, (inner, columns), 8.0)

    def program(session):
        a, b = give(session, 0, x), give(session, 1, y)
        before = session.traffic.rounds, session.traffic.bytes_sent
        opened = open_product(a @ b - 0.5)
        cost = session.traffic.rounds - before[0], (session.traffic.bytes_sent - before[1]) // 8
        assert cost == (1, (1 if session.position == 0 else 2) * rows * columns)
        exact = open_shares(a).double() @ open_shares(b).double() - 0.5
        assert open_product(a @ b, 4).shape == (rows, columns)
        return torch.stack([opened, exact])

    opened, exact = same(run_secure(program, seed=seed).results)
    assert units(opened, exact) < 1


def test_the_session_decides_the_scale_of_results():
    def program(session):
        x = give(session, 0, torch.tensor([1.25]))
        assert (x.fraction_bits, multiply(x, x).fraction_bits) == (20, 20)
        assert reduce(x * x, 24).fraction_bits == 24
        assert reduce(x, 30).fraction_bits == 30
        assert reduce(x) is x
        low = reduce(x, 4)
        assert low.fraction_bits == 4
        assert multiply(low, low).fraction_bits == 8
        return open_many([multiply(x, x), low])

    assert [v.tolist() for v in run_secure(program, fraction_bits=20).results[0]] == [[1.5625], [1.25]]


def test_only_shares_are_reduced():
    with pytest.raises(AttributeError):
        reduce(torch.ones(2))


def test_shares_are_equal_at_both_holders_after_every_operation():
    def program(session):
        x, y = give(session, 0, torch.linspace(-2, 3, 9)), give(session, 1, torch.linspace(5, 1, 9))
        results = [x, y, x + y, 2.5 - x, *reduce_many([x * y, x.square(), x * 0.7]), truncate(y, 3)]
        return [r.words for r in results]

    zero, one, two = run_secure(program).results
    for first, second, third in zip(zero, one, two, strict=True):
        assert torch.equal(first[1], second[0])
        assert torch.equal(second[1], third[0])
        assert torch.equal(third[1], first[0])


def test_replicated_shares_are_what_reduce_gives():
    def program(session):
        x = give(session, 0, torch.ones(2))
        return all(isinstance(s, ReplicatedShares) for s in reduce_many([x * x, x]))

    assert run_secure(program).results == [True] * 3
