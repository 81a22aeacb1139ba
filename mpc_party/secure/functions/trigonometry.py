"""Sine, cosine and the error function of secrets: an even series of the square, then doubled angles or a clipped argument."""

import math

import numpy as np

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.comparison import relu
from mpc_party.secure.functions.series import Floats, chebyshev_sums, even_series, fitted, working_bits
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective, merged

DOUBLINGS = 5
ANGLE_LIMIT = 2.0**DOUBLINGS
ERF_LIMIT = 3.25  # where 1 - erf is 4e-6
_TERMS = 4


def _cosine(square: Floats) -> Floats:
    return np.cos(np.sqrt(square))


def _sine_quotient(square: Floats) -> Floats:
    return np.sinc(np.sqrt(square) / np.pi)


def _error_quotient(square: Floats) -> Floats:
    root = np.sqrt(square)
    return np.array([math.erf(r) for r in root]) / root


@collective
def cosine_and_sine(x: ReplicatedShares) -> Steps[tuple[ReplicatedShares, ReplicatedShares]]:
    """Cos x and sin x, for |x| <= 32: the series of x / 32, and the angle doubled five times. Collective.

    Cost: 11 times that of `reduce`, of two words per element each. Revealed: nothing. Outside of the range: garbage.
    """
    session, scale = x.session, working_bits(x.session)
    small = ReplicatedShares(session, x.words, x.fraction_bits + DOUBLINGS)
    y = yield from reduce.steps(small, scale)
    argument = yield from reduce.steps(y.square() * 2 - 1, scale)
    wanted = [fitted(_cosine, _TERMS, 0.0, 1.0), fitted(_sine_quotient, _TERMS, 0.0, 1.0)]
    cosine, quotient = yield from chebyshev_sums.steps(argument, wanted, scale)
    sine = yield from reduce.steps(quotient * y, scale)
    for left in reversed(range(DOUBLINGS)):
        target = scale if left else session.fraction_bits
        cosine, sine = yield from merged(
            [reduce.steps(1 - 2 * sine.square(), target), reduce.steps(2 * (sine * cosine), target)]
        )
    return cosine, sine


@collective
def error_function(x: ReplicatedShares, *, terms: int = 8) -> Steps[ReplicatedShares]:
    """Erf x, for all x: x g(x^2) where |x| < 3.25, and that of +-3.25 outside. Collective.

    Args:
        x: shares.
        terms: degree of g.

    Cost: one `relu` of two values per element, `even_series`, and that of one `reduce`. Revealed: nothing.
    """
    low, high = (yield from relu.steps(ReplicatedShares.stack([x + ERF_LIMIT, x - ERF_LIMIT]))).unbind()
    clipped = low - high - ERF_LIMIT
    quotient = yield from even_series.steps(clipped, _error_quotient, terms, ERF_LIMIT)
    return (yield from reduce.steps(quotient * clipped))
