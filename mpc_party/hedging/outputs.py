"""From opened ring integers to the units of the report, by integers only; and the range check on what was opened.

Everything here is public: it runs on values that all committee members have opened. Integer arithmetic makes the
result the same at every party and lets anyone compare the report with the opened values bit for bit.

A report value tells which ring value it came from where the column's scale is 2^fraction_bits or more and the value
lies within its bounds. At 16 bits that holds for every column but iv at a reference vol below 0.066 and gamma where
reference vol * sqrt(T) is above 15; at 20 bits the deltas, too, have neighbours that share a report unit (10^6 < 2^20).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.chebyshev import output_values
from mpc_party.hedging.exposure import NO_EXPOSURE, Exposure
from mpc_party.hedging.model import MODEL_REACH
from mpc_party.hedging.public import VOL_UNIT, PublicInputs
from mpc_party.hedging.scenarios import short_losses
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.words import MARGIN_ABSENT

Words = NDArray[np.int64]

# Of delta, density and time value against Black-76 at the opened vol: 65 units in the last place at 16 bits, and as many at
# fewer, where rounding exceeds what the polynomials are wrong by.
TOLERANCE = 1e-3
GAMMA_TOLERANCE = 4e-3  # the shape of gamma reaches four times the density's size


class Column(IntEnum):
    """Rows of the opened table: all that a round opens about instruments."""

    VOL_RATIO = 0
    DELTA = 1
    DENSITY = 2
    GAMMA_SHAPE = 3
    TIME_VALUE = 4
    HEDGE_DELTA = 5
    SCENARIO_LOSS = 6  # of the worst scenario for one short option, as a fraction of the forward


@dataclass(frozen=True)
class Opened:
    """What one party sees opened.

    Attributes:
        table: int64 ring integers of shape (7, n), fixed point with `fraction_bits`; equal at all parties.
        fraction_bits: of the fixed point.
        violations: per committee position, how many of its inputs were out of range; equal at all parties.
        exposure: this party's own.
    """

    table: Words
    fraction_bits: int
    violations: tuple[int, ...] = (0, 0, 0)
    exposure: Exposure = NO_EXPOSURE

    def decoded(self, column: Column) -> NDArray[np.float64]:
        """One column in float64."""
        return np.asarray(self.table[column] / float(1 << self.fraction_bits), dtype=np.float64)


def check_range(public: PublicInputs, opened: Opened) -> None:
    """Compare what was opened with Black-76 at the opened vol: a wild truncation does not pass.

    A truncation under sharing is wildly wrong (by 2^48 and more) with probability |z| / 2^64 where three compute, so such an
    error lands far outside every bound here.

    Raises:
        RoundError: COMPUTATION_OUT_OF_RANGE with the column and the first instrument; run the round again.
    """
    shape = (len(Column), public.count)
    if opened.table.shape != shape:
        raise RoundError(
            f"opened table has shape {opened.table.shape}, expected {shape}",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
        )
    edge = np.exp(public.program.band)
    ratio = opened.decoded(Column.VOL_RATIO)
    _require(Column.VOL_RATIO, (ratio < 0.98 / edge) | (ratio > 1.02 * edge))
    exact = output_values(public.moneyness, public.reference_vol * ratio, public.time, public.call, ratio)
    coarse = max(1.0, 2.0 ** (16 - opened.fraction_bits))
    for column, tolerance in (
        (Column.DELTA, TOLERANCE),
        (Column.DENSITY, TOLERANCE),
        (Column.GAMMA_SHAPE, GAMMA_TOLERANCE),
        (Column.TIME_VALUE, TOLERANCE),
    ):
        _require(column, np.abs(opened.decoded(column) - exact[column]) > tolerance * coarse)
    losses = exact_losses(public, ratio).max(axis=0)
    _require(Column.SCENARIO_LOSS, np.abs(opened.decoded(Column.SCENARIO_LOSS) - losses) > TOLERANCE * coarse)
    reach = MODEL_REACH * exact[Column.DENSITY] + 10 * TOLERANCE * coarse
    _require(Column.HEDGE_DELTA, np.abs(opened.decoded(Column.HEDGE_DELTA) - exact[Column.DELTA]) > reach)


def exact_losses(public: PublicInputs, ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each scenario's loss of one short option at vols of `ratio` times the reference, (S, n)."""
    return short_losses(
        public.moneyness, public.reference_vol * ratio, public.time, public.call, public.program.scenarios
    )


