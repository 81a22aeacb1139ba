"""Black-76 in the clear, for local fits, for public coefficients and for checks of opened values.

Units, here and everywhere in the project: prices and strikes in the quote currency (USD), vol as an annual
fraction, time in years of 365 days, no discounting (the venue's options are margined on the future, so the discount
factor is 1). Delta is in units of the forward; gamma is forward * d(delta)/d(forward) (the change of delta per unit
relative move); vega is d(price)/d(vol) / forward. Source: F. Black, "The pricing of commodity contracts", 1976.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

SECONDS_PER_YEAR = 365 * 86_400
LOWEST_VOL = 0.01
HIGHEST_VOL = 10.0
LOWEST_TIME_VALUE = 1e-9  # of the forward
_SQRT_TWO_PI = 2.5066282746310002


class Greeks(NamedTuple):
    """Arrays of one shape: undiscounted price / forward, delta, forward-scaled gamma and vega."""

    premium: Array
    delta: Array
    gamma: Array
    vega: Array


def years(expiry: NDArray[np.int64], observed_at: int) -> Array:
    """Time to expiry in years (ACT/365) between Unix times in seconds."""
    return np.asarray((expiry - observed_at) / SECONDS_PER_YEAR, dtype=np.float64)


def normal_density(x: Array) -> Array:
    """The standard normal density."""
    return np.asarray(np.exp(-0.5 * x * x) / _SQRT_TWO_PI, dtype=np.float64)


def greeks(moneyness: Array, vol: Array, time: Array, call: NDArray[np.bool_]) -> Greeks:
    """Price and greeks; the arguments broadcast. `moneyness` is strike / forward."""
    deviation = vol * np.sqrt(time)
    d1 = -np.log(moneyness) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    sign = np.where(call, 1.0, -1.0)
    delta = sign * ndtr(sign * d1)
    premium = delta - sign * moneyness * ndtr(sign * d2)
    density = normal_density(d1)
    return Greeks(premium, delta, density / deviation, density * np.sqrt(time))


def implied_vol(
    premium: Array, moneyness: Array, time: Array, call: NDArray[np.bool_], iterations: int = 32
) -> Array:
    """Vol at which the price/forward equals `premium`, all of one shape.

    NaN where no vol in [0.01, 10] gives that price, or the time value is below 1e-9 of the forward (less than any
    venue's tick, and mostly rounding).

    Safeguarded Newton in the log-vol: a step that leaves the bracket is replaced by bisection. From 28 iterations on
    the log-vol is as exact as the price's rounding allows.
    """
    low = np.full(premium.shape, np.log(LOWEST_VOL))
    high = np.full(premium.shape, np.log(HIGHEST_VOL))
    # In and out of the money have the same time value; solving for the out-of-the-money side keeps the digits.
    otm_call = moneyness >= 1.0
    intrinsic = np.where(call, 1.0 - moneyness, moneyness - 1.0)
    target = np.where(call == otm_call, premium, premium - intrinsic)
    at_low = greeks(moneyness, np.exp(low), time, otm_call).premium
    at_high = greeks(moneyness, np.exp(high), time, otm_call).premium
    with np.errstate(invalid="ignore"):
        solvable = (target > np.maximum(at_low, LOWEST_TIME_VALUE)) & (target < at_high)
    log_vol = np.full(premium.shape, np.log(0.5))
    for _ in range(iterations):
        vol = np.exp(log_vol)
        at = greeks(moneyness, vol, time, otm_call)
        error = at.premium - np.where(solvable, target, at.premium)
        high = np.where(error > 0, log_vol, high)
        low = np.where(error < 0, log_vol, low)
        newton = log_vol - error / np.maximum(at.vega * vol, 1e-300)
        inside = (newton >= low) & (newton <= high)  # ends included: one of them is where Newton has arrived
        log_vol = np.where(inside, newton, 0.5 * (low + high))
    return np.where(solvable, np.exp(log_vol), np.nan)
