"""The simulated market of Heston's variance and Bates's jumps: chains that a venue could show, without arbitrage."""

import itertools
import time
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.market import ChainSnapshot, MarketDataError, open_source
from mpc_party.market.bates import premium
from mpc_party.market.black76 import greeks, implied_vol, years
from mpc_party.market.desk import DeskView
from mpc_party.market.heston import HestonMarket
from mpc_party.market.heston_venues import NAMES, VENUES
from mpc_party.market.simulated import CARRY
from mpc_party.market.source import open_flow
from mpc_party.protocol.errors import Reason

MOMENT = int(datetime(2026, 3, 4, 13, 37, 11, tzinfo=UTC).timestamp())
FIRST = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
COLUMNS = ("expiry", "strike", "call", "forward", "bid", "ask", "mark_vol")

seeds = st.integers(0, 10**18 - 1)
# Early in a run, where a test has few days to simulate; the other moments have their own test.
moments = (
    st.integers(0, 900)
    .map(lambda k: 86_400 * (18_284 + 28 * k))
    .flatmap(lambda start: st.integers(start, start + 3 * 86_400))
)


@pytest.fixture(scope="module")
def market():
    return HestonMarket(7)


def same(one: ChainSnapshot, other: ChainSnapshot) -> bool:
    return all(np.array_equal(getattr(one, c), getattr(other, c), equal_nan=True) for c in COLUMNS)


def test_two_instances_of_one_seed_are_one_market(market):
    other = HestonMarket(7)
    other.at(MOMENT - 3 * 86_400)
    assert same(market.at(MOMENT), other.at(MOMENT))
    assert market.flow(MOMENT) == other.flow(MOMENT)
    assert not same(market.at(MOMENT), HestonMarket(8).at(MOMENT))


def test_time_is_the_clocks(market):
    assert not market.replays
    assert market.next_time(100, now=MOMENT) == MOMENT
    assert market.next_time(MOMENT, now=MOMENT) == MOMENT + 1


@pytest.mark.parametrize("moment", [-1, 0, FIRST - 1, LAST + 1, 10**12, 2**63])
@pytest.mark.parametrize("ask", ["at", "flow", "spot", "variance"])
def test_moments_outside_the_simulation(market, moment, ask):
    with pytest.raises(MarketDataError, match="no moment") as caught:
        getattr(market, ask)(moment)
    assert caught.value.reason is Reason.MARKET_DATA_STALE


@pytest.mark.parametrize("moment", [FIRST, FIRST + 7, LAST])
def test_the_ends_of_time(moment):
    chain = HestonMarket(1).at(moment)
    assert len(chain) > 500
    assert HestonMarket(1).flow(moment) is not None


