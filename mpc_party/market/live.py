"""Deribit's option chain as it is now: a market source with a connection of its own, closed by `close`."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from mpc_party.market.board import TickerBoard
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import FlowFeatures, FlowWindow
from mpc_party.market.venues.connection import Health, Timing, VenueConnection
from mpc_party.market.venues.deribit import DERIBIT_URL, DeribitProtocol
from mpc_party.market.venues.events import Event, OptionTicker, TopOfBook, Trade
from mpc_party.protocol.errors import Reason

_log = structlog.get_logger(__name__)

MAX_QUOTE_AGE = 60  # seconds
BEHIND = 20  # seconds that a moment may lie back: proposals take their time to arrive
AHEAD = 5  # seconds by which the clock that named a moment may be ahead of ours
PATIENCE = 30.0  # seconds to wait for the first data
FLOW_SILENCE = 30  # seconds without a quote or a trade of the perpetual, beyond which there is no order flow
SETTLING = 5.0  # seconds after the first ticker, when the chain is taken to be all there
ENOUGH = 0.9  # of the listed options, from which on the chain is taken to be all there at once


class LiveChain:
    """A market source (and, from the perpetual's quotes and trades, a flow source) on Deribit's public WebSocket.

    `start` connects in the background; the first question waits for data, at most `patience` seconds. Questions may
    come from any thread.
    """

    replays = False

    def __init__(
        self,
        currency: str,
        *,
        url: str = DERIBIT_URL,
        max_quote_age: int = MAX_QUOTE_AGE,
        patience: float = PATIENCE,
        timing: Timing | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.underlying = currency
        self._perpetual = f"{currency}-PERPETUAL"
        self._protocol = DeribitProtocol(
            currency, url=url, books=(self._perpetual,), trades=(self._perpetual,)
        )
        self._connection = VenueConnection(self._protocol, self._take, timing=timing)
        self._board = TickerBoard(currency)
        self._flow = FlowWindow()
        self._changed = threading.Condition()
        self._first_ticker: float | None = None  # monotonic
        self._complete_at: int | None = None  # Unix seconds
        self._closed = False
        self._max_quote_age = max_quote_age
        self._patience = patience
        self._say = say

    def start(self) -> Self:
        """Begin connecting, in a thread of its own; returns at once."""
        self._connection.start()
        return self

    def close(self) -> None:
        """Disconnect and end the thread; whoever waits for data is told. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def health(self) -> Health:
        """The connection's counters."""
        return self._connection.health

    @property
    def dropped(self) -> Counter[str]:
        """What was not used so far, by cause: by the protocol, on the board, and in the flow window."""
        with self._changed:
            return Counter(self._protocol.dropped) + self._board.dropped + self._flow.dropped

    def next_time(self, after: int, now: int) -> int:
        """The present second, or the one after `after`; waits for the first second by which the chain is there.

        Raises:
            MarketDataError: MARKET_DATA_STALE: none came in time.
        """
        return max(after + 1, now, self._wait_for_data())

    def at(self, observed_at: int) -> ChainSnapshot:
        """What the venue showed at a moment just past, with the time at which each quote was seen.

        Raises:
            MarketDataError: MARKET_DATA_STALE: the moment is too far from now, or there are no fresh quotes for it.
        """
        away = observed_at - time.time()
        if not -BEHIND <= away <= AHEAD:
            raise MarketDataError(
                f"a live source knows the last {BEHIND} seconds; {observed_at} is {abs(away):.0f} s "
                f"{'back' if away < 0 else 'ahead'}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="see that the clocks of all members and the coordinator are set",
            )
        self._wait_for_data()
        with self._changed:
            chain = self._board.at(observed_at, self._max_quote_age)
        if chain is None:
            raise self._stale(f"no quote of the last {self._max_quote_age} s")
        return chain

    def flow(self, observed_at: int) -> FlowFeatures:
        """Order flow of the perpetual in the window that ends at this moment.

        Raises:
            MarketDataError: MARKET_DATA_STALE: the perpetual has been silent, or the window is no longer held.
        """
        with self._changed:
            newest = self._flow.newest
            if newest is None or newest < observed_at - FLOW_SILENCE:
                raise self._stale(f"no order flow of the last {FLOW_SILENCE} s")
            return self._flow.features(observed_at)

    def _take(self, event: Event) -> None:
        """Called from the connection's thread."""
        with self._changed:
            if isinstance(event, OptionTicker):
                self._board.take(event)
                if self._first_ticker is None:
                    self._first_ticker = time.monotonic()
                    self._changed.notify_all()
            elif isinstance(event, TopOfBook | Trade) and event.instrument == self._perpetual:
                self._flow.take(event)

    def _wait_for_data(self) -> int:
        """Wait for the chain to be there, and return the first whole second (Unix) by which it was."""
        deadline = time.monotonic() + self._patience
        told = 0.0
        with self._changed:
            while (second := self._there_since()) is None:
                now = time.monotonic()
                if self._closed:
                    raise self._stale("the source is closed")
                if now >= deadline:
                    raise self._stale(f"no market data within {self._patience:.0f} s")
                if now - told >= 1.0:
                    told = now
                    self._tell()
                self._changed.wait(min(0.1, deadline - now))
            return second

    def _there_since(self) -> int | None:
        if self._first_ticker is None or self._closed:
            return None
        if self._complete_at is None:
            settled = time.monotonic() - self._first_ticker >= SETTLING
            if settled or len(self._board) >= ENOUGH * len(self._protocol.instruments):
                self._complete_at = int(time.time()) + 1
        # A question about the second before would be about a moment at which nothing had been heard.
        return (
            self._complete_at if self._complete_at is not None and time.time() >= self._complete_at else None
        )

    def _tell(self) -> None:
        listed, heard = len(self._protocol.instruments), len(self._board)
        if self._say is not None:
            self._say(f"Waiting for {self._protocol.url}: {heard} of {listed or '?'} options heard of")
        _log.info("waiting for market data", url=self._protocol.url, heard=heard, listed=listed)

    def _stale(self, what: str) -> MarketDataError:
        health = self._connection.health
        state = "connected" if health.connected else "not connected"
        cause = f", last error: {health.last_error}" if health.last_error else ""
        dropped = ", ".join(f"{count} {name}" for name, count in Counter(health.dropped).most_common(3))
        return MarketDataError(
            f"{self._protocol.url}: {what} ({state}, {health.messages} messages, "
            f"dropped: {dropped or 'none'}{cause})",
            reason=Reason.MARKET_DATA_STALE,
            remedy="see that the venue can be reached from here and that this machine's clock is set",
        )
