"""Hedging intervals with a known minimum-variance relation, for tests of what is fitted to them."""

import numpy as np

from mpc_party.market.intervals import HedgingRows
from mpc_party.market.streams import normal, uniform

DAY = 86_400
START = 1_767_254_400  # 2026-01-01T08:00:00Z
HOURS = 6 * 3600


def made(weights, end=START, count=200, seed=0, noise=0.0, move=0.02):
    """Rows whose plain errors are what a model of these weights explains, and noise of the rows' own."""
    label = f"test/intervals/{seed}/{count}"
    delta = 0.05 + 0.9 * uniform(f"{label}/delta", count)
    density = 0.1 + 0.3 * uniform(f"{label}/density", count)
    shocks = normal(f"{label}/moves", count + 1)
    moves = move * shocks[0] + 0.05 * move * shocks[1:]
    explained = density * moves * (delta[:, None] ** np.arange(3) @ np.array(weights))
    ones = np.ones(count)
    return HedgingRows(
        start=end - HOURS,
        end=end,
        expiry=np.full(count, START + 400 * DAY),
        strike=90_000 * ones,
        call=np.arange(count) % 2 == 0,
        time=1 / 365 + uniform(f"{label}/time", count),
        vol=0.5 * ones,
        delta=delta,
        density=density,
        move=moves,
        error=explained + noise * normal(f"{label}/noise", count),
        noise=0 * ones,
    )


def series(weights, length, first=0, **options):
    """Consecutive intervals, each with a move of its own."""
    return [
        made(weights, START + (first + index) * HOURS, seed=first + index, **options)
        for index in range(length)
    ]
