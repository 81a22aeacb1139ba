"""Hedging intervals: what a delta hedge of each option would have missed from one moment of the market to the next.

For an option seen at both ends of an interval, with V its value and F the forward of its expiry (the underlying of
the hedge, in the quote currency), the error of a plain delta hedge in units of the forward, and what a
minimum-variance model explains of it, are

    y = (dV - delta dF) / F0           y ~ density (dF / F0) (a + b d + c d^2)

with delta the Black-76 delta at the start, d the delta of the call at that strike (for its put too, as the program of
a round has it) and density = phi(d1) = vega / (F sqrt(T)). dF is that of the row's own forward, which a venue gives
with each quote. Source: Hull, White, "Optimal delta hedging for options", Journal of Banking and Finance 82, 2017,
eq. (5) and (6). An option's value is Black-76 at the venue's mark vol (`mark`: what margin is settled on, and free
of the quotes' jumps) or the middle of bid and ask (`mid`: all that a desk has of its own).

Which rows count: a bid and an ask at both ends, positive and not crossed; more than `LEAST_DAYS` to expiry at both
ends, as gamma is no first-order matter after that; the call's delta within `DELTA_RANGE` at the start; an interval of
at most `LONGEST_INTERVAL`. Nothing is dropped for the size of its error.

Rows are weighted by 1 / (1 + (noise / TYPICAL_ERROR)^2), with noise half the spreads at both ends: the middle of a wide
quote moves by itself. A mark has noise 0, so there all rows weigh alike, whatever the time to expiry: residuals are
vega times a move of the vol, vols move roughly as 1 / sqrt(T), and vega grows as sqrt(T).

Everything here is local to whoever calls it; a desk's rows and sums are secrets of that desk.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, implied_vol, years
from mpc_party.market.chain import ChainSnapshot, MarketSource
from mpc_party.market.errors import MarketDataError
from mpc_party.market.quotes import Quotes
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Price = Literal["mark", "mid"]

LEAST_SPACING: Final = 3600  # seconds between two moments of a recording that count
SECONDS_PER_DAY: Final = 86_400
LEAST_DAYS: Final = 1.0
DELTA_RANGE: Final = (0.05, 0.95)
LONGEST_INTERVAL: Final = SECONDS_PER_DAY  # seconds
TYPICAL_ERROR: Final = 1e-3  # of the forward: a plain delta hedge misses about this much in six hours

# Rows: polynomials in d, columns: powers of d. The shifted Legendre polynomials 1, 2d - 1, 6d^2 - 6d + 1 are orthogonal
# on [0, 1], so that the normal equations are far from singular (condition about 13 on a real chain, 1,000 in powers).
MONOMIAL: Final[Floats] = np.eye(3)
LEGENDRE: Final[Floats] = np.array([[1.0, 0.0, 0.0], [-1.0, 2.0, 0.0], [1.0, -6.0, 6.0]])


@dataclass(frozen=True, repr=False)
class Valuation(Secret):
    """What options are worth at one moment, to a venue or to one desk. Columns of one length.

    `observed_at` and `expiry` in Unix seconds, `strike` and `forward` in the quote currency, `premium` and `noise`
    (how far the premium may be off) as fractions of the forward, `vol` as an annual fraction.
    """

    observed_at: int
    expiry: NDArray[np.int64]
    strike: Floats
    call: Bools
    forward: Floats
    premium: Floats
    noise: Floats
    vol: Floats

    def __len__(self) -> int:
        return len(self.expiry)


@dataclass(frozen=True, repr=False)
class HedgingRows(Secret):
    """One interval, a row an option. Columns of one length.

    `start` and `end` of the interval and `expiry` in Unix seconds; `strike` in the quote currency; at the start: `time`
    to expiry in years, `vol`, `delta` of the call at this strike, `density` phi(d1); over the interval: `move` dF / F0,
    `error` y of the plain delta hedge and its `noise` from the quotes, both in units of the forward F0.
    """

    start: int
    end: int
    expiry: NDArray[np.int64]
    strike: Floats
    call: Bools
    time: Floats
    vol: Floats
    delta: Floats
    density: Floats
    move: Floats
    error: Floats
    noise: Floats

    def __len__(self) -> int:
        return len(self.expiry)

    def regressors(self, basis: Floats = MONOMIAL) -> Floats:
        """What the coefficients multiply, (rows, 3): density * move * [polynomials of the basis in d]."""
        powers = self.delta[:, None] ** np.arange(3)
        return np.asarray((self.density * self.move)[:, None] * (powers @ basis.T), dtype=np.float64)

    @property
    def weight(self) -> Floats:
        """How much each row counts in a fit, (rows,), in (0, 1]."""
        return np.asarray(1.0 / (1.0 + (self.noise / TYPICAL_ERROR) ** 2), dtype=np.float64)


@dataclass(frozen=True, repr=False)
class NormalEquations(Secret):
    """Sums of a weighted least-squares fit: X'WX (3, 3), X'Wy (3,), y'Wy, and the number of rows. They add up."""

    matrix: Floats
    vector: Floats
    square: float
    count: int

    def __add__(self, other: "NormalEquations") -> "NormalEquations":
        return NormalEquations(
            self.matrix + other.matrix,
            self.vector + other.vector,
            self.square + other.square,
            self.count + other.count,
        )

    def scaled(self, factor: float) -> "NormalEquations":
        """All weights multiplied by a factor, as when time goes by."""
        return NormalEquations(factor * self.matrix, factor * self.vector, factor * self.square, self.count)


