"""Order flow of a trailing window, from best quotes and trades of any number of feeds: three numbers for a snapshot.

Every feed is one instrument of one venue whose price is the underlying's (spot, perpetual, future), with amounts in
coin. Time is the time of receipt, which is one clock for all feeds; the window of a moment T, in whole Unix seconds, is
[T - window, T). Memory and the work for an event do not grow with the number of events: they are summed by the second.

*Imbalance*, in [-1, 1]. An update of the best quotes from (P, q) to (P', q') adds to the order flow of its feed
(R. Cont, A. Kukanov, S. Stoikov, "The price impact of order book events", 2014, section 2.1, the definition of e_n;
B the bid, A the ask)

    e = q'B [P'B >= PB] - qB [P'B <= PB] - q'A [P'A <= PA] + qA [P'A >= PA]

and a trade of q adds s q, s = 1 where the buyer was the aggressor and -1 where the seller was. Then

    imbalance = ( sum e / sum |e|  +  sum s q / sum q ) / 2

over all feeds together. The two have a half each, as quoted volume is several times the traded one and would drown
it in a common sum; where the window has only one of the two, that one counts alone, and 0 stands where it has none.

*Realised vol*, annual. Mid prices at whole seconds, squared log returns over 5 s from every second on (five grids,
averaged), of each feed; the median of the feeds. On three venues over one window the estimate was level between
sampling at 5 s and at 15 s, and 6 % higher at 1 s. The two-scale estimator of L. Zhang, P. Mykland,
Y. Ait-Sahalia, "A tale of two time scales", 2005, with 1 s for the fast scale, came out 2 % lower and differed as
much between venues, so that it is not worth its chance to be negative.

*Forward*: the price of the window's trades in the quote currency, weighted by their amounts in coin. It is the
underlying's traded price; over feeds in USD and in a stablecoin it averages the two.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import SECONDS_PER_YEAR
from mpc_party.market.errors import MarketDataError
from mpc_party.market.venues.events import TopOfBook, Trade
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret

WINDOW: Final = 300  # seconds
SLACK: Final = 60  # seconds that a window can still be asked about after newer events have come
MAX_FEEDS: Final = 16
_QUOTE_AGE: Final = 10  # seconds for which a best quote stands when its feed says nothing more
_STEP: Final = 5  # seconds of one return
_FEWEST_RETURNS: Final = 60
_SECOND: Final = 1_000_000_000
_SMALLEST, _LARGEST = 1e-12, 1e12  # of a price or an amount: sums and ratios of such numbers stay finite

Floats = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
class FlowFeatures(Secret):
    """Order flow as one party sees it. Secret: part of the party's private input.

    Attributes:
        imbalance: in [-1, 1], positive where buyers press.
        realised_vol: annual, positive; None where the window has too few quotes to say.
        forward: volume-weighted price, quote currency, positive; None where the window has no trade.
    """

    imbalance: float = 0.0
    realised_vol: float | None = None
    forward: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is none.

        Raises:
            ValueError: a number out of its range, infinite or NaN.
        """
        if not -1.0 <= self.imbalance <= 1.0:
            raise ValueError("an order flow imbalance is beyond [-1, 1]")
        for value in (self.realised_vol, self.forward):
            if value is not None and not 0.0 < value < math.inf:
                raise ValueError("a realised vol or forward is not positive")


def flow_row(features: FlowFeatures, reference_vol: float, forward: float) -> Floats:
    """The row (3,) of a snapshot that stands for the order flow, each number in [-1, 1].

    Args:
        features: of the party's own window; what it has not is 0 in the row.
        reference_vol: annual; the median of the book's reference vols.
        forward: the proposal's forward of the nearest expiry, quote currency.

    Returns:
        imbalance, log(realised vol / reference vol), 100 log(own forward / forward), clipped.

    Raises:
        ValueError: a reference that is not positive and finite.
    """
    if not (0.0 < reference_vol < math.inf and 0.0 < forward < math.inf):
        raise ValueError("the references of the order flow are not positive")
    realised = math.log(features.realised_vol / reference_vol) if features.realised_vol is not None else 0.0
    basis = 100.0 * math.log(features.forward / forward) if features.forward is not None else 0.0
    return np.clip(np.array([features.imbalance, realised, basis], dtype=np.float64), -1.0, 1.0)


