"""Repetitions and what is kept of them: a row per work, batch, system and delay."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tests.benchmarks.engine.systems import Trio

LEAD_SECONDS = 0.002  # from the command to the common start: all three have read it by then
TURNS = 3  # the systems take turns, so that a disturbance of the machine does not meet one of them alone
SLOW_SECONDS = 0.5  # a run that takes as long needs one to warm up at first, and none in later turns


@dataclass(frozen=True)
class Row:
    """One line of `bench.json`. Times are those of the slowest party."""

    work: str
    batch: int
    system: str
    delay_ms: float  # added round-trip time
    network: str  # loopback, netem or relay
    median_ms: float
    p90_ms: float
    cpu_ms: (
        float  # median of the party that works the most, all its threads: other programs do not inflate it
    )
    repeats: int
    rounds: int | None
    messages: int | None  # sent by the party that sends the most
    bytes: int | None  # sent by the party that sends the most
    max_error: float  # against float64
    peak_rss_mb: float  # of the largest party

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class Repetition(NamedTuple):
    """One run from a common start, in milliseconds."""

    ms: float  # of the slowest party
    cpu_ms: float  # on processors, of the party that works the most


def repetition(parties: Trio) -> Repetition:
    """Run once."""
    answers = parties.ask(run=time.monotonic() + LEAD_SECONDS)
    return Repetition(*(max(answer[key] for answer in answers) for key in Repetition._fields))


def measure(
    work: str,
    batch: int,
    trios: Sequence[Trio],
    delay_ms: float,
    kind: str,
    *,
    repeats: int,
    seconds: float,
    fill: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Rows of these systems, in turns of a third of the repetitions each.

    Args:
        repeats: of each system; a slow one makes fewer, at least one a turn.
        seconds: about what one system may take.
        fill: a fast system makes more repetitions than asked for, for so many seconds in all.
        progress: told what is going on.
    """
    times: dict[str, list[Repetition]] = {parties.system.name: [] for parties in trios}
    for turn in range(TURNS):
        for parties in trios:
            progress(
                f"{work} x {batch:,}, {delay_ms:g} ms: {parties.system.title}, turn {turn + 1} of {TURNS}"
            )
            if turn == 0:
                parties.ask(prepare=[work, batch])
                last = repetition(parties)
            else:
                last = times[parties.system.name][-1]
            if last.ms < SLOW_SECONDS * 1e3:  # caches are another system's after its turn
                last = repetition(parties)
            count = repetitions(last.ms / 1e3, repeats, seconds, fill)
            times[parties.system.name] += [repetition(parties) for _ in range(count)]
    return [_row(work, batch, parties, delay_ms, kind, times[parties.system.name]) for parties in trios]


def repetitions(one: float, repeats: int, seconds: float, fill: float) -> int:
    """How many in one turn of a system that needs `one` second for each."""
    wanted = max(-(-repeats // TURNS), int(fill / TURNS / one))
    return max(1, min(wanted, int(seconds / TURNS / one)))


def _row(work: str, batch: int, parties: Trio, delay_ms: float, kind: str, runs: list[Repetition]) -> Row:
    counted = parties.ask(count=True)
    times = sorted(run.ms for run in runs)

    def most(key: str) -> Any:
        values = [answer[key] for answer in counted if answer[key] is not None]
        return max(values) if values else None

    return Row(
        work=work,
        batch=batch,
        system=parties.system.name,
        delay_ms=delay_ms,
        network=kind,
        median_ms=statistics.median(times),
        p90_ms=times[min(len(times) - 1, len(times) * 9 // 10)],
        cpu_ms=statistics.median(run.cpu_ms for run in runs),
        repeats=len(times),
        rounds=most("rounds"),
        messages=most("messages"),
        bytes=most("bytes"),
        max_error=most("max_error"),
        peak_rss_mb=most("peak_rss_mb"),
    )
