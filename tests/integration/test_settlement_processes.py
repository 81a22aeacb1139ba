"""`mpc-coordinator` as processes: Ctrl-C leaves nothing running and everything readable."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from coordinator.broker import LocalBroker
from coordinator.history import History
from coordinator.home import CoordinatorHome
from coordinator.settlement import Settlement
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.passphrase import Passphrase
from tests.support.chains import embedded_chain, rpc
from tests.support.signed_group import CHAIN_START, SignedGroup

pytestmark = pytest.mark.integration

DEADLINE = 60
PASSPHRASE = "correct horse battery staple"


@contextmanager
def coordinator(*arguments, **environment):
    """A coordinator process in a group of its own; killed with all of it if the test fails."""
    process = subprocess.Popen(
        [sys.executable, "-m", "coordinator", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | environment,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=DEADLINE)


def first_line(process):
    return json.loads(process.stdout.readline())


def descendants(pid):
    """Processes below this one, by the system's own account."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid:
            child = int(path.parent.name)
            found += [child, *descendants(child)]
    return found


def ends(process, number):
    process.send_signal(number)
    _, error = process.communicate(timeout=DEADLINE)
    assert "Traceback" not in error
    return process.returncode


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, {130}), (signal.SIGTERM, {-15, 130, 143})])
def test_the_chain_serves_until_it_is_told_to_stop(number, status):
    account = SignedGroup().coordinator.account
    with coordinator(
        "chain", "--port", 0, "--fund", account, "--start-time", CHAIN_START, "--json"
    ) as process:
        url = first_line(process)["url"]
        assert int(rpc(url, "eth_getBalance", account, "latest"), 16) == 10**24
        assert int(rpc(url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16) >= CHAIN_START
        assert ends(process, number) in status
    with pytest.raises(OSError, match=r"refused|reset"):
        rpc(url, "eth_chainId")


def test_a_port_in_use_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with coordinator("chain", "--port", taken.getsockname()[1]) as process:
            _, error = process.communicate(timeout=DEADLINE)
    assert process.returncode == 2
    assert "--port" in error.splitlines()[-1]
    assert "Traceback" not in error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_broker_leaves_no_server_behind(number):
    with coordinator("broker", "--port", 0, "--json") as process:
        port = int(first_line(process)["url"].rpartition(":")[2])
        servers = descendants(process.pid)
        assert servers
        assert ends(process, number) == 130
    assert not any(Path(f"/proc/{pid}").exists() for pid in servers)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_stops_at_once_and_leaves_a_usable_history(tmp_path, number):
    home = CoordinatorHome(tmp_path)
    with ExitStack() as stack:
        group = SignedGroup(broker=stack.enter_context(LocalBroker()).url)
        url = stack.enter_context(embedded_chain([group.coordinator.account]))
        group.coordinator.save(home.identity_file, Passphrase(PASSPHRASE))
        section = Settlement(url, group.consortium, group.coordinator.evm_account()).deploy().section
        save_consortium(home.consortium_file, group.at(section))
        arguments = (
            "serve",
            "--market",
            "simulated:1",
            "--rpc-url",
            url,
            "--home",
            tmp_path,
            "--log-level",
            "debug",
        )
        with coordinator(*arguments, MPC_PASSPHRASE=PASSPHRASE) as process:
            while "connected" not in (line := process.stderr.readline()):
                assert line, "serve ended by itself"
            assert ends(process, number) == 130
            assert descendants(process.pid) == []
    with History(home.history_file) as history:
        assert history.running() == []
