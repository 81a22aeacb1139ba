"""A live chain against an exchange of our own: everything that happens on a wire."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest

from mpc_party.market import DeskView, MarketDataError, SimulatedMarket, clean, open_source
from mpc_party.market.flow import FlowFeatures
from mpc_party.market.live import LiveChain
from mpc_party.market.venues.connection import Timing
from mpc_party.protocol.errors import Reason
from tests.support.venues.deribit_exchange import FORWARD, DeribitExchange, option_names

pytestmark = pytest.mark.integration

NAMES = option_names()
QUICK = Timing(first_pause=0.05, longest_pause=0.2, timer=0.05, open_timeout=3.0)
DEADLINE = 10.0


@pytest.fixture
def exchange():
    with DeribitExchange(NAMES) as running:
        yield running


@pytest.fixture
def live(exchange):
    with LiveChain("BTC", url=exchange.url, timing=QUICK, patience=DEADLINE).start() as source:
        yield source


def until(condition, what="", timeout=DEADLINE):
    """For what the exchange cannot see: the other end of the wire."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.005)


def here_and_now(live):
    """The chain at a second that is surely after everything received."""
    return live.at(int(time.time()) + 1)


def quoted(exchange, live, bid):
    """Whether this bid is seen; quoted anew each time, as the ticker that a subscription begins with may come after."""
    exchange.tick(NAMES[0], best_bid_price=bid)
    return bid in here_and_now(live).bid


def venue_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("venue")]


def test_the_whole_chain_with_true_ages(exchange, live):
    begun = int(time.time())
    first = live.next_time(0, begun)  # the chain is not there yet at `begun`
    assert begun < first <= time.time()
    assert len(live.at(first)) == len(NAMES)
    now = int(time.time()) + 1
    assert live.next_time(first, now) == now
    assert live.next_time(now + 5, now) == now + 6
    assert (live.underlying, live.replays) == ("BTC", False)
    chain = here_and_now(live)
    assert len(chain) == len(NAMES)
    assert set(chain.forwards().values()) == {FORWARD}
    assert (chain.seen_at >= begun).all()
    assert (chain.seen_at <= first).all()
    quotes = DeskView(live, "seed", coverage=0.1, noise=0.5).at(chain.observed_at)
    assert len(quotes) == len(NAMES)
    usable, dropped = clean(quotes, chain.forwards(), chain.observed_at, max_age=30)
    assert len(usable) + sum(dropped.values()) == len(NAMES)
    assert "stale" not in dropped


def test_a_whole_market_comes_through_as_it_is(exchange):
    market = SimulatedMarket(5).at(int(time.time()))
    exchange.show(market)
    with LiveChain("BTC", url=exchange.url, timing=QUICK).start() as live:
        chain = live.at(live.next_time(0, 0))
        quotes = DeskView(live, "seed").at(chain.observed_at)
    assert len(chain) == len(market) > 800
    order = np.lexsort((market.call, market.strike, market.expiry))
    for column in ("expiry", "strike", "call", "forward", "bid", "ask"):
        assert np.array_equal(
            getattr(chain, column), getattr(market, column)[order], equal_nan=column in {"bid", "ask"}
        )
    assert np.allclose(chain.mark_vol, market.mark_vol[order], rtol=1e-14)
    usable, dropped = clean(quotes, chain.forwards(), chain.observed_at, max_age=30)
    assert set(dropped) <= {"missing", "no-vol"}  # no bid far out of the money, no vol deep in it
    assert len(usable) > 0.8 * len(chain)


def test_a_new_ticker_is_seen(exchange, live):
    live.next_time(0, 0)
    until(lambda: quoted(exchange, live, 0.0205), "the new bid")


def test_open_by_name(exchange):
    source = open_source(f"deribit:BTC@{exchange.url}")
    try:
        assert isinstance(source, LiveChain)
        assert len(source.at(source.next_time(0, 0))) == len(NAMES)
    finally:
        source.close()


def test_a_connection_that_breaks_is_made_again(exchange, live):
    live.next_time(0, 0)
    for count in (2, 3):
        exchange.disconnect()
        exchange.until(lambda count=count: exchange.connections == count)
        exchange.until(lambda: exchange.subscribed(f"ticker.{NAMES[-1]}.100ms"))
        until(lambda bid=0.02 + count / 1e4: quoted(exchange, live, bid), "a quote of the new connection")
    assert live.health.reconnects == 2
    assert live.health.last_error.startswith("ConnectionClosedError")


def test_heartbeats_are_answered(live, exchange):
    exchange.heartbeat = 0.2
    exchange.disconnect()  # so that the new connection asks for them
    exchange.until(lambda: exchange.methods().count("public/test") >= 4)
    assert exchange.unanswered == 0
    assert exchange.connections <= 2


def test_a_gap_brings_a_new_subscription_and_a_right_book(exchange, live):
    channel = f"book.{exchange.perpetual}.100ms"
    exchange.until(lambda: exchange.subscribed(channel))
    book = lambda: live._protocol.feed.books.books.get(exchange.perpetual)  # noqa: E731 - asked again and again
    until(lambda: book() is not None and book().usable, "the book")
    exchange.change_book(bids=[["new", FORWARD - 0.75, 70.0]])
    until(lambda: book().change_id == exchange.change_id, "the change")
    exchange.change_book(lose=True, bids=[["new", FORWARD - 0.25, 100.0]])
    exchange.change_book(bids=[["delete", FORWARD - 0.75, 0.0]])
    exchange.until(lambda: ("public/unsubscribe", {"channels": [channel]}) in exchange.requests)
    until(lambda: book().usable, "the new snapshot")
    assert dict(book().bids()) == exchange.levels["bids"]
    assert live.health.gaps == 1
    assert live.dropped["book-gap"] == 1
    assert exchange.connections == 1


