"""Run the three systems side by side and write what came out: `make bench`.

python -m tests.benchmarks.engine [--quick] [--only relu] [--systems ours,spu] [--delays 0,20] [--batches 64,1024]
                                  [--repeats 21] [--json bench.json]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.benchmarks.engine.measure import Row, measure
from tests.benchmarks.engine.network import ROOT, NoLatencyError, network
from tests.benchmarks.engine.report import show, write_json
from tests.benchmarks.engine.systems import SYSTEMS, PartyError, System, trio
from tests.benchmarks.engine.workloads import ELEMENTS, WORKS

BATCHES = (64, 1024)
GROWTH = (4096, 16384)  # ours alone, without latency
SECONDS = 8.0  # about what a system may take for one row
FILL_SECONDS = 1.5  # what a fast one takes with more repetitions than were asked for
QUICK_SECONDS = 1.0
WIDTH = 144


@dataclass(frozen=True)
class Case:
    """What is measured together."""

    work: str
    batch: int
    systems: tuple[str, ...]


def cases(
    works: Sequence[str], batches: Sequence[int], delay_ms: float, systems: Sequence[str]
) -> list[Case]:
    """What to measure at one delay, of what was asked for."""
    result = []
    for work in works:
        sizes = (ELEMENTS,) if work == "relu_elements" else batches
        for batch in sizes:
            takes_part = [
                name
                for name in systems
                if not (work == "delta_polynomial" and name == "ours")  # ours is under `delta`
                and not (batch in GROWTH and (name != "ours" or delay_ms))
            ]
            if takes_part:
                result.append(Case(work, batch, tuple(takes_part)))
    return result


def run(arguments: argparse.Namespace, console: Console, rows: list[Row]) -> None:
    """Append all rows that can be measured; say what cannot."""
    chosen = present([SYSTEMS[name] for name in arguments.systems], console)
    for delay in arguments.delays:
        todo = cases(arguments.only, arguments.batches, delay, [system.name for system in chosen])
        try:
            with ExitStack() as stack:
                place = stack.enter_context(network(delay))
                console.print(
                    f"{delay:g} ms of round trip added, over {place.kind}; starting the parties ..."
                )
                trios = {system.name: stack.enter_context(trio(system, place)) for system in chosen}
                for case in todo:
                    rows += measure(
                        case.work,
                        case.batch,
                        [trios[name] for name in case.systems],
                        delay,
                        place.kind,
                        repeats=arguments.repeats,
                        seconds=QUICK_SECONDS if arguments.quick else SECONDS,
                        fill=arguments.fill,
                        progress=lambda text: console.print(f"  {text}", style="dim"),
                    )
        except NoLatencyError as error:
            console.print(f"skipping {delay:g} ms of latency: {error}", soft_wrap=True)


def present(systems: Sequence[System], console: Console) -> list[System]:
    """Those with an environment; a line for each of the others."""
    found = []
    for system in systems:
        missing = system.missing()
        if missing is None:
            found.append(system)
        else:
            console.print(missing, soft_wrap=True)
    return found


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions, the small batch, no growth")
    parser.add_argument("--only", type=_names(WORKS), default=list(WORKS), help=", ".join(WORKS))
    parser.add_argument("--systems", type=_names(SYSTEMS), default=list(SYSTEMS), help=", ".join(SYSTEMS))
    parser.add_argument("--delays", type=_numbers(float), default=[0.0, 20.0], help="ms of round trip to add")
    parser.add_argument("--batches", type=_numbers(int))
    parser.add_argument("--repeats", type=int, help="of each system, 21 or more; slow ones make fewer")
    parser.add_argument("--json", type=Path, default=ROOT / "bench.json")
    arguments = parser.parse_args(words)
    arguments.batches = arguments.batches or ([64] if arguments.quick else [*BATCHES, *GROWTH])
    arguments.fill = 0.0 if arguments.repeats or arguments.quick else FILL_SECONDS
    arguments.repeats = arguments.repeats or (3 if arguments.quick else 21)
    return arguments


def _names(known):
    def split(text: str) -> list[str]:
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return names

    return split


def _numbers(kind):
    return lambda text: [kind(part) for part in text.split(",")]


def main(words: Sequence[str] | None = None) -> int:
    arguments = parse(words)
    console = Console(
        width=None if sys.stdout.isatty() else WIDTH
    )  # a log has none of its own, and 80 is too few
    start = time.monotonic()
    load = os.getloadavg()[0]
    console.print(f"{os.cpu_count()} cores, load {load:.1f} at the start", highlight=False)
    rows: list[Row] = []
    failed = False
    try:
        run(arguments, console, rows)
    except PartyError as error:  # what was measured until then is worth keeping
        console.print(str(error), style="red", soft_wrap=True)
        failed = True
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    show(rows, console)
    write_json(rows, arguments.json)
    console.print(f"{len(rows)} rows in {arguments.json}; {time.monotonic() - start:.0f} s")
    return int(failed)


if __name__ == "__main__":
    # Ended by a supervisor as by Ctrl-C: through all the exits, which take processes and namespaces with them.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
