"""Intervals of confidence for a series whose neighbours depend on each other: the circular block bootstrap.

Blocks of consecutive periods are drawn with replacement, the series being closed to a circle so that every period is
drawn alike often. A hedge's periods are such a series: all options of a period share one move of the forward, so the
period is what is drawn, and large moves come in clusters, so blocks are. Random numbers come from SHAKE-256 of a label:
the same label gives the same interval everywhere.

Percentiles are too narrow where few large moves decide the sums. Measured on simulated reports with clustered moves and
jumps (`tests/support/drifting_reports.py`, squared errors net of convexity, a model neither better nor worse): the 95 %
interval held the true gain in 89 % of 300 series of 60 periods, and in 92 % of 200 series of 230.

Sources: Politis, Romano, "A circular block-resampling procedure for stationary data", 1992. Block length: Politis, White,
"Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23, 2004, section 3.2, with the
correction of Patton, Politis, White, Econometric Reviews 28, 2009.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.streams import uniform

Floats = NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95
_TINY = 1e-300


class Gain(NamedTuple):
    """1 - sum(errors of the model)^2 / sum(errors of plain delta)^2, its percentile interval, and how that was found."""

    value: float
    low: float
    high: float
    block: int  # periods
    periods: int


def gain_interval(
    model: Floats, plain: Floats, label: str, *, block: int | None = None, resamples: int = RESAMPLES
) -> Gain:
    """The gain of a model over plain delta, with a 95 % interval.

    Args:
        model: per period, the sum of the squared errors with the model, (n,).
        plain: per period, the same with plain delta, (n,); not all zero.
        label: names the random numbers.
        block: periods a block; None chooses it by `block_length` from the linearised gain, model - ratio * plain.
        resamples: how many series are drawn.

    Raises:
        ValueError: fewer than two periods, or no error to reduce.
    """
    count = len(plain)
    if count < 2 or model.shape != plain.shape or not plain.sum() > 0:
        raise ValueError("a gain needs two periods at least, and errors to reduce")
    ratio = model.sum() / plain.sum()
    if block is None:
        block = block_length(model - ratio * plain)
    drawn = resample_sums(np.stack([model, plain]), block, resamples, label)
    # A block may be all zeros, as a whole drawn series never is unless nearly all of the original is.
    gains = 1.0 - drawn[:, 0] / np.maximum(drawn[:, 1], _TINY)
    low, high = np.quantile(gains, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return Gain(float(1.0 - ratio), float(low), float(high), block, count)


def resample_sums(series: Floats, block: int, resamples: int, label: str) -> Floats:
    """Sums over resampled series: (resamples, k) from `series` (k, n), all k resampled alike.

    Each resample is made of n / block blocks; where that is no whole number, the last block is cut.
    """
    count = series.shape[1]
    block = min(max(block, 1), count)
    full, rest = divmod(count, block)
    starts = np.floor(uniform(f"bootstrap/{label}", resamples * (full + 1)) * count).astype(np.int64)
    starts = starts.reshape(resamples, full + 1)
    # Sums of blocks on the circle are differences of running sums.
    running = np.concatenate([np.zeros((len(series), 1)), np.cumsum(np.tile(series, 2), axis=1)], axis=1)

    def block_sums(first: NDArray[np.int64], length: int) -> Floats:
        return np.asarray(running[:, first + length] - running[:, first], dtype=np.float64)

    total = block_sums(starts[:, :full], block).sum(axis=2)
    if rest:
        total = total + block_sums(starts[:, full], rest)
    return np.asarray(total.T, dtype=np.float64)


def block_length(series: Floats) -> int:
    """The block length that minimises the error of the variance of the mean, by Politis and White's rule, >= 1."""
    count = len(series)
    centred = series - series.mean()
    variance = float(centred @ centred) / count
    if not variance > 0:
        return 1
    longest = int(np.ceil(min(3.0 * np.sqrt(count), count / 3.0)))
    patience = max(5, int(np.ceil(np.sqrt(np.log10(count)))))
    most = min(int(np.ceil(np.sqrt(count))) + patience, count - 1)
    covariance = np.array([centred[lag:] @ centred[: count - lag] / count for lag in range(most + 1)])
    small = np.abs(covariance[1:] / variance) < 2.0 * np.sqrt(np.log10(count) / count)
    # The last lag that matters: after it come `patience` that do not; else the largest that matters at all.
    quiet = [lag for lag in range(len(small) - patience + 1) if small[lag : lag + patience].all()]
    if quiet:
        last = quiet[0]
    else:
        loud = np.flatnonzero(~small)
        last = int(loud[-1]) + 1 if len(loud) else 1
    width = min(2 * max(last, 1), most)
    lags = np.arange(1, width + 1)
    flat_top = np.clip(2.0 * (1.0 - lags / width), 0.0, 1.0)
    weighted = flat_top * covariance[1 : width + 1]
    curvature = 2.0 * float(lags @ weighted)
    spectrum = variance + 2.0 * float(weighted.sum())
    if not spectrum > 0:
        return longest
    best = (2.0 * curvature**2 / (4.0 / 3.0 * spectrum**2)) ** (1 / 3) * count ** (1 / 3)
    return int(np.clip(np.ceil(best), 1, longest))
