"""Whether the published hedge deltas still do better than plain delta: from published reports alone.

An option that stands in two consecutive reports has, with V its premium and F its forward, over that interval the errors

    plain = (dV - delta dF) / F0          hedged = (dV - hedge delta dF) / F0

in units of the forward at the start, whose deltas they are. Both hold what the option would have gained or lost at an
unchanged vol beyond its delta: its convexity and decay. No delta does anything about these where moves are as likely up
as down; they are known from the report (Black-76 at the reported vol), and for a large move they are many times what
the hedges differ by. The verdict is on the errors net of them; `gross_gain` is the same figure with them. What a model
gains by leaning against moves that are skewed is in the gross figure only.

All options of an interval share one move of the forward and most of the move of the vols, so that an interval counts as
one observation: the mean squares of its two columns of errors. Large moves come in clusters, so that neighbouring
intervals depend on each other as well. The gain is 1 - (sum of weighted hedged squares) / (sum of weighted plain
squares), recent intervals weighing more, with an interval of confidence by the circular block bootstrap over intervals
(Politis, Romano, "A circular block-resampling procedure for stationary data", 1992), blocks of the cube root of the
effective number of intervals. The model is `better` or `worse` where that interval does not hold 0, and `undecided`
otherwise and where there are too few intervals.

The percentile interval is taken at 98 %, as few large moves decide such sums and percentiles are then too narrow: with
tens of intervals about 5 % of verdicts on a model that is neither better nor worse are false, and fewer with hundreds.
Measured on simulated reports whose vols move with the forward, with clustered moves and jumps
(`tests/support/drifting_reports.py`, 300 series each); shares of verdicts by the number of intervals:

    intervals                                                   30      60     200
    neither better nor worse: better or worse, wrongly         6.2 %   5.5 %   2.3 %
    a gain of 0.47: better                                      58 %    83 %    98 %
    a gain of 0.21: better                                      22 %    32 %    64 %
    the wrong way round, a gain of -0.64: worse                 90 %    97 %   100 %

In none of the last three rows was the opposite said. On gross errors the second row was 35 %, 42 %, 61 %.

Everything here is public; nothing is asked of the members.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, years
from mpc_party.market.intervals import DELTA_RANGE, LEAST_DAYS, LONGEST_INTERVAL, SECONDS_PER_DAY
from mpc_party.market.streams import uniform

Floats = NDArray[np.float64]

HALF_LIFE: Final = 7.0  # days
FEWEST_INTERVALS: Final = 20.0  # effective
CONFIDENCE: Final = 0.98
RESAMPLES: Final = 4000


class PublishedReport(Protocol):
    """What is read of a report: one row an option, all columns of one length.

    Times in Unix seconds, `strike` and `forward` in the quote currency, `iv` an annual fraction, `premium` as a fraction
    of the forward.
    """

    @property
    def observed_at(self) -> int: ...  # noqa: D102 - columns, named in the class's text

    @property
    def expiry(self) -> NDArray[np.int64]: ...  # noqa: D102

    @property
    def strike(self) -> Floats: ...  # noqa: D102

    @property
    def call(self) -> NDArray[np.bool_]: ...  # noqa: D102

    @property
    def forward(self) -> Floats: ...  # noqa: D102

    @property
    def iv(self) -> Floats: ...  # noqa: D102

    @property
    def premium(self) -> Floats: ...  # noqa: D102

    @property
    def bs_delta(self) -> Floats: ...  # noqa: D102

    @property
    def hedge_delta(self) -> Floats: ...  # noqa: D102


@dataclass(frozen=True)
class HedgingErrors:
    """One interval, a row an option that stands at both its ends.

    `start`, `end` and `expiry` in Unix seconds, `strike` in the quote currency, `move` dF / F0, `plain` and `hedged` the
    errors of the two hedges, and `convexity` what of them was gained at an unchanged vol, in units of F0.
    """

    start: int
    end: int
    expiry: NDArray[np.int64]
    strike: Floats
    call: NDArray[np.bool_]
    move: Floats
    plain: Floats
    hedged: Floats
    convexity: Floats

    def squares(self, *, net: bool = True) -> tuple[float, float]:
        """Mean squared errors of plain delta and of the published hedge, net of convexity or gross."""
        beyond = self.convexity if net else np.zeros(len(self))
        return float(np.mean((self.plain - beyond) ** 2)), float(np.mean((self.hedged - beyond) ** 2))

    def __len__(self) -> int:
        return len(self.expiry)


class Verdict(StrEnum):
    """The published hedge against plain delta."""

    BETTER = "better"
    UNDECIDED = "undecided"
    WORSE = "worse"


@dataclass(frozen=True)
class Drift:
    """What a series of reports says of its model.

    `gain` is the share of plain delta's squared error that the model saves (negative where it adds to it), `low` and
    `high` its interval at 98 %; None where there is no interval to say. `intervals` were used, which by their weights
    are worth `effective` equal ones; `rows` is the number of errors in them.
    """

    verdict: Verdict
    gain: float | None
    low: float | None
    high: float | None
    gross_gain: float | None
    intervals: int
    effective: float
    rows: int


def hedging_errors(start: PublishedReport, end: PublishedReport) -> HedgingErrors:
    """The errors from one report to a later one, over the options in both that count.

    Those that count have more than `LEAST_DAYS` left at the end and a call delta within `DELTA_RANGE` at the start, as
    where models are fitted (`market.intervals`).

    Raises:
        ValueError: the end is not after the start.
    """
    if end.observed_at <= start.observed_at:
        raise ValueError("an interval ends after it starts")
    _, first, second = np.intersect1d(_keys(start), _keys(end), return_indices=True)
    expiry, call = start.expiry[first], start.call[first]
    delta = start.bs_delta[first]
    call_delta = np.where(call, delta, delta + 1.0)
    keep = (expiry - end.observed_at > LEAST_DAYS * SECONDS_PER_DAY) & (start.forward[first] > 0)
    keep &= (call_delta > DELTA_RANGE[0]) & (call_delta < DELTA_RANGE[1])
    first, second, expiry, call, delta = first[keep], second[keep], expiry[keep], call[keep], delta[keep]
    strike, forward, vol = start.strike[first], start.forward[first], start.iv[first]
    move = end.forward[second] / forward - 1.0
    # Premiums are in coin, worth the forward at their own moment.
    change = end.premium[second] * (1.0 + move) - start.premium[first]
    before = greeks(strike / forward, vol, years(expiry, start.observed_at), call).premium
    after = greeks(strike / end.forward[second], vol, years(expiry, end.observed_at), call).premium
    return HedgingErrors(
        start.observed_at,
        end.observed_at,
        expiry,
        strike,
        call,
        move,
        change - delta * move,
        change - start.hedge_delta[first] * move,
        after * (1.0 + move) - before - delta * move,
    )


def hedging_intervals(
    reports: Iterable[PublishedReport], *, spacing: int = 0, longest: int = LONGEST_INTERVAL
) -> list[HedgingErrors]:
    """The intervals between consecutive reports, those without a common option that counts left out.

    Args:
        reports: in the order of their `observed_at`; a repeated moment is passed over.
        spacing: seconds; reports that follow the last one used more closely are passed over. Reports seconds apart
            say little, as their vols' noise is as large as the forward's moves.
        longest: seconds; longer intervals are left out.
    """
    found: list[HedgingErrors] = []
    last: PublishedReport | None = None
    for report in reports:
        if last is not None:
            age = report.observed_at - last.observed_at
            if age < max(spacing, 1):
                continue
            if age <= longest and len(errors := hedging_errors(last, report)):
                found.append(errors)
        last = report
    return found


def assess(intervals: Sequence[HedgingErrors], half_life: float = HALF_LIFE) -> Drift:
    """Judge a model by its intervals, those that ended `half_life` days before the last counting half.

    Raises:
        ValueError: the half-life is not positive.
    """
    if not half_life > 0:
        raise ValueError("a half-life is positive")
    ends = np.array([interval.end for interval in intervals], dtype=np.float64)
    weight = 0.5 ** ((ends.max(initial=-math.inf) - ends) / SECONDS_PER_DAY / half_life)
    rows = sum(map(len, intervals))
    effective = effective_count(weight)
    plain, hedged = np.array([interval.squares() for interval in intervals]).reshape(-1, 2).T
    if not weight @ plain > 0:
        return Drift(Verdict.UNDECIDED, None, None, None, None, len(intervals), effective, rows)
    gain, low, high = weighted_gain(plain, hedged, weight)
    gross_plain, gross_hedged = np.array([interval.squares(net=False) for interval in intervals]).T @ weight
    gross_gain = float(1.0 - gross_hedged / gross_plain) if gross_plain > 0 else None
    verdict = Verdict.UNDECIDED
    if effective >= FEWEST_INTERVALS and (low > 0.0 or high < 0.0):
        verdict = Verdict.BETTER if low > 0.0 else Verdict.WORSE
    return Drift(verdict, gain, low, high, gross_gain, len(intervals), effective, rows)


def effective_count(weight: Floats) -> float:
    """How many equal weights these are worth, by Kish: (sum w)^2 / sum w^2; 0 for none."""
    return float(weight.sum() ** 2 / (weight @ weight)) if len(weight) else 0.0


def weighted_gain(
    plain: Floats,
    hedged: Floats,
    weight: Floats,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = RESAMPLES,
) -> tuple[float, float, float]:
    """1 - sum(w hedged) / sum(w plain), and its interval by the circular block bootstrap; blocks keep their weights.

    The same numbers give the same interval: the draws come from a fixed label.

    Args:
        plain: mean squared error per interval, (n,), in the order of time, with sum(w plain) above 0.
        hedged: the same of the other hedge.
        weight: (n,), not negative.
        confidence: of the interval.
        resamples: series drawn.
    """
    count = len(plain)
    gain = float(1.0 - (weight @ hedged) / (weight @ plain))
    block = min(max(round(effective_count(weight) ** (1 / 3)), 1), count)
    blocks = math.ceil(count / block)
    starts = np.floor(uniform(f"drift/{count}/{block}", resamples * blocks) * count).astype(np.int64)
    starts = starts.reshape(resamples, blocks)
    # The last block is cut, so that every series has the length of the first.
    lengths = np.full(blocks, block)
    lengths[-1] = count - block * (blocks - 1)
    sums = []
    for column in (weight * plain, weight * hedged):
        running = np.concatenate(([0.0], np.cumsum(np.tile(column, 2))))
        sums.append((running[starts + lengths] - running[starts]).sum(axis=1))
    drawn = 1.0 - sums[1] / np.maximum(sums[0], np.finfo(np.float64).tiny)
    low, high = np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return gain, float(low), float(high)


def _keys(report: PublishedReport) -> NDArray[np.void]:
    """What names an option, as one sortable column."""
    keys = np.empty(len(report.expiry), dtype=[("expiry", "i8"), ("strike", "f8"), ("call", "?")])
    keys["expiry"], keys["strike"], keys["call"] = report.expiry, report.strike, report.call
    return keys
