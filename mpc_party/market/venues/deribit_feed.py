"""What Deribit's notifications mean: events out of messages, books kept in step, everything unusable counted by cause.

Pure: no requests and no clock but the time of receipt, so that a capture is read by the same code as the wire.
"""

from collections import Counter
from collections.abc import Callable
from math import nan

from msgspec import Raw

from mpc_party.market.recorded import parse_instrument_name
from mpc_party.market.venues import conventions as units
from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.deribit_books import DeribitBooks
from mpc_party.market.venues.events import Event, IndexPrice, OptionTicker, TopOfBook, Trade

VENUE = "deribit"
OLDEST_MS = 60_000  # between the venue's time and receipt; beyond, a message is stale
AHEAD_MS = 5_000  # by which the venue's clock may be ahead of ours
MAX_REMEMBERED = 20_000  # instruments of which a time or a trade is remembered


class DeribitFeed:
    """The state that notifications need: books, and what was last heard of each instrument.

    Args:
        known: which instruments are expected; None expects all.

    Attributes:
        dropped: what was not used, by cause: `malformed`, `unknown-channel`, `unknown-instrument`, `out-of-range`,
            `not-open`, `crossed`, `stale`, `future` (the two clocks disagree), `out-of-order`, `duplicate`,
            `book-gap`, `book-crossed`, `book-refused`, `book-waiting` (changes until the new snapshot).
        books: the books, and which of them need a new subscription.
    """

    def __init__(self, known: Callable[[str], bool] | None = None) -> None:
        self.dropped: Counter[str] = Counter()
        self.books = DeribitBooks(self.dropped)
        self._known = known
        self._last_ms: dict[str, int] = {}
        self._last_trade: dict[str, int] = {}
        self._options: dict[str, bool] = {}

    def restart(self) -> None:
        """A new connection: books start from new snapshots. Times and trades already seen stay seen."""
        self.books.restart()

    def notification(self, channel: str, data: Raw, received_ns: int) -> list[Event]:
        """The events of one notification. Never raises: what is wrong is counted."""
        kind, _, rest = channel.partition(".")
        subject = rest.rpartition(".")[0]  # without the interval
        try:
            if kind == "ticker":
                return [self._ticker(subject, decode(wire.TICKER, data), received_ns)]
            if kind == "trades":
                return self._trades(subject, decode(wire.TRADES, data), received_ns)
            if kind == "book":
                return self._book(channel, subject, data, received_ns)
            if kind == "deribit_price_index":
                return [self._index(rest, decode(wire.INDEX, data), received_ns)]
            self.dropped["unknown-channel"] += 1
        except _Unusable as unusable:
            self.dropped[unusable.cause] += 1
        except ValueError:
            self.dropped["malformed"] += 1
        return []

    def _ticker(self, subject: str, ticker: wire.Ticker, received_ns: int) -> OptionTicker:
        self._check_name(subject, ticker.instrument_name)
        if not self._is_option(subject):
            raise _Unusable("unknown-instrument")
        if ticker.state != "open":
            raise _Unusable("not-open")
        _check_time(ticker.timestamp, received_ns)
        try:
            bid, bid_amount = units.option_quote(ticker.best_bid_price, ticker.best_bid_amount)
            ask, ask_amount = units.option_quote(ticker.best_ask_price, ticker.best_ask_amount)
        except ValueError:
            raise _Unusable("out-of-range") from None
        forward = ticker.underlying_price or 0.0
        vol = units.percent_to_fraction(ticker.mark_iv) if ticker.mark_iv else None
        if not units.is_price(forward) or not units.is_price(ticker.index_price):
            raise _Unusable("out-of-range")
        if vol is not None and not units.is_vol(vol):
            raise _Unusable("out-of-range")
        if bid > ask:
            raise _Unusable("crossed")
        if ticker.timestamp < self._last_ms.get(subject, 0):
            raise _Unusable("out-of-order")
        _remember(self._last_ms, subject, ticker.timestamp)
        return OptionTicker(
            venue=VENUE,
            instrument=subject,
            venue_ms=ticker.timestamp,
            received_ns=received_ns,
            underlying_price=forward,
            index_price=ticker.index_price,
            bid=bid,
            ask=ask,
            bid_amount=bid_amount,
            ask_amount=ask_amount,
            mark_vol=nan if vol is None else vol,
        )

    def _trades(self, subject: str, trades: list[wire.Traded], received_ns: int) -> list[Event]:
        events: list[Event] = []
        for trade in trades:
            try:
                events.append(self._trade(subject, trade, received_ns))
            except _Unusable as unusable:  # one bad trade does not spoil the others
                self.dropped[unusable.cause] += 1
        return events

    def _trade(self, subject: str, trade: wire.Traded, received_ns: int) -> Trade:
        name = trade.instrument_name
        # The channel is one instrument's, or `option.CURRENCY`: of all options of the currency, also the new ones.
        if subject.startswith("option."):
            if not name.startswith(f"{subject.removeprefix('option.')}-") or not self._is_option(name):
                raise _Unusable("unknown-instrument")
        else:
            self._check_name(subject, name)
        _check_time(trade.timestamp, received_ns)
        highest = units.HIGHEST_OPTION_PRICE if self._is_option(name) else units.HIGHEST_PRICE
        if not 0 < trade.price <= highest or not units.is_amount(trade.amount):
            raise _Unusable("out-of-range")
        if trade.trade_seq <= self._last_trade.get(name, -1):
            raise _Unusable("duplicate")
        _remember(self._last_trade, name, trade.trade_seq)
        return Trade(
            venue=VENUE,
            instrument=name,
            venue_ms=trade.timestamp,
            received_ns=received_ns,
            trade_id=trade.trade_id,
            price=trade.price,
            amount=self._coin(name, trade.amount, trade.price),
            buyer_initiated=trade.direction == "buy",
        )

    def _index(self, subject: str, index: wire.Index, received_ns: int) -> IndexPrice:
        if index.index_name != subject:
            raise _Unusable("unknown-instrument")
        _check_time(index.timestamp, received_ns)
        if not units.is_price(index.price):
            raise _Unusable("out-of-range")
        return IndexPrice(
            venue=VENUE,
            instrument=subject,
            venue_ms=index.timestamp,
            received_ns=received_ns,
            price=index.price,
        )

    def _book(self, channel: str, subject: str, data: Raw, received_ns: int) -> list[Event]:
        self._check_name(subject, subject)
        # No check of age: the snapshot of a quiet book is as old as its last change, and is right.
        taken = self.books.take(channel, subject, data, received_ns)
        if taken is None:
            return []
        ((bid, bid_amount), (ask, ask_amount)), message = taken
        return [
            TopOfBook(
                venue=VENUE,
                instrument=subject,
                venue_ms=message.timestamp,
                received_ns=received_ns,
                bid=bid,
                ask=ask,
                bid_amount=self._coin(subject, bid_amount, bid),
                ask_amount=self._coin(subject, ask_amount, ask),
                update_id=message.change_id,
            )
        ]

    def _check_name(self, subject: str, name: str) -> None:
        """What a message says it is of must be what its channel is of, and expected."""
        if name != subject or (self._known is not None and not self._known(subject)):
            raise _Unusable("unknown-instrument")

    def _is_option(self, name: str) -> bool:
        known = self._options.get(name)
        if known is None:
            try:
                parse_instrument_name(name)
            except ValueError:
                known = False
            else:
                known = True
            if len(self._options) < MAX_REMEMBERED:
                self._options[name] = known
        return known

    def _coin(self, name: str, amount: float, price: float) -> float:
        """Amounts of options and of linear contracts (`BTC_USDC-...`) are coin, those of inverse contracts USD."""
        return amount if self._is_option(name) or "_" in name else units.usd_to_coin(amount, price)


class _Unusable(Exception):  # noqa: N818 - counted where it is caught, and never seen outside
    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def _check_time(venue_ms: int, received_ns: int) -> None:
    if not units.is_time(venue_ms):
        raise _Unusable("out-of-range")
    age = received_ns // 1_000_000 - venue_ms
    if age > OLDEST_MS:
        raise _Unusable("stale")
    if age < -AHEAD_MS:
        raise _Unusable("future")


def _remember(memory: dict[str, int], name: str, value: int) -> None:
    """Options are listed and expire for as long as the program runs: the one unheard of for longest is forgotten."""
    memory.pop(name, None)
    memory[name] = value
    if len(memory) > MAX_REMEMBERED:
        del memory[next(iter(memory))]