def value_chain(chain: ChainSnapshot, price: Price = "mark") -> Valuation:
    """What a venue's chain is worth: options with a bid and an ask, at the mark (and a mark vol) or at the middle."""
    keep = _two_sided(chain.bid, chain.ask)
    if price == "mark":
        keep &= np.isfinite(chain.mark_vol)
    moneyness, time = (chain.strike / chain.forward)[keep], years(chain.expiry, chain.observed_at)[keep]
    call, half_spread = chain.call[keep], 0.5 * (chain.ask - chain.bid)[keep]
    if price == "mark":
        vol = chain.mark_vol[keep]
        premium, noise = greeks(moneyness, vol, time, call).premium, np.zeros(len(vol))
    else:
        premium, noise = 0.5 * (chain.bid + chain.ask)[keep], half_spread
        vol = implied_vol(premium, moneyness, time, call)
    value = Valuation(
        chain.observed_at, chain.expiry[keep], chain.strike[keep], call, chain.forward[keep], premium, noise, vol
    )  # fmt: skip
    return _solved(value)


def value_quotes(quotes: Quotes, observed_at: int, max_age: int = 600) -> Valuation:
    """What a desk's quotes are worth at the middle. Stale ones (older than `max_age` seconds) and future ones are left out."""
    keep = (
        _two_sided(quotes.bid, quotes.ask)
        & (quotes.seen_at <= observed_at)
        & (quotes.seen_at >= observed_at - max_age)
    )
    call, expiry, forward = quotes.call[keep], quotes.expiry[keep], quotes.forward[keep]
    premium, noise = 0.5 * (quotes.bid + quotes.ask)[keep], 0.5 * (quotes.ask - quotes.bid)[keep]
    vol = implied_vol(premium, quotes.strike[keep] / forward, years(expiry, observed_at), call)
    return _solved(Valuation(observed_at, expiry, quotes.strike[keep], call, forward, premium, noise, vol))


def moments(source: MarketSource, start: int, end: int, step: int = 6 * 3600) -> list[int]:
    """The market times from `start` to `end`: those of a recording, or every `step` seconds of a running market.

    Of a recording that is denser, times an hour apart at least: over less, a hedging error is mostly that of the quotes.
    """
    if not source.replays:
        return list(range(start, end + 1, step))
    times: list[int] = []
    after = start - 1
    while True:
        try:
            after = source.next_time(after, after)
        except MarketDataError as error:
            if error.reason is not Reason.MARKET_DATA_STALE:
                raise
            return times  # the recording ends before `end`
        if after > end:
            return times
        if not times or after - times[-1] >= LEAST_SPACING:
            times.append(after)


def restarts(source: MarketSource, times: Sequence[int]) -> list[int]:
    """The moments within these times, ascending, at which a simulated market starts anew; none of any other."""
    found = getattr(source, "restarts", None)
    return [] if found is None or not times else list(found(times[0], times[-1]))


def intervals(
    times: Sequence[int], value: Callable[[int], Valuation], breaks: Sequence[int] = ()
) -> Iterator[HedgingRows]:
    """The intervals between consecutive times, each moment valued once. Intervals without a row are left out.

    Args:
        times: Unix seconds, ascending.
        value: the market at one of them.
        breaks: moments over which no interval leads, as the market from them on is not the one before (`restarts`).
    """
    for start, end in pairwise(map(value, times)):
        if any(start.observed_at < moment <= end.observed_at for moment in breaks):
            continue
        rows = hedging_rows(start, end)
        if len(rows):
            yield rows


