"""A Binance capture as events: one market, its symbols found from the messages themselves."""

from collections.abc import Generator
from typing import Final

import msgspec

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues import binance_messages as wire
from mpc_party.market.venues.binance_feed import BinanceFeed
from mpc_party.market.venues.binance_markets import MARKETS, Market, is_symbol
from mpc_party.market.venues.capture import Capture, CaptureFormat
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.events import Event

MAX_NOTED: Final = 20  # lines that did not decode
_PEEK: Final = 2_000  # messages looked at for the market and its symbols


class BinanceCapture:
    """One reading of a capture, from its first line to its last.

    A page of a book stands in a capture without a symbol; it is used where the capture has one symbol only, and until
    it comes the book is partial.

    Attributes:
        feed: what the messages mean, with its counters and its books as of the last event.
        messages: how many have been read.
        malformed: the first lines whose messages did not decode.
    """

    def __init__(self, capture: Capture) -> None:
        """Find the market and the symbols; they are looked for in the first 2,000 messages.

        Raises:
            MarketDataError: not a capture of Binance's combined streams.
        """
        self._capture = capture
        counts = capture.counts.copy()
        market, symbols = _contents(capture)
        capture.counts = counts  # this look is no reading
        self.feed = BinanceFeed(market, symbols, partial=True)
        self.messages = 0
        self.malformed: list[int] = []

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols, in capitals."""
        return tuple(self.feed.books)

    def events(self) -> Generator[Event, None, None]:
        """The events, ascending by time of receipt; to be iterated once, and closed where it is left early.

        Raises:
            MarketDataError: the file is damaged, or a line breaks the format.
        """
        dropped = self.feed.dropped
        for line, received_ns, data in self._capture.messages():
            self.messages += 1
            malformed = dropped["malformed"]
            if data.startswith(b'{"lastUpdateId"'):
                if len(self.symbols) == 1:
                    self.feed.page(self.symbols[0], data, received_ns)
                else:
                    dropped["page-refused"] += 1
                continue
            event = self.feed.message(data, received_ns)
            if dropped["malformed"] > malformed and len(self.malformed) < MAX_NOTED:
                self.malformed.append(line)
            if event is not None:
                yield event


class _Payload(msgspec.Struct, gc=False):
    """What tells the markets apart."""

    pu: object = None  # futures' depth
    X: object = None  # futures' trades
    E: object = None  # futures' best quotes; spot's have no time


def _contents(capture: Capture) -> tuple[Market, tuple[str, ...]]:
    symbols: dict[str, None] = {}
    market: Market | None = None
    messages = capture.messages() if capture.format is CaptureFormat.BINANCE else iter(())
    for message, _ in zip(messages, range(_PEEK), strict=False):
        try:
            combined = decode(wire.COMBINED, message.data)
            name, _, kind = combined.stream.partition("@")
            symbol = name.upper()
            if not is_symbol(symbol):
                continue
            payload = msgspec.json.decode(combined.data, type=_Payload)
        except (ValueError, RecursionError):
            continue
        symbols[symbol] = None
        if "_" in symbol:
            market = MARKETS["coinm"]
        elif kind.startswith("depth"):
            market = MARKETS["usdm" if payload.pu is not None else "spot"]
        elif kind == "trade":
            market = MARKETS["usdm" if payload.X is not None else "spot"]
        elif kind == "bookTicker":
            market = MARKETS["usdm" if payload.E is not None else "spot"]
    if market is None:
        raise MarketDataError(
            f"{capture.path}: holds no best quotes, trades or depth of Binance",
            remedy="give a raw capture of Binance's combined streams",
        )
    return market, tuple(symbols)
