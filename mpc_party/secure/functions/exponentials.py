"""e^x, the logistic function and the hyperbolic tangent of secrets, by squaring a polynomial that is right near 0.

CrypTen takes e^x = (1 + x/n)^n with n = 2^d, which errs by x^2 / 2n relatively, and rounds every square to f bits, which
errs by n units in the last place. Here the base is the Taylor polynomial of degree 4 of e^(x/n), in two products,
and the squares have guard bits while their values are near 1.
"""

import functools

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.comparison import less_than_zero, relu
from mpc_party.secure.encoding import FixedPoint
from mpc_party.secure.functions.series import Floats, chebyshev_sums, fitted, working_bits
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective

SQUARINGS = 7
_DEGREE = 8
_SLOPE_BITS = 12  # of the factor of x; what it lacks is made up for by the other constants
_BITS = 20


@functools.lru_cache(maxsize=1)
def _base() -> tuple[float, float, float, float]:
    """The (a, c, d, e) for which u = a y + a, v = u^2 + c, v^2 + d u + e is the Taylor polynomial of degree 4 of e^y.

    From y^4/24 + y^3/6 + y^2/2 + y + 1: a is 24^-1/4 rounded, which the two highest terms can bear; the others are met.
    """
    a = round(24**-0.25 * 2**_SLOPE_BITS) / 2**_SLOPE_BITS
    v = (0.5 - 4 * a**4) / (2 * a * a)  # at y = 0, from the coefficient of y^2
    d = round((1 - 4 * a * a * v) / a * 2**_BITS) / 2**_BITS  # from that of y
    return a, v - a * a, d, 1 - v * v - d * a


@collective
def exponential(x: ReplicatedShares, *, squarings: int = SQUARINGS) -> Steps[ReplicatedShares]:
    """e^x. Collective.

    Args:
        x: -2.5 * 2^squarings < x < 10 or so: below, the base grows again (`saturating_exponential` does not); above,
            products come near the ring's end.
        squarings: n = 2^squarings. With fewer than 5, what should vanish does not: the base is 0.65 at the lower end.

    Cost: 3 + squarings times that of `reduce`. Revealed: nothing.
    """
    session, f = x.session, x.session.fraction_bits
    scale = working_bits(session)
    a, c, d, e = _base()
    y = ReplicatedShares(session, x.words, x.fraction_bits + squarings)  # x / n, exactly
    u = (yield from reduce.steps(y.times(a, _SLOPE_BITS), scale)) + a
    v = yield from reduce.steps(u.square() + FixedPoint(round(c * 2.0 ** (2 * scale)), 2 * scale), scale)
    linear = u.times(d, _BITS) + FixedPoint(round(e * 2.0 ** (scale + _BITS)), scale + _BITS)
    power = yield from reduce.steps(v.square() + linear, scale)
    for left in reversed(range(squarings)):
        # The last values may be large: they get no guard bits, which would bring the products near the ring's end.
        power = yield from reduce.steps(power.square(), min(scale, f + max(0, 2 * left - 2)))
    return power


def lowest_argument(squarings: int) -> int:
    """The argument of `exponential` that takes the place of all below: within its range, and e^x is 0 there."""
    return -int(2.34 * 2**squarings)  # -299 for 7


@collective
def saturating_exponential(x: ReplicatedShares, *, squarings: int = SQUARINGS) -> Steps[ReplicatedShares]:
    """e^x, however negative x is: 0 from `lowest_argument` downwards. Cost: one ReLU, and `exponential`."""
    lowest = lowest_argument(squarings)
    clamped = (yield from relu.steps(x - lowest)) + lowest
    return (yield from exponential.steps(clamped, squarings=squarings))


def _decided(t: Floats) -> Floats:
    return 1 / (1 + t)


@collective
def logistic(x: ReplicatedShares, *, squarings: int = SQUARINGS) -> Steps[ReplicatedShares]:
    """1 / (1 + e^-x), from t = e^-|x| and a series of 1 / (1 + t) for 0 <= t <= 1. Collective.

    Cost: one comparison of three values per element, `exponential` and 6 times that of `reduce`. Revealed: nothing.
    Range: all x whose ring words are below 2^62; where |x| is beyond `lowest_argument`, the result is that of the latter.
    """
    most = -lowest_argument(squarings)
    # Whether x < 0, x > most, x < -most, in the rounds of one comparison.
    signs = yield from less_than_zero.steps(ReplicatedShares.stack([x, most - x, x + most]))
    negative, above, below = signs.unbind()
    # x times 1, -1, or 0 where |x| > most.
    size = yield from reduce.steps(x * (1 - 2 * negative - above + below), x.fraction_bits)
    decayed = yield from exponential.steps(-size - most * (above + below), squarings=squarings)
    (upper,) = yield from chebyshev_sums.steps(decayed * 2 - 1, [fitted(_decided, _DEGREE, 0.0, 1.0)])
    # upper where x >= 0, else 1 - upper
    return (yield from reduce.steps(negative * (1 - 2 * upper) + upper))


@collective
def hyperbolic_tangent(x: ReplicatedShares, *, squarings: int = SQUARINGS) -> Steps[ReplicatedShares]:
    """2 / (1 + e^-2x) - 1. Cost: `logistic`."""
    return (yield from logistic.steps(x * 2, squarings=squarings)) * 2 - 1
