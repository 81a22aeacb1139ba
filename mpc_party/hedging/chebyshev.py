"""Public Chebyshev coefficients of the Black-76 outputs, one polynomial per instrument and output, in the secret log-vol.

The secret variable is u in [-1, 1], where vol = reference_vol * exp(band * u). Under sharing, every output is then a
public linear map of T_0(u) .. T_d(u), whose T_k are shared by all outputs. Log, reciprocal and erf under sharing
would take 325 rounds. Greatest errors at degree 12 and band 1.4 (a factor of 4 to either side of the reference), which
the fixed point comes on top of:

    moneyness       T               reference   delta   density  gamma shape  time value
    0.7 to 1.4      1 day - 1 year  0.15 - 1.5  5.5e-5  1.7e-4   2.0e-4       8e-6
    1/20 to 20      1 hour - 10 a   0.01 - 5    2.1e-4  6.3e-4   7.6e-4       4.2e-4

Source: Trefethen, "Approximation Theory and Approximation Practice", ch. 3 (interpolation at Chebyshev points by the
discrete cosine transform).
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks

Floats = NDArray[np.float64]


class Output(IntEnum):
    """Rows of the coefficient tables, and of the opened table up to `PREMIUM`."""

    VOL_RATIO = 0  # vol / reference_vol = exp(band u)
    DELTA = 1  # N(d1) for a call, N(d1) - 1 for a put
    DENSITY = 2  # phi(d1) = vega / (forward sqrt(T))
    GAMMA_SHAPE = 3  # phi(d1) exp(-band u) = forward gamma sqrt(T) reference_vol
    TIME_VALUE = 4  # price / forward of the out-of-the-money option at this strike


def output_values(
    moneyness: Floats, vol: Floats, time: Floats, call: NDArray[np.bool_], ratio: Floats
) -> Floats:
    """The exact outputs, shape (5, ...): what the polynomials approximate and what opened values are checked against.

    Arguments broadcast; `ratio` is vol / reference_vol.
    """
    at_strike = greeks(moneyness, vol, time, call)
    time_value = greeks(moneyness, vol, time, moneyness >= 1.0).premium
    density = at_strike.vega / np.sqrt(time)
    return np.stack(np.broadcast_arrays(ratio, at_strike.delta, density, density / ratio, time_value))


def coefficient_table(
    moneyness: Floats, reference_vol: Floats, time: Floats, call: NDArray[np.bool_], band: float, degree: int
) -> Floats:
    """Coefficients of shape (5, degree + 1, n) for n instruments; arguments of shape (n,), times in years."""
    ratio = np.exp(band * chebyshev_nodes(degree))[:, None]
    values = output_values(moneyness, reference_vol * ratio, time, call, ratio * np.ones_like(moneyness))
    return coefficients_of(values, degree)


def chebyshev_nodes(degree: int) -> Floats:
    """The points in (-1, 1) at which a function is evaluated to be approximated to this degree."""
    count = 2 * degree + 8  # more nodes than coefficients: aliasing falls below the fixed point
    return np.asarray(np.cos(np.pi * (np.arange(count) + 0.5) / count), dtype=np.float64)


def coefficients_of(values: Floats, degree: int) -> Floats:
    """Coefficients (m, degree + 1, n) of m functions from their values (m, nodes, n) at `chebyshev_nodes`."""
    count = values.shape[1]
    angle = np.pi * (np.arange(count) + 0.5) / count
    cosines = np.cos(np.arange(degree + 1)[:, None] * angle) * (2.0 / count)
    cosines[0] *= 0.5
    return np.asarray(np.einsum("kj,ojn->okn", cosines, values), dtype=np.float64)
