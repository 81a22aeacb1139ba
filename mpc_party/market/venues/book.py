"""One instrument's book of price levels: a snapshot, then changes that give levels their new amounts."""

from bisect import bisect_left

from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.events import BookChange, BookSnapshot, Level
from mpc_party.protocol.errors import Reason

MAX_LEVELS = 20_000  # a side


class BookError(MarketDataError):
    """A book can no longer be what the venue has; it is empty until the next snapshot."""

    default_reason = Reason.MARKET_DATA_INVALID


class BookGapError(BookError):
    """A change does not follow on the one before: something was lost in between."""


class BookCrossedError(BookError):
    """The best bid would be at or above the best ask."""


class PriceBook:
    """The book of one instrument.

    It is usable from a snapshot on until something is refused. Whatever is refused empties it, as a book that is
    wrong somewhere cannot be told from one that is right; the way back is a new snapshot.

    Attributes:
        usable: whether the book is the venue's as of `change_id`.
        change_id: of the last snapshot or change that was taken.
    """

    __slots__ = ("_asks", "_bids", "change_id", "usable")

    def __init__(self) -> None:
        self._bids = _Side(-1.0)
        self._asks = _Side(1.0)
        self.usable = False
        self.change_id = 0

    def load(self, snapshot: BookSnapshot) -> None:
        """Take a snapshot in place of everything known.

        Raises:
            BookError: it is crossed, has a level twice or one without an amount, or too many.
        """
        self.drop()
        for levels in (snapshot.bids, snapshot.asks):
            if any(not amount > 0 for _, amount in levels) or len({price for price, _ in levels}) != len(
                levels
            ):
                raise BookError(f"{_name(snapshot)}: a snapshot with a level that is empty or there twice")
        for side, levels in ((self._bids, snapshot.bids), (self._asks, snapshot.asks)):
            for price, amount in levels:
                side.set(price, amount)
        self._check(snapshot)
        self.change_id, self.usable = snapshot.change_id, True

    def apply(self, change: BookChange) -> None:
        """Take a change. Removing a level that is not there changes nothing: venues do send that.

        Raises:
            BookGapError: the change does not follow on `change_id`, or there has been no snapshot.
            BookCrossedError: best bid and ask would meet or cross.
            BookError: too many levels.
        """
        if not self.usable:
            raise BookGapError(f"{_name(change)}: a change of a book without a snapshot")
        if change.previous_id is not None and change.previous_id != self.change_id:
            known = self.change_id
            self.drop()
            raise BookGapError(
                f"{_name(change)}: a change follows on {change.previous_id}, the last one taken is {known}",
                remedy="subscribe again for a new snapshot",
            )
        for price, amount in change.bids:
            self._bids.set(price, amount)
        for price, amount in change.asks:
            self._asks.set(price, amount)
        self._check(change)
        self.change_id = change.change_id

    def drop(self) -> None:
        """Forget everything until the next snapshot."""
        self.usable, self.change_id = False, 0
        self._bids.clear()
        self._asks.clear()

    def bids(self, count: int | None = None) -> tuple[Level, ...]:
        """The best `count` bids (all where None), highest price first."""
        return self._bids.best(count)

    def asks(self, count: int | None = None) -> tuple[Level, ...]:
        """The best `count` asks (all where None), lowest price first."""
        return self._asks.best(count)

    def imbalance(self, count: int) -> float | None:
        """(bid - ask) / (bid + ask) of the amounts on the best `count` levels a side: in [-1, 1].

        None where the book is not usable or both sides are empty.
        """
        bid, ask = (sum(amount for _, amount in levels) for levels in (self.bids(count), self.asks(count)))
        return (bid - ask) / (bid + ask) if bid + ask > 0 else None

    def _check(self, event: BookSnapshot | BookChange) -> None:
        bids, asks = self.bids(1), self.asks(1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            self.drop()
            raise BookCrossedError(
                f"{_name(event)}: the best bid {bids[0][0]} is not below the best ask {asks[0][0]}",
                remedy="subscribe again for a new snapshot",
            )
        if max(len(self._bids), len(self._asks)) > MAX_LEVELS:
            self.drop()
            raise BookError(f"{_name(event)}: more than {MAX_LEVELS} levels on a side")


class _Side:
    """Amounts by price, with the prices in order: a dict and a sorted list of `sign` * price, the best first.

    Inserting into the list moves memory, which for the few thousand levels of a real book takes less than a tree.
    """

    __slots__ = ("_amounts", "_order", "_sign")

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self._amounts: dict[float, float] = {}
        self._order: list[float] = []

    def __len__(self) -> int:
        return len(self._order)

    def set(self, price: float, amount: float) -> None:
        known = price in self._amounts
        if amount > 0:
            if not known:
                key = self._sign * price
                self._order.insert(bisect_left(self._order, key), key)
            self._amounts[price] = amount
        elif known:
            del self._order[bisect_left(self._order, self._sign * price)]
            del self._amounts[price]

    def best(self, count: int | None) -> tuple[Level, ...]:
        prices = (self._sign * key for key in self._order[:count])
        return tuple((price, self._amounts[price]) for price in prices)

    def clear(self) -> None:
        self._amounts.clear()
        self._order.clear()


def _name(event: BookSnapshot | BookChange) -> str:
    return f"{event.venue} {event.instrument}"
