"""Where the parties of a run meet: loopback, or namespaces with latency between them. All systems are put there alike.

The latency is outside of the programs measured: netem on the loopback of a namespace of its own where the kernel has
it, else the relay. Nothing is left behind: see `relay`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.engine import relay
from tests.benchmarks.engine.watchdog import watchdog

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 20.0
LOOPBACK = "127.0.0.1"
# A shell that sets up the namespace that it runs in, says so, and holds it until its input ends.
_NETEM = "ip link set lo up && tc qdisc add dev lo root netem delay {ms}ms limit 100000 && echo up && cat >/dev/null"


class NoLatencyError(RuntimeError):
    """This machine cannot add latency; the message says why."""


@dataclass(frozen=True)
class Network:
    """What a party is started with."""

    kind: str  # `loopback`, `netem` or `relay`
    hosts: tuple[str, str, str]
    interface: str
    namespaces: tuple[str, ...] = ()

    def prefix(self, party: int) -> list[str]:
        """Words before a command that put it into the party's namespace."""
        return ["nsenter", f"--net={self.namespaces[party]}", "--"] if self.namespaces else []


@contextmanager
def network(delay_ms: float) -> Iterator[Network]:
    """A network with so much round-trip time added: nothing is added for 0, which is plain loopback.

    Raises:
        NoLatencyError: latency is wanted and there is no root, or neither netem nor TUN.
    """
    if delay_ms == 0:
        yield Network("loopback", (LOOPBACK,) * 3, "lo")
        return
    if os.geteuid() != 0:
        raise NoLatencyError("it needs root")
    missing = [tool for tool in ("ip", "nsenter", "unshare") if shutil.which(tool) is None]
    if missing:
        raise NoLatencyError(f"{' and '.join(missing)} cannot be found; install iproute2 and util-linux")
    one_way = delay_ms / 2
    with _holder(["unshare", "--net", "sh", "-c", _NETEM.format(ms=one_way)]) as (process, line):
        if line:
            path = f"/proc/{process.pid}/ns/net"
            yield Network("netem", (LOOPBACK,) * 3, "lo", (path,) * 3)
            return
    with _holder([sys.executable, "-m", "tests.benchmarks.engine.relay", str(one_way)]) as (process, line):
        if not line:
            reason = process.stderr.read().strip().splitlines()[-1:] or ["the relay has ended"]
            raise NoLatencyError(f"the kernel has no netem, and the relay fails: {reason[0]}")
        hosts = tuple(relay.address(party) for party in range(relay.PARTIES))
        yield Network("relay", hosts, relay.INTERFACE, tuple(json.loads(line)))


@contextmanager
def _holder(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that keeps a network up, and its first line: empty if it has failed."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the program that started it, which ends it in order
    )
    try:
        with watchdog(DEADLINE, process.kill):
            line = process.stdout.readline()
        yield process, line
    finally:
        process.stdin.close()
        process.kill()
        process.wait(DEADLINE)
        process.stdout.close()
        process.stderr.close()
