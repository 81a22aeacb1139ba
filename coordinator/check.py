"""Whether a report makes sense: its numbers against Black-76 at its own vol, from public data alone.

What the committee opens is a vol per instrument and polynomial greeks; here the greeks are computed again in float64
from the reported vol and forward, so that anyone who holds a report and its book can tell by how much it is off. Time
to expiry counts from the report's `observed_at`, ACT/365. And whether anyone could challenge it (`hedging.laws`).
"""

from dataclasses import dataclass

import numpy as np
from eth_hash.auto import keccak
from numpy.typing import NDArray

from mpc_party.hedging.laws import Use, decode, describe, worst
from mpc_party.hedging.scenarios import short_losses
from mpc_party.market.black76 import Greeks, greeks, years
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import (
    MARGIN_ABSENT,
    split_words,
    unpack_forwards,
    unpack_instrument,
    unpack_params,
)

Floats = NDArray[np.float64]

DELTA_TOLERANCE = 1e-3
DENSITY_TOLERANCE = 1e-3  # of the normal density, which vega is sqrt(T) times
PREMIUM_TOLERANCE = 1e-3
MARGIN_TOLERANCE = 1e-3
GAMMA_SHAPE_TOLERANCE = 4e-3  # of gamma * reference vol * sqrt(T)
ROUNDING = 2e-6  # the report's own units


@dataclass(frozen=True)
class DecodedReport:
    """A report with its book, column by column: one row is one instrument, in the book's order.

    `expiry` Unix seconds; `strike` and `forward` quote currency; `iv` annual fraction; `bs_delta`, `hedge_delta` in
    units of the forward; `gamma` forward * gamma; `vega` vega / forward per 1.00 of vol; `premium` price / forward;
    margins of one short option as fractions of the forward, NaN where they were not computed.
    """

    underlying: str
    observed_at: int
    expiry: NDArray[np.int64]
    strike: Floats
    call: NDArray[np.bool_]
    forward: Floats
    iv: Floats
    bs_delta: Floats
    hedge_delta: Floats
    gamma: Floats
    vega: Floats
    premium: Floats
    maintenance_margin: Floats
    initial_margin: Floats

    def __len__(self) -> int:
        return len(self.expiry)

    @property
    def time(self) -> Floats:
        """Years to expiry, from the observation."""
        return years(self.expiry, self.observed_at)

    def black76(self) -> Greeks:
        """Price and greeks at the reported vol and forward."""
        return greeks(self.strike / self.forward, self.iv, self.time, self.call)


@dataclass(frozen=True)
class SanityErrors:
    """Largest absolute deviations from Black-76 over the instruments of one report."""

    delta: float
    density: float
    premium: float
    gamma_shape: float


def decode_book(report: HedgeReport, book: bytes) -> DecodedReport:
    """Join a report with the instrument words of its book.

    Raises:
        ReportError: the words are not the book that the report names, do not fit its counts, name an expiry without
            a forward, or several underlyings.
    """
    if keccak(book) != report.book:
        raise ReportError("these instruments are not the report's book: their hash differs")
    instruments = [unpack_instrument(word) for word in split_words(book)]
    if len(instruments) != report.instruments:
        raise ReportError(f"the book has {len(instruments)} instruments, the report {report.instruments}")
    forwards = {item.expiry: item.forward * 1e-8 for item in unpack_forwards(report.forwards)}
    for index, instrument in enumerate(instruments):
        if instrument.expiry not in forwards:
            raise ReportError(
                f"instrument {index} expires at {instrument.expiry}, for which there is no forward"
            )
    underlyings = {item.underlying for item in instruments}
    if len(underlyings) != 1:
        raise ReportError(f"the book has several underlyings: {', '.join(sorted(underlyings))}")
    columns = unpack_params(report.params)
    return DecodedReport(
        underlying=underlyings.pop(),
        observed_at=report.observed_at,
        expiry=np.array([item.expiry for item in instruments], dtype=np.int64),
        strike=np.array([item.strike for item in instruments], dtype=np.float64) * 1e-8,
        call=np.array([item.call for item in instruments], dtype=np.bool_),
        forward=np.array([forwards[item.expiry] for item in instruments], dtype=np.float64),
        iv=_scaled(columns["iv"], 1e-6),
        bs_delta=_scaled(columns["bs_delta"], 1e-6),
        hedge_delta=_scaled(columns["hedge_delta"], 1e-6),
        gamma=_scaled(columns["gamma"], 1e-6),
        vega=_scaled(columns["vega"], 1e-8),
        premium=_scaled(columns["premium"], 1e-8),
        maintenance_margin=_margin(columns["maintenance_margin"]),
        initial_margin=_margin(columns["initial_margin"]),
    )


