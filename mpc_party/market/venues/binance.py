"""Binance's side of a connection: which streams to open, when to fetch a book's page, when to give up. Pure."""

from collections.abc import Iterator
from typing import Final

from mpc_party.market.venues.binance_feed import BinanceFeed
from mpc_party.market.venues.binance_markets import Market
from mpc_party.market.venues.connection import Action, Disconnect, Emit, Fetch

PAGE_LEVELS: Final = 1_000
SILENCE: Final = (
    30.0  # seconds without a message: a liquid symbol's best quote changes several times a second
)
PAGE_DEADLINE: Final = 20.0  # seconds, longer than a fetch takes to fail
FIRST_PAUSE: Final = (
    1.0  # seconds between a page and the next; doubles each time, until none is needed for a while
)
LONGEST_PAUSE: Final = 60.0


class BinanceProtocol:
    """One connection to one market: the combined stream of best quotes, trades and depth of its symbols.

    Binance ends a connection after 24 hours, and the connection comes back by itself. The book's page is fetched when
    the first change has come, as it must not be older than the changes; while there is none, events go on.

    Attributes:
        feed: what the messages mean, and the books.
        url: of the combined stream.
        dropped: what was not used, by cause (`BinanceFeed`), and `page-unreachable`.
        gaps: breaks in the numbering of depth messages.
    """

    def __init__(
        self,
        market: Market,
        symbols: tuple[str, ...],
        *,
        base: str | None = None,
        depth: bool = True,
    ) -> None:
        """Begin.

        Args:
            market: the one market of the connection.
            symbols: in capitals.
            base: `wss://` or `ws://` address instead of the market's own, without the path; pages are then fetched
                from the same host over https or http.
            depth: whether to keep books.
        """
        kinds = ("bookTicker", "trade", "depth@100ms") if depth else ("bookTicker", "trade")
        streams = "/".join(f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds)
        self.feed = BinanceFeed(market, symbols)
        self.dropped = self.feed.dropped
        self.gaps = 0
        self.url = f"{(base or market.stream_base).rstrip('/')}/stream?streams={streams}"
        # ws -> http, wss -> https
        self._pages = market.page_base if base is None else base.rstrip("/").replace("ws", "http", 1)
        self._last_message = 0.0
        self._asked: dict[str, float] = {}  # symbol -> when a page was asked for, and has not come yet
        self._not_before: dict[str, float] = {}
        self._pause: dict[str, float] = {}

    def connected(self, now: float) -> Iterator[Action]:
        """Streams are named in the address: there is nothing to send."""
        self.feed.restart()
        self._last_message = now
        for pending in (self._asked, self._not_before, self._pause):
            pending.clear()
        return iter(())

    def message(self, data: bytes, received_ns: int, now: float) -> Iterator[Action]:
        """Never raises, whatever it is."""
        self._last_message = now
        event = self.feed.message(data, received_ns)
        self.gaps = self.feed.gaps
        if event is not None:
            yield Emit(event)
        else:
            yield from self._fetches(now)

    def fetched(self, tag: str, body: bytes | None, received_ns: int, now: float) -> Iterator[Action]:
        """A page, or None where it could not be had."""
        if self._asked.pop(tag, None) is None:
            return
        if body is None:
            self.dropped["page-unreachable"] += 1
        else:
            self.feed.page(tag, body, received_ns)
        self._wait(tag, now)
        yield from self._fetches(now)

    def timer(self, now: float) -> Iterator[Action]:
        """Deadlines."""
        for symbol in [symbol for symbol, asked in self._asked.items() if now - asked > PAGE_DEADLINE]:
            del self._asked[symbol]
            self.dropped["page-unreachable"] += 1
            self._wait(symbol, now)
        if now - self._last_message > SILENCE:
            yield Disconnect(f"nothing heard for {SILENCE:.0f} s")
        else:
            yield from self._fetches(now)

    def _fetches(self, now: float) -> Iterator[Action]:
        for symbol in self.feed.books:
            if symbol in self._asked or now < self._not_before.get(symbol, 0.0):
                continue
            if self.feed.wants_page(symbol):
                self._asked[symbol] = now
                path = f"{self.feed.market.page_path}?symbol={symbol}&limit={PAGE_LEVELS}"
                yield Fetch(symbol, f"{self._pages}{path}")

    def _wait(self, symbol: str, now: float) -> None:
        """Pages are rationed by the venue: pause before the next, longer each time, also where they fit.

        A book whose messages never go on from each other would else have a page fetched for every one of them.
        """
        if now - self._not_before.get(symbol, now) > LONGEST_PAUSE:  # the last page has served for a while
            self._pause.pop(symbol, None)
        pause = self._pause.get(symbol, FIRST_PAUSE)
        self._not_before[symbol] = now + pause
        self._pause[symbol] = min(2 * pause, LONGEST_PAUSE)
