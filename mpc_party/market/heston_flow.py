"""Trades and quotes of the simulated market's spot, from traders of whom some know what is coming.

The pressure of buyers at a step is a standard normal number

    p = FORESIGHT * (sum of the Brownian moves into the next 60 steps) / sqrt(60) + sqrt(1 - FORESIGHT^2) * (as much noise)

so that it says something of the spot's next five minutes and nothing of what comes later; jumps nobody foresees. The
spot itself stays a martingale but for its carry. A trade is a buy with probability Phi(PRESSURE p). A best quote
says where the spot is, and its amounts are noise. Over the 300 s of a `FlowWindow`, all venues together, the
imbalance has a correlation of 0.22 with the log return of the next 300 s: see `tests/market/test_heston_flow.py`.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mpc_party.market.heston_path import STEP_SECONDS, HestonPath, run_start
from mpc_party.market.heston_venues import Venue
from mpc_party.market.streams import normal
from mpc_party.market.venues.events import TopOfBook, Trade

Array = NDArray[np.float64]

FORESIGHT = 0.5
HORIZON = 60  # steps: 300 s
PRESSURE = 0.8
TRADES_A_STEP = 2
_NUMBERS = 2 + 2 * TRADES_A_STEP  # per step and venue
_BLOCK = 120  # steps of noise under one label
_SECOND = 1_000_000_000


def pressures(path: HestonPath, seed: int, first: int, last: int) -> Array:
    """The pressure p at the steps from `first` to `last`, both included."""
    known = _ahead(path.shocks(first + 1, last + HORIZON))
    noise = _ahead(_noise(f"{seed}/heston/crowd", first + 1, last + HORIZON, 1)[:, 0])
    return FORESIGHT * known + math.sqrt(1.0 - FORESIGHT**2) * noise


def events(path: HestonPath, seed: int, venue: Venue, start: int, end: int) -> Iterator[TopOfBook | Trade]:
    """The venue's events received in [start, end), Unix seconds, in their order; of one run of the path only."""
    first, last = (start - venue.lag) // STEP_SECONDS, (end - 1) // STEP_SECONDS
    first = max(first, run_start(last))
    pressure = pressures(path, seed, first, last)
    numbers = _noise(f"{seed}/heston/venue/{venue.name}", first, last, _NUMBERS)
    amounts = venue.size * np.exp(0.5 * numbers[:, : 2 + TRADES_A_STEP])
    buys = ndtr(numbers[:, 2 + TRADES_A_STEP :]) < ndtr(PRESSURE * pressure)[:, None]
    instrument = f"SIM-{venue.name}"
    for k, step in enumerate(range(first, last + 1)):
        begins = step * STEP_SECONDS + venue.lag
        spot = path.spot(step) * math.exp(venue.log_basis(seed, begins))
        bid, ask = round(spot * (1.0 - venue.spot_spread), 2), round(spot * (1.0 + venue.spot_spread), 2)
        if start <= begins < end:
            yield TopOfBook(
                venue=venue.name,
                instrument=instrument,
                venue_ms=1000 * begins,
                received_ns=_SECOND * begins,
                bid=bid,
                ask=ask,
                bid_amount=float(amounts[k, 0]),
                ask_amount=float(amounts[k, 1]),
                update_id=step,
            )
        for j in range(TRADES_A_STEP):
            # Half a second, and more, after the quote at which it trades.
            moment = _SECOND * begins + _SECOND // 2 * (j + 1)
            if _SECOND * start <= moment < _SECOND * end:
                buy = bool(buys[k, j])
                yield Trade(
                    venue=venue.name,
                    instrument=instrument,
                    venue_ms=moment // 1_000_000,
                    received_ns=moment,
                    trade_id=f"{step}-{j}",
                    price=ask if buy else bid,
                    amount=float(amounts[k, 2 + j]),
                    buyer_initiated=buy,
                )


def _ahead(moves: Array) -> Array:
    """Sums of `HORIZON` successive moves, with variance 1."""
    total = np.concatenate(([0.0], np.cumsum(moves)))
    return (total[HORIZON:] - total[:-HORIZON]) / math.sqrt(HORIZON)


def _noise(label: str, first: int, last: int, count: int) -> Array:
    """Standard normal numbers of the steps from `first` to `last`: (steps, count)."""
    blocks = range(first // _BLOCK, last // _BLOCK + 1)
    joined = np.concatenate([normal(f"{label}/{block}", _BLOCK * count) for block in blocks]).reshape(
        -1, count
    )
    start = first - blocks[0] * _BLOCK
    return joined[start : start + last - first + 1]
