"""From opened ring integers to the units of the report, by integers only; and the range check on what was opened.

Everything here is public: it runs on values that all committee members have opened. Integer arithmetic makes the
result the same at every party and lets anyone compare the report with the opened values bit for bit.

A report value tells which ring value it came from where the column's scale is 2^fraction_bits or more and the value
lies within its bounds. At 16 bits that holds for every column but iv at a reference vol below 0.066 and gamma where
reference vol * sqrt(T) is above 15; at 20 bits the deltas, too, have neighbours that share a report unit (10^6 < 2^20).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.chebyshev import output_values
from mpc_party.hedging.public import VOL_UNIT, PublicInputs
from mpc_party.protocol.errors import Reason, RoundError

Words = NDArray[np.int64]

MODEL_REACH = 8.0  # bound on |a| + |b| + |c| of the hedge model, checked when weights are dealt
TOLERANCE = 1e-3  # of delta, density and time value against Black-76 at the opened vol
GAMMA_TOLERANCE = 4e-3  # the shape of gamma reaches four times the density's size


class Column(IntEnum):
    """Rows of the opened table: all that a round opens."""

    VOL_RATIO = 0
    DELTA = 1
    DENSITY = 2
    GAMMA_SHAPE = 3
    TIME_VALUE = 4
    HEDGE_DELTA = 5


@dataclass(frozen=True)
class Opened:
    """The opened table: int64 ring integers of shape (6, n), fixed point with `fraction_bits`."""

    table: Words
    fraction_bits: int

    def decoded(self, column: Column) -> NDArray[np.float64]:
        """One column in float64."""
        return np.asarray(self.table[column] / float(1 << self.fraction_bits), dtype=np.float64)


def check_range(public: PublicInputs, opened: Opened) -> None:
    """Compare what was opened with Black-76 at the opened vol: a wild truncation does not pass.

    A truncation under sharing is wildly wrong (by 2^48 and more) with probability about |z| / 2^63, so such an
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
    for column, tolerance in (
        (Column.DELTA, TOLERANCE),
        (Column.DENSITY, TOLERANCE),
        (Column.GAMMA_SHAPE, GAMMA_TOLERANCE),
        (Column.TIME_VALUE, TOLERANCE),
    ):
        _require(column, np.abs(opened.decoded(column) - exact[column]) > tolerance)
    reach = MODEL_REACH * exact[Column.DENSITY] + 10 * TOLERANCE
    _require(Column.HEDGE_DELTA, np.abs(opened.decoded(Column.HEDGE_DELTA) - exact[Column.DELTA]) > reach)


def report_columns(public: PublicInputs, opened: Opened) -> dict[str, Words]:
    """The report's fields in report units, int64 of shape (n,) each, by the names of the param word.

    iv 1e-6; bs_delta, hedge_delta 1e-6; gamma (forward * gamma) 1e-6; vega (vega / forward) 1e-8; premium
    (price / forward) 1e-8. A value that opens a few units beyond what it can be is reported at that bound: a call's
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
    lowest, highest = np.where(public.call, 0, -million), np.where(public.call, million, 0)
    return {
        "iv": _scaled(table[Column.VOL_RATIO], reference, bits),
        "bs_delta": np.clip(_scaled(table[Column.DELTA], million, bits), lowest, highest),
        "hedge_delta": _scaled(table[Column.HEDGE_DELTA], million, bits),
        "gamma": np.maximum(_scaled(table[Column.GAMMA_SHAPE], gamma_scale, bits), 0),
        "vega": np.maximum(_scaled(table[Column.DENSITY], vega_scale, bits), 0),
        "premium": np.maximum(_scaled(table[Column.TIME_VALUE], 100 * million, bits), 0)
        + np.rint(intrinsic * 1e8).astype(np.int64),
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
