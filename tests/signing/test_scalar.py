"""Secret scalars against integers, coincurve and MPyC; their edges; and that no secret leaves their type."""

from __future__ import annotations

import gc

import coincurve
import pytest
from coincurve._libsecp256k1 import ffi
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mpc_party.signing.curve import multiply_base
from mpc_party.signing.field import GROUP_ORDER, ScalarField, coordinate, lagrange
from mpc_party.signing.scalar import SecretScalar, dot, evaluate, split, total
from tests.support.plain_scalars import hidden, recombine_plain, shown, split_plain

Q = GROUP_ORDER
values = st.one_of(st.integers(1, Q - 1), st.sampled_from([1, 2, Q - 1, Q - 2, Q // 2, Q // 2 + 1]))

# BIP 32, test vector 1: a child key is the tweak (left half of the HMAC) plus its parent's key, modulo q. Here m -> m/0'.
PARENT = 0xE8F32E723DECF4051AEFAC8E2C93C9C5B214313817CDB01A1494B917C8436B35
TWEAK = 0x04BFB2DD60FA8921C2A4085EC15507A921F49CDC839F27F0F280E9C1495D44B5
CHILD = 0xEDB2E14F9EE77D26DD93B4ECEDE8D16ED408CE149B6CD80B0715A2D911A0AFEA


def test_a_published_derivation():
    assert hidden(PARENT) + hidden(TWEAK) == hidden(CHILD)
    assert hidden(CHILD) - hidden(TWEAK) == hidden(PARENT)


@settings(max_examples=60)
@given(values, values)
@example(Q - 1, Q - 1)
@example(1, Q - 1)
@example(1, 1)
def test_arithmetic_is_that_of_integers_of_coincurve_and_of_mpyc(a, b):
    left, right = hidden(a), hidden(b)
    key, tweak = coincurve.PrivateKey(left.reveal()), right.reveal()
    assert shown(left * right) == a * b % Q == (ScalarField(a) * ScalarField(b)).value % Q
    assert (left * right).reveal() == key.multiply(tweak).secret
    assert shown(-left) == Q - a
    for result, expected in ((lambda: left + right, a + b), (lambda: left - right, a - b)):
        if expected % Q == 0:
            with pytest.raises(ValueError, match="zero"):
                result()
        else:
            assert shown(result()) == expected % Q
    if (a + b) % Q:
        assert (left + right).reveal() == key.add(tweak).secret
    assert (shown(left), shown(right)) == (a, b)  # neither operand has changed


@settings(max_examples=40)
@given(values, st.integers(-(2**260), 2**260))
@example(5, Q)
@example(5, 0)
@example(5, -1)
def test_a_public_factor_may_be_any_integer(a, factor):
    if factor % Q == 0:
        with pytest.raises(ValueError, match="zero"):
            hidden(a) * factor
    else:
        assert shown(factor * hidden(a)) == shown(hidden(a) * factor) == factor * a % Q


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, Q + 3), values), min_size=1, max_size=6))
def test_sums_and_weighted_sums(terms):
    weights, plain = [w for w, _ in terms], [v for _, v in terms]
    partial = [sum(plain[: n + 1]) % Q for n in range(len(plain))]
    weighted = sum(w * v for w, v in terms) % Q
    assume(all(partial))
    scalars = [hidden(value) for value in plain]
    assert shown(total(scalars)) == partial[-1]
    if weighted:
        assert shown(dot(weights, scalars)) == weighted
    assert [shown(scalar) for scalar in scalars] == plain
    if all(w % Q for w in weights):
        assert dot([hidden(w) for w in weights], scalars) == dot(weights, scalars)


def test_an_empty_sum_and_a_sum_of_zero_are_refused():
    for nothing in (lambda: total([]), lambda: dot([], []), lambda: dot([0, Q], [hidden(3), hidden(4)])):
        with pytest.raises(ValueError, match="zero"):
            nothing()
    with pytest.raises(ValueError, match="zero"):
        total([hidden(5), hidden(Q - 5)])
    with pytest.raises(ValueError, match="shorter"):
        dot([1, 2], [hidden(1)])


@settings(max_examples=40)
@given(st.lists(values, min_size=1, max_size=6), st.integers(1, 300))
def test_horner_agrees_with_mpycs_field(coefficients, at):
    expected = sum(
        (ScalarField(c) * ScalarField(at) ** k for k, c in enumerate(coefficients)), ScalarField(0)
    )
    scalars = [hidden(c) for c in coefficients]
    if expected == 0:
        return
    assert shown(evaluate(scalars, at)) == expected.value % Q
    assert [shown(s) for s in scalars] == coefficients
    without_constant = (expected - ScalarField(coefficients[0])).value % Q
    if without_constant:
        assert shown(evaluate([None, *scalars[1:]], at)) == without_constant


