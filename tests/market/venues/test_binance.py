"""Binance's side of a connection as a pure protocol: addresses, pages in time, and giving up."""

import pytest

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.binance import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    PAGE_DEADLINE,
    SILENCE,
    BinanceProtocol,
)
from mpc_party.market.venues.binance_live import parse_endpoints
from mpc_party.market.venues.binance_markets import MARKETS
from mpc_party.market.venues.connection import Disconnect, Emit, Fetch
from mpc_party.protocol.errors import Reason
from tests.support.venues.binance_messages import NS, SYMBOLS, best_quote, depth, page

PAGE = Fetch("BTCUSDT", "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000")


@pytest.fixture
def protocol():
    protocol = BinanceProtocol(MARKETS["spot"], ("BTCUSDT",))
    assert list(protocol.connected(0.0)) == []
    return protocol


def hear(protocol, message, now):
    return list(protocol.message(message, NS, now))


class TestAddresses:
    @pytest.mark.parametrize(
        ("market", "url", "fetch"),
        [
            ("spot", "wss://stream.binance.com:9443", "https://api.binance.com/api/v3/depth?symbol=BTCUSDT"),
            ("usdm", "wss://fstream.binance.com", "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT"),
            (
                "coinm",
                "wss://dstream.binance.com",
                "https://dapi.binance.com/dapi/v1/depth?symbol=BTCUSD_PERP",
            ),
        ],
    )
    def test_of_the_markets(self, market, url, fetch):
        symbol = SYMBOLS[market]
        protocol = BinanceProtocol(MARKETS[market], (symbol,))
        name = symbol.lower()
        assert protocol.url == f"{url}/stream?streams={name}@bookTicker/{name}@trade/{name}@depth@100ms"
        protocol.connected(0.0)
        assert hear(protocol, depth(market, first=1, last=2), 0.0) == [Fetch(symbol, f"{fetch}&limit=1000")]

    def test_of_a_mirror(self):
        for base, pages in (
            ("wss://mirror.example:99/", "https://mirror.example:99"),
            ("ws://127.0.0.1:8", "http://127.0.0.1:8"),
        ):
            protocol = BinanceProtocol(MARKETS["spot"], ("BTCUSDT",), base=base)
            assert protocol.url.startswith(f"{base.rstrip('/')}/stream?streams=btcusdt@bookTicker/")
            [fetch] = hear(protocol, depth(first=1, last=2), 0.0)
            assert fetch.url == f"{pages}/api/v3/depth?symbol=BTCUSDT&limit=1000"

    def test_without_depth_and_of_several_symbols(self):
        protocol = BinanceProtocol(MARKETS["spot"], ("BTCUSDT", "BTCUSDC"), depth=False)
        assert protocol.url.endswith(
            "?streams=btcusdt@bookTicker/btcusdt@trade/btcusdc@bookTicker/btcusdc@trade"
        )


class TestPages:
    def test_fetched_when_the_first_change_has_come_and_not_before(self, protocol):
        assert list(protocol.timer(1.0)) == []
        [emit] = hear(protocol, best_quote(), 1.0)
        assert isinstance(emit, Emit)
        assert hear(protocol, depth(first=11, last=20), 1.0) == [PAGE]
        assert hear(protocol, depth(first=21, last=30), 1.1) == []
        assert list(protocol.timer(2.0)) == []
        assert list(protocol.fetched("BTCUSDT", page(last=15), NS, 2.0)) == []
        assert protocol.feed.books["BTCUSDT"].book.change_id == 30
        assert list(protocol.timer(3.0)) == []

    def test_one_that_cannot_be_had_is_asked_for_again_after_longer_and_longer(self, protocol):
        now, pauses = 0.0, []
        assert hear(protocol, depth(first=11, last=20), now) == [PAGE]
        for _ in range(9):
            assert list(protocol.fetched("BTCUSDT", None, NS, now)) == []
            failed = now
            while not (actions := list(protocol.timer(now))):
                now += 0.25
                hear(protocol, best_quote(), now)
            assert actions == [PAGE]
            pauses.append(now - failed)
        assert pauses == [FIRST_PAUSE * 2**i for i in range(6)] + [LONGEST_PAUSE] * 3
        assert protocol.dropped["page-unreachable"] == 9

    def test_one_that_never_comes_is_given_up(self, protocol):
        hear(protocol, depth(first=11, last=20), 0.0)
        hear(protocol, best_quote(), PAGE_DEADLINE)
        assert list(protocol.timer(PAGE_DEADLINE)) == []
        assert list(protocol.timer(PAGE_DEADLINE + 0.5)) == []
        assert list(protocol.timer(PAGE_DEADLINE + 1.5)) == [PAGE]
        assert protocol.dropped == {"page-unreachable": 1}

    def test_an_old_or_wrong_one_is_fetched_again(self, protocol):
        hear(protocol, depth(first=11, last=20), 0.0)
        assert list(protocol.fetched("BTCUSDT", page(last=5), NS, 1.0)) == []
        assert list(protocol.timer(2.0)) == [PAGE]
        assert list(protocol.fetched("BTCUSDT", b"<html>", NS, 3.0)) == []
        assert list(protocol.timer(5.0)) == [PAGE]
        assert list(protocol.fetched("BTCUSDT", page(last=15), NS, 6.0)) == []
        assert protocol.dropped == {"page-old": 1, "page-refused": 1}

    def test_a_gap_fetches_a_new_one_at_once(self, protocol):
        hear(protocol, depth(first=11, last=20), 0.0)
        list(protocol.fetched("BTCUSDT", page(last=15), NS, 1.0))
        assert hear(protocol, depth(first=22, last=30), 2.0) == [PAGE]
        assert protocol.gaps == 1

    def test_gaps_without_end_fetch_pages_in_measure(self, protocol):
        first, fetched, now = 11, [], 0.0
        while now < 600.0:
            # Every message is a gap, and every page fits: no page is refused, and yet no book is of any use.
            if PAGE in hear(protocol, depth(first=first, last=first + 1), now):
                fetched.append(now)
                assert list(protocol.fetched("BTCUSDT", page(last=first), NS, now)) == []
            first, now = first + 10, now + 0.1
        assert 5 <= len(fetched) < 20
        quiet = now + 10 * LONGEST_PAUSE
        assert PAGE in hear(protocol, depth(first=first, last=first + 1), quiet)
        assert list(protocol.fetched("BTCUSDT", page(last=first), NS, quiet)) == []
        assert hear(protocol, depth(first=first + 10, last=first + 11), quiet + FIRST_PAUSE) == [PAGE]

    def test_an_answer_to_no_question_is_ignored(self, protocol):
        hear(protocol, depth(first=11, last=20), 0.0)
        assert list(protocol.fetched("BTCUSDT", page(last=15), NS, 1.0)) == []
        assert list(protocol.fetched("BTCUSDT", page(last=15, bids=[]), NS, 1.0)) == []
        assert list(protocol.fetched("ETHUSDT", page(last=15), NS, 1.0)) == []
        assert protocol.feed.books["BTCUSDT"].book.bids(1) == ((60000.1, 2.0),)

    def test_a_new_connection_begins_anew(self, protocol):
        hear(protocol, depth(first=11, last=20), 0.0)
        list(protocol.fetched("BTCUSDT", None, NS, 1.0))
        assert list(protocol.connected(1.1)) == []
        assert hear(protocol, depth(first=31, last=40), 1.2) == [PAGE]


