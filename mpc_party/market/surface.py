"""The log-vol surface of one round: its public basis, and one desk's private fit on it.

Per expiry, the deviation of the log-vol from a public reference is a combination of [1, z, z^2 - 1] (Hermite
polynomials) of z = x / sqrt(1 + (x / 3)^2), where x = log(strike / forward) / (reference_vol sqrt(T)) is the standardised
log-moneyness. Near the money z is x; in the wings, of which quotes say little and a quadratic of x says too much, it tends
to +-3. The coefficients are the desk's secret input.

A report whose deltas rise with the strike can be challenged (`hedging.laws`), and a surface gives such deltas where it holds
arbitrage: where its vol rises so fast in the wing that options farther out of the money cost more. So each desk flattens
the wings of its fit until they do not (`_flatten_wings`). On two months of a real chain (230 rounds of three desks, up to
680 options each), where z was x held at |x| <= 4, 80 % of the rounds were unlawful, 71 % by rising deltas, up to 50 times what is
allowed; with this z alone 2.6 % were, with this z and flattened wings none. Root mean square distance to the venue's marks, in
1e-4 of the forward, by |x|:

                                   below 1   1 to 2   2 to 3   3 to 4   above
    x held at 4                        4.8      6.5     13.1     20.1    23.2
    x held at 4, wings flattened      11.1      9.9     10.1      5.7     1.4
    this z                             4.7      5.3      7.9      5.2     1.8
    this z, wings flattened            4.7      5.3      7.9      5.2     1.7

Source: Fukasawa, "The normalizing transformation of the implied volatility smile", Mathematical Finance 22, 2012: without
arbitrage, d1 and d2 fall with the strike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, years
from mpc_party.market.quotes import VolQuotes
from mpc_party.protocol.secret import Secret

Floats = NDArray[np.float64]

BASIS_SIZE = 3
Z_LIMIT = 3.0  # what |z| tends to in the wings
STEEPEST = 0.9  # of the slope at which d1 ceases to fall with the strike
RIDGE = 1e-3  # of the mean diagonal, per coefficient of order 0, 1, 2 times the order: keeps thin expiries from bending
LARGEST_COEFFICIENT = 2.0  # in log-vol: what a round accepts, whatever the span
_TINY = 1e-300


@dataclass(frozen=True)
class Grid:
    """The public frame of a fit: per expiry its time, forward and reference vol (all of shape (E,)).

    `expiry` in Unix seconds ascending, `time` in years, `reference_vol` as an annual fraction.
    """

    observed_at: int
    expiry: NDArray[np.int64]
    forward: Floats
    reference_vol: Floats

    @property
    def time(self) -> Floats:
        """Time to expiry in years, shape (E,)."""
        return years(self.expiry, self.observed_at)

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the log-forward to expiry at the reference vol, shape (E,)."""
        return np.asarray(self.reference_vol * np.sqrt(self.time), dtype=np.float64)

    def standardised(self, index: NDArray[np.int64], strike: Floats) -> Floats:
        """The z of strikes of the expiries `index`, within +-3: shape (rows,)."""
        x = np.log(strike / self.forward[index]) / self.deviation[index]
        return np.asarray(x / np.sqrt(1.0 + (x / Z_LIMIT) ** 2), dtype=np.float64)

    def span(self, index: NDArray[np.int64], strike: Floats) -> Floats:
        """Lowest and highest z per expiry over a book's strikes, (E, 2). Every expiry must have one."""
        z = self.standardised(index, strike)
        return np.array([[z[index == e].min(), z[index == e].max()] for e in range(len(self.expiry))])

    def basis(self, index: NDArray[np.int64], strike: Floats) -> Floats:
        """Basis functions at strikes of the expiries `index`: shape (rows, 3)."""
        z = self.standardised(index, strike)
        return np.stack([np.ones_like(z), z, z * z - 1.0], axis=-1)


@dataclass(frozen=True, repr=False)
class SurfaceFit(Secret):
    """One desk's fit: coefficients of shape (E, 3) in log-vol, each within 2. Private."""

    coefficients: Floats
    borrowed: int  # expiries without enough quotes, filled from their neighbours
    clipped: int  # expiries drawn in to stay within the band, or flattened to hold no arbitrage

    def __repr__(self) -> str:
        return (
            f"SurfaceFit({len(self.coefficients)} expiries, {self.borrowed} borrowed, {self.clipped} clipped)"
        )


def fit_surface(grid: Grid, quotes: VolQuotes, band: float, span: Floats | None = None) -> SurfaceFit:
    """Weighted least squares per expiry; rows are weighted by (vega / width of the quote)^2, normalised.

    An expiry with fewer than four usable quotes borrows the coefficients of its neighbours, linearly in the square
    root of time, at the lowest weight. Wings that are too steep anywhere within `span` are flattened; deviations beyond
    `band` anywhere within it are drawn in to it.

    Args:
        grid: the round's public frame.
        quotes: this desk's usable quotes.
        band: half-width of the allowed deviations, in log-vol.
        span: (E, 2), lowest and highest z of the book's strikes per expiry (`Grid.span`); +-3 where None.
    """
    count = len(grid.expiry)
    coefficients = np.full((count, BASIS_SIZE), np.nan)
    for index in range(count):
        rows = quotes.expiry == grid.expiry[index]
        if np.count_nonzero(rows) <= BASIS_SIZE:
            continue
        coefficients[index] = _fit_expiry(grid, index, quotes, rows)
    missing = np.isnan(coefficients[:, 0])
    if missing.all():
        coefficients[:] = 0.0
    elif missing.any():
        root = np.sqrt(grid.time)
        for k in range(BASIS_SIZE):
            coefficients[missing, k] = np.interp(root[missing], root[~missing], coefficients[~missing, k])
    if span is None:
        span = np.tile([-Z_LIMIT, Z_LIMIT], (count, 1))
    touched = _flatten_wings(coefficients, grid.deviation, band, span)
    touched |= _draw_into_band(coefficients, band, span)
    return SurfaceFit(coefficients, int(missing.sum()), int(touched.sum()))


