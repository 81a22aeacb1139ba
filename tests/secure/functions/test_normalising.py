"""Mantissa and exponent of secrets, and the functions by them at other scales and within known bounds."""

import pytest
import torch

from mpc_party.secure import open_many, open_shares
from mpc_party.secure.functions import exponentials, normalising
from mpc_party.secure.functions.exponentials import exponential
from tests.support.secure_parties import give, run_secure

POWERS = torch.tensor(
    [2.0**e for e in range(-16, 15)] + [2.0**e - 2**-16 for e in range(-15, 15)] + [3.0, 5.5, 1000.0]
).double()


def test_mantissa_and_exponent():
    def program(session):
        normal = normalising.normalise(give(session, 0, POWERS))
        exponent = normal.weigh(normal.exponents, -99.0, 16)
        return open_many(
            [(normal.argument + 3) * 0.25, exponent, normal.powers(-1, 16), normal.powers(0.5, 20)]
        )

    mantissa, exponent, inverse, root = run_secure(program).results[0]
    true, power = torch.frexp(POWERS)
    power = power.double()
    assert float((mantissa - true).abs().max()) < 2**-18
    assert torch.equal(exponent, power)
    assert torch.equal(inverse, 2.0**-power)
    assert float((root - 2.0 ** (power / 2)).abs().max()) < 2**-20


@pytest.mark.parametrize("bits", [8, 12, 20])
def test_other_scales(bits):
    x = torch.tensor([0.5, 1.0, 3.25, 40.0, 500.0]).double()

    def program(session):
        held = give(session, 1, x)
        return open_many(
            [
                normalising.logarithm(held),
                normalising.reciprocal(held),
                *normalising.roots(held),
                exponential(-held, squarings=9),
            ]
        )

    expected = [x.log(), 1 / x, x.sqrt(), x.rsqrt(), torch.exp(-x)]
    for got, true in zip(run_secure(program, fraction_bits=bits).results[1], expected, strict=True):
        # Exponentials square nine times what is rounded at the working scale.
        assert float(((got - true) / (1 + true)).abs().max()) < 4 * 2.0**-bits + 2**-15 + (
            2.0 ** -min(bits - 8, 10) if true is expected[-1] else 0
        )


def test_known_bounds_cost_less_and_give_the_same():
    x = torch.linspace(0.5, 8, 50).double()

    def program(session):
        held = give(session, 0, x)
        results, sent = [], []
        for bounds in ({}, {"low": -1, "high": 4}):
            before = session.traffic.bytes_sent
            results += [normalising.reciprocal(held, **bounds), normalising.logarithm(held, **bounds)]
            sent.append(session.traffic.bytes_sent - before)
        return open_many(results), sent

    (wide, wide_log, narrow, narrow_log), (much, little) = run_secure(program).results[0]
    for got, true in ((wide, 1 / x), (narrow, 1 / x), (wide_log, x.log()), (narrow_log, x.log())):
        assert float((got - true).abs().max()) < 1e-4
    assert little < much / 3


def test_the_base_of_the_exponential_is_its_taylor_polynomial():
    a, c, d, e = exponentials._base()
    for y in (-0.3, -0.01, 0.0, 0.2):
        u = a * y + a
        value = (u * u + c) ** 2 + d * u + e
        assert value == pytest.approx(
            1 + y + y**2 / 2 + y**3 / 6 + y**4 / 24, abs=1e-12 + 1e-3 * abs(y) ** 3 / 6 + 2**-20 * abs(y)
        )
    assert a * 2**12 == round(a * 2**12)


@pytest.mark.parametrize("squarings", [5, 7, 9])
def test_more_squarings_reach_further_down(squarings):
    x = torch.linspace(-2.5 * 2**squarings, min(2.0, 2.0 ** (squarings - 3)), 400).double()

    def program(session):
        return open_shares(exponential(give(session, 2, x), squarings=squarings))

    error = (run_secure(program).results[0] - x.exp()).abs()
    assert bool((error <= 2.0 ** (squarings - 17) * (1 + x.exp())).all())
