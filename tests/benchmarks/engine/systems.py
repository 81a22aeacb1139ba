"""The systems that are compared: where their Python is, how their three parties are started, and how they are steered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.benchmarks.engine.network import ROOT, Network
from tests.benchmarks.engine.watchdog import watchdog
from tests.support.mesh_parties import Members, members
from tests.support.mesh_process import write_config

DEADLINE = 180.0  # for one answer: a peer's first run of a large batch over a slow link
PARTIES = 3


@dataclass(frozen=True)
class System:
    """One system, and which environment variable names its Python."""

    name: str
    title: str
    module: str
    variable: str | None = None
    package: str | None = None  # what must be installed there

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        if self.variable is None:
            return Path(sys.executable)
        return Path(os.environ.get(self.variable) or ROOT / ".bench" / self.name / "bin" / "python")

    def missing(self) -> str | None:
        """A line for the user, if the environment is not there."""
        if self.package is None:
            return None
        lacks = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({self.package!r}) is None)"
        if not self.python.is_file():
            found = f"{self.python} is not there"
        elif subprocess.run([self.python, "-c", lacks], timeout=DEADLINE, check=False).returncode:
            found = f"{self.python} has no {self.package}"
        else:
            return None
        return f"skipping {self.title}: {found}; `make bench-peers` makes its environment, or set {self.variable}"


SYSTEMS = {
    system.name: system
    for system in (
        System("ours", "ours", "ours"),
        System("spu", "SPU 0.9.5", "spu_party", "BENCH_SPU_PYTHON", "spu"),
        System("crypten", "CrypTen 0.4.1", "crypten_party", "BENCH_CRYPTEN_PYTHON", "crypten"),
    )
}


class PartyError(RuntimeError):
    """A party has ended or is silent; the message has what it said last."""


class Trio:
    """The three processes of one system."""

    def __init__(self, system: System, processes: list[subprocess.Popen[str]], logs: list[IO[str]]) -> None:
        self.system = system
        self._processes = processes
        self._logs = logs

    def ask(self, **command: Any) -> list[dict[str, Any]]:
        """Give all three a command; their answers, by rank.

        Raises:
            PartyError: a party has ended, or does not answer within the deadline.
        """
        line = json.dumps(command) + "\n"
        try:
            for process in self._processes:
                process.stdin.write(line)
                process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        return self.answers()

    def answers(self) -> list[dict[str, Any]]:
        """The next answer of each."""
        with watchdog(DEADLINE, self._kill):
            lines = [process.stdout.readline() for process in self._processes]
        if not all(lines):
            raise self._failure()
        return [json.loads(line) for line in lines]

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()

    def _failure(self) -> PartyError:
        self._kill()
        said = []
        for rank, log in enumerate(self._logs):
            log.seek(0)
            last = [line for line in log.read().splitlines() if line.strip()][-1:]
            said += [f"party {rank}: {line}" for line in last]
        return PartyError(f"{self.system.title} has stopped or is silent. {'; '.join(said)}")

    def close(self) -> None:
        """End the processes."""
        self._kill()
        for process in self._processes:
            process.wait(DEADLINE)
            process.stdout.close()
            with suppress(BrokenPipeError):  # a command that a dead party did not take
                process.stdin.close()
        for log in self._logs:
            log.close()


@contextmanager
def trio(system: System, place: Network) -> Iterator[Trio]:
    """Start a system's three parties on a network, and end them afterwards whatever happens."""
    with members(PARTIES) as everyone:
        processes: list[subprocess.Popen[str]] = []
        logs: list[IO[str]] = []
        started = Trio(system, processes, logs)
        try:
            for rank in range(PARTIES):
                logs.append(tempfile.TemporaryFile("w+", errors="replace"))  # noqa: SIM115 - closed with the trio
                processes.append(_start(system, place, everyone, rank, logs[-1]))
            if system.variable is None:
                for rank, process in enumerate(processes):
                    write_config(process.stdin, everyone, rank)
            started.answers()
            yield started
        finally:
            started.close()


def _start(
    system: System, place: Network, everyone: Members, rank: int, log: IO[str]
) -> subprocess.Popen[str]:
    where = ",".join(f"{host}:{port}" for host, port in zip(place.hosts, everyone.ports, strict=True))
    command = [str(system.python), "-m", f"tests.benchmarks.engine.{system.module}"]
    return subprocess.Popen(
        [*place.prefix(rank), *command, "--rank", str(rank), "--addresses", where],
        cwd=ROOT,
        env={**os.environ, "GLOO_SOCKET_IFNAME": place.interface, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,  # Ctrl-C is for the program that started it, which ends it in order
    )