def hedging_rows(start: Valuation, end: Valuation) -> HedgingRows:
    """The rows of one interval, by the rules at the top; none where it is too long.

    Raises:
        ValueError: the end is not after the start.
    """
    if end.observed_at <= start.observed_at:
        raise ValueError("an interval ends after it starts")
    _, first, second = np.intersect1d(_keys(start), _keys(end), return_indices=True)
    forward, strike, call = start.forward[first], start.strike[first], start.call[first]
    time, vol = years(start.expiry[first], start.observed_at), start.vol[first]
    move = end.forward[second] / forward - 1.0
    at = greeks(strike / forward, vol, time, call)
    call_delta = np.where(call, at.delta, at.delta + 1.0)
    # Premiums are in coin, worth the forward at their own moment.
    change = end.premium[second] * (1.0 + move) - start.premium[first]
    left = years(end.expiry[second], end.observed_at) * 365
    keep = (left > LEAST_DAYS) & (call_delta > DELTA_RANGE[0]) & (call_delta < DELTA_RANGE[1])
    keep &= end.observed_at - start.observed_at <= LONGEST_INTERVAL
    return HedgingRows(
        start.observed_at,
        end.observed_at,
        start.expiry[first][keep],
        strike[keep],
        call[keep],
        time[keep],
        vol[keep],
        call_delta[keep],
        (at.vega / np.sqrt(time))[keep],
        move[keep],
        (change - at.delta * move)[keep],
        np.hypot(start.noise[first], end.noise[second] * (1.0 + move))[keep],
    )


def normal_equations(
    rows: Iterable[HedgingRows], half_life: float, *, as_of: int, basis: Floats = LEGENDRE
) -> NormalEquations:
    """The sums of a fit as of a moment: an interval that ended `half_life` days before counts half.

    Independent of the order of the intervals, and additive: the sum of two sets' equations is that of both together.

    Args:
        rows: any number of intervals.
        half_life: in days; infinity weighs all alike.
        as_of: Unix seconds; parties that add up theirs must agree on it.
        basis: (3, 3), polynomials in d.

    Raises:
        ValueError: an interval ends after `as_of`, or the half-life is not positive.
    """
    if not half_life > 0:
        raise ValueError("a half-life is positive")
    total = NormalEquations(np.zeros((3, 3)), np.zeros(3), 0.0, 0)
    for interval in rows:
        if interval.end > as_of:
            raise ValueError("an interval ends after the moment of the fit")
        decay = 0.5 ** ((as_of - interval.end) / SECONDS_PER_DAY / half_life)
        regressors, weight = interval.regressors(basis), interval.weight
        weighted = weight[:, None] * regressors
        total += NormalEquations(
            weighted.T @ regressors,
            weighted.T @ interval.error,
            float(weight @ interval.error**2),
            len(interval),
        ).scaled(decay)
    return total


def solve(equations: NormalEquations, ridge: float = 0.0, basis: Floats = LEGENDRE) -> Floats:
    """The weights (a, b, c), in powers of d, of equations in `basis`.

    `ridge` times the mean diagonal is added to the diagonal: it draws the model towards plain delta.

    Raises:
        ValueError: the equations have no single solution: too few rows, or no move of the forward in them.
    """
    matrix = equations.matrix + ridge * np.trace(equations.matrix) / 3.0 * np.eye(3)
    # A diagonal of 1 makes the condition one of shape and not of units.
    scale = np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    if not np.linalg.cond(matrix / np.outer(scale, scale)) < 1e8:
        raise ValueError("these intervals do not determine a model")
    return np.asarray(np.linalg.solve(matrix, equations.vector) @ basis, dtype=np.float64)


def _two_sided(bid: Floats, ask: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(bid) & np.isfinite(ask) & (bid > 0) & (bid <= ask), dtype=np.bool_)


def _solved(value: Valuation) -> Valuation:
    """Without the rows that no vol explains."""
    keep = np.isfinite(value.vol)
    return Valuation(
        value.observed_at,
        value.expiry[keep],
        value.strike[keep],
        value.call[keep],
        value.forward[keep],
        value.premium[keep],
        value.noise[keep],
        value.vol[keep],
    )


def _keys(valuation: Valuation) -> NDArray[np.void]:
    """What names an option, as one sortable column."""
    keys = np.empty(len(valuation), dtype=[("expiry", "i8"), ("strike", "f8"), ("call", "?")])
    keys["expiry"], keys["strike"], keys["call"] = valuation.expiry, valuation.strike, valuation.call
    return keys