def sanity_errors(decoded: DecodedReport) -> SanityErrors:
    """Largest deviations from Black-76, each in the terms in which the computation bounds it."""
    exact = decoded.black76()
    root_time = np.sqrt(decoded.time)
    return SanityErrors(
        delta=_largest(decoded.bs_delta - exact.delta),
        density=_largest((decoded.vega - exact.vega) / root_time),
        premium=_largest(decoded.premium - exact.premium),
        gamma_shape=_largest((decoded.gamma - exact.gamma) * decoded.iv * root_time),
    )


def max_delta_error(decoded: DecodedReport) -> float:
    """Largest |reported delta - Black-76 delta at the reported vol and forward| over the instruments."""
    return sanity_errors(decoded).delta


def require_sane(decoded: DecodedReport, program: Program) -> SanityErrors:
    """Refuse a report whose greeks or margins are not those of its vol.

    Args:
        decoded: the report and its book.
        program: the consortium's: gamma's error scales with vol / reference, so with its band; margins are those of
            its scenarios. A report without any margin, as earlier versions made, passes without them.

    Raises:
        ReportError: names the quantity, its error and the bound.
    """
    errors = sanity_errors(decoded)
    for name, error, bound in (
        ("delta", errors.delta, DELTA_TOLERANCE),
        ("vega / (forward sqrt(T))", errors.density, DENSITY_TOLERANCE),
        ("premium / forward", errors.premium, PREMIUM_TOLERANCE),
        ("gamma * vol * sqrt(T)", errors.gamma_shape, GAMMA_SHAPE_TOLERANCE * float(np.exp(program.band))),
    ):
        # Written so that NaN fails, too.
        if not error <= bound + ROUNDING:
            raise ReportError(
                f"{name} is off by {error:.3g} from Black-76 at the reported vol, above {bound:.3g}"
            )
    _require_margins(decoded, program)
    return errors


def require_lawful(report: HedgeReport, book: bytes) -> Use:
    """Refuse a report for which the consortium's bond could be slashed.

    Judged at the least tolerances that a contract can have: one with wider ones may leave such a report unpunished.

    Returns:
        What comes nearest to a challenge.

    Raises:
        ReportError: names the law, the instruments and by how much; or the book is not the report's.
    """
    judged = decode(report, book)
    nearest = worst(judged)
    if not nearest.share <= 1.0:
        raise ReportError(
            f"the report can be challenged on chain: {describe(judged, nearest)}",
            reason=Reason.REPORT_UNLAWFUL,
            remedy="do not rely on it; whoever challenges it shows the contract these instruments",
        )
    return nearest


def _require_margins(decoded: DecodedReport, program: Program) -> None:
    if np.isnan(decoded.maintenance_margin).all() and np.isnan(decoded.initial_margin).all():
        return
    losses = short_losses(
        decoded.strike / decoded.forward, decoded.iv, decoded.time, decoded.call, program.scenarios
    ).max(axis=0)
    ratio = program.initial_margin_percent / 100
    for name, error in (
        ("maintenance margin", _largest(decoded.maintenance_margin - np.maximum(losses, 0.0))),
        ("initial margin", _largest(decoded.initial_margin - ratio * decoded.maintenance_margin)),
    ):
        if not error <= MARGIN_TOLERANCE + ROUNDING:
            raise ReportError(
                f"the {name} is off by {error:.3g} from that of the scenarios, above {MARGIN_TOLERANCE:.3g}"
            )


def at_the_money_vols(decoded: DecodedReport) -> dict[int, float]:
    """The reported vol nearest to the money, per expiry: where the next round expands around."""
    distance = np.abs(np.log(decoded.strike / decoded.forward))
    vols: dict[int, float] = {}
    for expiry in np.unique(decoded.expiry):
        rows = np.flatnonzero(decoded.expiry == expiry)
        vols[int(expiry)] = float(decoded.iv[rows[np.argmin(distance[rows])]])
    return vols


def _scaled(values: NDArray[np.int64], unit: float) -> Floats:
    return values.astype(np.float64) * unit


def _margin(values: NDArray[np.int64]) -> Floats:
    return np.where(values == MARGIN_ABSENT, np.nan, values * 1e-6)


def _largest(errors: Floats) -> float:
    return float(np.max(np.abs(errors)))