class FlowWindow(Secret):
    """The trailing window, fed with events as they come.

    Not for several threads at once: whoever feeds and asks from two of them locks.

    Attributes:
        dropped: events that were not used, by cause: `late` (older than what is held), `out-of-range`,
            `too-many-feeds`.
    """

    def __init__(self, seconds: int = WINDOW) -> None:
        if not _FEWEST_RETURNS + _STEP <= seconds <= 86_400:
            raise ValueError(f"a window of {seconds} seconds")
        self.dropped: Counter[str] = Counter()
        self._seconds = seconds
        self._length = seconds + SLACK + _QUOTE_AGE + 1
        self._newest: int | None = None
        # By second, in a ring: e, |e|, s q, q, price * q.
        self._sums = [[0.0] * self._length for _ in range(5)]
        self._feeds: dict[tuple[str, str], _Feed] = {}

    @property
    def newest(self) -> int | None:
        """The second (Unix) of the newest event; None before the first."""
        return self._newest

    def take(self, event: TopOfBook | Trade) -> None:
        """Add a best quote or a trade; constant time. Events of a feed come in the order of their receipt."""
        second = event.received_ns // _SECOND
        if isinstance(event, Trade):
            numbers: tuple[float, ...] = (event.price, event.amount)
        else:
            numbers = (event.bid, event.ask, event.bid_amount, event.ask_amount)
        if not all(_SMALLEST <= number <= _LARGEST for number in numbers):
            self.dropped["out-of-range"] += 1
            return
        if not self._advance(second):
            self.dropped["late"] += 1
            return
        slot = second % self._length
        flow, flow_size, traded, trade_size, value = self._sums
        if isinstance(event, Trade):
            traded[slot] += event.amount if event.buyer_initiated else -event.amount
            trade_size[slot] += event.amount
            value[slot] += event.amount * event.price
            return
        feed = self._feed(event)
        if feed is not None:
            pressure = feed.update(event)
            flow[slot] += pressure
            flow_size[slot] += abs(pressure)
            feed.mids[slot] = 0.5 * (event.bid + event.ask)

    def features(self, observed_at: int) -> FlowFeatures:
        """The features of the window that ends at this moment (Unix seconds).

        Raises:
            MarketDataError: events more than `SLACK` seconds newer have come, and the window is no longer held.
        """
        if self._newest is None:
            return FlowFeatures()
        if observed_at < self._newest - SLACK:
            raise MarketDataError(
                f"the order flow at {observed_at} is no longer held",
                reason=Reason.MARKET_DATA_STALE,
                remedy="ask sooner, or set the clock right",
            )
        chosen = self._slots(range(observed_at - self._seconds, observed_at))
        flow, flow_size, traded, trade_size, value = (
            math.fsum(column[slot] for slot in chosen) for column in self._sums
        )
        ratios = [total / size for total, size in ((flow, flow_size), (traded, trade_size)) if size > 0]
        imbalance = min(max(math.fsum(ratios) / len(ratios), -1.0), 1.0) if ratios else 0.0
        forward = value / trade_size if trade_size > 0 else None
        return FlowFeatures(imbalance, self._realised_vol(observed_at), forward)

    def _advance(self, second: int) -> bool:
        """Make this second one of those held, and say whether it is; it is not when it is too old."""
        if self._newest is None:
            self._newest = second
        elif second <= self._newest - self._length:
            return False
        for fresh in range(max(self._newest + 1, second - self._length + 1), second + 1):
            slot = fresh % self._length
            for column in self._sums:
                column[slot] = 0.0
            for feed in self._feeds.values():
                feed.mids[slot] = math.nan
        self._newest = max(self._newest, second)
        return True

    def _feed(self, event: TopOfBook) -> "_Feed | None":
        key = (event.venue, event.instrument)
        feed = self._feeds.get(key)
        if feed is None:
            if len(self._feeds) >= MAX_FEEDS:
                self.dropped["too-many-feeds"] += 1
                return None
            feed = self._feeds[key] = _Feed(self._length)
        return feed

    def _slots(self, seconds: Iterable[int]) -> list[int]:
        """Where these seconds are held; those that are not are left out."""
        newest = self._newest or 0
        return [second % self._length for second in seconds if newest - self._length < second <= newest]

    def _realised_vol(self, observed_at: int) -> float | None:
        newest = self._newest or 0
        # What was last quoted before the window still stands at its beginning.
        seconds = np.arange(observed_at - self._seconds - _QUOTE_AGE, observed_at)
        held = (seconds > newest - self._length) & (seconds <= newest)
        vols = []
        for feed in self._feeds.values():
            mids = np.where(held, np.array(feed.mids)[seconds % self._length], np.nan)
            logs = np.log(_carried(mids, _QUOTE_AGE)[_QUOTE_AGE:])
            returns = logs[_STEP:] - logs[:-_STEP]
            returns = returns[np.isfinite(returns)]
            if len(returns) >= _FEWEST_RETURNS and (rate := float(np.mean(returns**2)) / _STEP) > 0:
                vols.append(math.sqrt(rate * SECONDS_PER_YEAR))
        return float(np.median(vols)) if vols else None


class _Feed:
    """One feed's last best quote, and its last mid price of each second, in the window's ring."""

    __slots__ = ("_last", "mids")

    def __init__(self, length: int) -> None:
        self.mids = [math.nan] * length
        self._last: TopOfBook | None = None

    def update(self, top: TopOfBook) -> float:
        """Take the new best quote; the order flow e since the last one, 0 where that is none or too old."""
        last, self._last = self._last, top
        if last is None or top.received_ns - last.received_ns > _QUOTE_AGE * _SECOND:
            return 0.0
        pressure = 0.0
        if top.bid >= last.bid:
            pressure += top.bid_amount
        if top.bid <= last.bid:
            pressure -= last.bid_amount
        if top.ask <= last.ask:
            pressure -= top.ask_amount
        if top.ask >= last.ask:
            pressure += last.ask_amount
        return pressure


def _carried(values: Floats, furthest: int) -> Floats:
    """Each NaN replaced by the last number at most `furthest` places before it."""
    places = np.arange(len(values))
    last = np.maximum.accumulate(np.where(np.isfinite(values), places, -1))
    near = (last >= 0) & (places - last <= furthest)
    return np.where(near, values[last], np.nan)