def test_edges_of_evaluation():
    assert shown(evaluate([hidden(9)], 5)) == 9
    assert shown(evaluate([None, hidden(9)], 5)) == 45
    for coefficients, at in (([None], 5), ([hidden(5), hidden(Q - 1)], 5), ([hidden(5), hidden(1)], 0)):
        with pytest.raises(ValueError, match="zero"):
            evaluate(coefficients, at)
    with pytest.raises(ValueError, match="only the constant term"):
        evaluate([hidden(1), None], 5)
    with pytest.raises(ValueError, match="unpack"):
        evaluate([], 5)


@settings(max_examples=30)
@given(values | st.none(), st.integers(1, 4), st.integers(0, 3))
def test_shares_have_the_degree_asked_for_and_no_lower(value, degree, more):
    xs = tuple(map(coordinate, range(degree + 1 + more)))
    shares = [shown(share) for share in split(None if value is None else hidden(value), degree, xs)]
    # MPyC's reconstruction, from the first and the last degree+1 shares; degree of them do not give it (up to 1/q)
    assert recombine_plain(xs[: degree + 1], shares[: degree + 1]) == (value or 0)
    assert recombine_plain(xs[-degree - 1 :], shares[-degree - 1 :]) == (value or 0)
    assert recombine_plain(xs[:degree], shares[:degree]) != (value or 0)


def test_mpycs_own_shares_interpolate_under_our_weights():
    rows = split_plain([1234, Q - 1], 2, 5)
    for column, value in enumerate((1234, Q - 1)):
        shares = [hidden(row[column]) for row in rows]
        assert shown(dot(lagrange((1, 2, 3)), shares[:3])) == value
        assert dot(lagrange((2, 4, 5), at=3), [shares[1], shares[3], shares[4]]) == shares[2]


def test_shares_follow_the_order_of_the_coordinates():
    there = split(hidden(7), 1, (9, 2))
    assert recombine_plain((9, 2), [shown(share) for share in there]) == 7


def test_one_share_is_uniform_whatever_the_secret():
    # Top byte of one member's share: a chi-squared statistic with 255 degrees of freedom is below 400 except with
    # probability 1e-8.
    for secret in (None, hidden(1), hidden(Q - 1)):
        counts = [0] * 256
        for _ in range(10_240):
            counts[split(secret, 2, (2,))[0].reveal()[0]] += 1
        assert sum((count - 40) ** 2 / 40 for count in counts) < 400


def test_random_scalars_differ_and_skip_what_is_out_of_range(monkeypatch):
    assert len({SecretScalar.random().reveal() for _ in range(100)}) == 100
    draws = iter([bytes(32), Q.to_bytes(32, "big"), b"\xff" * 32, (5).to_bytes(32, "big")])
    monkeypatch.setattr("secrets.token_bytes", lambda _: next(draws))
    assert shown(SecretScalar.random()) == 5


@pytest.mark.parametrize(
    "data", [b"", bytes(32), b"\x01" * 31, b"\x01" * 33, Q.to_bytes(32, "big"), b"\xff" * 32]
)
def test_bytes_that_are_no_scalar_are_refused(data):
    with pytest.raises(ValueError, match="not a secret scalar") as raised:
        SecretScalar(data)
    assert repr(data) not in str(raised.value)


@pytest.mark.parametrize("data", [5, "0" * 32, bytearray(b"\x01" * 32), memoryview(b"\x01" * 32), None])
def test_only_bytes_make_a_scalar(data):
    with pytest.raises(TypeError):
        SecretScalar(data)


def test_integers_and_scalars_do_not_mix_by_accident():
    scalar = hidden(5)
    for mixed in (lambda: scalar + 1, lambda: 1 + scalar, lambda: scalar - 1, lambda: scalar * 1.5):
        with pytest.raises(TypeError):
            mixed()
    assert scalar != 5
    assert scalar == hidden(5) != hidden(6)
    with pytest.raises(TypeError):
        hash(scalar)


def test_the_memory_is_zeroed_with_the_last_reference():
    scalar = hidden(PARENT)
    cell = scalar.cell
    assert multiply_base(scalar) == multiply_base(PARENT)
    assert bytes(ffi.buffer(cell)) == PARENT.to_bytes(32, "big")
    del scalar
    gc.collect()
    assert bytes(ffi.buffer(cell)) == bytes(32)
