"""What Binance's messages mean: units, ranges, order, and that nothing sent can do harm."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.venues import binance_feed
from mpc_party.market.venues.binance_book import BookState
from mpc_party.market.venues.binance_feed import BinanceFeed
from mpc_party.market.venues.binance_markets import MARKETS, coin_of, is_symbol
from mpc_party.market.venues.events import TopOfBook, Trade
from tests.support.venues.binance_messages import MS, NS, SYMBOLS, best_quote, combined, depth, page, trade


def feed_of(market="spot", **options):
    return BinanceFeed(MARKETS[market], (SYMBOLS[market],), **options)


@pytest.fixture(params=["spot", "usdm", "coinm"])
def market(request):
    return request.param


class TestMessages:
    def test_best_quotes(self, market):
        event = feed_of(market).message(best_quote(market), NS)
        coin = 100 / 60000.1 if market == "coinm" else 1.0
        assert event == TopOfBook(
            venue=f"binance-{market}",
            instrument=SYMBOLS[market],
            venue_ms=0 if market == "spot" else MS,
            received_ns=NS,
            bid=60000.1,
            ask=60000.2,
            bid_amount=pytest.approx(2 * coin),
            ask_amount=pytest.approx(3 * coin, rel=1e-5),
            update_id=100,
        )

    @pytest.mark.parametrize("buyer_is_maker", [True, False])
    def test_trades(self, market, buyer_is_maker):
        event = feed_of(market).message(trade(market, buyer_is_maker=buyer_is_maker), NS)
        coin = 100 / 60000.2 if market == "coinm" else 1.0
        assert event == Trade(
            venue=f"binance-{market}",
            instrument=SYMBOLS[market],
            venue_ms=MS,
            received_ns=NS,
            trade_id="500",
            price=60000.2,
            amount=pytest.approx(0.5 * coin),
            buyer_initiated=not buyer_is_maker,
        )

    def test_depth_keeps_a_book_and_emits_nothing(self, market):
        feed, symbol = feed_of(market), SYMBOLS[market]
        assert not feed.wants_page(symbol)
        assert feed.message(depth(market, first=11, last=20), NS) is None
        assert feed.wants_page(symbol)
        assert feed.page(symbol, page(market, last=15), NS)
        assert not feed.wants_page(symbol)
        feed.message(depth(market, first=21, last=30, bids=[["60000.15", "7"]], asks=[["60000.20", "0"]]), NS)
        book = feed.books[symbol]
        assert book.state is BookState.COMPLETE
        assert book.book.bids(2) == ((60000.15, 7.0), (60000.1, 2.0))
        assert book.book.asks() == ((60000.3, 1.0),)
        assert not feed.dropped

    @pytest.mark.parametrize("name", ["btcusdt@depth", "btcusdt@depth@0ms", "btcusdt@depth@100ms"])
    def test_depth_at_any_speed(self, name):
        feed = feed_of()
        feed.message(combined(name, json.loads(depth(first=11, last=20))["data"]), NS)
        assert feed.wants_page("BTCUSDT")

    def test_contracts_of_other_coins_are_ten_dollars(self):
        assert MARKETS["coinm"].coin("BTCUSD_PERP", 30, 60_000) == pytest.approx(0.05)
        assert MARKETS["coinm"].coin("ETHUSD_261225", 30, 3_000) == pytest.approx(0.1)
        assert MARKETS["spot"].coin("BTCUSDT", 30, 60_000) == 30


class TestContinuity:
    def test_spot_goes_by_the_first_id_and_futures_by_the_previous_one(self):
        for market, good, bad in (
            ("spot", {"first": 21, "last": 30}, {"first": 22, "last": 30}),
            ("usdm", {"first": 27, "last": 30, "previous": 20}, {"first": 21, "last": 30, "previous": 19}),
        ):
            for ids, gaps in ((good, 0), (bad, 1)):
                feed, symbol = feed_of(market), SYMBOLS[market]
                feed.message(depth(market, first=11, last=20), NS)
                feed.page(symbol, page(market, last=15), NS)
                feed.message(depth(market, **ids), NS)
                assert feed.gaps == gaps
                assert feed.dropped == ({"book-gap": 1} if gaps else {})
                assert feed.wants_page(symbol) == bool(gaps)

    def test_futures_depth_without_its_previous_id(self):
        feed = feed_of("usdm")
        data = json.loads(depth("usdm", first=11, last=20))["data"]
        del data["pu"]
        feed.message(combined("btcusdt@depth@100ms", data), NS)
        assert feed.dropped == {"malformed": 1}

    def test_pages_that_are_old_crossed_or_none(self):
        feed = feed_of()
        feed.message(depth(first=11, last=20), NS)
        assert not feed.page("BTCUSDT", page(last=9), NS)
        assert not feed.page("BTCUSDT", page(last=15, bids=[["60000.30", "1"]]), NS)
        feed.message(depth(first=21, last=30), NS)
        for body in (
            b"",
            b"<html>",
            b"{}",
            page(last=25, bids=[["0", "1"]]),
            page(last=25, bids=[["1", "x"]]),
            b"[" * 10**5,
        ):
            assert not feed.page("BTCUSDT", body, NS)
        assert feed.dropped == {"page-old": 1, "book-crossed": 1, "page-refused": 6}
        assert feed.page("BTCUSDT", page(last=25), NS)

    def test_repeated_depth_is_counted(self):
        feed = feed_of()
        feed.message(depth(first=11, last=20), NS)
        feed.message(depth(first=11, last=20), NS)
        assert feed.dropped == {"duplicate": 1}

    def test_trades_by_their_ids(self):
        feed = feed_of()
        used = [number for number in (500, 501, 501, 499, 505, 506) if feed.message(trade(number=number), NS)]
        assert used == [500, 501, 505, 506]
        assert feed.dropped == {"duplicate": 2}
        assert feed.trades_missed == 3

    def test_best_quotes_by_their_ids(self):
        feed = feed_of()
        used = [update for update in (100, 105, 104, 105, 106) if feed.message(best_quote(update=update), NS)]
        assert used == [100, 105, 105, 106]
        assert feed.dropped == {"out-of-order": 1}

    def test_time_that_goes_backwards_is_counted_and_used(self):
        feed = feed_of("usdm")
        for number, ms in ((1, MS), (2, MS - 7), (3, MS - 7), (4, MS)):
            assert feed.message(trade("usdm", number=number, ms=ms), NS)
        assert feed.message(best_quote("usdm", ms=MS - 20), NS)  # another stream has a time of its own
        assert feed.backwards == 1

    def test_a_new_connection_forgets_books_and_ids(self):
        feed = feed_of()
        feed.message(best_quote(update=2**62), NS)
        feed.message(trade(number=2**62), NS)
        feed.message(depth(first=11, last=20), NS)
        feed.page("BTCUSDT", page(last=20), NS)
        feed.restart()
        assert feed.books["BTCUSDT"].state is BookState.WAITING
        assert feed.message(best_quote(), NS)
        assert feed.message(trade(), NS)
        assert feed.trades_missed == 0


class TestRefused:
    @pytest.mark.parametrize(
        ("message", "cause"),
        [
            (best_quote(bid="60000.20"), "crossed"),
            (best_quote(bid="60000.30"), "crossed"),
            (best_quote(bid="0"), "out-of-range"),
            (best_quote(ask="1000000001"), "out-of-range"),
            (best_quote(bid_quantity="0.0"), "out-of-range"),
            (best_quote(ask_quantity="9999999999999"), "out-of-range"),
            (trade(price="0.00"), "out-of-range"),
            (trade(quantity="0"), "out-of-range"),
            (best_quote(bid="-1"), "malformed"),
            (best_quote(bid="+1"), "malformed"),
            (best_quote(bid="1e3"), "malformed"),
            (best_quote(bid="nan"), "malformed"),
            (best_quote(bid="inf"), "malformed"),
            (best_quote(bid="1_0"), "malformed"),
            (best_quote(bid="٣"), "malformed"),
            (best_quote(bid=" 1"), "malformed"),
            (best_quote(bid=""), "malformed"),
            (best_quote(bid="9" * 41), "malformed"),
            (best_quote(b=60000.1), "malformed"),
            (best_quote(b=True), "malformed"),
            (best_quote(b=None), "malformed"),
            (best_quote(update=-1), "malformed"),
            (best_quote(update=2**63), "malformed"),
            (best_quote(u=1.5), "malformed"),
            (best_quote(u="100"), "malformed"),
            (trade(number=-1), "malformed"),
            (trade(m=0), "malformed"),
            (trade(m="true"), "malformed"),
            (trade(E=True), "malformed"),
            (trade(E=-1), "malformed"),
            (trade(E=None), "malformed"),
            (trade(ms=MS // 1000), "out-of-range"),
            (trade(ms=MS * 1000), "out-of-range"),
            (trade(ms=MS - 60_001), "stale"),
            (trade(ms=MS + 5_001), "future"),
            (best_quote("usdm", ms=MS - 60_001), "stale"),
            (depth(first=1, last=2, ms=MS - 60_001), "stale"),
            (depth(first=1, last=2, bids=[["1", "-1"]]), "malformed"),
            (depth(first=1, last=2, bids=[["1"]]), "malformed"),
            (depth(first=1, last=2, bids=[["1,2", "3"], ["4,5", "6"]]), "malformed"),
            (depth(first=1, last=2, bids=[["1", "2,3"]]), "malformed"),
            (depth(first=1, last=2, bids=[["", "2"]]), "malformed"),
            (depth(first=1, last=2, bids=[["1", "2\n"]]), "malformed"),
            (depth(first=1, last=2, bids=[["1", "1", "1"]]), "malformed"),
            (depth(first=1, last=2, bids=[["0", "1"]]), "out-of-range"),
            (depth(first=1, last=2, asks=[["1", "9999999999999"]]), "out-of-range"),
            (depth(first=3, last=1), "book-refused"),
            (depth(first=1, last=2, bids=[["1", "1"]] * 20_001), "malformed"),
            (depth(first=1, last=2, bids=[["1", "1"]], asks=[["1", "1"]]), None),
            (trade(X="INSURANCE_FUND"), "not-market"),
            (trade(X="NA", p="0", q="0"), "not-market"),
            (trade(s="ETHUSDT"), "unknown-stream"),
            (combined("ethusdt@trade", {}), "unknown-stream"),
            (combined("btcusdt@kline_1m", {}), "unknown-stream"),
            (combined("btcusdt", {}), "unknown-stream"),
            (combined("", {}), "unknown-stream"),
            (combined("x" * 200, {}), "malformed"),
            (b'{"stream":"btcusdt@trade"}', "malformed"),
            (b'{"stream":"btcusdt@trade","data":null}', "malformed"),
            (b'{"stream":"btcusdt@trade","data":[]}', "malformed"),
            (b'{"result":null,"id":1}', "unknown-stream"),
            (b'{"stream":1}', "malformed"),
            (b"", "malformed"),
            (b"null", "malformed"),
            (b"\xff\xfe", "malformed"),
            (b"{" * 10**6, "malformed"),
            (b"[" * 10**6, "malformed"),
            (b'{"stream":"btcusdt@trade","data":' + b"[" * 10**6 + b"]" * 10**6 + b"}", "malformed"),
            (b'{"x":' + b'{"x":' * 10**6 + b"1" + b"}" * 10**6 + b"}", "malformed"),
            (b'{"stream":"btcusdt@trade","data":{"E":' + b"9" * 10**5 + b"}}", "malformed"),
        ],
        ids=lambda value: None if isinstance(value, bytes) else str(value),
    )
    def test_counted_by_cause(self, message, cause):
        feed = feed_of("usdm" if b'"T"' in message and b'"e":"bookTicker"' in message else "spot")
        assert feed.message(message, NS) is None
        assert feed.dropped == ({} if cause is None else {cause: 1})

    def test_refused_messages_leave_no_trace(self):
        """An absurd id or time in what is refused does not shut out what comes after it."""
        feed = feed_of()
        feed.message(trade(number=2**62, price="0"), NS)
        feed.message(best_quote(update=2**62, bid="60000.30"), NS)
        feed.message(trade(ms=MS + 6_000), NS)
        assert feed.message(trade(), NS)
        assert feed.message(best_quote(), NS)
        assert feed.backwards == 0

    @given(st.data())
    def test_no_damage_to_a_message_raises(self, data):
        feed = feed_of()
        message = bytearray(
            data.draw(st.sampled_from([best_quote(), trade(), depth(first=1, last=2, bids=[["1", "1"]])]))
        )
        for _ in range(data.draw(st.integers(1, 5))):
            place = data.draw(st.integers(0, len(message) - 1))
            message[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
            if not message:
                break
        event = feed.message(bytes(message), NS)
        assert event is None or (0 < getattr(event, "price", 1) <= 1e9 and event.instrument == "BTCUSDT")
        assert event is None or sum(feed.dropped.values()) == 0

    @given(st.binary(max_size=200))
    def test_no_bytes_raise(self, data):
        assert feed_of().message(data, NS) is None


@pytest.mark.parametrize(
    ("symbol", "coin"),
    [
        ("BTCUSDT", "BTC"),
        ("BTCUSD_PERP", "BTC"),
        ("BTCUSD_261225", "BTC"),
        ("ETHFDUSD", "ETH"),
        ("USDCUSDT", "USDC"),
        ("ETHBTC", "ETHBTC"),
    ],
)
def test_symbols(symbol, coin):
    assert is_symbol(symbol)
    assert coin_of(symbol) == coin


@pytest.mark.parametrize(
    "text", ["", "btcusdt", "BTC/USDT", "BTCUSDT\n", "_PERP", "B" * 40, "BTC?x=1", "BTCUSD_"]
)
def test_what_is_no_symbol(text):
    assert not is_symbol(text)


def test_the_clocks_may_disagree_by_a_little():
    feed = feed_of()
    assert feed.message(trade(number=1, ms=MS + binance_feed.AHEAD), NS)
    assert feed.message(trade(number=2, ms=MS - binance_feed.OLDEST), NS)
