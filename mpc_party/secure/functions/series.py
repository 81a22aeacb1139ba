"""Functions of a secret by Chebyshev series that are fitted to them: few rounds, and small coefficients and errors.

The powers of a monomial basis would need coefficients that grow with the degree. See `polynomials` for the basis.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.functions.polynomials import chebyshev_basis
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective, merged

Floats = NDArray[np.float64]

COEFFICIENT_BITS = 20
_GUARD_BITS = 4
_WORKING_LIMIT = 20  # a product of two such values near 1 is near 2^40: far enough from the ring's end


def working_bits(session: SecureSession) -> int:
    """Fraction bits of intermediate values near 1: some more than the session's, where there is room."""
    return max(session.fraction_bits, min(session.fraction_bits + _GUARD_BITS, _WORKING_LIMIT))


@functools.lru_cache(maxsize=64)
def fitted(function: Callable[..., Floats], degree: int, low: float, high: float) -> tuple[float, ...]:
    """Chebyshev coefficients c_0..c_degree that interpolate a function of an array on [low, high]."""
    series = np.polynomial.Chebyshev.interpolate(function, degree, domain=[low, high])
    # Far more digits than are used: parties whose libraries differ in the last place still agree.
    return tuple(round(float(c), 12) for c in series.coef)


@collective
def chebyshev_sums(
    x: ReplicatedShares, coefficients: Sequence[Sequence[float]], fraction_bits: int | None = None
) -> Steps[list[ReplicatedShares]]:
    """Several sums over n of c_n T_n(x), on one basis. Collective.

    Args:
        x: within [-1, 1], best at `working_bits`. Outside, T_n grows like (2|x|)^n / 2.
        coefficients: c_0, c_1, ... of each result, at least two of each.
        fraction_bits: scale of the results, the session's where None.

    Cost: that of `chebyshev_basis`, and a truncation of a word per element of each result.
    Revealed: nothing. Error: about d^2 units of the scale of x, weighted by the coefficients.
    """
    degree = max(len(c) for c in coefficients) - 1
    basis = yield from chebyshev_basis.steps(x, degree)
    target = x.session.fraction_bits if fraction_bits is None else fraction_bits
    sums = []
    for constant, *others in coefficients:
        weights = torch.tensor(others, dtype=torch.float64).reshape(-1, *[1] * x.dim())
        total = basis[: len(others)].times(weights, COEFFICIENT_BITS).sum(0)
        sums.append(reduce.steps(total + constant, target))
    return (yield from merged(sums))


@collective
def even_series(
    x: ReplicatedShares, function: Callable[..., Floats], terms: int, limit: float
) -> Steps[ReplicatedShares]:
    """g(x^2) for |x| <= limit, by its Chebyshev series of that many terms after the constant. Collective.

    Cost: `chebyshev_sums` of degree `terms`, and twice that of `reduce`. Result at `working_bits`.
    """
    scale = working_bits(x.session)
    scaled = yield from reduce.steps(x.times(1 / limit, COEFFICIENT_BITS), scale)
    argument = yield from reduce.steps(scaled.square() * 2 - 1, scale)  # x^2 = limit^2 (argument + 1) / 2
    coefficients = fitted(function, terms, 0.0, limit * limit)
    return (yield from chebyshev_sums.steps(argument, [coefficients], scale))[0]
