"""kill -9 of a party at any message and any journal write of a round: what it promised stands, and the key lives on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mpc_party.signing import run_approval
from tests.support.kill_episodes import Ledger, Signing
from tests.support.kill_points import MOMENTS, KillSwitch
from tests.support.kill_rounds import main

ROOT = Path(__file__).parents[2]
SEED = 20_240_229


def kill_rounds(*arguments: str, module: str = "tests.support.kill_rounds", timeout: float = 60):
    """A process of its own: parties are forked, and this one has threads."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd=ROOT,
    )


def test_rounds_with_a_party_killed_at_a_random_message():
    done = kill_rounds("--rounds", "15", "--seed", str(SEED))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["escaped"] <= 15 / len(MOMENTS)
    assert sum(result["kills"].values()) + result["escaped"] == 15
    assert {kill.split()[0] for kill in result["kills"]} <= {str(n) for n in range(len(result["events"]))}
    assert 0 < result["rounds with a signature released"] < 15


@pytest.mark.slow
def test_a_thousand_rounds_with_a_party_killed_at_a_random_message():
    done = kill_rounds("--rounds", "1000", timeout=600)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert sum(result["kills"].values()) + result["escaped"] == 1000
    assert len(result["kills"]) == len(result["events"]) * len(MOMENTS)


class Careless(Signing):
    """Tells the journal of an approval only when it has left."""

    def approve(self, member, exchange, presignature, digest):
        late = Late(member.journal)
        approved = run_approval(exchange, member.key, presignature, digest, member.approver, late)
        member.journal.approve_and_spend(*late.arguments)
        return approved


class Late:
    def __init__(self, journal):
        self.journal = journal

    def approve_and_spend(self, *arguments):
        self.arguments = arguments


def test_an_approval_that_leaves_before_it_is_written_is_found_out():
    done = kill_rounds("--rounds", "5", "--seed", str(SEED), module="tests.signing.test_kills")
    assert done.returncode == 1
    assert "AssertionError" in done.stderr
    assert "in check" in done.stderr


def test_the_books_notice_what_they_are_for(tmp_path):
    ledger = Ledger([])
    ledger.note(0, 5, {"began": True})
    ledger.note(0, 5, {"began": True})
    ledger.note(1, 5, {"approval": ["aa", "bb"], "peer": 2})
    ledger.note(1, 5, {"share": True, "peer": 2})
    ledger.note(2, 5, {"done": {"digest": "aa", "signature": "cc"}})
    assert ledger.promises == {(0, 5): 2}
    assert ledger.approvals == {(2, 5): {("aa", "bb")}}
    assert ledger.sharing == {(2, 5)}
    assert ledger.signatures == {5: {("aa", "cc")}}
    with pytest.raises(AssertionError, match="promised twice"):
        ledger.check()


def test_a_switch_without_a_plan_only_counts():
    switch = KillSwitch()
    for kind in ("write", "approval"):
        with switch.event(kind) as fatal:
            assert not fatal
    assert switch.events == ["write", "approval"]


if __name__ == "__main__":
    main(Careless())
