"""Deribit's public WebSocket: which requests to send, and what to do about the answers.

Order on a new connection: heartbeats are asked for and the list of options fetched; then the tickers of all options,
the trades, the index and the books asked for are subscribed to in batches, one request under way at a time, which
keeps within the venue's allowance for requests. The list is fetched again now and then, as options are listed and
expire. The channels are the 100 ms ones: `raw` ones need an account.

Source: Deribit's API documentation (v2.1.1): `public/set_heartbeat`, `public/test`, `public/get_instruments`,
`public/subscribe`, `public/unsubscribe`.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from mpc_party.market.errors import MarketDataError
from mpc_party.market.recorded import parse_instrument_name
from mpc_party.market.venues import deribit_messages as wire
from mpc_party.market.venues.connection import Action, Disconnect, Emit, Send
from mpc_party.market.venues.decoding import decode
from mpc_party.market.venues.deribit_feed import DeribitFeed
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.files import one_line

DERIBIT_URL = "wss://www.deribit.com/ws/api/v2"
HEARTBEAT = 10  # seconds, the least that the venue takes
SILENCE = 25.0  # seconds without a message, heartbeats included, after which the connection is given up
ANSWER_DEADLINE = 15.0  # seconds
BATCH = 200  # channels in one request
REFRESH = 600.0  # seconds between two looks at the list of options
BOOK_PATIENCE = 10.0  # seconds to a book's new snapshot, before it is asked for again
MAX_OPTIONS = 5_000

_CURRENCY = re.compile(r"[A-Z0-9]{2,11}\Z", re.ASCII)
_KNOWN_ERRORS = {
    10028: "too many requests",
    10047: "matching engine overloaded",
    11029: "invalid arguments",
    11050: "bad request",
    11051: "in maintenance",
    13009: "unauthorized",
    13888: "timed out at the venue",
    -32600: "invalid request",
    -32601: "method not found",
    -32602: "invalid parameters",
    -32700: "not JSON",
}


class _Pending(NamedTuple):
    method: str
    deadline: float
    channels: tuple[str, ...]


class DeribitProtocol:
    """Pure protocol of one connection to Deribit after another (`connection.VenueProtocol`).

    Args:
        currency: of the options, as in their names: BTC, ETH.
        url: the venue's, or a test server's.
        books: instruments whose books are kept (they cost the most bytes by far).
        trades: instruments whose trades are subscribed to, besides those of all options.

    Raises:
        MarketDataError: no such currency can be.
    """

    def __init__(
        self,
        currency: str,
        *,
        url: str = DERIBIT_URL,
        books: tuple[str, ...] = (),
        trades: tuple[str, ...] = (),
    ) -> None:
        if _CURRENCY.match(currency) is None:
            raise MarketDataError(
                f"no currency {currency[:20]!r}",
                reason=Reason.CONFIG_INVALID,
                remedy="give one as in the options' names, such as BTC or ETH",
            )
        self.url = url
        self.currency = currency
        self.instruments: frozenset[str] = frozenset()
        self._extra = frozenset(books) | frozenset(trades)
        self._standing = (
            f"deribit_price_index.{currency.lower()}_usd",
            f"trades.option.{currency}.100ms",
            *(f"trades.{name}.100ms" for name in trades),
            *(f"book.{name}.100ms" for name in books),
        )
        self._feed = DeribitFeed(self._is_known)
        self._next_id = 0
        self._begin(0.0)

    @property
    def dropped(self) -> Counter[str]:
        """What was not used, by cause: the feed's, `malformed`, `unknown-answer` and `not-subscribed`."""
        return self._feed.dropped

    @property
    def gaps(self) -> int:
        """Breaks in the numbering of the books' changes."""
        return self._feed.books.gaps

    @property
    def feed(self) -> DeribitFeed:
        """The state of what was heard; read it from the connection's thread only."""
        return self._feed

    def connected(self, now: float) -> Iterable[Action]:
        """Ask for heartbeats and the list of options."""
        self._begin(now)
        yield self._request("public/set_heartbeat", {"interval": HEARTBEAT}, now)
        yield self._list_options(now)

    def message(self, data: bytes, received_ns: int, now: float) -> Iterable[Action]:
        """An answer, a heartbeat or a notification."""
        try:
            message = wire.decode_message(data)
        except ValueError:
            self.dropped["malformed"] += 1
            return
        self._heard = now
        if message.id is not None:
            yield from self._answer(message, now)
        elif message.params is None:
            self.dropped["malformed"] += 1
        elif message.method == "subscription":
            channel = message.params.channel
            # A message may name any channel; a book broken by it would be asked for by that name.
            if channel.startswith("book.") and channel not in self._standing:
                self.dropped["unknown-channel"] += 1
                return
            for event in self._feed.notification(channel, message.params.data, received_ns):
                yield Emit(event)
            if self._feed.books.broken:
                yield from self._mend_books(now)
        elif message.method == "heartbeat":
            if message.params.type == "test_request":
                yield self._request("public/test", {}, now)
        else:
            self.dropped["malformed"] += 1

    def fetched(self, tag: str, body: bytes | None, received_ns: int, now: float) -> Iterable[Action]:  # noqa: ARG002 - nothing is fetched from this venue
        """Never asked for."""
        return ()

    def timer(self, now: float) -> Iterable[Action]:
        """Deadlines; books that still wait; and the list of options, now and then."""
        late = next((p.method for p in self._pending.values() if now > p.deadline), None)
        if late is not None:
            yield Disconnect(f"no answer to {late} within {ANSWER_DEADLINE:.0f} s")
        elif now - self._heard > SILENCE:
            yield Disconnect(f"nothing heard for {SILENCE:.0f} s")
        else:
            for channel, since in self._mending.items():
                if now - since > BOOK_PATIENCE and not self._usable(channel):
                    self._feed.books.broken.add(channel)
            yield from self._mend_books(now)
            if now - self._listed > REFRESH:
                yield self._list_options(now)

    def _begin(self, now: float) -> None:
        self._pending: dict[int, _Pending] = {}
        self._queue: deque[tuple[str, tuple[str, ...]]] = (
            deque()
        )  # method and channels, one under way at a time
        self._subscribed: set[str] = set()
        self._mending: dict[str, float] = {}
        self._heard = self._listed = now
        self._feed.restart()

    def _is_known(self, name: str) -> bool:
        return name in self.instruments or name in self._extra

    def _list_options(self, now: float) -> Send:
        self._listed = now
        return self._request(
            "public/get_instruments", {"currency": self.currency, "kind": "option", "expired": False}, now
        )

    def _request(
        self, method: str, parameters: dict[str, object], now: float, channels: tuple[str, ...] = ()
    ) -> Send:
        self._next_id += 1  # ids go on over connections, so that no answer is taken for another's
        self._pending[self._next_id] = _Pending(method, now + ANSWER_DEADLINE, channels)
        body = {"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": parameters}
        return Send(msgspec.json.encode(body).decode())

    def _answer(self, message: wire.Message, now: float) -> Iterator[Action]:
        pending = self._pending.pop(message.id, None) if message.id is not None else None
        if pending is None:
            self.dropped["unknown-answer"] += 1
        elif message.error is not None:
            yield from self._refused(pending, message.error)
        elif pending.method == "public/get_instruments":
            yield from self._options_listed(message, now)
        elif pending.method in {"public/subscribe", "public/unsubscribe"}:
            if pending.method == "public/subscribe":
                yield from self._subscription_answered(pending, message)
            yield from self._next_in_queue(now)

    def _refused(self, pending: _Pending, error: wire.DeribitError) -> Iterator[Action]:
        named = _KNOWN_ERRORS.get(error.code, "error")
        yield Disconnect(
            f"{pending.method} refused: {named} ({error.code}, {one_line(error.message, 80)}), "
            f"{len(pending.channels)} channels"
        )

    def _options_listed(self, message: wire.Message, now: float) -> Iterator[Action]:
        try:
            listed = decode(wire.INSTRUMENTS, message.result)
        except ValueError:
            self.dropped["malformed"] += 1
            yield Disconnect("the list of options is malformed")
            return
        names = frozenset(item.instrument_name for item in listed if self._is_ours(item))
        if not names or len(names) > MAX_OPTIONS:
            yield Disconnect(f"{len(names)} options of {self.currency} listed")
            return
        self.instruments = names
        wanted = [*self._standing, *(f"ticker.{name}.100ms" for name in sorted(names))]
        # Channels of expired options are closed by the venue.
        self._subscribed &= set(wanted)
        new = [channel for channel in wanted if channel not in self._subscribed]
        self._subscribed.update(new)
        idle = not self._queue and not self._busy()
        self._queue.extend(
            ("public/subscribe", tuple(new[start : start + BATCH])) for start in range(0, len(new), BATCH)
        )
        if idle:
            yield from self._next_in_queue(now)

    def _is_ours(self, item: wire.Instrument) -> bool:
        """Whether this is an option settled in the currency itself, whose name says what its fields say."""
        if item.kind != "option" or not item.is_active:
            return False
        try:
            name = parse_instrument_name(item.instrument_name)
        except ValueError:  # a linear option, a combo
            return False
        said = (item.expiration_timestamp, item.strike, item.option_type)
        return name.underlying == self.currency and said == (
            name.expiry * 1000,
            name.strike,
            "call" if name.call else "put",
        )

    def _subscription_answered(self, pending: _Pending, message: wire.Message) -> Iterator[Action]:
        try:
            granted = decode(wire.CHANNELS, message.result)
        except ValueError:
            self.dropped["malformed"] += 1
            yield Disconnect("the answer to public/subscribe is malformed")
            return
        # What is not granted is left until the next look at the list: an option that has expired since the last.
        if refused := set(pending.channels).difference(granted):
            self.dropped["not-subscribed"] += len(refused)
            self._subscribed -= refused

    def _next_in_queue(self, now: float) -> Iterator[Action]:
        if self._queue and not self._busy():
            method, channels = self._queue.popleft()
            yield self._request(method, {"channels": list(channels)}, now, channels)

    def _busy(self) -> bool:
        return any(p.channels for p in self._pending.values())

    def _mend_books(self, now: float) -> Iterator[Action]:
        """New subscriptions for broken books, each at most once in `BOOK_PATIENCE` after the first."""
        broken = self._feed.books.broken
        due = tuple(c for c in sorted(broken) if now - self._mending.get(c, -BOOK_PATIENCE) >= BOOK_PATIENCE)
        if not due:
            return
        broken.difference_update(due)
        self._mending.update(dict.fromkeys(due, now))
        self._queue.extendleft((("public/subscribe", due), ("public/unsubscribe", due)))
        yield from self._next_in_queue(now)

    def _usable(self, channel: str) -> bool:
        book = self._feed.books.books.get(channel.partition(".")[2].rpartition(".")[0])
        return book is not None and book.usable
