"""A recorded chain, written by a test: hours of a market whose vol moves with its forward as a minimum-variance model says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mpc_party.market.black76 import greeks, years
from mpc_party.market.recorded import COLUMNS
from mpc_party.market.streams import normal

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
HOURS = 6
EXPIRIES = (datetime(2026, 1, 30, 8, tzinfo=UTC), datetime(2026, 3, 27, 8, tzinfo=UTC))
STRIKES = np.arange(60_000.0, 130_000.0, 5_000.0)
SLOPE = (
    -0.3
)  # the vol of every option times the root of its time moves by so much for each unit of the forward's


def moment(index: int) -> int:
    return int((START + timedelta(hours=HOURS * index)).timestamp())


def write_recording(path: Path, moments: int = 30, seed: int = 1) -> Path:
    """A file for `recorded:FILE`: a row an option and moment, every six hours."""
    moves = 0.012 * normal(f"recording/{seed}", moments)
    forward, shift = 90_000.0, 0.0
    lines = [",".join(COLUMNS)]
    for index in range(moments):
        now = START + timedelta(hours=HOURS * index)
        if index:
            forward *= 1 + moves[index]
            shift += SLOPE * moves[index]
        for expiry in EXPIRIES:
            lines += _rows(now, expiry, forward, shift)
    path.write_text("\n".join(lines) + "\n")
    return path


def _rows(now: datetime, expiry: datetime, forward: float, shift: float) -> list[str]:
    seconds = np.full(STRIKES.shape, int(expiry.timestamp()))
    time = years(seconds, int(now.timestamp()))
    vol = np.maximum(0.5 + shift / np.sqrt(time), 0.1)
    rows = []
    for call in (True, False):
        at = greeks(STRIKES / forward, vol, time, np.full(STRIKES.shape, call))
        width = 0.002 * vol * at.vega
        for strike, premium, half, sigma in zip(STRIKES, at.premium, width, vol, strict=True):
            name = f"BTC-{expiry.day}{expiry:%b%y}-{strike:.0f}-{'C' if call else 'P'}".upper()
            bid, ask = max(premium - half, 1e-9), premium + half
            rows.append(f"{now:%Y-%m-%dT%H:%M:%SZ},{name},{forward:.8f},{bid:.10f},{ask:.10f},{sigma:.8f}")
    return rows
