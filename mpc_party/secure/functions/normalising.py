"""Functions of a positive secret of unknown size: its leading bit is found by comparisons, the rest is a polynomial.

x = m 2^e with m in [1/2, 1) and e secret. All powers of two that x can reach are compared with it at once, which takes
the rounds of one comparison. Then 1/x = (1/m) 2^-e, log x = log m + e log 2, and so on, where m needs one Chebyshev
series of degree 8 and the powers of 2 are public weights of the compared bits. An iteration that has to work for
all sizes at once, as CrypTen's, takes more rounds than that to be worse.

Every function here is for 2^low <= x < 2^high: above, it is garbage. Where `low` is None it is -f, one unit in the last
place, and all x <= 0 are below: there log gives that of half a unit, and the others give 0, up to the rounding of
`reduce` (a unit or two where t > 1). `bounded` promises that also -2^high < x, so that less has to be compared; without
it, x may be as negative as the ring holds. Where `low` is given, x is positive and the promise is implied.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.comparison import greater_equal
from mpc_party.secure.encoding import RING_BITS, FixedPoint
from mpc_party.secure.functions.series import chebyshev_sums, fitted, working_bits
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective, merged

Floats = NDArray[np.float64]

HIGH = 15  # where the caller knows nothing better
DEGREE = 8  # error of the series below 2^-19, relative


@dataclass(frozen=True, slots=True)
class Normal:
    """A secret x = mantissa * 2^exponent."""

    at_least: ReplicatedShares  # (W, *shape), 1 where x >= 2^(low + j), for j = 0..W-1
    argument: ReplicatedShares  # 4 m - 3, which is in [-1, 1], at the working scale
    low: int

    def weigh(self, values: Floats, below: float, fraction_bits: int) -> ReplicatedShares:
        """The public value that belongs to the exponent: values[j] for 2^(low+j) <= x < 2^(low+j+1), else `below`. Local."""
        words = np.round(np.concatenate([[below], values]) * 2.0**fraction_bits).astype(np.int64)
        steps = torch.from_numpy(np.diff(words)).reshape(-1, *[1] * (self.at_least.dim() - 1))
        weighted = (self.at_least * FixedPoint(steps, fraction_bits)).sum(0)
        return weighted + FixedPoint(int(words[0]), fraction_bits)

    def powers(self, exponent: float, fraction_bits: int) -> ReplicatedShares:
        """2^(exponent * e), 0 for x <= 0."""
        return self.weigh(2.0 ** (exponent * self.exponents), 0.0, fraction_bits)

    @property
    def exponents(self) -> Floats:
        """E for each of the bits: m = x 2^-e is in [1/2, 1)."""
        exponents: Floats = np.arange(self.at_least.shape[0], dtype=np.float64) + (1 + self.low)
        return exponents


@collective
def normalise(
    x: ReplicatedShares, low: int | None = None, high: int = HIGH, *, bounded: bool = False
) -> Steps[Normal]:
    """Split x into mantissa and exponent. Collective.

    Cost: one comparison of high - low values per element, then that of one `reduce`. Revealed: nothing.
    """
    scale = x.session.fraction_bits
    x = yield from reduce.steps(x, scale)
    # x - 2^(high - 1) is above -2^(high + 1), where x is bounded.
    bits = scale + high + 2 if bounded or low is not None else RING_BITS
    low = -scale if low is None else low
    words = torch.from_numpy(1 << np.arange(scale + low, scale + high, dtype=np.int64))
    differences = x.unsqueeze(0) - FixedPoint(words.reshape(-1, *[1] * x.dim()), scale)
    at_least = yield from greater_equal.steps(differences, 0, bits=bits)
    # 2^-e, exact; and m = 1/2 where there is no leading bit.
    mantissa = x * Normal(at_least, x, low).powers(-1, max(high, 0)) + 0.5 * (1 - at_least[0])
    argument = (yield from reduce.steps(mantissa, working_bits(x.session))) * 4 - 3
    return Normal(at_least, argument, low)


def _inverse(m: Floats) -> Floats:
    return 1 / m


def _inverse_root(m: Floats) -> Floats:
    return 1 / np.sqrt(m)


@collective
def reciprocal(
    x: ReplicatedShares, low: int | None = None, high: int = HIGH, *, bounded: bool = False
) -> Steps[ReplicatedShares]:
    """1 / x. Cost: `normalise`, and 5 times that of `reduce`."""
    normal = yield from normalise.steps(x, low, high, bounded=bounded)
    (inverse,) = yield from chebyshev_sums.steps(normal.argument, [fitted(_inverse, DEGREE, 0.5, 1.0)])
    return (yield from reduce.steps(inverse * normal.powers(-1, max(high, 0))))


@collective
def logarithm(
    x: ReplicatedShares, low: int | None = None, high: int = HIGH, *, bounded: bool = False
) -> Steps[ReplicatedShares]:
    """Natural logarithm. Cost: `normalise`, and 4 times that of `reduce`."""
    normal = yield from normalise.steps(x, low, high, bounded=bounded)
    (log,) = yield from chebyshev_sums.steps(normal.argument, [fitted(np.log, DEGREE, 0.5, 1.0)])
    return log + normal.weigh(
        normal.exponents * math.log(2), normal.low * math.log(2), x.session.fraction_bits
    )


@collective
def roots(
    x: ReplicatedShares, low: int | None = None, high: int = HIGH, *, bounded: bool = False
) -> Steps[tuple[ReplicatedShares, ReplicatedShares]]:
    """The square root of x and its reciprocal. Cost: `normalise`, and 5 times that of `reduce`, two words per element."""
    normal = yield from normalise.steps(x, low, high, bounded=bounded)
    wanted = [fitted(np.sqrt, DEGREE, 0.5, 1.0), fitted(_inverse_root, DEGREE, 0.5, 1.0)]
    root, inverse = yield from chebyshev_sums.steps(normal.argument, wanted)
    scale = working_bits(x.session)
    first, second = yield from merged(
        [
            reduce.steps(root * normal.powers(0.5, scale)),
            reduce.steps(inverse * normal.powers(-0.5, scale)),
        ]
    )
    return first, second