def check_inputs(opened: Opened, committee: Sequence[str]) -> None:
    """Refuse a round into which a party has put what its own software never does.

    The count is exact, and zero for every party that follows the protocol. It was computed under sharing, so that a party
    that deviates could make up another's: the name is as good as the computation, and no proof.

    Raises:
        RoundError: INPUT_OUT_OF_RANGE with the first such member as culprit.
    """
    for name, count in zip(committee, opened.violations, strict=True):
        if count:
            raise RoundError(
                f"{name} put in market data beyond what a surface can be",
                reason=Reason.INPUT_OUT_OF_RANGE,
                culprit=name,
                remedy="the coordinator tries a committee without it",
            )


def report_columns(public: PublicInputs, opened: Opened) -> dict[str, Words]:
    """The report's fields in report units, int64 of shape (n,) each, by the names of the param word.

    iv 1e-6; bs_delta, hedge_delta 1e-6; gamma (forward * gamma) 1e-6; vega (vega / forward) 1e-8; premium
    (price / forward) 1e-8; margins 1e-6 of the forward. A value that opens a few units beyond what it can be is reported at that bound: a call's
    delta in [0, 1], a put's in [-1, 0], gamma, vega and time value not negative; a contract refuses what is beyond.
    `opened` must have passed `check_range`: the integers below fit in 63 bits for such values only.
    """
    bits = opened.fraction_bits
    table = opened.table
    root_time = np.sqrt(public.time)
    reference = np.rint(public.reference_vol / VOL_UNIT).astype(np.int64)
    # sqrt, division and rint are exactly rounded by IEEE 754, so these scales are the same on every machine.
    gamma_scale = np.rint(1e6 / (public.reference_vol * root_time)).astype(np.int64)
    vega_scale = np.rint(1e8 * root_time).astype(np.int64)
    intrinsic = np.maximum(np.where(public.call, 1.0 - public.moneyness, public.moneyness - 1.0), 0.0)
    million = np.full(public.count, 10**6, dtype=np.int64)
    # The largest value of its field means "not computed"; the initial margin needs room for its own percentage.
    largest_margin = (MARGIN_ABSENT - 1) * 100 // public.program.initial_margin_percent
    maintenance = np.clip(_scaled(table[Column.SCENARIO_LOSS], million, bits), 0, largest_margin)
    lowest, highest = np.where(public.call, 0, -million), np.where(public.call, million, 0)
    return {
        "iv": _scaled(table[Column.VOL_RATIO], reference, bits),
        "bs_delta": np.clip(_scaled(table[Column.DELTA], million, bits), lowest, highest),
        "hedge_delta": _scaled(table[Column.HEDGE_DELTA], million, bits),
        "gamma": np.maximum(_scaled(table[Column.GAMMA_SHAPE], gamma_scale, bits), 0),
        "vega": np.maximum(_scaled(table[Column.DENSITY], vega_scale, bits), 0),
        "premium": np.maximum(_scaled(table[Column.TIME_VALUE], 100 * million, bits), 0)
        + np.rint(intrinsic * 1e8).astype(np.int64),
        "maintenance_margin": maintenance,
        "initial_margin": maintenance * public.program.initial_margin_percent // 100,
    }


def _scaled(words: Words, scale: Words, bits: int) -> Words:
    """round(words * scale / 2^bits), ties up; |words| < 2^23 and scale < 2^35 keep the product in 63 bits.

    The largest word is a vol ratio of 1.02 e^2 at 20 bits; the largest scale is that of vega at an expiry of 2^40
    seconds, or gamma's at reference vol 0.01 and an hour to go.
    """
    return np.asarray((words * scale + (1 << (bits - 1))) >> bits, dtype=np.int64)


def _require(column: Column, bad: NDArray[np.bool_]) -> None:
    if bad.any():
        raise RoundError(
            f"opened {column.name.lower().replace('_', ' ')} of instrument {int(np.argmax(bad))} is out of range "
            f"({int(np.count_nonzero(bad))} in all)",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
            remedy="the round is run again with fresh randomness",
        )