def test_silence_ends_the_connection(protocol):
    hear(protocol, best_quote(), 10.0)
    assert list(protocol.timer(10.0 + SILENCE)) == []
    [action] = protocol.timer(10.1 + SILENCE)
    assert isinstance(action, Disconnect)
    assert list(protocol.connected(100.0)) == []
    assert list(protocol.timer(101.0)) == []


class TestEndpoints:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("BTCUSDT", [("spot", "BTCUSDT"), ("usdm", "BTCUSDT"), ("coinm", "BTCUSD_PERP")]),
            ("BTCUSDC", [("spot", "BTCUSDC")]),
            ("BTCUSD_PERP", [("coinm", "BTCUSD_PERP")]),
            ("usdm/ETHUSDT", [("usdm", "ETHUSDT")]),
            ("spot/BTCUSDT,coinm/BTCUSD_261225", [("spot", "BTCUSDT"), ("coinm", "BTCUSD_261225")]),
        ],
    )
    def test_forms(self, text, expected):
        endpoints = parse_endpoints(text)
        assert [(e.market.name, e.symbol) for e in endpoints] == expected
        assert all(e.base is None for e in endpoints)

    def test_an_address_is_of_one_market(self):
        assert [(e.market.name, e.base) for e in parse_endpoints("BTCUSDT@wss://a.example")] == [
            ("spot", "wss://a.example")
        ]
        both = parse_endpoints("usdm/BTCUSDT@ws://127.0.0.1:1,BTCUSD_PERP@ws://[::1]:2")
        assert [(e.market.name, e.base) for e in both] == [
            ("usdm", "ws://127.0.0.1:1"),
            ("coinm", "ws://[::1]:2"),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            ",",
            "btcusdt",
            "BTCUSDT,",
            "margin/BTCUSDT",
            "spot/",
            "BTCUSDT@",
            "BTCUSDT@http://x",
            "BTCUSDT@wss://a b",
            "BTC USDT",
            "BTCUSDT\n",
        ],
    )
    def test_what_is_no_form(self, text):
        assert parse_endpoints(text) is None

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("BTCUSDT,ETHUSDT", "several coins"),
            ("BTCUSDT,usdm/BTCUSDT", "twice"),
            ("spot/BTCUSDT,spot/BTCUSDT@wss://mirror.example", "twice"),
            ("BTCUSDT@ws://mirror.example", "not encrypted"),
            ("BTCUSDT@ws://127.0.0.1.evil.example", "not encrypted"),
            ("BTCUSDT@ws://localhost@evil.example", "not encrypted"),
            ("BTCUSDT@ws://[x", "no WebSocket URL"),
            ("BTCUSDT@wss://[x", "no WebSocket URL"),
            ("BTCUSDT@wss://a.example:99999", "no WebSocket URL"),
        ],
    )
    def test_what_must_not_be(self, text, match):
        with pytest.raises(MarketDataError, match=match) as caught:
            parse_endpoints(text)
        assert caught.value.reason is Reason.CONFIG_INVALID
        assert caught.value.remedy
