"""The demo as a user runs it: what it prints, what its exit status says, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

DEADLINE = 240
KEYS = ["round", "state", "instruments", "ms", "mesh_bytes", "mesh_rounds", "gas", "max_delta_error"]


def demo(*arguments: str, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "coordinator", "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )


def processes_using(folder: Path) -> list[str]:
    """Command lines of all processes that name the folder: the demo's children and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended between listing and reading
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("threshold", "members"), [(2, 5), (3, 7)])
def test_larger_committees(threshold, members, tmp_path):
    running = demo("--threshold", str(threshold), "--rounds", "1", "--json", temporary=tmp_path)
    output, said = running.communicate(timeout=DEADLINE)
    assert running.returncode == 0, said[-2000:]
    (summary,) = [json.loads(line) for line in output.splitlines()]
    assert summary["state"] == "settled"
    assert summary["instruments"] >= 500
    assert summary["max_delta_error"] < 1e-3
    assert said.count("mpc-party run") >= 1
    assert ", ".join(("alice", "bob", "carol", "dave", "erin", "frank", "grace")[:members]) in said


def test_too_few_members_for_the_threshold(tmp_path):
    running = demo("--threshold", "2", "--members", "4", temporary=tmp_path)
    _, said = running.communicate(timeout=DEADLINE)
    assert running.returncode != 0
    assert "--members 5" in said


@pytest.mark.slow
def test_four_members_two_rounds(tmp_path):
    running = demo("--members", "4", "--rounds", "2", "--json", temporary=tmp_path)
    output, said = running.communicate(timeout=DEADLINE)
    assert running.returncode == 0, said[-2000:]
    rounds = [json.loads(line) for line in output.splitlines()]
    assert len(rounds) == 2
    assert 0 < rounds[0]["round"] < rounds[1]["round"]  # not 1 and 2: a number belongs to one committee
    for summary in rounds:
        assert list(summary)[: len(KEYS)] == KEYS
        assert summary["state"] == "settled"
        assert summary["instruments"] >= 500
        assert summary["max_delta_error"] < 1e-3
        assert summary["mesh_bytes"] < 4 << 20
        assert summary["gas"] > 0
        assert {"commit", "compute", "approve", "sign", "settle", "total"} <= set(summary["ms"])
        assert len(summary["committee"]) == 3
    assert "words equal the opened ones bit for bit" in said
    # A digest alone, and the words stored.
    assert rounds[0]["gas"] < 1_000_000
    assert rounds[1]["gas"] > 10_000_000
    assert "2 reports final" in said
    assert "read as they were opened" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
    assert not processes_using(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path, number):
    running = demo("--rounds", "50", temporary=tmp_path)
    # Its steps come on standard error: interrupt it while parties and coordinator run.
    for line in running.stderr:
        if "Rounds: " in line:
            break
    assert processes_using(tmp_path)
    running.send_signal(number)
    output, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert output == ""
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
    assert not processes_using(tmp_path)


def test_a_killed_demo_leaves_no_process(tmp_path):
    running = demo("--rounds", "50", temporary=tmp_path)
    for line in running.stderr:
        if "Parties:" in line:
            break
    running.kill()
    running.communicate(timeout=60)
    # The guards notice that their starter is gone, and end what they guard.
    deadline = time.monotonic() + 30
    while processes_using(tmp_path):
        assert time.monotonic() < deadline, processes_using(tmp_path)
        select.select([], [], [], 0.1)


def test_a_chain_file_that_is_none(tmp_path):
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"\x1f\x8b\x08\x00nonsense")
    running = demo("--chain", str(broken), temporary=tmp_path)
    _, said = running.communicate(timeout=DEADLINE)
    assert running.returncode == 2
    assert said.strip().splitlines()[-1].startswith("mpc-coordinator: ")
    assert "market-data-invalid" in said
    assert "Traceback" not in said
    assert not processes_using(tmp_path)