def _fit_expiry(grid: Grid, index: int, quotes: VolQuotes, rows: NDArray[np.bool_]) -> Floats:
    strike, vol = quotes.strike[rows], quotes.vol[rows]
    basis = grid.basis(np.full(strike.shape, index, dtype=np.int64), strike)
    target = np.log(vol / grid.reference_vol[index])
    precision = row_weights(grid, index, quotes, rows)
    normal = basis.T @ (precision[:, None] * basis)
    ridge = RIDGE * np.trace(normal) / BASIS_SIZE * np.arange(BASIS_SIZE)
    solution = np.linalg.solve(normal + np.diag(ridge + 1e-9), basis.T @ (precision * target))
    return np.asarray(solution, dtype=np.float64)


def row_weights(grid: Grid, index: int, quotes: VolQuotes, rows: NDArray[np.bool_]) -> Floats:
    """How much each of the quotes `rows` (not none) counts on expiry `index`: (vega / width)^2, the largest being 1."""
    strike, vol = quotes.strike[rows], quotes.vol[rows]
    time = np.full(strike.shape, grid.time[index])
    vega = greeks(strike / grid.forward[index], vol, time, np.ones(strike.shape, dtype=np.bool_)).vega
    # A width of half a percent of the vol is as good as a quote gets; narrower ones do not count for more.
    precision = (vega / max(vega.max(), _TINY)) ** 2 / np.maximum(quotes.width[rows] / vol, 0.005) ** 2
    return np.asarray(precision / max(precision.max(), _TINY), dtype=np.float64)


def effective_count(weights: Floats) -> float:
    """Kish's effective sample size: how many equally good quotes these are worth."""
    return float(weights.sum() ** 2 / max((weights**2).sum(), _TINY))


def _flatten_wings(coefficients: Floats, deviation: Floats, band: float, span: Floats) -> NDArray[np.bool_]:
    """Scale down, in place, what makes d1 rise with the strike within the span; which expiries were touched, (E,).

    With r = vol / reference and a = `deviation`, d1 = -x / r + a r / 2 falls with x where s (x + a r^2 / 2) < 1, s being the
    slope of log(r) in x. At given r that is linear in the last two coefficients, and a bound that is linear in two
    numbers holds for the median of three desks if it does for each: at least one desk of three is at least as far out
    as the median in both. A little below 1, as r is not given.
    """
    scales = np.linspace(1.0, 0.0, 101)[:, None]
    touched = np.zeros(len(coefficients), dtype=np.bool_)
    for index, (row, (low, high)) in enumerate(zip(coefficients, span, strict=True)):
        z = np.linspace(low, high, 65)
        room = np.maximum(1.0 - (z / Z_LIMIT) ** 2, 0.0)  # x = z / sqrt(room), and dz/dx = room^1.5
        r = np.exp(np.minimum(row[0] + scales * (row[1] * z + row[2] * (z * z - 1.0)), band))
        slope = scales * (row[1] + 2.0 * row[2] * z)
        steepness = (slope * (room * z + room**1.5 * 0.5 * deviation[index] * r * r)).max(axis=1)
        kept = float(scales[np.argmax(steepness <= STEEPEST), 0])
        touched[index] = kept < 1.0
        row[1:] *= kept
    return touched


def _draw_into_band(coefficients: Floats, band: float, span: Floats) -> NDArray[np.bool_]:
    """Shrink, in place, what leaves the band within the span; which expiries were touched, (E,)."""
    touched = np.zeros(len(coefficients), dtype=np.bool_)
    for index, (row, (low, high)) in enumerate(zip(coefficients, span, strict=True)):
        # A quadratic is extreme at its ends and at its vertex, which stays where it is when the wings shrink.
        inside = 2.0 * low * abs(row[2]) < -row[1] * np.sign(row[2]) < 2.0 * high * abs(row[2])
        vertex = -0.5 * row[1] / row[2] if inside else high
        z = np.array([low, vertex, high])
        wings = row[1] * z + row[2] * (z * z - 1.0)
        if np.abs(row[0] + wings).max() <= band:
            continue
        touched[index] = True
        row[0] = np.clip(row[0], -0.9 * band, 0.9 * band)
        with np.errstate(divide="ignore", over="ignore"):
            room = (band - np.sign(wings) * row[0]) / np.abs(wings)
        row[1:] *= min(1.0, float(room.min()))
    # A book of few strikes bounds the coefficients little. A smaller surface of the same form stays in the band.
    largest = np.maximum(np.abs(coefficients).max(axis=1, keepdims=True), _TINY)
    coefficients *= np.minimum(1.0, LARGEST_COEFFICIENT / largest)
    return touched
