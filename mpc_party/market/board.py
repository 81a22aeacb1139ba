"""The last half minute of an option chain, so that what the venue showed at a moment just past can be told exactly."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.recorded import InstrumentName, parse_instrument_name
from mpc_party.market.venues.events import OptionTicker

HISTORY = 32  # seconds with an update, of each option, that are kept
MAX_OPTIONS = 5_000
_FORGET = 3_600  # seconds after expiry


class _Entry(NamedTuple):
    second: int  # the first whole one at or after `seen_ms`
    seen_ms: int
    ticker: OptionTicker


class TickerBoard:
    """Tickers of one underlying's options, at most one a second and option. Not for several threads at once.

    The ticker kept for a second is the last one at or before its end, so that `at` answers with the very last ticker
    at or before the moment asked for. The time of a ticker is the venue's, or that of its receipt if that is
    earlier: nothing is seen before it is there.

    Attributes:
        dropped: by cause, `unknown-instrument` (no option of this underlying, or too many), `out-of-order`, and
            `aged` (not shown, as older than the limit: counted at every look).
    """

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.dropped: Counter[str] = Counter()
        self._options: dict[str, _Option] = {}

    def __len__(self) -> int:
        return len(self._options)

    def take(self, ticker: OptionTicker) -> None:
        """Put a ticker on the board; constant time."""
        option = self._options.get(ticker.instrument)
        if option is None:
            option = self._new(ticker.instrument)
            if option is None:
                self.dropped["unknown-instrument"] += 1
                return
        seen_ms = min(ticker.venue_ms, ticker.received_ns // 1_000_000)
        second = -(-seen_ms // 1000)
        history = option.history
        if history and seen_ms < history[-1].seen_ms:
            self.dropped["out-of-order"] += 1
        elif history and history[-1].second == second:
            history[-1] = _Entry(second, seen_ms, ticker)
        else:
            history.append(_Entry(second, seen_ms, ticker))

    def at(self, observed_at: int, max_age: int) -> ChainSnapshot | None:
        """The chain at a moment (Unix seconds), of quotes at most `max_age` seconds old; None where there is none.

        Exact for the last half minute; of options that moved in each second since, nothing older is known.
        """
        rows = []
        for name, option in list(self._options.items()):
            expiry = option.name.expiry
            if expiry < observed_at - _FORGET:
                del self._options[name]
            if expiry <= observed_at:
                continue
            shown = next((entry for entry in reversed(option.history) if entry.second <= observed_at), None)
            if shown is None:
                continue
            seen_at = shown.seen_ms // 1000
            if seen_at < observed_at - max_age:
                self.dropped["aged"] += 1
                continue
            rows.append((option.name, seen_at, shown.ticker))
        if not rows:
            return None
        rows.sort(key=lambda row: row[0])
        return ChainSnapshot(
            observed_at,
            self.underlying,
            np.array([name.expiry for name, _, _ in rows], dtype=np.int64),
            np.array([name.strike for name, _, _ in rows], dtype=np.float64),
            np.array([name.call for name, _, _ in rows], dtype=np.bool_),
            np.array([ticker.underlying_price for _, _, ticker in rows], dtype=np.float64),
            np.array([ticker.bid for _, _, ticker in rows], dtype=np.float64),
            np.array([ticker.ask for _, _, ticker in rows], dtype=np.float64),
            np.array([ticker.mark_vol for _, _, ticker in rows], dtype=np.float64),
            seen_at=np.array([seen for _, seen, _ in rows], dtype=np.int64),
        )

    def _new(self, instrument: str) -> "_Option | None":
        if len(self._options) >= MAX_OPTIONS:
            return None
        try:
            name = parse_instrument_name(instrument)
        except ValueError:
            return None
        if name.underlying != self.underlying:
            return None
        option = self._options[instrument] = _Option(name)
        return option


@dataclass(frozen=True, slots=True)
class _Option:
    name: InstrumentName
    history: deque[_Entry] = field(default_factory=lambda: deque(maxlen=HISTORY))  # ascending
