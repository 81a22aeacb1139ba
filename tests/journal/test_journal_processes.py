"""Threads and processes at one journal, and what it knows after a process was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mpc_party.protocol.errors import Reason, RoundError
from tests.journal.golden.regenerate import CONSORTIUM
from tests.support.journals import hash_of, open_journal, refused, unusable


def test_of_threads_that_promise_the_same_round_one_succeeds(journal):
    barrier = threading.Barrier(8, timeout=30)

    def work(worker):
        promised = []
        for number in range(1, 21):
            barrier.wait()
            with contextlib.suppress(RoundError):
                journal.promise_round(number, hash_of(worker))
                promised.append(number)
        return promised

    with ThreadPoolExecutor(8) as pool:
        promised = sorted(number for numbers in pool.map(work, range(8)) for number in numbers)
    assert promised == list(range(1, 21))


def test_a_second_opening_names_the_process_that_holds_it(path, journal):
    error = unusable(path)
    assert error.reason is Reason.ALREADY_RUNNING
    assert str(os.getpid()) in error.message
    journal.promise_round(1, hash_of(1))  # the first one goes on


def test_a_failed_opening_holds_nothing(path):
    open_journal(path, epoch=2).close()
    unusable(path, epoch=1)
    open_journal(path, epoch=2).close()


CHILD = """
import sys
from pathlib import Path
from mpc_party.journal import Journal

journal = Journal.open(Path(sys.argv[1]), consortium=bytes.fromhex(sys.argv[2]), epoch=1)
number = 0
while True:
    number += 1
    journal.promise_round(number, number.to_bytes(32, "big"))
    print("promised", number, flush=True)
    journal.record_snapshot(number, number.to_bytes(32, "big"), opening=b"opening of %d" % number)
    print("committed", number, flush=True)
    journal.approve_digest(number, number.to_bytes(32, "big"))
    print("approved", number, flush=True)
    journal.spend_nonce(number, number.to_bytes(32, "big"))
    print("spent", number, flush=True)
"""


@pytest.mark.parametrize("stop_after", [1, 2, 3, 40, 100])
def test_what_was_written_before_a_kill_is_known_after_it(path, stop_after):
    """SIGKILL: no handler, no clean-up. Every line that the child has printed must be in the journal."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), CONSORTIUM.hex()], stdout=subprocess.PIPE, text=True
    )
    try:
        lines = [child.stdout.readline() for _ in range(stop_after)]
        error = unusable(path)
        assert error.reason is Reason.ALREADY_RUNNING
        assert str(child.pid) in error.message
        child.send_signal(signal.SIGKILL)
        lines += child.stdout.readlines()
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()

    said: dict[str, int] = {}
    for line in lines:
        if line.endswith("\n"):
            what, number = line.split()
            said[what] = int(number)
    with open_journal(path) as journal:  # the lock went with the process
        records = {record.round: record for record in journal.rounds(10_000)}
        assert journal.last_round() in {said["promised"], said["promised"] + 1}
        assert all(
            records[number].digest == hash_of(number) for number in range(1, said.get("approved", 0) + 1)
        )
        for number in range(1, said.get("committed", 0) + 1):
            assert journal.opening(number).opening == b"opening of %d" % number
        assert all(records[number].nonce_spent for number in range(1, said.get("spent", 0) + 1))
        for number in range(1, said["promised"] + 1):
            refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(number))
        for number in range(1, said.get("spent", 0) + 1):
            refused(Reason.NONCE_SPENT, journal.spend_nonce, number, hash_of(number + 1_000_000))
