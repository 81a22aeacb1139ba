"""Whether the model in use still does better than plain delta, from the history's settled reports."""

from dataclasses import dataclass
from typing import Any

from coordinator.check import DecodedReport, decode_book
from coordinator.history import History
from mpc_party.hedging.drift import CONFIDENCE, FEWEST_INTERVALS, Drift, Verdict, assess, hedging_intervals
from mpc_party.protocol.report import decode_report


@dataclass(frozen=True)
class ModelDrift:
    """The verdict on one model.

    `half_life` in days. `model`: its commitment, hex; None where there is no report. `reports` of it were read, observed
    from `first` to `last` (Unix seconds); `other` reports were of other models, and not read.
    """

    drift: Drift
    half_life: float
    model: str | None
    reports: int
    other: int
    first: int | None
    last: int | None

    def summary(self) -> dict[str, Any]:
        """One JSON object."""
        drift = self.drift
        return {
            "verdict": str(drift.verdict),
            "gain": drift.gain,
            "low": drift.low,
            "high": drift.high,
            "gross_gain": drift.gross_gain,
            "confidence": CONFIDENCE,
            "intervals": drift.intervals,
            "effective_intervals": drift.effective,
            "errors": drift.rows,
            "half_life_days": self.half_life,
            "model": None if self.model is None else "0x" + self.model,
            "reports": self.reports,
            "reports_of_other_models": self.other,
            "first_observed_at": self.first,
            "last_observed_at": self.last,
            "next": self.advice(),
        }

    def advice(self) -> str:
        """What to do now, in one sentence."""
        if self.drift.verdict is Verdict.WORSE:
            return (
                "plain delta would have hedged better: let the members refit the model together (`mpc-party refit`), "
                "or deal another one (`mpc-models deal`)"
            )
        if self.drift.verdict is Verdict.BETTER:
            return "nothing: the model earns its place"
        if self.drift.effective < FEWEST_INTERVALS:
            return (
                f"ask again later: {self.drift.effective:.0f} intervals, {FEWEST_INTERVALS:.0f} are the fewest "
                "that say anything; a longer --half-life or a higher --limit takes in more"
            )
        return "ask again later: the reports do not tell the model from plain delta"


def model_drift(history: History, *, limit: int, half_life: float, spacing: int = 0) -> ModelDrift:
    """Judge the model of the latest settled report by the settled reports among the last `limit` rounds.

    Reports were verified before they came into the history, and are not verified again.

    Args:
        history: read only will do.
        limit: rounds, the latest ones.
        half_life: in days.
        spacing: seconds; reports closer together than this are passed over.

    Raises:
        ReportError: the history holds a report that does not decode.
    """
    latest: list[DecodedReport] = []
    model, other = None, 0
    for row in reversed(history.rounds(limit)):
        if row.state != "settled" or row.report is None or row.book is None:
            continue
        report = decode_report(row.report)
        model = model or report.model.hex()
        if report.model.hex() != model:
            other += 1
            continue
        latest.append(decode_book(report, row.book))
    latest.sort(key=lambda report: report.observed_at)
    return ModelDrift(
        assess(hedging_intervals(latest, spacing=spacing), half_life),
        half_life,
        model,
        len(latest),
        other,
        latest[0].observed_at if latest else None,
        latest[-1].observed_at if latest else None,
    )
