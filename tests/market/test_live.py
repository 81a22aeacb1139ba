"""A live chain without a wire: what it answers, and what it says when it cannot."""

import threading
import time
from collections import Counter

import pytest

from mpc_party.market import MarketDataError, open_source
from mpc_party.market import live as module
from mpc_party.market.live import AHEAD, BEHIND, FLOW_SILENCE, LiveChain
from mpc_party.market.venues.events import IndexPrice, OptionTicker, TopOfBook, Trade
from mpc_party.protocol.errors import Reason
from tests.support.venues.deribit_exchange import option_names

NAMES = option_names()


def ticker(name, **changes) -> OptionTicker:
    now = time.time_ns()
    numbers = {
        "underlying_price": 90_000.0,
        "index_price": 89_000.0,
        "bid": 0.02,
        "ask": 0.03,
        "mark_vol": 0.5,
    }
    return OptionTicker(
        venue="deribit",
        instrument=name,
        venue_ms=now // 1_000_000,
        received_ns=now,
        bid_amount=1.0,
        ask_amount=1.0,
        **(numbers | changes),
    )


@pytest.fixture
def live():
    """Never started: the test hands the events in."""
    source = LiveChain("BTC", patience=0.3)
    source._protocol.instruments = frozenset(NAMES)
    yield source
    source.close()


def test_the_chain_is_there_when_most_of_it_is(live):
    for name in NAMES[: len(NAMES) * 9 // 10 - 1]:
        live._take(ticker(name))
    with pytest.raises(MarketDataError, match="no market data within"):
        live.next_time(0, 0)
    live._take(ticker(NAMES[-1]))
    live._patience = 5.0
    moment = live.next_time(0, 0)
    assert 0 <= int(time.time()) - moment < 10  # at once, also on a machine that is busy
    assert len(live.at(moment)) == len(NAMES) * 9 // 10
    assert live.next_time(moment, moment) == moment + 1
    assert live.next_time(moment, moment + 7) == moment + 7


def test_a_quiet_part_of_the_chain_is_not_waited_for(live, monkeypatch):
    monkeypatch.setattr(module, "SETTLING", 0.0)
    live._take(ticker(NAMES[0]))
    live._patience = 5.0
    assert len(live.at(live.next_time(0, 0))) == 1


def test_questions_wait_for_data_that_come(live):
    live._patience = 10.0
    answers = []
    asking = threading.Thread(target=lambda: answers.append(live.next_time(0, 0)))
    asking.start()
    for name in NAMES:
        live._take(ticker(name))
    asking.join(10.0)
    assert len(answers) == 1


@pytest.mark.parametrize(
    ("offset", "way"), [(-BEHIND - 2, "back"), (AHEAD + 30, "ahead"), (-(10**9), "back")]
)
def test_moments_that_are_not_now(live, offset, way):
    with pytest.raises(MarketDataError, match=way) as caught:
        live.at(int(time.time()) + offset)
    assert caught.value.reason is Reason.MARKET_DATA_STALE
    assert "clocks" in caught.value.remedy


def test_what_is_said_when_nothing_comes(live):
    said = []
    live._say = said.append
    live._protocol.dropped.update({"future": 7, "crossed": 1})
    with pytest.raises(
        MarketDataError, match=r"not connected, 0 messages, dropped: 7 future, 1 crossed"
    ) as caught:
        live.next_time(0, 0)
    assert caught.value.reason is Reason.MARKET_DATA_STALE
    assert "clock is set" in caught.value.remedy
    assert said[0] == f"Waiting for wss://www.deribit.com/ws/api/v2: 0 of {len(NAMES)} options heard of"


def test_order_flow_is_the_perpetuals(live):
    now = time.time_ns()
    common = {"venue": "deribit", "venue_ms": now // 1_000_000, "received_ns": now}
    trade = {"trade_id": "1", "amount": 0.5, "buyer_initiated": True}
    live._take(Trade(**common, instrument="BTC-PERPETUAL", price=90_000.0, **trade))
    live._take(Trade(**common, instrument=NAMES[0], price=0.02, **trade))  # an option's price is in coin
    live._take(IndexPrice(**common, instrument="btc_usd", price=1.0))
    features = live.flow(now // 10**9 + 1)
    assert (features.imbalance, features.forward, features.realised_vol) == (1.0, 90_000.0, None)
    sizes = {"bid_amount": 1.0, "ask_amount": 1.0}
    live._take(TopOfBook(**common, instrument="BTC-PERPETUAL", bid=89_999.0, ask=90_000.0, **sizes))
    live._take(TopOfBook(**common, instrument="BTC-PERPETUAL", bid=89_998.0, ask=89_999.0, **sizes))
    assert live.flow(now // 10**9 + 1).imbalance == 0.0  # a buyer's trade, and quotes that fall


def test_order_flow_of_a_feed_that_is_silent_is_none(live):
    now = time.time_ns()
    with pytest.raises(MarketDataError, match="no order flow") as caught:
        live.flow(now // 10**9)
    assert caught.value.reason is Reason.MARKET_DATA_STALE
    trade = {"trade_id": "1", "amount": 0.5, "buyer_initiated": True, "price": 90_000.0}
    old = now - (FLOW_SILENCE + 2) * 10**9
    live._take(
        Trade(venue="deribit", venue_ms=old // 10**6, received_ns=old, instrument="BTC-PERPETUAL", **trade)
    )
    with pytest.raises(MarketDataError, match=f"no order flow of the last {FLOW_SILENCE} s"):
        live.flow(now // 10**9)
    assert live.flow(old // 10**9 + FLOW_SILENCE).forward == 90_000.0


def test_everything_dropped_is_in_one_count(live):
    live._protocol.dropped["crossed"] += 2
    live._take(ticker("ETH-29JAN27-9000-C"))
    assert live.dropped == Counter({"crossed": 2, "unknown-instrument": 1})


def test_a_closed_source():
    live = LiveChain("BTC", patience=60.0)
    live.close()
    live.close()
    for ask in (lambda: live.next_time(0, 0), lambda: live.at(int(time.time()))):
        with pytest.raises(MarketDataError, match="closed"):
            ask()


@pytest.mark.parametrize("spec", ["deribit", "deribit:", "deribit:@wss://h/", "deribit:BTC@"])
def test_names_that_are_no_live_source(spec):
    with pytest.raises(MarketDataError, match="no market source"):
        open_source(spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("deribit:btc", "no currency"),
        ("deribit:BTC@ws://www.deribit.com/", "not encrypted"),
        ("deribit:BTC@https://www.deribit.com/", "no WebSocket URL"),
    ],
)
def test_names_that_nothing_is_opened_for(spec, message):
    before = threading.active_count()
    with pytest.raises(MarketDataError, match=message) as caught:
        open_source(spec)
    assert caught.value.reason is Reason.CONFIG_INVALID
    assert threading.active_count() == before
