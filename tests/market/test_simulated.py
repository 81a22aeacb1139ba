"""The simulated market: the same for everyone who knows the seed, and free of the crudest nonsense."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.market import ChainSnapshot, MarketDataError, SimulatedMarket
from mpc_party.market.black76 import greeks, implied_vol, years
from mpc_party.market.simulated import SPOT, TICK
from mpc_party.protocol.errors import Reason

MOMENT = int(datetime(2026, 3, 4, 13, 37, 11, tzinfo=UTC).timestamp())
FIRST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
COLUMNS = ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol")

GOLDEN_ROWS = 840
GOLDEN_FORWARDS = [89998.52, 94496.27]
GOLDEN_VOLS = [0.9809849448148369, 0.8613079339047036]

moments = st.integers(FIRST, LAST)
seeds = st.integers(0, 10**18 - 1)


def same(one: ChainSnapshot, other: ChainSnapshot) -> bool:
    return all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=True) for c in COLUMNS)


def test_two_instances_of_one_seed_are_one_market():
    one, other = SimulatedMarket(7), SimulatedMarket(7)
    other.at(MOMENT - 86_400)  # what was asked before does not matter
    other.at(MOMENT + 5)
    assert same(one.at(MOMENT), other.at(MOMENT))
    assert same(one.at(MOMENT), one.at(MOMENT))


def test_another_seed_is_another_market():
    assert not same(SimulatedMarket(7).at(MOMENT), SimulatedMarket(8).at(MOMENT))


def test_golden_prices():
    chain = SimulatedMarket(7).at(MOMENT)
    assert len(chain) == GOLDEN_ROWS
    assert chain.underlying == "SIM"
    assert chain.forward[[0, -1]].tolist() == pytest.approx(GOLDEN_FORWARDS, abs=0.011)
    assert chain.mark_vol[[0, 400]].tolist() == pytest.approx(GOLDEN_VOLS, rel=1e-9)


def test_time_is_the_clocks():
    market = SimulatedMarket(7)
    assert not market.replays
    assert market.next_time(100, now=MOMENT) == MOMENT
    assert market.next_time(MOMENT, now=MOMENT) == MOMENT + 1
    assert market.next_time(MOMENT + 9, now=MOMENT) == MOMENT + 10


@pytest.mark.parametrize("moment", [-1, 0, FIRST - 1, LAST + 1, 10**12, 2**40, 2**63])
def test_moments_outside_the_simulation(moment):
    with pytest.raises(MarketDataError, match="no moment") as caught:
        SimulatedMarket(7).at(moment)
    assert caught.value.reason is Reason.MARKET_DATA_STALE


@given(seeds, moments)
@settings(max_examples=25, deadline=None)
def test_a_chain_at_any_moment_is_one_that_a_venue_could_show(seed, moment):
    chain = SimulatedMarket(seed).at(moment)
    assert 500 <= len(chain) <= 1000
    keys = list(zip(chain.expiry.tolist(), chain.strike.tolist(), (~chain.call).tolist(), strict=True))
    assert keys == sorted(set(keys))  # every option once, by expiry, strike, call before put
    assert (chain.expiry - moment >= 8 * 3600).all()
    assert (chain.expiry % 86_400 == 8 * 3600).all()
    assert ((chain.strike > 0) & (chain.strike % 500 == 0)).all()
    assert ((chain.forward > 0.7 * SPOT) & (chain.forward < 1.4 * SPOT)).all()
    assert ((chain.mark_vol > 0.1) & (chain.mark_vol < 3)).all()
    quoted = np.isfinite(chain.bid)
    assert quoted.mean() > 0.5
    assert (chain.bid[quoted] > 0).all()
    assert (chain.bid[quoted] <= chain.ask[quoted]).all()
    assert np.isfinite(chain.ask).all()
    for price in (chain.bid[quoted], chain.ask):
        assert np.abs(price / TICK - np.rint(price / TICK)).max() < 1e-6


@given(seeds, moments)
@settings(max_examples=15, deadline=None)
def test_model_prices_hold_no_static_arbitrage(seed, moment):
    chain = SimulatedMarket(seed).at(moment)
    time = years(chain.expiry, moment)
    price = greeks(chain.strike / chain.forward, chain.mark_vol, time, chain.call).premium
    for expiry in np.unique(chain.expiry):
        rows = (chain.expiry == expiry) & chain.call
        strike, call = chain.strike[rows], price[rows]
        put = price[(chain.expiry == expiry) & ~chain.call]
        forward = chain.forward[rows][0]
        slope = np.diff(call * forward) / np.diff(strike)
        assert (slope <= 0).all()  # a call spread costs something
        assert (slope >= -1).all()  # and no more than it can pay
        assert (np.diff(put) >= 0).all()
        assert (np.diff(slope) >= -1e-9).all()  # nor does a butterfly pay its owner
        assert np.allclose(call - put, 1.0 - strike / forward, rtol=0, atol=1e-12)


def test_total_variance_rises_with_time_at_every_moneyness():
    chain = SimulatedMarket(7).at(MOMENT)
    surfaces = []
    for expiry in np.unique(chain.expiry):
        rows = (chain.expiry == expiry) & chain.call
        variance = chain.mark_vol[rows] ** 2 * (expiry - MOMENT)
        surfaces.append((np.log(chain.strike[rows] / chain.forward[rows]), variance))
    for (k, earlier), (other, later) in itertools.pairwise(surfaces):
        within = (k >= other[0]) & (k <= other[-1])
        assert within.sum() > 10
        assert (np.interp(k[within], other, later) > earlier[within]).all()


def test_quotes_lie_around_the_marks():
    chain = SimulatedMarket(7).at(MOMENT)
    both = np.isfinite(chain.bid)
    time = years(chain.expiry, MOMENT)[both]
    vol = implied_vol(
        0.5 * (chain.bid + chain.ask)[both], (chain.strike / chain.forward)[both], time, chain.call[both]
    )
    error = np.abs(np.log(vol / chain.mark_vol[both]))
    assert np.nanmedian(error) < 0.01


def test_the_market_moves_within_a_day_and_not_too_much():
    market = SimulatedMarket(7)
    start = MOMENT - MOMENT % 86_400
    spots = np.array([market._spot(start + second) for second in range(0, 86_400, 60)])
    moves = np.diff(np.log(spots))
    assert spots[0] == SPOT
    assert len(np.unique(spots)) > 1400
    annual = moves.std() * np.sqrt(365 * 1440)
    assert 0.25 < annual < 0.8
    assert market._spot(start + 3) == spots[0]  # steps of five seconds
