"""A Binance book kept in step with the venue: a stream of changes, and a page fetched beside it.

The stream has no snapshot, so that the book begins with a page over REST, taken while changes already come in and are
kept; the first change after the page must reach back to it (`U <= lastUpdateId + 1 <= u` on spot). From there on every
change must follow on the one before: `U = u' + 1` on spot, `pu = u'` on futures. Source: Binance's API documentation,
"How to manage a local order book correctly". Here both rules are one, with spot's `U - 1` for `previous_id`.

Futures' ids also count what is in no message of the symbol, and a page can have an id in such a hole. So the change
that joins must reach back to the page (`pu <= lastUpdateId`), where the documentation asks for more (`U <=`), would
refuse the page for nothing and fetch another. Amounts are absolute: what is applied twice does no harm.
"""

from collections import deque
from enum import StrEnum
from typing import Final

import msgspec

from mpc_party.market.venues.book import BookError, BookGapError, PriceBook
from mpc_party.market.venues.events import BookChange, BookSnapshot

MAX_KEPT: Final = 1_000  # changes waiting for a page: 100 s of them
MAX_KEPT_LEVELS: Final = 200_000


class BookState(StrEnum):
    """How far a book can be trusted."""

    WAITING = "waiting"  # empty, until a page has come
    PARTIAL = (
        "partial"  # only the levels that have changed since it began: what it shows is right, but not all
    )
    COMPLETE = "complete"  # the page's levels, and every change since


class DepthBook:
    """The book of one symbol.

    Attributes:
        book: the levels; empty while `state` is waiting.
        state: see `BookState`.
    """

    __slots__ = ("_joined", "_kept", "_kept_levels", "_partial", "book", "state")

    def __init__(self, *, partial: bool = False) -> None:
        """Begin.

        Args:
            partial: show what changes alone tell until a page comes; for captures, which may have none.
        """
        self.book = PriceBook()
        self.state = BookState.WAITING
        self._partial = partial
        self._joined = False
        self._kept: deque[BookChange] = deque()
        self._kept_levels = 0

    @property
    def pending(self) -> bool:
        """Whether changes are kept for a page."""
        return bool(self._kept)

    def change(self, change: BookChange) -> bool:
        """Take a change, `previous_id` set; False when it has been taken before.

        Raises:
            BookGapError: it does not follow on the one before; the book waits for a new page.
            BookError: crossed, or too many levels; likewise.
        """
        if change.previous_id is None or change.previous_id > change.change_id:
            self._lose()
            raise BookError(f"{change.venue} {change.instrument}: a change with ids out of order")
        if self.state is BookState.COMPLETE:
            try:
                return self._follow(change)
            except BookError:
                self._lose()
                self._keep(change)
                raise
        if self._kept and change.change_id <= self._kept[-1].change_id:
            return False
        gap = bool(self._kept) and change.previous_id != self._kept[-1].change_id
        if gap:
            self._lose()
        self._keep(change)
        if self._partial:
            self._apply_partial(change)
        if gap:
            raise BookGapError(
                f"{change.venue} {change.instrument}: a change does not follow on the last one"
            )
        return True

    def page(self, snapshot: BookSnapshot) -> bool:
        """Take a page; False when it is older than the changes kept, and another one must be fetched.

        Raises:
            BookError: the page or a change kept is refused; the book waits for a new page.
        """
        if self.state is BookState.COMPLETE:
            return True
        newer = [change for change in self._kept if change.change_id > snapshot.change_id]
        if newer and (newer[0].previous_id or 0) > snapshot.change_id:
            return False
        try:
            self.book.load(snapshot)
            self._joined = False
            for change in newer:
                self._follow(change)
        except BookError:
            self._lose()
            raise
        self._forget()
        self.state = BookState.COMPLETE
        return True

    def drop(self) -> None:
        """Forget everything: a new connection, or changes lost."""
        self._lose()

    def _follow(self, change: BookChange) -> bool:
        if change.change_id <= self.book.change_id:
            return not self._joined  # the page has it; later, it has come twice
        if not self._joined:
            if (change.previous_id or 0) > self.book.change_id:
                raise BookGapError(
                    f"{change.venue} {change.instrument}: the page ends before the next change"
                )
            change = msgspec.structs.replace(change, previous_id=self.book.change_id)
            self._joined = True
        self.book.apply(change)
        return True

    def _apply_partial(self, change: BookChange) -> None:
        if self.state is BookState.WAITING:
            nothing = BookSnapshot(
                venue=change.venue,
                instrument=change.instrument,
                venue_ms=change.venue_ms,
                received_ns=change.received_ns,
                change_id=change.previous_id or 0,
                bids=(),
                asks=(),
            )
            self.book.load(nothing)
            self.state = BookState.PARTIAL
        try:
            self.book.apply(change)
        except BookError:
            self._lose()
            raise

    def _keep(self, change: BookChange) -> None:
        self._kept.append(change)
        self._kept_levels += _levels(change)
        while len(self._kept) > MAX_KEPT or self._kept_levels > MAX_KEPT_LEVELS:
            self._kept_levels -= _levels(self._kept.popleft())

    def _lose(self) -> None:
        self.book.drop()
        self.state = BookState.WAITING
        self._forget()

    def _forget(self) -> None:
        self._kept.clear()
        self._kept_levels = 0


def _levels(change: BookChange) -> int:
    return len(change.bids) + len(change.asks)
