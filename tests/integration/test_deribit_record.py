"""`mpc-party record` against an exchange of our own, as a process that is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mpc_party.market import MarketDataError, RecordedChain
from mpc_party.market.live import LiveChain
from mpc_party.member.recording import record
from mpc_party.protocol.errors import ConfigError
from tests.support.venues.deribit_exchange import DeribitExchange, option_names

pytestmark = pytest.mark.integration

NAMES = option_names()
DEADLINE = 30.0


@pytest.fixture
def exchange():
    with DeribitExchange(NAMES) as running:
        yield running


def test_moments_are_written_until_told_to_stop(exchange, tmp_path):
    path, said, stop = tmp_path / "chain.csv.gz", [], threading.Event()

    def say(text):
        said.append(text)
        if text.startswith("3 moments"):
            stop.set()

    done = record(f"deribit:BTC@{exchange.url}", path, every=0.05, stop=stop, say=say)
    assert (done.moments, done.missed) == (3, 0)
    assert done.bytes == path.stat().st_size
    read = RecordedChain(path)
    assert len(read.times) == 3
    assert sum(len(read.at(moment)) for moment in read.times) == done.rows == 3 * len(NAMES)
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("venue")} == set()
    again = record(f"deribit:BTC@{exchange.url}", path, every=1.0, count=1, say=say)
    assert again.moments == 1
    assert len(RecordedChain(path).times) == 4


def test_a_moment_that_is_missed_is_counted(exchange, tmp_path, monkeypatch):
    looked = []
    original = LiveChain.at

    def at(self, observed_at):
        looked.append(observed_at)
        if len(looked) == 2:
            raise MarketDataError("nothing there")
        return original(self, observed_at)

    monkeypatch.setattr(LiveChain, "at", at)
    said = []
    done = record(f"deribit:BTC@{exchange.url}", tmp_path / "c.csv", every=0.05, count=2, say=said.append)
    assert (done.moments, done.missed) == (2, 1)
    assert any("1 missed: nothing there" in text for text in said)


def test_what_cannot_be_recorded(exchange, tmp_path):
    path = tmp_path / "chain.csv"
    record("simulated:1", path, every=1.0, count=1, say=str)
    with pytest.raises(ConfigError, match="recording already"):
        record(f"recorded:{path}", tmp_path / "copy.csv", every=1.0, say=str)
    with pytest.raises(MarketDataError, match="not of BTC"):
        record(f"deribit:BTC@{exchange.url}", path, every=1.0, say=str)
    assert RecordedChain(path).underlying == "SIM"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_process_leaves_a_readable_file(exchange, tmp_path, number):
    path = tmp_path / "chain.csv.gz"
    command = [sys.executable, "-m", "mpc_party", "record", "--json", "--every", "1"]
    command += ["--market", f"deribit:BTC@{exchange.url}", "--out", str(path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"COLUMNS": "200"}
    )
    try:
        deadline = time.monotonic() + DEADLINE
        while not path.exists() or path.stat().st_size == 0:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
        out, errors = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    done = json.loads(out)
    read = RecordedChain(path)
    assert done["moments"] == len(read.times) >= 1
    assert done["rows"] == len(NAMES) * done["moments"]
    assert b"Traceback" not in errors
