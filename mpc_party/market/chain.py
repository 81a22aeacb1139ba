"""One moment of one option chain, as a venue shows it: columns of equal length, sorted by expiry and strike."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.flow import FlowFeatures


@dataclass(frozen=True)
class ChainSnapshot:
    """Columns of one length; one row is one option.

    `observed_at` and `expiry` in Unix seconds, `strike` and `forward` in the quote currency, `bid` and `ask` as
    fractions of the forward's underlying (coin per coin; NaN where there is none), `mark_vol` as an annual fraction
    (NaN where the venue gives none). `seen_at`, in Unix seconds, is when each quote was last heard, where these are a
    desk's own quotes from a live venue; None for a market of which every desk has a view of its own (`DeskView`).
    """

    observed_at: int
    underlying: str
    expiry: NDArray[np.int64]
    strike: NDArray[np.float64]
    call: NDArray[np.bool_]
    forward: NDArray[np.float64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    mark_vol: NDArray[np.float64]
    seen_at: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.expiry)

    def forwards(self) -> dict[int, float]:
        """The forward of each expiry, ascending by expiry: the median, as a venue's rows differ by milliseconds."""
        return {int(e): float(np.median(self.forward[self.expiry == e])) for e in np.unique(self.expiry)}


class MarketSource(Protocol):
    """Where option chains come from."""

    @property
    def underlying(self) -> str:
        """Ticker of the underlying, as it stands in reports."""

    @property
    def replays(self) -> bool:
        """Whether market time is the recording's and not the wall clock's."""

    def next_time(self, after: int, now: int) -> int:
        """The market time (Unix seconds) of the next observation later than `after`, at wall-clock time `now`."""

    def at(self, observed_at: int) -> ChainSnapshot:
        """The chain at this market time.

        Raises:
            MarketDataError: nothing is known of that time.
        """


@runtime_checkable
class FlowSource(Protocol):
    """Where a party's own order flow comes from. One that has a `close` is running: whoever opened it closes it."""

    def flow(self, observed_at: int) -> FlowFeatures:
        """The features of the window that ends at this market time (Unix seconds).

        Raises:
            MarketDataError: nothing is known of that time.
        """
