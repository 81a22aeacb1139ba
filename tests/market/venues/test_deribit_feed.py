"""What Deribit's notifications become: messages in the venue's own shape, with numbers made up, and hostile ones."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.venues import deribit_feed as module
from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.deribit_feed import AHEAD_MS, OLDEST_MS, DeribitFeed
from mpc_party.market.venues.events import IndexPrice, OptionTicker, Trade
from tests.support.venues.deribit_notifications import (
    HEAD,
    INDEX,
    NAME,
    NOW_MS,
    PERPETUAL,
    TICKER,
    TRADES,
    changed,
    take,
)


def ticker(feed, received_ms=NOW_MS, **changes):
    return take(feed, f"ticker.{NAME}.100ms", changed(TICKER, **changes), received_ms)


def test_a_ticker():
    feed = DeribitFeed()
    assert take(feed, f"ticker.{NAME}.100ms", TICKER) == [
        OptionTicker(
            venue="deribit",
            instrument=NAME,
            venue_ms=NOW_MS,
            received_ns=NOW_MS * 1_000_000,
            underlying_price=90744.81,
            index_price=90201.67,
            bid=0.0232,
            ask=0.0236,
            bid_amount=0.8,
            ask_amount=4.8,
            mark_vol=pytest.approx(0.8002),
        )
    ]
    assert not feed.dropped


@pytest.mark.parametrize("absent", [None, 0.0, 0])
def test_sides_and_vols_that_are_not_there(absent):
    (event,) = ticker(DeribitFeed(), best_bid_price=absent, best_bid_amount=0.0, mark_iv=absent)
    assert math.isnan(event.bid)
    assert math.isnan(event.mark_vol)
    assert (event.ask, event.bid_amount) == (0.0236, 0.0)


def test_whole_numbers_are_numbers():
    (event,) = ticker(DeribitFeed(), underlying_price=90744, mark_iv=80)
    assert (event.underlying_price, event.mark_vol) == (90744.0, 0.8)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"best_bid_price": 0.024}, "crossed"),
        ({"timestamp": NOW_MS - OLDEST_MS - 1}, "stale"),
        ({"timestamp": NOW_MS + AHEAD_MS + 1}, "future"),
        ({"timestamp": NOW_MS // 1000}, "out-of-range"),
        ({"timestamp": -1}, "out-of-range"),
        ({"timestamp": 2**80}, "out-of-range"),
        ({"timestamp": NOW_MS + 0.5}, "malformed"),
        ({"state": "closed"}, "not-open"),
        ({"instrument_name": "BTC-29JAN27-91000-C"}, "unknown-instrument"),
        ({"underlying_price": 0.0}, "out-of-range"),
        ({"underlying_price": None}, "out-of-range"),
        ({"underlying_price": -5.0}, "out-of-range"),
        ({"underlying_price": 1e10}, "out-of-range"),
        ({"index_price": 0}, "out-of-range"),
        ({"index_price": None}, "malformed"),
        ({"mark_iv": -1.0}, "out-of-range"),
        ({"mark_iv": 2000.5}, "out-of-range"),
        ({"best_bid_price": -0.01}, "out-of-range"),
        ({"best_ask_price": 101.0}, "out-of-range"),
        ({"best_ask_amount": -1.0}, "out-of-range"),
        ({"best_ask_amount": None}, "out-of-range"),
        ({"best_ask_price": True}, "malformed"),
        ({"best_ask_price": "0.02"}, "malformed"),
        ({"best_ask_price": [0.02]}, "malformed"),
        ({"best_ask_price": {"x": 1}}, "malformed"),
        ({"mark_iv": math.nan}, "malformed"),
        ({"mark_iv": math.inf}, "malformed"),
        ({"instrument_name": None}, "malformed"),
        ({"instrument_name": "x" * 65}, "malformed"),
    ],
    ids=str,
)
def test_tickers_that_are_dropped_and_counted(changes, cause):
    try:
        feed = DeribitFeed()
        assert ticker(feed, **changes) == []
    except ValueError:  # NaN is not even JSON
        assert cause == "malformed"
        return
    assert feed.dropped == Counter({cause: 1})


@pytest.mark.parametrize(
    "number", ["1e999", "-1e999", "1" + "0" * 400, "NaN", "Infinity", "0x1", "1_0", "--1", "1.2.3"]
)
def test_numbers_that_are_none(number):
    text = TICKER.replace('"best_ask_price":0.0236', f'"best_ask_price":{number}')
    feed = DeribitFeed()
    try:
        assert take(feed, f"ticker.{NAME}.100ms", text) == []
    except ValueError:  # not JSON: the whole message goes
        return
    assert feed.dropped == Counter({"malformed": 1})


def test_the_edges_of_age():
    assert ticker(DeribitFeed(), timestamp=NOW_MS - OLDEST_MS)
    assert ticker(DeribitFeed(), timestamp=NOW_MS + AHEAD_MS)


def test_time_does_not_run_back_for_an_option():
    feed = DeribitFeed()
    assert ticker(feed)
    assert ticker(feed)  # the same moment again
    assert ticker(feed, timestamp=NOW_MS - 1) == []
    assert feed.dropped == Counter({"out-of-order": 1})


def test_a_ticker_of_no_option_or_an_unknown_one():
    feed = DeribitFeed(known=lambda name: name == NAME)
    assert take(feed, f"ticker.{PERPETUAL}.100ms", changed(TICKER, instrument_name=PERPETUAL)) == []
    assert (
        take(feed, "ticker.BTC-29JAN27-1-C.100ms", changed(TICKER, instrument_name="BTC-29JAN27-1-C")) == []
    )
    assert feed.dropped == Counter({"unknown-instrument": 2})
    assert ticker(feed)


@pytest.mark.parametrize(
    "channel", ["", "x", "ticker", "chart.trades.X.1", "user.portfolio.btc", "\x00", "." * 50]
)
def test_channels_that_were_not_asked_for(channel):
    feed = DeribitFeed()
    assert take(feed, channel, TICKER) == []
    assert feed.dropped.total() == 1


def test_a_trade_of_the_perpetual_is_in_coin():
    feed = DeribitFeed()
    (event,) = take(feed, f"trades.{PERPETUAL}.100ms", TRADES)
    assert event == Trade(
        venue="deribit",
        instrument=PERPETUAL,
        venue_ms=NOW_MS,
        received_ns=NOW_MS * 1_000_000,
        trade_id="48079269",
        price=90_000.0,
        amount=0.01,
        buyer_initiated=False,
    )


def test_trades_of_all_options():
    feed = DeribitFeed(known=lambda _: False)  # a new option, which the list has not had yet
    trade = changed(TRADES[1:-1], instrument_name=NAME, price=0.02, amount=3.5, direction="buy")
    (event,) = take(feed, "trades.option.BTC.100ms", [trade])
    assert (event.instrument, event.price, event.amount, event.buyer_initiated) == (NAME, 0.02, 3.5, True)
    assert take(feed, "trades.option.BTC.100ms", [trade | {"instrument_name": "ETH-29JAN27-9000-C"}]) == []
    assert take(feed, "trades.option.BTC.100ms", [trade | {"instrument_name": PERPETUAL}]) == []
    assert feed.dropped == Counter({"unknown-instrument": 2})


def test_linear_contracts_are_in_coin_as_they_are():
    trade = changed(TRADES[1:-1], instrument_name="BTC_USDC-PERPETUAL", amount=0.3)
    (event,) = take(DeribitFeed(), "trades.BTC_USDC-PERPETUAL.100ms", [trade])
    assert event.amount == 0.3


def test_bad_trades_do_not_spoil_the_good_ones():
    feed = DeribitFeed()
    good = json.loads(TRADES)[0]
    rows = [
        good,
        good,  # again
        good | {"trade_seq": good["trade_seq"] - 1},
        good | {"trade_seq": good["trade_seq"] + 1, "price": 0.0},
        good | {"trade_seq": good["trade_seq"] + 1, "amount": -1.0},
        good | {"trade_seq": good["trade_seq"] + 1, "timestamp": NOW_MS - OLDEST_MS - 1},
        good | {"trade_seq": good["trade_seq"] + 1, "instrument_name": "ETH-PERPETUAL"},
        good | {"trade_seq": good["trade_seq"] + 2},
    ]
    events = take(feed, f"trades.{PERPETUAL}.100ms", rows)
    assert len(events) == 2
    assert feed.dropped == Counter({"duplicate": 2, "out-of-range": 2, "stale": 1, "unknown-instrument": 1})


@pytest.mark.parametrize(
    "change", [{"direction": "up"}, {"trade_seq": -1}, {"trade_id": 5}, {"price": "1"}], ids=str
)
def test_trades_of_other_types(change):
    feed = DeribitFeed()
    assert take(feed, f"trades.{PERPETUAL}.100ms", [changed(TRADES[1:-1], **change)]) == []
    assert feed.dropped == Counter({"malformed": 1})


def test_an_index():
    feed = DeribitFeed()
    assert take(feed, "deribit_price_index.btc_usd", INDEX) == [
        IndexPrice(
            venue="deribit",
            instrument="btc_usd",
            venue_ms=NOW_MS,
            received_ns=NOW_MS * 1_000_000,
            price=90201.67,
        )
    ]
    assert take(feed, "deribit_price_index.eth_usd", INDEX) == []
    assert take(feed, "deribit_price_index.btc_usd", changed(INDEX, price=-1.0)) == []
    assert take(feed, "deribit_price_index.btc_usd", changed(INDEX, timestamp=NOW_MS - OLDEST_MS - 1)) == []
    assert feed.dropped == Counter({"unknown-instrument": 1, "out-of-range": 1, "stale": 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "true",
        '"x"',
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"jsonrpc":"2.0","extra":' + "[" * 50_000 + "]" * 50_000 + "}",
        HEAD + '"ticker.X.100ms","data":' + "[" * 50_000 + "]" * 50_000 + "}}",
        HEAD + '"x' + "y" * 1000 + '","data":{}}}',
        '{"id":"1"}',
        '{"id":1.5}',
        '{"method":5}',
        '{"params":[]}',
        "\udcff",
    ],
    ids=lambda text: text[:30],
)
def test_messages_that_are_none(text):
    with pytest.raises(ValueError, match=r"."):
        wire.decode_message(text.encode("utf-8", "surrogateescape"))


def test_a_venue_that_lists_options_for_years_is_heard_to_the_end(monkeypatch):
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    feed = DeribitFeed()
    names = [f"BTC-29JAN27-{strike}-C" for strike in range(1000, 1010)]
    for name in names:
        for _ in range(2):
            (event,) = take(feed, f"ticker.{name}.100ms", changed(TICKER, instrument_name=name))
            assert event.instrument == name
    assert not feed.dropped
    assert len(feed._last_ms) == 3
    late = changed(TICKER, instrument_name=names[-1], timestamp=NOW_MS - 1)
    assert take(feed, f"ticker.{names[-1]}.100ms", late) == []
    assert feed.dropped == Counter({"out-of-order": 1})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data):
    try:
        message = wire.decode_message(data)
    except ValueError:
        return
    assert isinstance(message, wire.Message)


NUMBERS = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5))


@given(
    st.dictionaries(st.sampled_from(sorted(json.loads(TICKER))), NUMBERS, max_size=4),
    st.integers(NOW_MS - 2 * OLDEST_MS, NOW_MS + 2 * OLDEST_MS),
)
def test_whatever_a_ticker_says_an_event_is_in_range(changes, received_ms):
    feed = DeribitFeed()
    try:
        events = ticker(feed, received_ms, **changes)
    except ValueError:
        return  # NaN and infinity are not JSON
    assert len(events) + feed.dropped.total() == 1
    for event in events:
        assert 0 < event.underlying_price <= 1e9
        assert not event.bid <= 0
        assert not event.ask <= 0
        assert not event.bid > event.ask
        assert not event.mark_vol <= 0
