"""Series of reports whose vols move with the forward by a known amount, so that the right hedge is known.

The forward moves with clustered volatility and jumps. The log-vol of all options moves by SKEW times the forward's log
move (over sqrt(T), as vols of near expiries move more) and by moves of its own, `own_moves` times as large, and each
report's vols are off by noise.
The hedge delta is delta + strength * vega/F * d(vol)/d(log F): strength 1 is right, 0 is plain delta, 2 is as wrong as
plain delta to the other side, and below 0 it is the wrong way round.
"""

from dataclasses import dataclass

import numpy as np

from mpc_party.market.black76 import greeks, years
from mpc_party.market.streams import normal, uniform

DAY = 86_400
START = 1_767_258_000
SKEW = -0.35
STRIKES, WIDTH = 9, 2500.0  # listed around the forward, a call and a put each, on two expiries
ROWS = 4 * STRIKES


@dataclass(frozen=True)
class Report:
    observed_at: int
    expiry: np.ndarray
    strike: np.ndarray
    call: np.ndarray
    forward: np.ndarray
    iv: np.ndarray
    premium: np.ndarray
    bs_delta: np.ndarray
    hedge_delta: np.ndarray


def reports(seed, count, strength, step=6 * 3600, skew=SKEW, own_moves=1.0):
    noise = normal(f"reports/{seed}/noise", ROWS * count).reshape(count, ROWS)
    numbers = normal(f"reports/{seed}/moves", 4 * count).reshape(count, 4)
    jumps = uniform(f"reports/{seed}/jumps", count) < 0.03
    expiry = np.repeat(START + step * count + np.array([10, 40]) * DAY, ROWS // 2)
    call = np.tile([True, False], ROWS // 2)
    forward, level, heat = 90_000.0, np.full(ROWS, np.log(0.5)), 0.6 * numbers[0, 3]
    scale = 0.45 * np.sqrt(step / (365 * DAY))
    series = []
    for k in range(count):
        now = START + k * step
        time = years(expiry, now)
        vol = np.exp(level + 0.005 * noise[k])
        near = WIDTH * (round(forward / WIDTH) + np.arange(-STRIKES // 2 + 1, STRIKES // 2 + 1))
        strike = np.tile(np.repeat(near, 2), 2)
        exact = greeks(strike / forward, vol, time, call)
        slope = skew / np.sqrt(time)
        hedge = exact.delta + strength * exact.vega * slope * vol
        series.append(
            Report(now, expiry, strike, call, np.full(ROWS, forward), vol, exact.premium, exact.delta, hedge)
        )
        heat = 0.95 * heat + 0.6 * np.sqrt(1 - 0.95**2) * numbers[k, 0]
        move = scale * np.exp(heat) * numbers[k, 1] + 0.03 * jumps[k] * numbers[k - 1, 3]
        own = own_moves * scale * np.exp(heat) * numbers[k, 2]
        forward *= np.exp(move)
        level = level + (skew * move + abs(skew) * own) / np.sqrt(time)
    return series
