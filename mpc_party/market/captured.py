"""Raw captures of venues, replayed as sources: Deribit's as option chains, Binance's as order flow.

Time is the capture's: what a moment shows is what had been received by then. A source goes forward through its file as
it is asked; asked about an earlier moment, it begins again. It holds no more of the file than its window.
"""

import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Final, Generic, TypeVar

from mpc_party.market.board import TickerBoard
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import WINDOW, FlowFeatures, FlowWindow
from mpc_party.market.recorded import file_named, parse_instrument_name
from mpc_party.market.venues import deribit_messages
from mpc_party.market.venues.binance_capture import BinanceCapture
from mpc_party.market.venues.binance_markets import coin_of
from mpc_party.market.venues.capture import Capture, CaptureFormat
from mpc_party.market.venues.deribit_feed import DeribitFeed
from mpc_party.market.venues.events import Event, OptionTicker, TopOfBook, Trade
from mpc_party.protocol.errors import Reason

MAX_QUOTE_AGE: Final = 60  # seconds, as of the live chain
MAX_FILES: Final = 16
_SECOND: Final = 1_000_000_000
Kind = TypeVar("Kind", bound=Event)


class CapturedChain:
    """A `MarketSource` over a capture of Deribit's tickers: a moment of every whole second, with the quotes' true ages.

    The file is read once at the beginning, so that what is wrong with it shows at once.

    Attributes:
        dropped: messages and quotes that were not used in that reading, by cause.
        messages: how many were read.
    """

    replays = True

    def __init__(
        self, path: Path, underlying: str | None = None, *, max_quote_age: int = MAX_QUOTE_AGE
    ) -> None:
        """Read the file through.

        Args:
            path: the capture.
            underlying: which of those in the capture; not needed where there is one.
            max_quote_age: seconds beyond which a ticker is not shown.

        Raises:
            MarketDataError: no capture of Deribit's, damaged, without options, or of several underlyings with none
                named.
        """
        self._capture = Capture(path)
        if self._capture.format is not CaptureFormat.DERIBIT:
            raise MarketDataError(
                f"{path}: a capture of Binance, which has no options", remedy="give it as order flow"
            )
        self._max_quote_age = max_quote_age
        self._lock = threading.Lock()
        feed = DeribitFeed()
        self.messages = 0
        spans: dict[str, tuple[int, int]] = {}  # by underlying, receipt of the first and last ticker
        for ticker in self._tickers(feed):
            name = parse_instrument_name(ticker.instrument).underlying
            first, _ = spans.get(name, (ticker.received_ns, 0))
            spans[name] = (first, ticker.received_ns)
        self.dropped = Counter(feed.dropped)
        self.underlying = _chosen(path, underlying, sorted(spans))
        first_ns, last_ns = spans[self.underlying]
        self._first, self._last = _second_after(first_ns), _second_after(last_ns)
        self._reached = 0
        self._board, self._tape = self._begin()

    def next_time(self, after: int, now: int) -> int:  # noqa: ARG002 - a capture has a clock of its own
        """The first whole second after `after` that the capture covers."""
        if after >= self._last:
            raise MarketDataError(
                f"{self._capture.path}: the capture ends at {_utc(self._last)}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="replay from an earlier moment",
            )
        return max(after + 1, self._first)

    def at(self, observed_at: int) -> ChainSnapshot:
        """The last tickers received before this second began, that are not too old."""
        if not self._first <= observed_at <= self._last:
            raise _not_covered(self._capture.path, observed_at, self._first, self._last)
        with self._lock:
            if observed_at < self._reached:
                self._tape.close()
                self._board, self._tape = self._begin()
            self._reached = observed_at
            for ticker in self._tape.until(observed_at * _SECOND):
                self._board.take(ticker)
            chain = self._board.at(observed_at, self._max_quote_age)
        if chain is None:
            raise MarketDataError(
                f"{self._capture.path}: no fresh quote at {observed_at}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="replay another moment",
            )
        return chain

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._lock:
            self._tape.close()

    def _begin(self) -> "tuple[TickerBoard, _Tape[OptionTicker]]":
        return TickerBoard(self.underlying), _Tape([self._tickers(DeribitFeed(), self.underlying)])

    def _tickers(
        self, feed: DeribitFeed, underlying: str | None = None
    ) -> Generator[OptionTicker, None, None]:
        """The tickers of the file, of all underlyings or one, by receipt."""
        for _, received_ns, data in self._capture.messages():
            if underlying is None:  # the first reading
                self.messages += 1
            if not data:  # a new connection
                feed.restart()
                continue
            try:
                message = deribit_messages.decode_message(data)
            except ValueError:
                feed.dropped["malformed"] += 1
                continue
            if message.method != "subscription" or message.params is None:
                continue  # answers and heartbeats
            for event in feed.notification(message.params.channel, message.params.data, received_ns):
                if isinstance(event, OptionTicker) and (
                    underlying is None or event.instrument.startswith(f"{underlying}-")
                ):
                    yield event


