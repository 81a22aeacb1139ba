"""Chains for tests: the embedded one, and Anvil as a process that cannot outlive the test."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from coordinator.chain import ChainServer, EmbeddedChain, JsonRpc

ANVIL = Path(__file__).resolve().parents[2] / "contracts" / "node_modules" / ".bin" / "anvil"
START_DEADLINE = 20.0
_numbers = itertools.count(1)


@contextmanager
def embedded_chain(fund: Sequence[str], start_time: int | None = None) -> Iterator[str]:
    """py-evm behind an endpoint, in this process; yields its URL."""
    with ChainServer(JsonRpc(EmbeddedChain(fund=fund, start_time=start_time)), 0) as server:
        yield server.url


@contextmanager
def anvil_chain(fund: Sequence[str], start_time: int | None = None) -> Iterator[str]:
    """Anvil on a free port; yields its URL."""
    if not ANVIL.exists():
        missing = f"Anvil is not installed at {ANVIL}: `make contracts` installs it"
        # Where it must be there, its absence is a failure and not a skipped test.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    arguments = [str(ANVIL), "--port", "0", "--accounts", "1"]
    if start_time is not None:
        arguments += ["--timestamp", str(start_time)]
    # The guard ends the node when this process ends, however that happens.
    process = subprocess.Popen(
        [sys.executable, "-m", "coordinator.process_guard", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = _listening(process)
        for address in fund:
            rpc(url, "anvil_setBalance", address, hex(10**24))
        yield url
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


def rpc(url: str, method: str, *parameters: object) -> object:
    """One JSON-RPC call without web3."""
    body = {"jsonrpc": "2.0", "id": next(_numbers), "method": method, "params": list(parameters)}
    request = urllib.request.Request(  # noqa: S310 - http URL of this test's own node
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        response = json.loads(answer.read())
    if "error" in response:
        raise RuntimeError(response["error"])
    return response["result"]


def _listening(process: subprocess.Popen[str]) -> str:
    """Read the node's output until it listens, then to its end, so that the node never waits for a reader."""
    found: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    output = process.stdout

    def read() -> None:
        with contextlib.suppress(ValueError):  # closed under us, at the end
            for line in output:
                if line.startswith("Listening on "):
                    found.put("http://" + line.removeprefix("Listening on ").strip())

    threading.Thread(target=read, daemon=True).start()
    return found.get(timeout=START_DEADLINE)