def test_order_flow_from_the_perpetual(exchange, live):
    exchange.until(lambda: exchange.subscribed(f"trades.{exchange.perpetual}.100ms"))
    for sequence in range(1, 4):
        exchange.trade(sequence, price=FORWARD + sequence, amount=9000.0)

    def soon():
        try:
            return live.flow(int(time.time()) + 1)
        except MarketDataError:  # nothing heard of the perpetual yet
            return FlowFeatures()

    until(lambda: soon().forward is not None and soon().forward > FORWARD + 1.9, "three trades")
    assert soon().imbalance > 0
    assert soon().forward == pytest.approx(FORWARD + 2, abs=0.01)


HOSTILE = [
    "",
    "x",
    "[" * 200_000,
    '{"jsonrpc":"2.0","x":' + "[" * 50_000 + "]" * 50_000 + "}",
    "null",
    b"\xff\xfe\x00",
    '{"jsonrpc":"2.0","id":1e999}',
    json.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "ticker.x.100ms", "data": []}}
    ),
    json.dumps(
        {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": "book.x.100ms", "data": {}}}
    ),
]


def test_hostile_messages_are_dropped_and_counted(exchange, live):
    live.next_time(0, 0)
    for text in HOSTILE:
        exchange.send(text)
    exchange.tick(NAMES[0], best_bid_price="0.02")
    exchange.tick(NAMES[0], best_bid_price=0.5)  # above the ask
    exchange.tick(NAMES[0], timestamp=int(time.time() * 1000) - 3_600_000)
    until(lambda: live.dropped.total() == len(HOSTILE) + 3, "all of them counted")
    assert live.dropped["crossed"] == live.dropped["stale"] == 1
    assert live.dropped["unknown-channel"] == 1
    until(lambda: quoted(exchange, live, 0.0209), "a good one after them")
    assert exchange.connections == 1


def test_a_message_beyond_all_measure_ends_that_connection_only(exchange, live):
    live.next_time(0, 0)
    exchange.send("x" * (5 * 1024 * 1024))
    exchange.until(lambda: exchange.connections == 2)
    assert len(here_and_now(live)) == len(NAMES)


def test_quotes_get_old_when_the_venue_is_gone(exchange):
    with LiveChain("BTC", url=exchange.url, timing=QUICK, max_quote_age=1).start() as live:
        live.next_time(0, 0)
        exchange.refuse["public/get_instruments"] = (11051, "system_maintenance")
        exchange.disconnect()

        def refused():
            try:
                live.at(int(time.time()))
            except MarketDataError as error:
                return str(error)
            return ""

        until(
            lambda: "no quote of the last 1 s" in refused() and "maintenance" in refused(),
            "a refusal with its cause",
        )
        assert "in maintenance (11051, system_maintenance)" in refused()
        assert live.dropped["aged"] > 0


@pytest.mark.parametrize("mute", ["public/get_instruments", "public/subscribe"])
def test_a_venue_that_says_nothing(exchange, mute):
    exchange.mute.add(mute)
    if mute == "public/subscribe":
        exchange.names = [NAMES[0]]
        exchange._first = lambda _: None
    said = []
    with LiveChain("BTC", url=exchange.url, timing=QUICK, patience=0.4, say=said.append).start() as live:
        until(lambda: live.health.connected, "the connection")
        begun = time.monotonic()
        with pytest.raises(MarketDataError, match=r"no market data within 0 s \(connected") as caught:
            live.next_time(0, 0)
        assert time.monotonic() - begun < 3
    assert caught.value.reason is Reason.MARKET_DATA_STALE
    assert said


def test_a_venue_that_is_not_there(unused_tcp_port):
    with LiveChain(
        "BTC", url=f"ws://127.0.0.1:{unused_tcp_port}/", timing=QUICK, patience=0.5
    ).start() as live:
        until(lambda: live.health.last_error is not None, "the refusal")
        with pytest.raises(MarketDataError, match="not connected") as caught:
            live.at(int(time.time()))
        assert "refused" in str(caught.value).lower()
        assert "can be reached" in caught.value.remedy


def test_close_ends_the_thread_and_whoever_waits(exchange):
    exchange.mute.add("public/get_instruments")
    live = LiveChain("BTC", url=exchange.url, timing=QUICK, patience=60.0).start()
    failures = []

    def wait():
        try:
            live.next_time(0, 0)
        except MarketDataError as error:
            failures.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    exchange.until(lambda: exchange.connections == 1)
    live.close()
    waiting.join(DEADLINE)
    assert not waiting.is_alive()
    assert "closed" in failures[0]
    live.close()
    assert venue_threads() == []
    exchange.until(lambda: not exchange._open)


def test_close_while_the_venue_is_away(unused_tcp_port):
    slow = Timing(first_pause=60.0)
    live = LiveChain("BTC", url=f"ws://127.0.0.1:{unused_tcp_port}/", timing=slow).start()
    until(lambda: live.health.last_error is not None, "the first refusal")
    begun = time.monotonic()
    live.close()
    assert time.monotonic() - begun < 3
    assert venue_threads() == []
