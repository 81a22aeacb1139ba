"""What all parties of all systems have in common: a process that obeys one command a line and answers with JSON.

    {"prepare": [work, batch]}   share the inputs; afterwards `run` means this work
    {"run": instant}             wait until the monotonic clock shows it, run once: {"ms": ..., "cpu_ms": ...}
    {"count": true}              one more run: rounds, bytes, greatest error against float64, peak memory

All three parties of all systems are told the same instant to start at, which costs the network nothing. Only the
standard library and numpy, for it runs in the peers' environments too. The process ends when its input does, or when
the process that started it dies.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from tests.benchmarks.engine import workloads

_PR_SET_PDEATHSIG = 1


class Party(Protocol):
    """One party of one system."""

    def prepare(self, work: str, batch: int) -> None:
        """Share the inputs."""

    def run(self) -> np.ndarray:
        """From shared inputs to the opened result."""

    def count(self) -> tuple[np.ndarray, dict[str, int | None]]:
        """Run once: the result, and its cost as `rounds`, `bytes` and `messages` (sent by this party), None where unknown."""


@dataclass(frozen=True)
class Place:
    """Who this party is and where all three are."""

    rank: int
    addresses: tuple[tuple[str, int], ...]


def place() -> Place:
    """From the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--addresses", required=True, help="host:port of the three, separated by commas")
    arguments = parser.parse_args()
    pairs = (text.rsplit(":", 1) for text in arguments.addresses.split(","))
    return Place(arguments.rank, tuple((host, int(port)) for host, port in pairs))


def answers() -> IO[str]:
    """The standard output, kept for answers alone: what libraries print goes to the standard error."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    own = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return own


def obey(party: Party, output: IO[str]) -> None:
    """Answer commands until there are no more."""
    _say(output, {"ready": True})
    work, batch = "", 0
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        if "prepare" in command:
            work, batch = command["prepare"]
            party.prepare(work, batch)
            _forget_peak()
            _say(output, {})
        elif "run" in command:
            time.sleep(max(0.0, command["run"] - time.monotonic()))
            start, worked = time.perf_counter(), time.process_time()
            party.run()
            end, worked = time.perf_counter(), time.process_time() - worked
            _say(output, {"ms": (end - start) * 1e3, "cpu_ms": worked * 1e3})
        else:
            result, cost = party.count()
            error = np.abs(np.asarray(result, dtype=np.float64) - workloads.reference(work, batch)).max()
            # JSON has no infinity: an overflow in a peer is its greatest error all the same
            known = float(error) if np.isfinite(error) else sys.float_info.max
            _say(output, {**cost, "max_error": known, "peak_rss_mb": _peak_mb()})


def _say(output: IO[str], answer: dict[str, Any]) -> None:
    output.write(json.dumps(answer) + "\n")
    output.flush()


def _forget_peak() -> None:
    """Start the count of peak memory anew, where the kernel can; what earlier work has freed goes back to it first."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("peak memory is since the start of the process: the kernel cannot reset it", file=sys.stderr)  # noqa: T201


def _peak_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
