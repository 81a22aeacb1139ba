"""Option chains of the simulated market: what is listed on a day, what it is worth, what the venues quote."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.bates import cumulants, premium
from mpc_party.market.black76 import greeks, implied_vol, years
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.heston_path import MODEL
from mpc_party.market.heston_venues import Venue
from mpc_party.market.simulated import CARRY, DAYS_AHEAD, STEP, STRIKES_A_SIDE

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Listing:
    """The strikes of one day: per expiry (Unix seconds) an ascending array in the quote currency."""

    expiries: tuple[int, ...]
    strikes: tuple[Array, ...]


def list_options(day: int, spot: float, variance: float) -> Listing:
    """What is listed on a day (Unix days), given the spot and the variance at its beginning.

    As many expiries and strikes as `SimulatedMarket` has, at 08:00 UTC, about 3.2 standard deviations either side.
    """
    start = datetime.fromtimestamp(day * 86_400, UTC).replace(hour=8)
    expiries = tuple(int((start + timedelta(days=days)).timestamp()) for days in DAYS_AHEAD)
    strikes: list[Array] = []
    for time in years(np.array(expiries, dtype=np.int64), day * 86_400).tolist():
        deviation = math.sqrt(cumulants(variance, time, MODEL)[1])
        width = STEP * max(1, round(3.2 * deviation * spot / STRIKES_A_SIDE / STEP))
        middle = round(spot / width) * width
        wanted: Array = middle + width * np.arange(-STRIKES_A_SIDE, STRIKES_A_SIDE + 1, dtype=np.float64)
        strikes.append(wanted[wanted > 0.0])
    return Listing(expiries, tuple(strikes))


@dataclass(frozen=True)
class _Columns:
    """A call and a put per strike, by expiry and strike: (n,) each; premiums as fractions of the forward."""

    expiry: NDArray[np.int64]
    strike: Array
    call: NDArray[np.bool_]
    forward: Array
    premium: Array


def screen(
    observed_at: int, underlying: str, listing: Listing, spot: float, variance: float, venues: Sequence[Venue]
) -> ChainSnapshot:
    """The chain at one spot: the best of the bids and asks that these venues make around the model's prices.

    All price on the same spot, so that nothing on a screen of several can be bought from one venue and sold to another.
    """
    columns = _price(observed_at, listing, spot, variance)
    time = years(columns.expiry, observed_at)
    moneyness = columns.strike / columns.forward
    vol = _mark_vols(columns, moneyness, time)
    vega = greeks(moneyness, np.nan_to_num(vol, nan=1.0), time, columns.call).vega
    bids, asks = [], []
    for venue in venues:
        half = np.maximum(0.5 * venue.tick, venue.spread * np.nan_to_num(vol) * vega)
        bids.append(np.floor((columns.premium - half) / venue.tick) * venue.tick)
        asks.append(np.ceil((columns.premium + half) / venue.tick) * venue.tick)
    bid, ask = np.max(bids, axis=0), np.min(asks, axis=0)
    return ChainSnapshot(
        observed_at,
        underlying,
        columns.expiry,
        columns.strike,
        columns.call,
        columns.forward,
        np.where(bid > 0.0, bid, np.nan),
        ask,
        vol,
    )


def _price(observed_at: int, listing: Listing, spot: float, variance: float) -> _Columns:
    expiry, strike, forward, prices = [], [], [], []
    times = years(np.array(listing.expiries, dtype=np.int64), observed_at).tolist()
    for moment, listed, time in zip(listing.expiries, listing.strikes, times, strict=True):
        at = round(spot * math.exp(CARRY * time), 2)
        moneyness = listed / at
        call = premium(moneyness, variance, time, np.ones(len(listed), dtype=np.bool_), MODEL)
        prices.append(np.maximum(np.stack([call, call - 1.0 + moneyness], axis=1).ravel(), 0.0))
        expiry.append(np.full(2 * len(listed), moment, dtype=np.int64))
        strike.append(np.repeat(listed, 2))
        forward.append(np.full(2 * len(listed), at))
    count = sum(map(len, strike))
    return _Columns(
        np.concatenate(expiry),
        np.concatenate(strike),
        np.arange(count) % 2 == 0,
        np.concatenate(forward),
        np.concatenate(prices),
    )


def _mark_vols(columns: _Columns, moneyness: Array, time: Array) -> Array:
    """Implied vols of the model's prices, the same for the put and the call of a strike."""
    otm = columns.call == (moneyness >= 1.0)
    vols = implied_vol(columns.premium[otm], moneyness[otm], time[otm], columns.call[otm])
    return np.repeat(vols, 2)
