"""Option chains of the simulated market: what is listed on a day, what it is worth, what the venues quote."""

import math
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
    """A call and a put per strike, by expiry and strike: (n,) each, and premiums (venues, n)."""

    expiry: NDArray[np.int64]
    strike: Array
    call: NDArray[np.bool_]
    forward: Array
    premium: Array


def screen(
    observed_at: int,
    underlying: str,
    listing: Listing,
    spots: list[float],
    variance: float,
    venues: list[Venue],
) -> ChainSnapshot:
    """The chain on the screen of the given venues, whose spots are `spots`: best bid and best ask.

    The forwards and mark vols are the first venue's. Where a late venue's quote crosses another's, the first venue's
    own quote stands: such crosses are gone before anybody can act on a screen.
    """
    columns = _price(observed_at, listing, spots, variance)
    time = years(columns.expiry, observed_at)
    moneyness = columns.strike / columns.forward
    vol = _mark_vols(columns, moneyness, time)
    vega = greeks(moneyness, np.nan_to_num(vol, nan=1.0), time, columns.call).vega
    bids, asks = [], []
    for venue, price in zip(venues, columns.premium, strict=True):
        half = np.maximum(0.5 * venue.tick, venue.spread * np.nan_to_num(vol) * vega)
        bid = np.floor((price - half) / venue.tick) * venue.tick
        bids.append(np.where(bid > 0.0, bid, -np.inf))
        asks.append(np.ceil((price + half) / venue.tick) * venue.tick)
    bid, ask = np.max(bids, axis=0), np.min(asks, axis=0)
    crossed = bid >= ask
    bid, ask = np.where(crossed, bids[0], bid), np.where(crossed, asks[0], ask)
    return ChainSnapshot(
        observed_at,
        underlying,
        columns.expiry,
        columns.strike,
        columns.call,
        columns.forward,
        np.where(np.isfinite(bid), bid, np.nan),
        ask,
        vol,
    )


def _price(observed_at: int, listing: Listing, spots: list[float], variance: float) -> _Columns:
    expiry, strike, forward, prices = [], [], [], []
    for moment, listed in zip(listing.expiries, listing.strikes, strict=True):
        time = float(years(np.array([moment], dtype=np.int64), observed_at)[0])
        forwards = np.array([round(spot * math.exp(CARRY * time), 2) for spot in spots])
        moneyness = listed / forwards[:, None]
        calls = np.ones(moneyness.size, dtype=np.bool_)
        # One call for all venues: the characteristic function is the same.
        call = premium(moneyness.ravel(), variance, time, calls, MODEL).reshape(moneyness.shape)
        both = np.stack([call, call - 1.0 + moneyness], axis=-1).reshape(len(spots), -1)
        prices.append(np.maximum(both, 0.0))
        expiry.append(np.full(2 * len(listed), moment, dtype=np.int64))
        strike.append(np.repeat(listed, 2))
        forward.append(np.full(2 * len(listed), forwards[0]))
    count = sum(map(len, strike))
    return _Columns(
        np.concatenate(expiry),
        np.concatenate(strike),
        np.arange(count) % 2 == 0,
        np.concatenate(forward),
        np.concatenate(prices, axis=1),
    )


def _mark_vols(columns: _Columns, moneyness: Array, time: Array) -> Array:
    """The first venue's implied vols, the same for the put and the call of a strike."""
    otm = columns.call == (moneyness >= 1.0)
    vols = implied_vol(columns.premium[0][otm], moneyness[otm], time[otm], columns.call[otm])
    return np.repeat(vols, 2)
