"""How good a hedge was: gains in hedging-error variance over intervals of a market, as JSON.

The gain is 1 - sum(errors with the model)^2 / sum(errors of plain delta)^2 over all rows of all intervals, errors in
units of the forward; its interval is 95 %, by the circular block bootstrap over intervals. Figures are rounded to four
digits. They hold no weight, but they depend on the weights, and over a market that anybody can look up a few gains
narrow down a model of three numbers: a metrics file is for the model's owner.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import CONFIDENCE, gain_interval
from mpc_party.hedging.public import to_ring
from mpc_party.market.intervals import HedgingRows

Floats = NDArray[np.float64]
Errors = Callable[[HedgingRows], Floats]

FRACTION_BITS: Final = 16  # of weights as they are dealt
REPORT_UNIT: Final = 1e-6  # of a delta in a signed report
LARGEST: Final = 5  # intervals left out, to see how much hangs on them
EXPIRY_DAYS: Final = (1, 3, 7, 30, 90, 10_000)
CALL_DELTAS: Final = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)


def hedging_metrics(
    rows: Sequence[HedgingRows], adjustments: Sequence[Floats], rounded: Sequence[Floats], label: str
) -> dict[str, Any]:
    """The figures of one hedge over intervals.

    Args:
        rows: the intervals, in the order of time.
        adjustments: per interval, hedge delta - delta of each row.
        rounded: the same as a signed report gives it (`report_adjustment` of weights in fixed point).
        label: names the bootstrap's random numbers.

    Returns:
        "intervals", "rows": how many. "rms_plain", "rms_model": root mean square errors in units of the forward.
        "gain": {"value", "low", "high", "confidence", "block"}, the block in intervals. "gain_as_reported": with weights
        and deltas rounded as in a report. "intervals_better": the share of intervals in which the model's squared
        errors add up to less. "gain_without_largest": without the 5 intervals of the largest plain errors.
        "by_expiry" (days), "by_call_delta", "by_type": lists of {"group", "rows", "share" (of plain squared errors),
        "gain", "low", "high"}; groups without rows or errors are left out, and "low" and "high" are null where there are too few.

    Raises:
        ValueError: fewer than two intervals, or no errors at all.
    """
    errors = [
        interval.error - adjustment * interval.move
        for interval, adjustment in zip(rows, adjustments, strict=True)
    ]
    reported = [
        interval.error - adjustment * interval.move
        for interval, adjustment in zip(rows, rounded, strict=True)
    ]
    plain, model, exact = (
        np.array([float(values @ values) for values in series])
        for series in ([interval.error for interval in rows], errors, reported)
    )
    gain = gain_interval(model, plain, label)
    count = sum(map(len, rows))
    rest = np.argsort(plain)[: max(len(plain) - LARGEST, 1)]
    return {
        "intervals": len(rows),
        "rows": count,
        "rms_plain": _rounded(np.sqrt(plain.sum() / count)),
        "rms_model": _rounded(np.sqrt(model.sum() / count)),
        "gain": {
            "value": _rounded(gain.value),
            "low": _rounded(gain.low),
            "high": _rounded(gain.high),
            "confidence": CONFIDENCE,
            "block": gain.block,
        },
        "gain_as_reported": _rounded(1.0 - exact.sum() / plain.sum()),
        "intervals_better": _rounded(np.mean(model < plain)),
        "gain_without_largest": _rounded(1.0 - model[rest].sum() / max(plain[rest].sum(), 1e-300)),
        "by_expiry": _grouped(rows, errors, label, "days", EXPIRY_DAYS, lambda r: r.time * 365),
        "by_call_delta": _grouped(rows, errors, label, "call delta", CALL_DELTAS, lambda r: r.delta),
        "by_type": _grouped(rows, errors, label, "", (0, 1, 2), lambda r: np.where(r.call, 0.5, 1.5)),
    }


def report_adjustment(rows: HedgingRows, adjustment: Floats) -> Floats:
    """Hedge delta - delta, with the hedge delta rounded to the report's unit."""
    delta = np.where(rows.call, rows.delta, rows.delta - 1.0)
    hedge = np.rint((delta + adjustment) / REPORT_UNIT) * REPORT_UNIT
    return np.asarray(hedge - delta, dtype=np.float64)


def fixed_point(weights: Floats) -> Floats:
    """Weights as they are dealt: rounded to 16 fraction bits."""
    return np.asarray(to_ring(weights, FRACTION_BITS) / 2.0**FRACTION_BITS, dtype=np.float64)


def _grouped(
    rows: Sequence[HedgingRows],
    errors: Sequence[Floats],
    label: str,
    unit: str,
    edges: Sequence[float],
    value: Errors,
) -> list[dict[str, Any]]:
    """Gains per group of rows, groups being between neighbouring edges."""
    total = sum(float(interval.error @ interval.error) for interval in rows)
    groups = []
    for index in range(len(edges) - 1):
        low, high = edges[index], edges[index + 1]
        name = ("calls", "puts")[index] if not unit else f"{low:g} to {high:g} {unit}"
        if unit == "days" and index == len(edges) - 2:
            name = f"from {low:g} days"
        inside = [(value(interval) >= low) & (value(interval) < high) for interval in rows]
        plain = np.array([float((r.error[m] ** 2).sum()) for r, m in zip(rows, inside, strict=True)])
        if not plain.sum() > 0:
            continue
        model = np.array([float((e[m] ** 2).sum()) for e, m in zip(errors, inside, strict=True)])
        seen = np.array([bool(mask.any()) for mask in inside])
        enough = np.count_nonzero(seen) >= 10
        gain = gain_interval(model[seen], plain[seen], f"{label}/{name}") if enough else None
        groups.append(
            {
                "group": name,
                "rows": int(sum(np.count_nonzero(mask) for mask in inside)),
                "share": _rounded(plain.sum() / total),
                "gain": _rounded(1.0 - model.sum() / max(plain.sum(), 1e-300)),
                "low": None if gain is None else _rounded(gain.low),
                "high": None if gain is None else _rounded(gain.high),
            }
        )
    return groups


def _rounded(value: float | np.floating[Any]) -> float:
    return float(f"{float(value):.4g}")
