"""The tables on the console, and the goals that ratios stand beside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.engine.measure import Row
from tests.benchmarks.engine.systems import SYSTEMS

# (work, batch, peer): how many times faster ours is to be where no latency is added
GOALS = {
    ("relu", 64, "spu"): 15,
    ("relu", 1024, "spu"): 8,
    ("relu", 64, "crypten"): 40,
    ("relu", 1024, "crypten"): 20,
    ("square", 64, "spu"): 25,
    ("square", 1024, "spu"): 10,
    ("delta", 64, "spu"): 50,
    ("delta", 1024, "spu"): 30,
}
# With latency, at every work and batch.
GOALS_WITH_LATENCY = {"spu": 1, "crypten": 5}
# The peers' figures for our polynomial stand beside our delta, which is the same computation.
SAME_WORK = {"delta_polynomial": "delta"}
Key = tuple[str, int, str, float]


def goal(row: Row) -> float | None:
    """The ratio wanted between a peer's row and ours."""
    if row.work in SAME_WORK:
        return None
    if row.delay_ms:
        return GOALS_WITH_LATENCY.get(row.system)
    return GOALS.get((row.work, row.batch, row.system))


def ratio(row: Row, rows: Iterable[Row]) -> float | None:
    """How many times longer a peer's row takes than ours; None where ours is not there."""
    mine = (SAME_WORK.get(row.work, row.work), row.batch, "ours", row.delay_ms)
    for other in rows:
        if (other.work, other.batch, other.system, other.delay_ms) == mine:
            return row.median_ms / other.median_ms
    return None


def write_json(rows: Sequence[Row], path: Path) -> None:
    """A list of objects, one per row."""
    path.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n")


def show(rows: Sequence[Row], console: Console) -> None:
    """One table per delay, and how ours grows with the batch."""
    for delay in sorted({row.delay_ms for row in rows}):
        of_delay = [row for row in rows if row.delay_ms == delay]
        console.print(_table(of_delay, f"{delay:g} ms of round trip added, over {of_delay[0].network}"))
    growing = _growth(rows)
    if growing is not None:
        console.print(growing)


def _table(rows: Sequence[Row], title: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        caption="Times are the slowest party's; cpu ms and bytes are those of the party with most; SPU counts messages, not rounds.",
        caption_justify="left",
    )
    table.add_column("work")
    for name in (
        "batch",
        "system",
        "median ms",
        "p90",
        "cpu ms",
        "times ours",
        "goal",
        "rounds",
        "bytes sent",
        "max error",
        "n",
    ):
        table.add_column(name, justify="left" if name == "system" else "right", no_wrap=True)
    previous = None
    for row in rows:
        if previous not in (None, (row.work, row.batch)):
            table.add_section()
        previous = (row.work, row.batch)
        times, wanted = (None, None) if row.system == "ours" else (ratio(row, rows), goal(row))
        table.add_row(
            row.work,
            f"{row.batch:,}",
            SYSTEMS[row.system].title,
            _figure(row.median_ms),
            _figure(row.p90_ms),
            _figure(row.cpu_ms),
            "" if times is None else f"{times:.1f}",
            _goal(times, wanted),
            _rounds(row),
            "?" if row.bytes is None else f"{row.bytes:,}",
            f"{row.max_error:.1e}",
            str(row.repeats),
        )
    return table


def _growth(rows: Sequence[Row]) -> Table | None:
    """Time per row and memory of ours, without latency."""
    ours = [row for row in rows if row.system == "ours" and not row.delay_ms and row.work != "relu_elements"]
    if len({row.batch for row in ours}) < 2:
        return None
    table = Table(title="How ours grows with the batch", title_justify="left")
    for name in ("work", "batch", "median ms", "us a row", "peak MB of a party"):
        table.add_column(name, justify="left" if name == "work" else "right")
    for row in sorted(ours, key=lambda row: (row.work, row.batch)):
        table.add_row(
            row.work,
            f"{row.batch:,}",
            _figure(row.median_ms),
            f"{row.median_ms * 1e3 / row.batch:.1f}",
            f"{row.peak_rss_mb:.0f}",
        )
    return table


def _goal(times: float | None, wanted: float | None) -> str:
    if times is None or wanted is None:
        return ""
    met = times >= wanted
    return f"[{'green' if met else 'red'}]{wanted:g} {'met' if met else 'missed'}[/]"


def _rounds(row: Row) -> str:
    if row.rounds is not None:
        return str(row.rounds)
    # SPU counts the messages of a party, of which one a round is sent at least where it sends any
    return "?" if row.messages is None else f"{row.messages} msgs"


def _figure(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"
