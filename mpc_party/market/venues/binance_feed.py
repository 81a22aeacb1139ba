"""What Binance's streams mean: events out of messages, books kept in step, everything unusable counted by cause.

Pure: no requests and no clock but the time of receipt, so that a capture is read by the same code as the wire.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

from msgspec import Raw

from mpc_party.market.venues import binance_messages as wire
from mpc_party.market.venues import conventions as units
from mpc_party.market.venues.binance_book import BookState, DepthBook
from mpc_party.market.venues.binance_markets import Market
from mpc_party.market.venues.book import BookCrossedError, BookError, BookGapError
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.events import BookChange, BookSnapshot, Event, Level, TopOfBook, Trade

OLDEST = 60_000  # milliseconds between the venue's time and receipt, beyond which a message is stale
AHEAD = 5_000  # milliseconds by which the venue's clock may be ahead of ours
_MS = 1_000_000  # nanoseconds
_DECIMAL = r"\d{1,20}(?:\.\d{1,18})?"
_DECIMALS = re.compile(rf"{_DECIMAL}(?:,{_DECIMAL})*", re.ASCII)


class BinanceFeed:
    """The state of one connection to one market: books, and the last ids and times of each stream.

    Of a depth message nothing is emitted: it keeps a book, and tells whether messages were lost. Best quotes come from
    their own stream, which has every change of them.

    Attributes:
        dropped: what was not used, by cause: `malformed`, `unknown-stream`, `out-of-range`, `crossed`, `stale`,
            `future` (the two clocks disagree), `duplicate` (the ids of a trade or a depth message again, or lower ones), `out-of-order` (a best
            quote's id below the last), `not-market` (futures: transfers such as liquidations by the insurance fund),
            `book-gap`, `book-crossed`, `book-refused`, `page-refused`, `page-old`.
        gaps: breaks in the numbering of depth messages.
        trades_missed: ids of trades that never came.
        backwards: messages with a venue time before that of the stream's last; they are used, as ids order them.
        books: by symbol.
    """

    def __init__(self, market: Market, symbols: tuple[str, ...], *, partial: bool = False) -> None:
        """Begin.

        Args:
            market: the one market of the connection.
            symbols: in capitals, as the venue has them in payloads.
            partial: show books before their page has come; for captures.
        """
        self.market = market
        self.dropped: Counter[str] = Counter()
        self.gaps = 0
        self.trades_missed = 0
        self.backwards = 0
        self.books = {symbol: DepthBook(partial=partial) for symbol in symbols}
        self._last_id: dict[str, int] = {}
        self._last_ms: dict[str, int] = {}
        self._readers: dict[str, Callable[[str, Raw, int], Event | None]] = {
            "bookTicker": self._best_quote,
            "trade": self._trade,
            "depth": self._depth,
        }

    def restart(self) -> None:
        """A new connection: books begin anew, and so do ids, so that one absurd id does not outlive its connection."""
        for book in self.books.values():
            book.drop()
        self._last_id.clear()
        self._last_ms.clear()

    def message(self, data: bytes, received_ns: int) -> Event | None:
        """The event of one message of a combined stream, if it has one. Never raises: what is wrong is counted."""
        try:
            return self._read(data, received_ns)
        except _Unusable as unusable:
            self.dropped[unusable.cause] += 1
        except BookError as error:
            self._count(error)
        except ValueError:
            self.dropped["malformed"] += 1
        return None

    def page(self, symbol: str, data: bytes, received_ns: int) -> bool:
        """A book's REST page; False when another one must be fetched. Never raises: what is wrong is counted."""
        try:
            page = decode(wire.DEPTH_PAGE, data)
            snapshot = BookSnapshot(
                venue=self.market.venue,
                instrument=symbol,
                venue_ms=page.event_ms,
                received_ns=received_ns,
                change_id=page.last_id,
                bids=_levels(page.bids),
                asks=_levels(page.asks),
            )
        except (_Unusable, ValueError):
            self.dropped["page-refused"] += 1
            return False
        try:
            fits = self.books[symbol].page(snapshot)
        except BookError as error:
            self._count(error)
            return False
        if not fits:
            self.dropped["page-old"] += 1
        return fits

    def wants_page(self, symbol: str) -> bool:
        """Whether this book's changes come in and its page is missing."""
        book = self.books[symbol]
        return book.state is not BookState.COMPLETE and book.pending

    def _read(self, data: bytes, received_ns: int) -> Event | None:
        combined = decode(wire.COMBINED, data)
        name, _, rest = combined.stream.partition("@")
        symbol, reader = name.upper(), self._readers.get(rest.partition("@")[0])
        if reader is None or symbol not in self.books:
            raise _Unusable("unknown-stream")
        return reader(symbol, combined.data, received_ns)

    def _best_quote(self, symbol: str, data: Raw, received_ns: int) -> Event:
        quote = decode(wire.BEST_QUOTE, data)
        stream = f"{symbol}@bookTicker"
        self._check(stream, symbol, quote.symbol, quote.event_ms or None, received_ns)
        texts = (quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity)
        bid, bid_quantity, ask, ask_quantity = _numbers(texts)
        _check_ranges((bid, ask), (bid_quantity, ask_quantity))
        if bid >= ask:
            raise _Unusable("crossed")
        if quote.update_id < self._last_id.get(stream, 0):
            raise _Unusable("out-of-order")
        self._last_id[stream] = quote.update_id
        return TopOfBook(
            venue=self.market.venue,
            instrument=symbol,
            venue_ms=quote.event_ms,
            received_ns=received_ns,
            bid=bid,
            ask=ask,
            bid_amount=self.market.coin(symbol, bid_quantity, bid),
            ask_amount=self.market.coin(symbol, ask_quantity, ask),
            update_id=quote.update_id,
        )

    def _trade(self, symbol: str, data: Raw, received_ns: int) -> Event:
        trade = decode(wire.TRADED, data)
        stream = f"{symbol}@trade"
        self._check(stream, symbol, trade.symbol, trade.event_ms, received_ns)
        last = self._last_id.get(stream)
        if last is not None and trade.trade_id <= last:
            raise _Unusable("duplicate")
        if trade.execution != "MARKET":
            self._last_id[stream] = trade.trade_id
            raise _Unusable("not-market")
        price, quantity = _numbers((trade.price, trade.quantity))
        _check_ranges((price,), (quantity,))
        if last is not None:
            self.trades_missed += trade.trade_id - last - 1
        self._last_id[stream] = trade.trade_id
        return Trade(
            venue=self.market.venue,
            instrument=symbol,
            venue_ms=trade.event_ms,
            received_ns=received_ns,
            trade_id=str(trade.trade_id),
            price=price,
            amount=self.market.coin(symbol, quantity, price),
            buyer_initiated=not trade.buyer_is_maker,
        )

    def _depth(self, symbol: str, data: Raw, received_ns: int) -> None:
        update = decode(wire.DEPTH_UPDATE, data)
        self._check(f"{symbol}@depth", symbol, update.symbol, update.event_ms, received_ns)
        if self.market.chained and update.previous_id is None:
            raise _Unusable("malformed")
        taken = self.books[symbol].change(
            BookChange(
                venue=self.market.venue,
                instrument=symbol,
                venue_ms=update.event_ms,
                received_ns=received_ns,
                change_id=update.last_id,
                previous_id=update.previous_id if self.market.chained else update.first_id - 1,
                bids=_levels(update.bids),
                asks=_levels(update.asks),
            )
        )
        if not taken:
            raise _Unusable("duplicate")

    def _check(self, stream: str, symbol: str, named: str, event_ms: int | None, received_ns: int) -> None:
        """The checks of every message: it is the stream's symbol, and its time is about now."""
        if named != symbol:
            raise _Unusable("unknown-stream")
        if event_ms is None:
            return
        if not units.is_time(event_ms):
            raise _Unusable("out-of-range")
        age = received_ns // _MS - event_ms
        if age > OLDEST:
            raise _Unusable("stale")
        if age < -AHEAD:
            raise _Unusable("future")
        if event_ms < self._last_ms.get(stream, 0):
            self.backwards += 1
        self._last_ms[stream] = event_ms

    def _count(self, error: BookError) -> None:
        if isinstance(error, BookGapError):
            self.gaps += 1
            self.dropped["book-gap"] += 1
        else:
            self.dropped["book-crossed" if isinstance(error, BookCrossedError) else "book-refused"] += 1


class _Unusable(Exception):  # noqa: N818 - a cause to count, not an error
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _numbers(texts: Sequence[str]) -> list[float]:
    """Plain decimal numbers (`conventions.decimal`), checked all at once: depth messages have hundreds.

    Raises:
        ValueError: one of them is none.
    """
    if _DECIMALS.fullmatch(",".join(texts)) is None:
        raise ValueError("not a decimal number")
    return [float(text) for text in texts]  # "1,2" has passed till here, and does not get further


def _check_ranges(prices: tuple[float, ...], quantities: tuple[float, ...]) -> None:
    if not (all(map(units.is_price, prices)) and all(map(units.is_amount, quantities))):
        raise _Unusable("out-of-range")


def _levels(levels: list[tuple[str, str]]) -> tuple[Level, ...]:
    """Levels of a book, where a quantity of 0 removes one."""
    if not levels:
        return ()
    numbers = _numbers(list(chain.from_iterable(levels)))
    prices, quantities = numbers[::2], numbers[1::2]
    if not (
        units.is_price(min(prices))
        and units.is_price(max(prices))
        and max(quantities) <= units.HIGHEST_AMOUNT
    ):
        raise _Unusable("out-of-range")
    return tuple(zip(prices, quantities, strict=True))
