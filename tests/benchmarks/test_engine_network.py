"""The network with latency: it delays by what it says, carries everything, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.engine import network as networks
from tests.benchmarks.engine.network import ROOT, NoLatencyError, network

ROUND_TRIP_MS = 20.0
SIZE = 1_000_000
DEADLINE = 20

# Sends back what comes, for one connection.
ECHO = f"""
import socket, sys
server = socket.create_server((sys.argv[1], 0))
server.settimeout({DEADLINE})
print(server.getsockname()[1], flush=True)
link, _ = server.accept()
link.settimeout({DEADLINE})
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while data := link.recv(1 << 20):
    link.sendall(data)
"""
# The least time that a byte takes there and back, in ms; and then much data, which must come back as it went.
PING = f"""
import os, socket, sys, threading, time
link = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout={DEADLINE})
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
def once():
    start = time.monotonic()
    link.sendall(b"x")
    link.recv(1)
    return (time.monotonic() - start) * 1e3
print(min(once() for _ in range(5)))
much = os.urandom({SIZE})
threading.Thread(target=link.sendall, args=(much,)).start()
back = b""
while len(back) < {SIZE}:
    back += link.recv(1 << 20)
print(back == much)
"""


@pytest.fixture(scope="module")
def slow():
    try:
        with network(ROUND_TRIP_MS) as place:
            yield place
    except NoLatencyError as error:
        pytest.skip(f"no latency here: {error}")


def test_a_byte_there_and_back_takes_the_round_trip_and_data_arrives_whole(slow):
    echo = subprocess.Popen(
        [*slow.prefix(1), sys.executable, "-c", ECHO, slow.hosts[1]], stdout=subprocess.PIPE, text=True
    )
    with echo:
        try:
            port = echo.stdout.readline().strip()
            ping = subprocess.run(
                [*slow.prefix(2), sys.executable, "-c", PING, slow.hosts[1], port],
                capture_output=True,
                text=True,
                timeout=3 * DEADLINE,
                check=True,
            )
        finally:
            echo.kill()
    least, whole = ping.stdout.split()
    assert ROUND_TRIP_MS <= float(least) < 1.5 * ROUND_TRIP_MS
    assert whole == "True"


def test_a_namespace_ends_with_the_program_that_made_it():
    try:
        with network(ROUND_TRIP_MS) as place:
            holder = Path("/proc") / place.namespaces[0].split("/")[2]
            assert holder.exists()
    except NoLatencyError as error:
        pytest.skip(f"no latency here: {error}")
    assert not holder.exists()


def test_no_latency_is_plain_loopback():
    with network(0) as place:
        assert place.kind == "loopback"
        assert place.prefix(0) == []
        assert set(place.hosts) == {"127.0.0.1"}


def test_without_root_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(networks.os, "geteuid", lambda: 1000)
    with pytest.raises(NoLatencyError, match="root"), network(ROUND_TRIP_MS):
        pass


def test_without_its_tools_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(networks.os, "geteuid", lambda: 0)
    monkeypatch.setattr(networks.shutil, "which", lambda tool: None if tool == "nsenter" else tool)
    with pytest.raises(NoLatencyError, match="nsenter cannot be found; install"), network(ROUND_TRIP_MS):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_a_run_is_stopped(signal_name):
    """With latency where this machine can add it, else without: parties, relay and namespaces end with the run."""
    delay = "20" if os.geteuid() == 0 else "0"
    command = [sys.executable, "-u", "-m", "tests.benchmarks.engine", "--quick", "--systems", "ours"]
    process = subprocess.Popen(
        [*command, "--delays", delay, "--only", "relu", "--repeats", "100000", "--json", "/dev/null"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            line = " "
            while line and "turn 1" not in line and "skipping" not in line:
                line = process.stdout.readline()
            if "turn 1" not in line:
                pytest.skip(line)
            children = _descendants(process.pid)
            assert len(children) >= 3
            process.send_signal(signal.Signals[signal_name])
            assert process.wait(DEADLINE) in {130, 143, -9}
        finally:
            process.kill()
    until = time.monotonic() + DEADLINE
    while alive := [child for child in children if _alive(child)]:
        assert time.monotonic() < until, f"still there: {alive}"
        os.sched_yield()


def _descendants(root: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # ended meanwhile
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _alive(pid: int) -> bool:
    """Whether it runs still: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