class CapturedFlow:
    """A `FlowSource` over captures of Binance: several files are several venues, merged by time of receipt.

    Attributes:
        readings: of each file, with the venue's counters; begun anew when an earlier moment is asked about.
    """

    def __init__(self, paths: tuple[Path, ...], *, window: int = WINDOW) -> None:
        """Look at the beginning of each file.

        Raises:
            MarketDataError: no capture of Binance's streams, one file twice, or several coins.
        """
        if not 0 < len({path.resolve() for path in paths}) == len(paths) <= MAX_FILES:
            raise MarketDataError(
                f"from 1 to {MAX_FILES} captures, each once",
                reason=Reason.CONFIG_INVALID,
                remedy="name every file once",
            )
        self._captures = tuple(Capture(path) for path in paths)
        self._seconds = window
        self._lock = threading.Lock()
        self._reached = self._last = 0
        self.readings, self._window, self._tape = self._begin()
        coins = sorted({coin_of(symbol) for reading in self.readings for symbol in reading.symbols})
        if len(coins) > 1:
            raise MarketDataError(
                f"{paths[0]}: order flow of several coins: {', '.join(coins)[:80]}",
                reason=Reason.CONFIG_INVALID,
                remedy="give captures of one coin",
            )
        self._first = min(_second_after(capture.first_ns) for capture in self._captures)

    def flow(self, observed_at: int) -> FlowFeatures:
        """The features of the window that ends at this moment; at the beginning of the capture it is shorter.

        Raises:
            MarketDataError: the capture does not cover the moment, or is damaged on the way there.
        """
        with self._lock:
            if observed_at < self._first:
                raise _not_covered(self._captures[0].path, observed_at, self._first, None)
            if observed_at < self._reached:
                with suppress(MarketDataError):  # no longer held
                    return self._window.features(observed_at)
                self._tape.close()
                self.readings, self._window, self._tape = self._begin()
            self._reached = observed_at
            for event in self._tape.until(observed_at * _SECOND):
                if isinstance(event, TopOfBook | Trade):
                    self._window.take(event)
                self._last = _second_after(event.received_ns)
            if self._tape.ended and observed_at > self._last:
                raise _not_covered(self._captures[0].path, observed_at, self._first, self._last)
            return self._window.features(observed_at)

    def close(self) -> None:
        """Close the files. Idempotent."""
        with self._lock:
            self._tape.close()

    def _begin(self) -> "tuple[tuple[BinanceCapture, ...], FlowWindow, _Tape[Event]]":
        readings = tuple(BinanceCapture(capture) for capture in self._captures)
        return readings, FlowWindow(self._seconds), _Tape([reading.events() for reading in readings])


class _Tape(Generic[Kind]):
    """Events of several files as one sequence by time of receipt, taken as far as time has come."""

    def __init__(self, files: Sequence[Generator[Kind, None, None]]) -> None:
        self._files = files
        self._merged = merge(*files, key=attrgetter("received_ns"))
        self._next: Kind | None = None
        self.ended = False

    def until(self, nanoseconds: int) -> Iterator[Kind]:
        """The events not yet taken that were received by then."""
        while not self.ended:
            if self._next is None:
                self._next = next(self._merged, None)
                if self._next is None:
                    self.ended = True
                    return
            if self._next.received_ns > nanoseconds:
                return
            event, self._next = self._next, None
            yield event

    def close(self) -> None:
        self.ended = True
        for events in self._files:
            events.close()


def open_captured_chain(detail: str) -> CapturedChain | None:
    """Open `FILE` or `FILE@UNDERLYING`, the part behind `capture:`."""
    path, separator, underlying = detail.rpartition("@")
    if separator and underlying.isascii() and underlying.isalnum() and underlying.isupper():
        return CapturedChain(file_named(path), underlying) if path else None
    return CapturedChain(file_named(detail)) if detail else None


def open_captured_flow(detail: str) -> CapturedFlow | None:
    """Open `FILE` or `FILE,FILE,...`, the part behind `capture:`."""
    parts = detail.split(",")
    return CapturedFlow(tuple(map(file_named, parts))) if all(parts) else None


def _chosen(path: Path, underlying: str | None, found: list[str]) -> str:
    if not found:
        raise MarketDataError(
            f"{path}: holds no tickers of options", remedy="give a capture of Deribit's tickers"
        )
    if underlying is None and len(found) == 1:
        return found[0]
    if underlying is None or underlying not in found:
        raise MarketDataError(
            f"{path}: a capture of {', '.join(found)[:80]}",
            reason=Reason.CONFIG_INVALID,
            remedy=f"name one of them, as capture:FILE@{found[0]}",
        )
    return underlying


def _second_after(nanoseconds: int) -> int:
    return -(-nanoseconds // _SECOND)


def _not_covered(path: Path, observed_at: int, first: int, last: int | None) -> MarketDataError:
    end = f"to {_utc(last)}" if last is not None else "on"
    return MarketDataError(
        f"{path}: the capture is from {_utc(first)} {end}, and has nothing at {_utc(observed_at)}",
        reason=Reason.MARKET_DATA_STALE,
        remedy="all parties and the coordinator must replay the hours that the capture has",
    )


def _utc(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
