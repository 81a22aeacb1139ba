"""Live order flow over loopback: reconnecting, books in step through gaps and lost pages, and an end to the threads."""

import threading
import time
from http import HTTPStatus

import pytest

from mpc_party.market.errors import MarketDataError
from mpc_party.market.source import open_flow
from mpc_party.market.venues.binance_book import BookState
from mpc_party.market.venues.binance_live import BinanceFlow, parse_endpoints
from mpc_party.market.venues.connection import Timing
from mpc_party.protocol.errors import Reason
from tests.support.venues.binance_exchange import BinanceExchange

pytestmark = pytest.mark.integration

QUICK = Timing(first_pause=0.02, longest_pause=0.1, steady=0.2, timer=0.02)
DEADLINE = 15.0


@pytest.fixture
def exchange():
    with BinanceExchange() as exchange:
        yield exchange


@pytest.fixture
def opened():
    flows = []

    def start(*exchanges, first_wait=5.0):
        parts = [f"{e.market}/{e.symbol}@{e.url}" for e in exchanges]
        flows.append(BinanceFlow(parse_endpoints(",".join(parts)), timing=QUICK, first_wait=first_wait))
        return flows[-1]

    yield start
    for flow in flows:
        flow.close()


def until(condition):
    """The client shows what it has taken in, but tells nobody: look until it has."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.005)


def book_of(flow, which=0):
    [book] = flow.protocols[which].feed.books.values()
    return book


def in_step(flow, exchange, which=0):
    book = book_of(flow, which)
    shown = dict(book.book.bids()), dict(book.book.asks())
    return book.state is BookState.COMPLETE and shown == exchange.book()


def next_second():
    return int(time.time()) + 1


class TestFlow:
    def test_of_three_markets(self, opened):
        with (
            BinanceExchange("spot") as spot,
            BinanceExchange("usdm") as usdm,
            BinanceExchange("coinm") as coinm,
        ):
            flow = opened(spot, usdm, coinm)
            for exchange in (spot, usdm, coinm):
                exchange.until(lambda exchange=exchange: exchange.connected)
                name = exchange.symbol.lower()
                assert exchange.streams == [[f"{name}@bookTicker", f"{name}@trade", f"{name}@depth@100ms"]]
            spot.trade(price="60000.00", quantity="1.0", buyer_is_maker=False)
            usdm.trade(price="61300.00", quantity="1.0", buyer_is_maker=True)
            coinm.trade(price="62000.00", quantity="620", buyer_is_maker=False)
            until(lambda: flow.flow(next_second()).forward == pytest.approx(61_100))
            features = flow.flow(next_second())
            assert features.imbalance == pytest.approx(1 / 3)
            assert features.realised_vol is None

    def test_waits_for_the_first_event_and_no_longer(self, exchange, opened):
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        later = threading.Timer(0.2, exchange.trade)
        later.start()
        assert flow.flow(next_second() + 3).forward == 60000.2
        later.join()

    def test_nothing_in_time(self, exchange, opened):
        flow = opened(exchange, first_wait=0.1)
        with pytest.raises(
            MarketDataError, match=r"no order flow from ws://127.0.0.1:\d+ \(nothing heard\)"
        ) as caught:
            flow.flow(int(time.time()))
        assert caught.value.reason is Reason.MARKET_DATA_STALE

    def test_a_feed_that_has_died(self, exchange, opened):
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        exchange.trade()
        now = int(time.time())
        assert flow.flow(now + 5).forward is not None
        with flow._lock:
            flow._last_second -= 40
        with pytest.raises(MarketDataError, match="no order flow"):
            flow.flow(now)

    def test_a_moment_that_is_not_now(self, exchange, opened):
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        exchange.trade()
        now = int(time.time())
        with pytest.raises(MarketDataError, match="set the clock right"):
            flow.flow(now + 60)
        with pytest.raises(MarketDataError, match="no longer held"):
            flow.flow(now - 600)

    @pytest.mark.parametrize("status", [HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS, HTTPStatus.BAD_GATEWAY])
    def test_an_exchange_that_refuses(self, exchange, opened, status):
        exchange.status = status
        flow = opened(exchange, first_wait=0.3)
        with pytest.raises(MarketDataError, match=f"HTTP {status.value}") as caught:
            flow.flow(int(time.time()))
        assert ("refuses to serve" in caught.value.remedy) == (status.value == 451)

    def test_a_clock_that_is_wrong(self, exchange, opened):
        flow = opened(exchange, first_wait=0.0)
        exchange.until(lambda: exchange.connected)
        for seconds in (60, 70, -3600):
            exchange.trade(E=time.time_ns() // 1_000_000 + seconds * 1000)
        until(lambda: sum(flow.protocols[0].dropped.values()) == 3)
        with pytest.raises(MarketDataError, match="2 messages from the future and 1 of long ago") as caught:
            flow.flow(int(time.time()))
        assert "clock" in caught.value.remedy

    def test_nobody_there(self):
        with BinanceExchange() as gone:
            url = gone.url
        flow = BinanceFlow(parse_endpoints(f"BTCUSDT@{url}"), timing=QUICK, first_wait=0.2)
        try:
            with pytest.raises(MarketDataError, match="check that this machine may reach it"):
                flow.flow(int(time.time()))
        finally:
            flow.close()

    def test_by_name(self, exchange):
        flow = open_flow(f"binance:BTCUSDT@{exchange.url}")
        try:
            exchange.until(lambda: exchange.connected)
            exchange.trade()
            assert flow.flow(next_second() + 3).forward == 60000.2
        finally:
            flow.close()


class TestBooks:
    def begin(self, flow, exchange):
        exchange.until(lambda: exchange.connected)
        exchange.change(bids={"60000.05": "1.5"})
        until(lambda: in_step(flow, exchange))

    @pytest.mark.parametrize("market", ["spot", "usdm", "coinm"])
    def test_joined_and_followed(self, opened, market):
        with BinanceExchange(market) as exchange:
            flow = opened(exchange)
            self.begin(flow, exchange)
            exchange.change(bids={"60000.10": "0"}, asks={"60000.15": "4"})
            exchange.change(asks={"60000.15": "0", "60000.12": "1"})
            until(lambda: in_step(flow, exchange))
            assert exchange.pages == 1
            assert book_of(flow).book.bids(1) == ((60000.05, 1.5),)

    def test_a_lost_change_fetches_a_new_page(self, exchange, opened):
        flow = opened(exchange)
        self.begin(flow, exchange)
        exchange.change(bids={"59999.00": "9"}, lost=True)
        exchange.change(bids={"59998.00": "8"})
        until(lambda: in_step(flow, exchange))
        [health] = flow.health.values()
        assert (health.gaps, health.reconnects, exchange.pages) == (1, 0, 2)

    def test_pages_that_fail_or_are_old_are_fetched_again(self, exchange, opened):
        exchange.broken_pages = 1
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        for _ in range(3):
            exchange.change()
        exchange.until(lambda: exchange.pages == 1)
        exchange.change(bids={"59999.00": "9"}, lost=True)
        exchange.change(bids={"59998.00": "8"})
        exchange.page_lag = 2  # before the lost one
        exchange.until(lambda: exchange.pages == 2)
        exchange.page_lag = 0
        until(lambda: in_step(flow, exchange))
        [health] = flow.health.values()
        assert health.dropped == {"page-unreachable": 1, "book-gap": 1, "page-old": 1}

    def test_repeated_changes_do_no_harm(self, exchange, opened):
        flow = opened(exchange)
        self.begin(flow, exchange)
        first = exchange.change(bids={"60000.10": "7"})
        exchange.change(bids={"60000.10": "0"})
        exchange.send(first, first)
        exchange.change(bids={"59997.00": "1"})
        until(lambda: in_step(flow, exchange))
        [health] = flow.health.values()
        assert (health.gaps, exchange.pages, health.dropped) == (0, 1, {"duplicate": 2})

    def test_hostile_messages_between(self, exchange, opened):
        flow = opened(exchange)
        self.begin(flow, exchange)
        exchange.send(
            b"", b"{" * 100_000, b"[" * 100_000, b'{"stream":"btcusdt@trade","data":{"p":NaN}}', b"null"
        )
        exchange.change(bids={"59997.00": "1"})
        until(lambda: in_step(flow, exchange))
        [health] = flow.health.values()
        assert health.dropped == {"malformed": 5}
        assert health.reconnects == 0


class TestConnection:
    def test_comes_back_and_begins_a_new_book(self, exchange, opened):
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        exchange.trade(price="60000.00")
        exchange.change()
        until(lambda: in_step(flow, exchange))
        exchange.disconnect()
        exchange.until(lambda: len(exchange.streams) == 2 and exchange.connected)
        exchange.change(bids={"59990.00": "3"})
        exchange.trade(price="60002.00")
        until(lambda: in_step(flow, exchange))
        until(lambda: flow.flow(next_second()).forward == pytest.approx(60_001))
        [health] = flow.health.values()
        assert health.reconnects == 1
        assert exchange.pages == 2

    def test_a_message_of_no_size_ends_the_connection_only(self, exchange, opened):
        flow = opened(exchange)
        exchange.until(lambda: exchange.connected)
        exchange.send(b"x" * 5_000_000)
        exchange.until(lambda: len(exchange.streams) == 2 and exchange.connected)
        exchange.trade()
        assert flow.flow(next_second() + 3).forward == 60000.2

    def test_closing_ends_the_threads(self, exchange):
        before = set(threading.enumerate())
        flow = BinanceFlow(parse_endpoints(f"BTCUSDT@{exchange.url}"), timing=QUICK)
        exchange.until(lambda: exchange.connected)
        assert any(t.name.startswith("venue") for t in set(threading.enumerate()) - before)
        flow.close()
        flow.close()
        assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("venue")]
        exchange.until(lambda: not exchange.connected)
