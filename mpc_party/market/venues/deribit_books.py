"""Deribit's books, kept in step: a snapshot, then changes that each name the one before."""

from collections import Counter

from msgspec import Raw

from mpc_party.market.venues import conventions as units
from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.book import BookCrossedError, BookError, BookGapError, PriceBook
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.events import BookChange, BookSnapshot, Level

MAX_BOOKS = 2_000

Top = tuple[Level, Level]  # best bid, best ask


class DeribitBooks:
    """Books by instrument.

    A book with which anything is wrong is empty and waits for a new snapshot; its channel stands in `broken` until
    whoever sends the requests takes it out.

    Attributes:
        books: by instrument; use one only while it is `usable`.
        broken: channels that need a new subscription.
        gaps: changes that did not follow on the one before.
    """

    def __init__(self, dropped: Counter[str]) -> None:
        self.books: dict[str, PriceBook] = {}
        self.broken: set[str] = set()
        self.gaps = 0
        self._dropped = dropped
        self._waiting: set[str] = set()

    def restart(self) -> None:
        """Forget everything: on a new connection every book starts from a snapshot."""
        self.books.clear()
        self.broken.clear()
        self._waiting.clear()

    def take(
        self, channel: str, instrument: str, data: Raw, received_ns: int
    ) -> tuple[Top, wire.Book] | None:
        """Take one notification of `channel`; returns best bid and ask where they have changed and both are there."""
        book = self.books.get(instrument)
        if book is None:
            if len(self.books) >= MAX_BOOKS:
                self._dropped["unknown-instrument"] += 1
                return None
            book = self.books[instrument] = PriceBook()
        before = _top(book)
        try:
            message = _decode(instrument, data)
            if message.type == "snapshot":
                book.load(_snapshot(message, received_ns))
                self._waiting.discard(instrument)
            elif instrument in self._waiting:
                self._dropped["book-waiting"] += 1
                return None
            else:
                book.apply(_change(message, received_ns))
        except (BookError, ValueError) as error:
            # Whatever it was, this book now lacks a message.
            self._refuse(channel, instrument, book, error)
            return None
        after = _top(book)
        return None if after is None or after == before else (after, message)

    def _refuse(self, channel: str, instrument: str, book: PriceBook, error: Exception) -> None:
        book.drop()
        if isinstance(error, BookGapError):
            self.gaps += 1
            cause = "book-gap"
        else:
            cause = "book-crossed" if isinstance(error, BookCrossedError) else "book-refused"
        self._dropped[cause] += 1
        self._waiting.add(instrument)
        self.broken.add(channel)


def _decode(instrument: str, data: Raw) -> wire.Book:
    message = decode(wire.BOOK, data)
    if message.instrument_name != instrument or not units.is_time(message.timestamp):
        raise ValueError("another instrument's book, or of no time")
    return message


def _snapshot(message: wire.Book, received_ns: int) -> BookSnapshot:
    return BookSnapshot(
        venue="deribit",
        instrument=message.instrument_name,
        venue_ms=message.timestamp,
        received_ns=received_ns,
        change_id=message.change_id,
        bids=_levels(message.bids),
        asks=_levels(message.asks),
    )


def _change(message: wire.Book, received_ns: int) -> BookChange:
    return BookChange(
        venue="deribit",
        instrument=message.instrument_name,
        venue_ms=message.timestamp,
        received_ns=received_ns,
        change_id=message.change_id,
        # A change that names no predecessor follows on nothing.
        previous_id=-1 if message.prev_change_id is None else message.prev_change_id,
        bids=_levels(message.bids),
        asks=_levels(message.asks),
    )


def _levels(levels: list[tuple[wire.Action, float, float]]) -> tuple[Level, ...]:
    read = []
    for action, price, amount in levels:
        if not units.is_price(price) or (action != "delete" and not units.is_amount(amount)):
            raise ValueError("a level with a price or an amount out of range")
        read.append((price, 0.0 if action == "delete" else amount))
    return tuple(read)


def _top(book: PriceBook) -> Top | None:
    bids, asks = book.bids(1), book.asks(1)
    return (bids[0], asks[0]) if bids and asks else None
