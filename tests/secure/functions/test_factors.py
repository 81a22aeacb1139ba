"""Public factors and divisors of any magnitude, alone and beside each other."""

import pytest
import torch

from mpc_party.protocol.errors import Reason
from mpc_party.secure import SecureError
from tests.support.differentials import secret
from tests.support.secure_parties import run_secure, same


def compute(function, x, committee=range(3)):
    return same(run_secure(lambda s: function(secret(s, x)).get_plain_text(), committee=committee).results)


QUOTIENTS = [
    ([5e7, -7.25], 9e5), ([1e9], 5e8), ([2e12, -1e13], 1e12), ([2.0, -4.0], 1e-3), ([1.0, -3.0], 1e-12), ([1.0, 1e-3], [1e-12, 2e-3]), ([100.0, 4e6], [1e-3, 1e6]), ([-30.0, 1e5, 3e12, 7.0], [-7.0, 3e4, 1e12, 0.3]),
    ([1e6, 1e6], [999.0, -1001.0]), ([3.0, 1e13], [1.0, 1e13]), ([2.0**29, -(2.0**29)], 3), ([1.0, -1.0], 7),
]  # fmt: skip


@pytest.mark.parametrize(("x", "divisor"), QUOTIENTS)
@pytest.mark.parametrize("size", [3, 5])
def test_quotients(x, divisor, size):
    x, divisor = torch.tensor(x).double(), torch.as_tensor(divisor, dtype=torch.float64)
    expected = (x * 2**16).round() / 2**16 / divisor
    # 2^-17 of the reciprocal, and a unit for each truncation (two and a half where t > 1).
    bound = expected.abs() * 2**-17 + (2 if size == 3 else 5) * 2**-16
    assert bool(((compute(lambda t: t / divisor, x, range(size)) - expected).abs() <= bound).all())


def test_quotients_are_broadcast_both_ways():
    x, divisors = torch.tensor([[6.0], [-12.0]]), torch.tensor([1e-2, 3.0, 4e5])
    got = compute(lambda t: t / divisors, x)
    assert float((got - x.double() / divisors.double()).abs().max()) < 1e-2
    assert float((got[:, 1:] - (x.double() / divisors.double())[:, 1:]).abs().max()) < 2**-14


@pytest.mark.parametrize("divisor", [0.0, 1e15, 1e-15, float("inf"), float("nan"), [1.0, 0.0], [1.0, 1e15]])
def test_divisors_out_of_range_are_refused(divisor):
    def program(session):
        with pytest.raises(SecureError) as caught:
            secret(session, torch.ones(2)).div(
                torch.tensor(divisor) if isinstance(divisor, list) else divisor
            )
        return caught.value.reason

    assert run_secure(program).results == [Reason.COMPUTATION_OUT_OF_RANGE] * 3


FACTORS = [([2.0**33, 1.5], 1), ([2.0**40, 0.3], 1), ([1e6 + 0.3], 3), ([-1e4 - 0.7, 1e-3, 2.5, 0.0], 100)]


@pytest.mark.parametrize(("factor", "x"), FACTORS)
def test_large_factors_beside_small_ones(factor, x):
    factor = torch.tensor(factor).double()
    expected = factor * x
    bound = expected.abs() * 2**-16 + (1 + abs(x)) * 2**-16
    got = compute(lambda t: t * factor, torch.full(factor.shape, float(x)))
    assert bool(((got - expected).abs() <= bound).all())


def test_public_numbers_that_the_ring_does_not_hold_are_refused():
    calls = [
        lambda t: t + 2**50, lambda t: t - 2.0**50, lambda t: 2**47 - t, lambda t: t < 2**48, lambda t: t + torch.tensor([2**50, 3]), lambda t: t * torch.tensor([2.0**50, 0.5]),
    ]  # fmt: skip

    def program(session):
        reasons = []
        for call in calls:
            with pytest.raises(SecureError) as caught:
                call(secret(session, torch.ones(2)))
            reasons.append(caught.value.reason)
        return reasons

    assert run_secure(program).results[0] == [Reason.COMPUTATION_OUT_OF_RANGE] * len(calls)
