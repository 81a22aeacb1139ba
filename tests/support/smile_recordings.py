"""A recorded chain, written by a test: each option's vol moves with the forward by a known minimum-variance quadratic."""

import csv
import gzip
from datetime import UTC, datetime

import numpy as np

from mpc_party.market.black76 import greeks, years
from mpc_party.market.streams import normal

START = 1_767_254_400  # 2026-01-01T08:00:00Z
STEP = 6 * 3600
DAYS = (30, 58, 121)
STRIKES = tuple(range(60_000, 130_000, 5_000))


def write_recording(path, weights=(-0.4, 0.5, -0.2), moments=40, noise=0.0005, seed="recording", move=0.006):
    """One forward for all expiries; a vol per strike and expiry, moved by dF/F * (a + b d + c d^2) / sqrt(T)."""
    expiry = np.repeat(np.array([START + day * 86_400 for day in DAYS]), len(STRIKES))
    strike = np.tile(np.array(STRIKES, dtype=np.float64), len(DAYS))
    vol, forward, moves = np.full(strike.shape, 0.5), 90_000.0, normal(f"{seed}/moves", moments)
    calls = np.ones(strike.shape, dtype=np.bool_)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["timestamp", "instrument_name", "futures_price", "bid_price", "ask_price", "implied_volatility"]
        )
        for index in range(moments):
            moment = START + index * STEP
            time = years(expiry, moment)
            for call in (True, False):
                at = greeks(strike / forward, vol, time, calls if call else ~calls)
                half = 0.002 * at.vega + 1e-5
                for row in range(len(strike)):
                    if at.premium[row] <= half[row]:
                        continue
                    writer.writerow([
                        f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}",
                        f"BTC-{datetime.fromtimestamp(int(expiry[row]), UTC):%-d%b%y}-".upper()
                        + f"{strike[row]:.0f}-{'C' if call else 'P'}",
                        f"{forward:.6f}", f"{at.premium[row] - half[row]:.8f}", f"{at.premium[row] + half[row]:.8f}",
                        f"{vol[row]:.8f}",
                    ])  # fmt: skip
            change = move * moves[index]
            delta = greeks(strike / forward, vol, time, calls).delta
            shock = noise * normal(f"{seed}/vols/{index}", len(vol))
            vol = vol + change * (delta[:, None] ** np.arange(3) @ np.array(weights)) / np.sqrt(time) + shock
            forward *= 1 + change
    return path
