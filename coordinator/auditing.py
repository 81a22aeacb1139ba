"""`mpc-coordinator audit`: from a report file and the committee's disclosures to a verdict that can be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table

from coordinator.check import DecodedReport
from coordinator.report_file import ReportFile, verify_report_file
from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.disclosure import MAX_DISCLOSURE, open_disclosure
from mpc_party.audit.errors import AuditError
from mpc_party.audit.evidence import gather
from mpc_party.audit.verdict import Difference, Verdict, judge
from mpc_party.console import stderr, tell
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.files import read_limited

SHOWN: Final = 20
SPOILED: Final = "the computation was spoiled: from this nobody can be named"
FOLLOWS: Final = "follows"
DOES_NOT_FOLLOW: Final = "does not follow"
# Report units as numbers: of vol, of the forward, of forward * gamma, of vega / forward.
_UNITS: Final = {"vega": 1e-8, "premium": 1e-8}


@dataclass(frozen=True)
class Finding:
    """What an audit found: the verdict, over which report, from whose inputs.

    `inputs`: per committee member, how far its surface lies from the median of all at most, in log-vol.
    """

    epoch: int
    round: int
    report: DecodedReport
    inputs: dict[str, float]
    kind: str
    verdict: Verdict

    @property
    def follows(self) -> bool:
        """Whether the report follows from the committed inputs and weights."""
        return self.verdict.follows

    def summary(self) -> dict[str, Any]:
        """For JSON. Differences in report units."""
        differing = {each.instrument for each in self.verdict.differences}
        return {
            "verdict": FOLLOWS if self.follows else DOES_NOT_FOLLOW,
            "epoch": self.epoch,
            "round": self.round,
            "model": self.kind,
            "instruments": self.verdict.instruments,
            "differing": len(differing),
            "at_fault": None,
            "why": None if self.follows else SPOILED,
            "distance_from_median": self.inputs,
            "used_of_allowance": self.verdict.used,
            "differences": [
                each._asdict() | self.instrument(each.instrument) for each in self.verdict.differences
            ],
        }

    def instrument(self, index: int) -> dict[str, Any]:
        """What the report's instrument is."""
        return {
            "expiry": int(self.report.expiry[index]),
            "strike": float(self.report.strike[index]),
            "call": bool(self.report.call[index]),
        }


def make_auditor_key(path: Path, now: datetime) -> str:
    """Make an auditor's key file, mode 0600, and give its recipient.

    Raises:
        ConfigError: the file exists or cannot be written.
    """
    key = AuditorKey.generate()
    key.save(path, now)
    return key.recipient


def audit(file: ReportFile, consortium: Consortium, key: AuditorKey, disclosures: Sequence[bytes]) -> Finding:
    """Verify a report, open the disclosures of its committee, and replay the round from them.

    Args:
        file: the report file.
        consortium: the consortium file that was in force at the round.
        key: the auditor's.
        disclosures: the files, in any order.

    Raises:
        ReportError: the report itself does not verify.
        AuditError: a disclosure does not open, or contradicts a commitment; names who is at fault where that is proven.
        ConfigError: a disclosure is missing.
    """
    decoded = verify_report_file(file, consortium)
    report = file.hedge_report()
    opened = [open_disclosure(data, key, consortium.members) for data in disclosures]
    evidence = gather(report, consortium, opened)
    names = [consortium.names[member] for member in evidence.proposal.committee]
    return Finding(
        epoch=report.epoch,
        round=report.round,
        report=decoded,
        inputs=dict(zip(names, evidence.distances(), strict=True)),
        kind=evidence.kind,
        verdict=judge(report.params, evidence),
    )


def read_disclosures(paths: Sequence[Path]) -> list[bytes]:
    """The files' contents.

    Raises:
        ConfigError: a file is missing or too large.
    """
    return [read_limited(path, MAX_DISCLOSURE, "disclosure") for path in paths]


def refusal(error: AuditError) -> dict[str, Any]:
    """For JSON, where the disclosures themselves do not stand."""
    return {"verdict": "no verdict", "at_fault": error.culprit, "why": error.message}


def show_finding(finding: Finding) -> None:
    """The verdict for a person, with the instruments that differ."""
    verdict = finding.verdict
    for name, distance in finding.inputs.items():
        tell(f"{name}: at most {distance:.4f} in log-vol from the median of the inputs")
    if finding.follows:
        tell(
            f"Round {finding.round} follows: all {verdict.instruments} instruments are what the committed inputs and the "
            f"{finding.kind} model give; at most {max(verdict.used.values()):.0%} of the allowance is used."
        )
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("instrument", "field", "reported", "replayed", "allowance"):
        table.add_column(
            heading, justify="left" if heading in {"instrument", "field"} else "right", no_wrap=True
        )
    for each in verdict.differences[:SHOWN]:
        table.add_row(*_row(finding, each))
    stderr.print(table)
    if len(verdict.differences) > SHOWN:
        tell(f"... and {len(verdict.differences) - SHOWN} more; --json lists all")
    count = len({each.instrument for each in verdict.differences})
    tell(
        f"Round {finding.round} does not follow: {count} of {verdict.instruments} instruments differ; {SPOILED}."
    )


def _row(finding: Finding, each: Difference) -> list[str]:
    of = finding.instrument(each.instrument)
    day = datetime.fromtimestamp(of["expiry"], UTC).strftime("%d%b%y")
    unit = _UNITS.get(each.field, 1e-6)
    numbers = [f"{value * unit:.6f}" for value in (each.reported, each.replayed, each.allowance)]
    return [f"{day} {of['strike']:,.0f} {'call' if of['call'] else 'put'}", each.field, *numbers]
