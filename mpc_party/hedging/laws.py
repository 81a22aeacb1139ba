"""What a report about options must obey whatever the market does, judged as the contract's judge does, but more strictly.

Anyone can have the consortium's bond slashed with public data for a signed report that breaks one of these laws
(`contracts/src/interfaces/IReportJudge.sol`). So an honest member judges the packed words before it approves them, and
refuses whatever comes near. Deviations are judged in these terms, each against its `Floors`, which are at or below the least
that a contract can be configured with (`contracts/src/judge/ToleranceFloors.sol`); the contract's own arithmetic and rounding have room in what `OWN_SHARE` leaves:

    RANGE       premium within [intrinsic, 1] (a put's: K/F); the rest of this law is the words' own format
    PARITY      call and put of one strike: vols relative to the smaller; densities, deltas and premiums within twice a floor
    BLACK76     delta, densities and premium against Black-76 at the reported vol and forward, T = ACT/365
    MONOTONE    delta(K2) - delta(K1) of any two of one kind and expiry, K1 < K2, within twice delta's floor
    BUTTERFLY   price of any strike above the line between any two others, within twice the premium's floor
    HEDGE_BAND  |hedge delta - delta| within 8 densities and the slack

A density is phi(d1): gamma * vol * sqrt(T), and vega / sqrt(T). Pairs and triples are all judged, not neighbours alone: the
worst pair by a running minimum, the worst triple by the lower convex hull of the prices, since of the lines under a point
the hull's edge lies deepest. 1,024 instruments take less than 2 ms of one core.

On 1,380 rounds of honest desks over two months of a real chain (books of up to 1,024 options, six sets of desks) the largest
share of an allowance was 0.40 for PARITY (the vol's), 0.50 for BLACK76 (the vega's), 0.03 for MONOTONE, 0.21 for BUTTERFLY and
less than 0.01 for RANGE and HEDGE_BAND; see `market.surface` for what keeps it there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from eth_hash.auto import keccak
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, years
from mpc_party.protocol.errors import Reason, ReportError, RoundError
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import BookColumns, unpack_book, unpack_forwards, unpack_params

Floats = NDArray[np.float64]
Words = NDArray[np.int64]

OWN_SHARE: Final = 0.9  # of a floor: what a party signs lies within


class Law(IntEnum):
    """As `IReportJudge.Law`, in its order."""

    RANGE = 0
    PARITY = 1
    BLACK76 = 2
    MONOTONE = 3
    BUTTERFLY = 4
    HEDGE_BAND = 5


class Floors(NamedTuple):
    """What a party allows; no contract's tolerances can be smaller. Units as in the module's head."""

    delta: float = 1500e-6
    gamma: float = 6000e-6
    vega: float = 1500e-6
    premium: float = 1500e-6
    vol: float = 1000e-6
    hedge_reach: float = 8.0
    hedge_slack: float = 15_000e-6


FLOORS: Final = Floors()


@dataclass(frozen=True)
class Use:
    """How much of its allowance the worst instrument, pair or triple of a report takes.

    Attributes:
        law: which.
        quantity: what of the instrument.
        share: of the allowance; above 1 the report can be challenged.
        allowance: in the law's terms.
        exhibits: rows of the book, as the contract wants them: calls before puts, strikes ascending.
    """

    law: Law
    quantity: str
    share: float
    allowance: float
    exhibits: tuple[int, ...]


@dataclass(frozen=True)
class Judged:
    """A report with its book, in the units in which the laws speak: a row per instrument, all floats as fractions.

    `strike` is over the forward, `quoted_strike` in the quote currency; no instrument is listed twice.
    `density_gamma` and `density_vega` are the two densities. `expiry` is in Unix seconds, and after `observed_at`.
    """

    observed_at: int
    call: NDArray[np.bool_]
    expiry: Words
    strike: Floats
    quoted_strike: Floats
    iv: Floats
    delta: Floats
    hedge_delta: Floats
    density_gamma: Floats
    density_vega: Floats
    premium: Floats

    @property
    def time(self) -> Floats:
        """Years to expiry."""
        return years(self.expiry, self.observed_at)

    def name(self, row: int) -> str:
        """For messages."""
        # Not `datetime`, which ends with the year 9999: an expiry has five bytes.
        day = np.datetime64(int(self.expiry[row]), "s").astype("datetime64[D]")
        return f"{'call' if self.call[row] else 'put'} {self.quoted_strike[row]:.10g} of {day}"


def check_laws(report: HedgeReport, book: bytes) -> None:
    """Refuse to sign what could be slashed.

    Args:
        report: as it is about to be signed.
        book: its instrument words.

    Raises:
        RoundError: REPORT_UNLAWFUL with the law, the instruments and by how much; RANGE, too, where words cannot be
            judged (see `decode`).
    """
    try:
        judged = decode(report, book)
    except ReportError as error:
        raise _unlawful(f"law RANGE: {error.message}") from error
    # Written so that NaN fails, too.
    if not (found := worst(judged)).share <= OWN_SHARE:
        raise _unlawful(f"{describe(judged, found)}, this party signs up to {OWN_SHARE:.0%} of that")


def worst(judged: Judged, floors: Floors = FLOORS) -> Use:
    """The use of an allowance that comes nearest to a challenge, or is farthest beyond it."""
    return max(law_uses(judged, floors), key=lambda use: use.share)


def describe(judged: Judged, use: Use) -> str:
    """One sentence: law, instruments, by how much."""
    names = ", ".join(judged.name(row) for row in use.exhibits)
    return (
        f"law {use.law.name}: {use.quantity} of {names} is off by {use.share * use.allowance:.3g}; "
        f"a challenge needs {use.allowance:.3g} or more"
    )


def _unlawful(message: str) -> RoundError:
    return RoundError(
        message,
        reason=Reason.REPORT_UNLAWFUL,
        remedy="nothing was signed, as anyone could have the bond slashed for this report; the round is tried again. If "
        "it goes on, compare the members' quotes of this expiry, and see that fraction_bits is 16 or more",
    )


def decode(report: HedgeReport, book: bytes) -> Judged:
    """Read the words of a report and of its book.

    Raises:
        ReportError: a word breaks its format, the book is not the report's, or an expiry has no forward or is past.
    """
    if keccak(book) != report.book:
        raise ReportError("these instruments are not the report's book: their hash differs")
    columns, instruments = unpack_params(report.params), unpack_book(book)
    if len(instruments.call) != len(columns["iv"]):
        raise ReportError(
            f"the book has {len(instruments.call)} instruments, the report {len(columns['iv'])}"
        )
    slots = unpack_forwards(report.forwards)
    expiries = np.array([slot.expiry for slot in slots], dtype=np.int64)
    at = np.minimum(np.searchsorted(expiries, instruments.expiry), len(slots) - 1)
    alien = (expiries[at] != instruments.expiry) | (instruments.expiry <= report.observed_at)
    if alien.any():
        raise ReportError(f"the expiry of instrument {int(np.argmax(alien))} has no forward or is past")
    forward = np.array([slot.forward for slot in slots], dtype=np.float64)[at]
    return judged_of(report.observed_at, columns, instruments, forward)


def judged_of(
    observed_at: int, columns: Mapping[str, Words], instruments: BookColumns, forward: Floats
) -> Judged:
    """Put words that were taken apart into the laws' units.

    Args:
        observed_at: Unix seconds, before every expiry.
        columns: of param words, in their units; vols above 0.
        instruments: of the same rows.
        forward: 1e-8 of the quote currency, above 0, of the same rows.
    """
    root_time = np.sqrt(years(instruments.expiry, observed_at))
    iv = _scaled(columns["iv"], 1e-6)
    return Judged(
        observed_at=observed_at,
        call=instruments.call,
        expiry=instruments.expiry,
        strike=instruments.strike / forward,
        quoted_strike=instruments.strike * 1e-8,
        iv=iv,
        delta=_scaled(columns["bs_delta"], 1e-6),
        hedge_delta=_scaled(columns["hedge_delta"], 1e-6),
        density_gamma=_scaled(columns["gamma"], 1e-6) * iv * root_time,
        density_vega=_scaled(columns["vega"], 1e-8) / root_time,
        premium=_scaled(columns["premium"], 1e-8),
    )


def law_uses(judged: Judged, floors: Floors = FLOORS) -> list[Use]:
    """The worst use of each allowance.

    Left out are laws of pairs and triples of which the book has none, and BUTTERFLY where no price lies above a line.
    """
    return [measure.worst() for measure in _measures(judged, floors)]


def breaches(judged: Judged, floors: Floors, beyond: float = 1.0) -> list[Use]:
    """Everything that takes more than a share of its allowance, the worst first.

    Of MONOTONE and BUTTERFLY each strike stands in one breach at most, with the strikes that show it best.

    Args:
        judged: the report.
        floors: the allowances; a contract's own tolerances, for whoever wants to challenge there.
        beyond: the share.
    """
    found = [use for measure in _measures(judged, floors) for use in measure.beyond(beyond)]
    return sorted(found, key=lambda use: use.share, reverse=True)


@dataclass(frozen=True)
class _Measure:
    """One quantity of one law, of every instrument, pair or triple that it could be broken by: never none."""

    law: Law
    quantity: str
    allowance: float
    error: Floats  # (k,)
    exhibits: Words  # (k, 1), (k, 2) or (k, 3)

    def worst(self) -> Use:
        return self._use(int(np.argmax(self.error)))

    def beyond(self, share: float) -> list[Use]:
        # Written so that NaN is found, too.
        return [self._use(int(at)) for at in np.flatnonzero(~(self.error / self.allowance <= share))]

    def _use(self, at: int) -> Use:
        rows = tuple(int(row) for row in self.exhibits[at])
        return Use(self.law, self.quantity, float(self.error[at]) / self.allowance, self.allowance, rows)


def _measures(judged: Judged, floors: Floors) -> list[_Measure]:
    order = np.lexsort((judged.strike, ~judged.call, judged.expiry))  # calls of an expiry, then its puts
    return [
        *_range(judged, floors),
        *_parity(judged, floors),
        *_black76(judged, floors),
        *_monotone(judged, order, floors),
        *_butterfly(judged, order, floors),
        *_hedge_band(judged, floors),
    ]


def _range(judged: Judged, floors: Floors) -> list[_Measure]:
    intrinsic = np.maximum(np.where(judged.call, 1.0 - judged.strike, judged.strike - 1.0), 0.0)
    most = np.where(judged.call, 1.0, judged.strike)
    beyond = np.maximum(intrinsic - judged.premium, judged.premium - most)
    # The words' format gives delta in [-1, 1]; its sign is that of the kind.
    sign = np.where(judged.call, -judged.delta, judged.delta)
    wrong_sign = np.where(sign > 0.0, np.inf, 0.0)
    return [
        _single(Law.RANGE, "premium", beyond, floors.premium),
        _single(Law.RANGE, "sign of delta", wrong_sign, 1.0),
    ]


def _parity(judged: Judged, floors: Floors) -> list[_Measure]:
    order = np.lexsort((~judged.call, judged.quoted_strike, judged.expiry))  # a call before its put
    first, second = order[:-1], order[1:]
    paired = (
        (judged.expiry[first] == judged.expiry[second])
        & (judged.quoted_strike[first] == judged.quoted_strike[second])
        & judged.call[first]
        & ~judged.call[second]
    )
    call, put = first[paired], second[paired]
    if not len(call):
        return []
    smaller = np.minimum(judged.iv[call], judged.iv[put])
    pairs = np.stack([call, put], axis=1)

    def between(column: Floats) -> Floats:
        return np.asarray(column[call] - column[put], dtype=np.float64)

    def measure(quantity: str, error: Floats, allowance: float) -> _Measure:
        return _Measure(Law.PARITY, quantity, allowance, np.abs(error), pairs)

    return [
        measure("vol", between(judged.iv) / smaller, floors.vol),
        measure("gamma", between(judged.density_gamma), 2.0 * floors.gamma),
        measure("vega", between(judged.density_vega), 2.0 * floors.vega),
        measure("delta", between(judged.delta) - 1.0, 2.0 * floors.delta),
        measure("premium", between(judged.premium) - (1.0 - judged.strike[call]), 2.0 * floors.premium),
    ]


def _black76(judged: Judged, floors: Floors) -> list[_Measure]:
    exact = greeks(judged.strike, judged.iv, judged.time, judged.call)
    root_time = np.sqrt(judged.time)
    return [
        _single(Law.BLACK76, quantity, np.abs(error), allowance)
        for quantity, error, allowance in (
            ("delta", judged.delta - exact.delta, floors.delta),
            ("gamma", judged.density_gamma - exact.gamma * judged.iv * root_time, floors.gamma),
            ("vega", judged.density_vega - exact.vega / root_time, floors.vega),
            ("premium", judged.premium - exact.premium, floors.premium),
        )
    ]


def _monotone(judged: Judged, order: Words, floors: Floors) -> list[_Measure]:
    series = _series(judged, order)
    # Each series lies wholly below the one before, so that the running minimum begins anew with each.
    delta = judged.delta[order] - 4.0 * series
    lowest = np.minimum.accumulate(delta)
    # The latest place at which the minimum so far was reached.
    rows = np.arange(len(order))
    before = np.maximum.accumulate(np.where(delta == lowest, rows, 0))[:-1]
    same = series[1:] == series[:-1]
    if not same.any():
        return []
    rise = (delta[1:] - lowest[:-1])[same]
    pairs = np.stack([order[before[same]], order[1:][same]], axis=1)
    return [_Measure(Law.MONOTONE, "delta", 2.0 * floors.delta, rise, pairs)]


def _butterfly(judged: Judged, order: Words, floors: Floors) -> list[_Measure]:
    strike, premium = judged.strike[order], judged.premium[order]
    hull = _lower_hulls(strike, premium, _series(judged, order))
    rows = np.arange(len(order))
    left = hull[np.searchsorted(hull, rows, side="right") - 1]
    right = hull[np.searchsorted(hull, rows, side="left")]
    inside = left < right  # a point of the hull is its own left and right: it lies above no line
    if not inside.any():
        return []
    low, middle, high = left[inside], rows[inside], right[inside]
    part = (strike[middle] - strike[low]) / (strike[high] - strike[low])
    excess = premium[middle] - (premium[low] + part * (premium[high] - premium[low]))
    triples = np.stack([order[low], order[middle], order[high]], axis=1)
    return [_Measure(Law.BUTTERFLY, "premium", 2.0 * floors.premium, excess, triples)]


def _hedge_band(judged: Judged, floors: Floors) -> list[_Measure]:
    # A model may be dealt that uses the whole reach; what a round adds to that must fit in the slack.
    beyond = np.abs(judged.hedge_delta - judged.delta) - floors.hedge_reach * judged.density_vega
    return [_single(Law.HEDGE_BAND, "hedge delta", beyond, floors.hedge_slack)]


def _series(judged: Judged, order: Words) -> Words:
    """Number of each row's (expiry, kind), in this order: 0, 0, 1, 1, 1, ..."""
    expiry, call = judged.expiry[order], judged.call[order]
    begins = (expiry[1:] != expiry[:-1]) | (call[1:] != call[:-1])
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(begins)])


def _lower_hulls(x: Floats, y: Floats, series: Words) -> Words:
    """Rows of the lower convex hull of each series, ascending; x ascends within a series. Its ends are always among them.

    Source: Andrew, "Another efficient algorithm for convex hulls in two dimensions", 1979 (monotone chain).
    """
    xs, ys = x.tolist(), y.tolist()
    hull: list[int] = []
    starts = np.flatnonzero(np.diff(series, prepend=-1)).tolist()
    for start, end in zip(starts, [*starts[1:], len(xs)], strict=True):
        base = len(hull)
        for row in range(start, end):
            while len(hull) - base >= 2:
                a, b = hull[-2], hull[-1]
                if (xs[b] - xs[a]) * (ys[row] - ys[a]) > (ys[b] - ys[a]) * (xs[row] - xs[a]):
                    break
                hull.pop()
            hull.append(row)
    return np.array(hull, dtype=np.int64)


def _single(law: Law, quantity: str, error: Floats, allowance: float) -> _Measure:
    return _Measure(law, quantity, allowance, error, np.arange(len(error))[:, None])


def _scaled(values: Words, unit: float) -> Floats:
    return values.astype(np.float64) * unit