@given(seeds, moments)
@settings(max_examples=12, deadline=None)
def test_a_chain_at_any_moment_is_one_that_a_venue_could_show(seed, moment):
    chain = HestonMarket(seed).at(moment)
    assert 500 <= len(chain) <= 1000
    keys = list(zip(chain.expiry.tolist(), chain.strike.tolist(), (~chain.call).tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert (chain.expiry - moment >= 8 * 3600).all()
    assert (chain.expiry % 86_400 == 8 * 3600).all()
    assert ((chain.strike > 0) & (chain.strike % 500 == 0)).all()
    marked = np.isfinite(chain.mark_vol)
    assert marked.mean() > 0.95
    assert ((chain.mark_vol[marked] > 0.05) & (chain.mark_vol[marked] < 5)).all()
    quoted = np.isfinite(chain.bid)
    assert quoted.mean() > 0.5
    assert (chain.bid[quoted] > 0).all()
    assert (chain.bid[quoted] < chain.ask[quoted]).all()
    assert np.isfinite(chain.ask).all()


@given(seeds, moments, st.sampled_from([None, *NAMES]))
@settings(max_examples=10, deadline=None)
def test_no_static_arbitrage_in_marks_and_none_that_quotes_allow(seed, moment, venue):
    chain = HestonMarket(seed, venue).at(moment)
    time_left = years(chain.expiry, moment)
    vol = np.nan_to_num(chain.mark_vol, nan=0.01)
    price = greeks(chain.strike / chain.forward, vol, time_left, chain.call).premium
    bid, ask = np.nan_to_num(chain.bid, nan=0.0), chain.ask
    for expiry in np.unique(chain.expiry):
        rows = (chain.expiry == expiry) & chain.call
        strike, call, forward = chain.strike[rows], price[rows], chain.forward[rows][0]
        slope = np.diff(call * forward) / np.diff(strike)
        assert (slope <= 1e-9).all()
        assert (slope >= -1 - 1e-9).all()
        assert (np.diff(slope) >= -1e-7).all()
        # Nobody is paid for a call spread or a butterfly, bought at the ask and sold at the bid.
        low, high = bid[rows], ask[rows]
        assert (high[:-1] - low[1:] >= 0).all()
        share = (strike[2:] - strike[1:-1]) / (strike[2:] - strike[:-2])
        assert (share * high[:-2] + (1 - share) * high[2:] - low[1:-1] >= 0).all()
        put = (chain.expiry == expiry) & ~chain.call
        parity = 1 - strike / forward
        assert (high - bid[put] >= parity - 1e-12).all()
        assert (low - ask[put] <= parity + 1e-12).all()


def test_total_variance_rises_with_time_at_every_moneyness(market):
    chain = market.at(MOMENT)
    surfaces = []
    for expiry in np.unique(chain.expiry):
        rows = (chain.expiry == expiry) & chain.call & np.isfinite(chain.mark_vol)
        variance = chain.mark_vol[rows] ** 2 * (expiry - MOMENT)
        surfaces.append((np.log(chain.strike[rows] / chain.forward[rows]), variance))
    for (k, earlier), (other, later) in itertools.pairwise(surfaces):
        within = (k >= other[0]) & (k <= other[-1])
        assert within.sum() > 10
        assert (np.interp(k[within], other, later) > earlier[within]).all()


def test_marks_are_the_models_prices(market):
    chain = market.at(MOMENT)
    expiry = np.unique(chain.expiry)[5]
    rows = chain.expiry == expiry
    time_left = float(years(np.array([expiry]), MOMENT)[0])
    moneyness, call = (chain.strike / chain.forward)[rows], chain.call[rows]
    exact = premium(moneyness, market.variance(MOMENT), time_left, call, market.model)
    marked = greeks(moneyness, chain.mark_vol[rows], np.full(rows.sum(), time_left), call).premium
    assert np.abs(marked - exact).max() < 1e-9
    assert chain.forward[rows][0] == pytest.approx(market.spot(MOMENT) * np.exp(CARRY * time_left), abs=0.006)
    # A smile, from the jumps, and for far expiries a skew, from the correlation: low strikes are dearer.
    near, far = (chain.mark_vol[(chain.expiry == e) & chain.call] for e in chain.expiry[[0, -1]])
    assert min(near[0], near[-1]) > near.min() + 0.01
    assert far[0] > far[len(far) // 2] > far[-1]


def test_quotes_lie_around_the_marks(market):
    chain = market.at(MOMENT)
    both = np.isfinite(chain.bid) & np.isfinite(chain.mark_vol)
    mid = 0.5 * (chain.bid + chain.ask)[both]
    vol = implied_vol(
        mid, (chain.strike / chain.forward)[both], years(chain.expiry, MOMENT)[both], chain.call[both]
    )
    assert np.nanmedian(np.abs(np.log(vol / chain.mark_vol[both]))) < 0.02


@pytest.mark.parametrize("venue", VENUES, ids=NAMES)
def test_each_venue_has_its_own_tick_and_spread_over_one_listing(market, venue):
    chain, whole = HestonMarket(7, venue.name).at(MOMENT), market.at(MOMENT)
    assert np.array_equal(chain.strike, whole.strike)
    for price in (chain.bid[np.isfinite(chain.bid)], chain.ask):
        assert np.abs(price / venue.tick - np.rint(price / venue.tick)).max() < 1e-6
    if venue.name == "a":
        assert (whole.bid >= chain.bid)[np.isfinite(chain.bid)].all()
        assert (whole.ask <= chain.ask).all()
        assert np.array_equal(chain.forward, whole.forward)


def test_venues_differ_by_a_small_basis_and_a_lag():
    markets = {name: HestonMarket(7, name) for name in NAMES}
    times = range(MOMENT, MOMENT + 6 * 3600, 97)
    spots = {name: np.array([m._spot(m._venues[0], t) for t in times]) for name, m in markets.items()}
    for name in ("b", "c"):
        basis = np.log(spots[name] / spots["a"])
        assert 1e-5 < basis.std() < 2e-3
        assert np.abs(np.median(basis)) < 1e-3
    late = HestonMarket(7, "c")
    lag, step = VENUES[2].lag, MOMENT // 5 * 5 + 5
    # Just before and after the venue hears of the market's step.
    bases = [VENUES[2].log_basis(7, t) for t in (step + lag - 1, step + lag)]
    heard = [
        late._spot(VENUES[2], t) / np.exp(b) for t, b in zip((step + lag - 1, step + lag), bases, strict=True)
    ]
    assert heard == [pytest.approx(late.spot(step - 1)), pytest.approx(late.spot(step))]
    assert late.spot(step - 1) != late.spot(step)


def test_the_basis_is_continuous():
    basis = np.array([VENUES[2].log_basis(3, t) for t in range(MOMENT - MOMENT % 600 - 300, MOMENT + 900, 5)])
    assert np.abs(np.diff(basis)).max() < 0.02 * VENUES[2].basis
    assert VENUES[0].log_basis(3, MOMENT) == 0.0


def test_an_unknown_venue_and_names_of_sources():
    with pytest.raises(MarketDataError, match="no venue 'z'") as caught:
        HestonMarket(7, "z")
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert isinstance(open_source("heston:7"), HestonMarket)
    assert open_source("heston:7@b")._venues == [VENUES[1]]
    assert isinstance(open_flow("heston:7@c"), HestonMarket)
    for spec in ("heston:", "heston:x", "heston:7@", "heston:-1", "heston:@a"):
        with pytest.raises(MarketDataError, match="no market source"):
            open_source(spec)


def test_a_desk_sees_it(market):
    quotes = DeskView(market, "desk").at(MOMENT)
    assert 300 < len(quotes) < len(market.at(MOMENT))


def test_a_chain_takes_little_time_after_the_first(market):
    market.at(MOMENT)
    spent = []
    for k in range(5):
        begin = time.process_time()
        market.at(MOMENT + 61 * k)
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.06
