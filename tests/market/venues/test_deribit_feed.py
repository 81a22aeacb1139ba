"""What Deribit's notifications become: messages in the venue's own shape, with numbers made up, and hostile ones."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.deribit_feed import AHEAD_MS, OLDEST_MS, DeribitFeed
from mpc_party.market.venues.events import IndexPrice, OptionTicker, TopOfBook, Trade

NOW_MS = 1_800_000_000_000
NAME = "BTC-29JAN27-90000-C"
PERPETUAL = "BTC-PERPETUAL"
HEAD = '{"jsonrpc":"2.0","method":"subscription","params":{"channel":'
# As on the wire: field order, nulls and zeros for what is not there, greeks and statistics that nobody reads here.
TICKER = (
    '{"underlying_price":90744.81,"underlying_index":"BTC-29JAN27","timestamp":1800000000000,"stats":{"volume":null,'
    '"price_change":null,"low":null,"high":null},"state":"open","settlement_price":0.24,"open_interest":4.6,'
    '"min_price":0.0165,"max_price":0.0329,"mark_price":0.0233509,"mark_iv":80.02,"last_price":0.0229,'
    '"interest_rate":0.0,"instrument_name":"BTC-29JAN27-90000-C","index_price":90201.67,"greeks":{"vega":85.22269,'
    '"theta":-21.12703,"rho":-94.98694,"gamma":0.00002,"delta":0.52256},"estimated_delivery_price":90201.67,'
    '"bid_iv":79.63,"best_bid_price":0.0232,"best_bid_amount":0.8,"best_ask_price":0.0236,"best_ask_amount":4.8,'
    '"ask_iv":80.98}'
)
TRADES = (
    '[{"trade_seq":30289442,"trade_id":"48079269","timestamp":1800000000000,"tick_direction":2,"price":90000.0,'
    '"mark_price":90010.2,"instrument_name":"BTC-PERPETUAL","index_price":90002.0,"direction":"sell","amount":900.0,'
    '"contracts":90.0}]'
)
BOOK = (
    '{"type":"snapshot","timestamp":1800000000000,"instrument_name":"BTC-PERPETUAL","change_id":2000,'
    '"bids":[["new",89999.5,9000.0],["new",89999.0,450.0]],"asks":[["new",90000.0,1800.0]]}'
)
INDEX = '{"timestamp":1800000000000,"price":90201.67,"index_name":"btc_usd"}'


def take(feed, channel, data, received_ms=NOW_MS):
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    encoded = text if isinstance(text, bytes) else text.encode()
    message = wire.decode_message(
        HEAD.encode() + json.dumps(channel).encode() + b',"data":' + encoded + b"}}"
    )
    return feed.notification(message.params.channel, message.params.data, received_ms * 1_000_000)


def changed(text, **changes):
    return json.loads(text) | changes


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


CHANNEL = f"book.{PERPETUAL}.100ms"


def book_change(change_id, previous, bids=(), asks=(), **changes):
    return {
        "type": "change",
        "timestamp": NOW_MS,
        "prev_change_id": previous,
        "instrument_name": PERPETUAL,
        "change_id": change_id,
        "bids": list(bids),
        "asks": list(asks),
    } | changes


@pytest.fixture
def with_book():
    feed = DeribitFeed()
    (top,) = take(feed, CHANNEL, BOOK)
    assert top == TopOfBook(
        venue="deribit",
        instrument=PERPETUAL,
        venue_ms=NOW_MS,
        received_ns=NOW_MS * 1_000_000,
        bid=89999.5,
        ask=90000.0,
        bid_amount=pytest.approx(9000 / 89999.5),
        ask_amount=0.02,
        update_id=2000,
    )
    return feed


def test_a_book_from_snapshot_and_changes(with_book):
    book = with_book.books.books[PERPETUAL]
    assert (
        take(with_book, CHANNEL, book_change(2003, 2000, bids=[["change", 89999.0, 500.0]])) == []
    )  # not the best
    (top,) = take(
        with_book,
        CHANNEL,
        book_change(2009, 2003, bids=[["delete", 89999.5, 0.0]], asks=[["new", 89999.75, 10.0]]),
    )
    assert (top.bid, top.ask) == (89999.0, 89999.75)
    assert book.change_id == 2009
    assert not with_book.dropped


def test_a_quiet_books_snapshot_may_be_old():
    feed = DeribitFeed()
    assert take(feed, CHANNEL, changed(BOOK, timestamp=NOW_MS - 10 * OLDEST_MS))
    assert feed.books.books[PERPETUAL].usable


def test_a_gap_empties_the_book_once_until_its_new_snapshot(with_book):
    books = with_book.books
    assert take(with_book, CHANNEL, book_change(2010, 2009, bids=[["new", 89999.75, 1.0]])) == []
    assert (books.gaps, books.broken, books.books[PERPETUAL].usable) == (1, {CHANNEL}, False)
    books.broken.clear()  # a new subscription is on its way, and so are changes of the old one
    for change_id in (2011, 2012):
        assert take(with_book, CHANNEL, book_change(change_id, change_id - 1)) == []
    assert (books.gaps, books.broken) == (1, set())
    assert with_book.dropped == Counter({"book-gap": 1, "book-waiting": 2})
    assert take(with_book, CHANNEL, changed(BOOK, change_id=2012))
    assert take(with_book, CHANNEL, book_change(2013, 2012, bids=[["new", 89999.75, 1.0]]))
    assert books.books[PERPETUAL].usable


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (book_change(2001, None), "book-gap"),
        (book_change(2001, 2000, bids=[["new", 90000.0, 1.0]]), "book-crossed"),
        (book_change(2001, 2000, bids=[["new", -1.0, 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0, 0.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0, True]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", "1.0", 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["add", 1.0, 1.0]]), "book-refused"),
        (book_change(2001, 2000, bids=[["new", 1.0]]), "book-refused"),
        (book_change(2001, 2000, type="update"), "book-refused"),
        (book_change(2**70, 2000), "book-refused"),
        (book_change(2001, 2000, timestamp=5), "book-refused"),
        (book_change(2001, 2000, instrument_name="ETH-PERPETUAL"), "book-refused"),
        ("[]", "book-refused"),
    ],
    ids=str,
)
def test_a_book_that_lacks_a_message_is_not_used(with_book, data, cause):
    assert take(with_book, CHANNEL, data) == []
    assert with_book.dropped == Counter({cause: 1})
    assert not with_book.books.books[PERPETUAL].usable
    assert with_book.books.broken == {CHANNEL}


def test_a_new_connection_forgets_books_and_not_trades(with_book):
    assert take(with_book, f"trades.{PERPETUAL}.100ms", TRADES)
    with_book.restart()
    assert with_book.books.books == {}
    assert take(with_book, CHANNEL, book_change(2001, 2000)) == []
    assert take(with_book, f"trades.{PERPETUAL}.100ms", TRADES) == []
    assert with_book.dropped == Counter({"book-gap": 1, "duplicate": 1})


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
