"""The promises that a journal keeps, what it refuses, and what it knows after a crash."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mpc_party.journal import Journal, JournalError, RoundState, SnapshotCommitment, read_rounds
from mpc_party.protocol.errors import Reason, RoundError
from tests.journal.golden.regenerate import CONSORTIUM, dump, fill

GOLDEN = Path(__file__).parent / "golden" / "journal-v1.sql"


def hash_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def open_journal(path: Path, epoch: int = 1) -> Journal:
    return Journal.open(path, consortium=CONSORTIUM, epoch=epoch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    with open_journal(path) as opened:
        yield opened


def refused(reason: Reason, call, *arguments) -> str:
    with pytest.raises(RoundError) as raised:
        call(*arguments)
    assert raised.value.reason is reason
    return raised.value.message


# Promises


def test_rounds_are_promised_once_and_upwards(journal):
    assert journal.last_round() == 0
    journal.promise_round(4, hash_of(1))
    journal.promise_round(9, hash_of(2))
    for number in (1, 4, 8, 9):
        message = refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(2))
        assert "not above round 9" in message
    assert journal.last_round() == 9


@pytest.mark.parametrize("number", [0, -1])
def test_round_numbers_begin_at_1(journal, number):
    refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(1))


def test_one_digest_is_approved_per_round(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_digest(1, hash_of(10))
    journal.approve_digest(1, hash_of(10))
    refused(Reason.APPROVAL_MISMATCH, journal.approve_digest, 1, hash_of(11))
    refused(Reason.PROPOSAL_REFUSED, journal.approve_digest, 2, hash_of(10))
    assert journal.rounds()[0].digest == hash_of(10)


def test_one_nonce_is_spent_per_round_and_each_once(journal):
    journal.promise_round(1, hash_of(1))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 1, hash_of(20))  # nothing approved
    journal.approve_digest(1, hash_of(10))
    journal.spend_nonce(1, hash_of(20))
    refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(20))
    refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(21))
    journal.promise_round(2, hash_of(1))
    journal.approve_digest(2, hash_of(10))
    assert "round 1" in refused(Reason.NONCE_SPENT, journal.spend_nonce, 2, hash_of(20))
    journal.spend_nonce(2, hash_of(21))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 3, hash_of(22))


def test_approving_and_spending_in_one_write_does_both_or_neither(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_and_spend(1, hash_of(10), hash_of(20))
    assert (journal.rounds()[0].digest, journal.rounds()[0].nonce_spent) == (hash_of(10), True)
    refused(Reason.APPROVAL_MISMATCH, journal.approve_and_spend, 1, hash_of(11), hash_of(21))
    refused(Reason.NONCE_SPENT, journal.approve_and_spend, 1, hash_of(10), hash_of(21))
    journal.promise_round(2, hash_of(1))
    refused(Reason.NONCE_SPENT, journal.approve_and_spend, 2, hash_of(10), hash_of(20))
    assert (journal.rounds()[0].digest, journal.rounds()[0].nonce_spent) == (None, False)
    refused(Reason.PROPOSAL_REFUSED, journal.approve_and_spend, 3, hash_of(10), hash_of(22))


def test_after_an_abort_nothing_is_approved_or_spent(journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_digest(1, hash_of(10))
    journal.record_outcome(1, RoundState.ABORTED, reason=Reason.PEER_CLOSED)
    refused(Reason.PROPOSAL_REFUSED, journal.approve_digest, 1, hash_of(10))
    refused(Reason.PROPOSAL_REFUSED, journal.spend_nonce, 1, hash_of(20))
    refused(Reason.PROPOSAL_REFUSED, journal.record_snapshot, 1, hash_of(30), b"salt")
    assert not journal.rounds()[0].nonce_spent


def test_a_snapshot_is_committed_to_once(journal):
    journal.promise_round(1, hash_of(1))
    assert journal.snapshot(1) is None
    journal.record_snapshot(1, hash_of(30), b"salt")
    journal.record_snapshot(1, hash_of(30), b"salt")
    assert "another commitment" in refused(
        Reason.PROPOSAL_REFUSED, journal.record_snapshot, 1, hash_of(31), b"salt"
    )
    assert journal.snapshot(1) == SnapshotCommitment(hash_of(30), b"salt")
    assert journal.snapshot(2) is None


def test_the_salt_is_not_shown(journal):
    journal.promise_round(1, hash_of(1))
    journal.record_snapshot(1, hash_of(30), b"a very private salt")
    assert "private" not in repr(journal.snapshot(1))


ALLOWED = {
    ("promised", "signed"),
    ("promised", "settled"),
    ("promised", "aborted"),
    ("signed", "settled"),
    ("signed", "aborted"),
    ("aborted", "settled"),
}
PATHS = {"promised": [], "signed": ["signed"], "settled": ["settled"], "aborted": ["aborted"]}


@pytest.mark.parametrize("before", PATHS)
@pytest.mark.parametrize("after", PATHS)
def test_outcomes_follow_each_other_in_one_direction(journal, before, after):
    journal.promise_round(1, hash_of(1))
    for state in PATHS[before]:
        journal.record_outcome(1, RoundState(state))
    if before == after or (before, after) in ALLOWED:
        journal.record_outcome(1, RoundState(after))
        assert journal.rounds()[0].state is RoundState(after)
    else:
        assert "cannot become" in refused(
            Reason.PROPOSAL_REFUSED, journal.record_outcome, 1, RoundState(after)
        )
        assert journal.rounds()[0].state is RoundState(before)


def test_outcomes_keep_what_is_said_about_them(journal):
    journal.promise_round(3, hash_of(1))
    journal.record_outcome(
        3, RoundState.ABORTED, reason=Reason.ECHO_MISMATCH, culprit="desk-2", details={"ms": {"total": 1.5}}
    )
    (record,) = journal.rounds()
    assert (record.round, record.epoch, record.state) == (3, 1, RoundState.ABORTED)
    assert (record.reason, record.culprit, record.details) == (
        Reason.ECHO_MISMATCH,
        "desk-2",
        {"ms": {"total": 1.5}},
    )
    assert record.ended_at is not None
    assert record.ended_at >= record.promised_at
    assert "not been promised" in refused(
        Reason.PROPOSAL_REFUSED, journal.record_outcome, 4, RoundState.ABORTED
    )


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hashes_have_32_bytes(journal, length):
    journal.promise_round(1, hash_of(1))
    for call in (journal.promise_round, journal.approve_digest, journal.spend_nonce):
        with pytest.raises(ValueError, match="32 bytes"):
            call(2, bytes(length))


def test_epochs_count_their_rounds_apart_and_never_go_back(path):
    with open_journal(path, epoch=1) as journal:
        journal.promise_round(50, hash_of(1))
        journal.approve_digest(50, hash_of(10))
        journal.spend_nonce(50, hash_of(20))
    with open_journal(path, epoch=2) as journal:
        assert journal.epoch == 2
        assert journal.last_round() == 0
        journal.promise_round(1, hash_of(2))
        journal.approve_digest(1, hash_of(10))
        refused(Reason.NONCE_SPENT, journal.spend_nonce, 1, hash_of(20))  # a nonce is spent in every epoch
        assert [(r.epoch, r.round) for r in journal.rounds()] == [(2, 1), (1, 50)]
    with pytest.raises(JournalError, match="has seen epoch 2") as raised:
        open_journal(path, epoch=1)
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH


# The file


def test_the_file_format_is_version_1s(path):
    fill(path)

    def without_times(text):
        import re  # noqa: PLC0415 - only here

        return re.sub(r"\b1[0-9]{12}\b", "TIME", text)

    assert without_times(dump(path)) == without_times(GOLDEN.read_text())


def test_a_file_of_version_1_is_read(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(GOLDEN.read_text())
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        assert journal.last_round() == 8
        assert [(r.round, r.state.value, r.nonce_spent) for r in journal.rounds()] == [
            (8, "promised", False),
            (7, "aborted", False),
            (5, "settled", True),
        ]
        assert journal.rounds()[2].details == {"ms": {"total": 123.5}, "instruments": 514}
        assert journal.snapshot(5) == SnapshotCommitment(b"\x55" * 32, b"salt")


def test_only_the_owner_can_read_the_file(path, journal):
    journal.promise_round(1, hash_of(1))
    for file in path.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0, file


def test_every_commit_reaches_the_disk(journal):
    connection = journal._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_limits_give_the_newest(journal):
    for number in range(1, 8):
        journal.promise_round(number, hash_of(1))
    assert [record.round for record in journal.rounds(3)] == [7, 6, 5]


def test_others_read_while_a_party_writes(path, journal):
    journal.promise_round(1, hash_of(1))
    journal.approve_digest(1, hash_of(2))
    assert read_rounds(path) == journal.rounds()
    journal.promise_round(2, hash_of(1))
    assert [record.round for record in read_rounds(path, limit=1)] == [2]


def unusable(path: Path, **arguments) -> JournalError:
    with pytest.raises(JournalError) as raised:
        Journal.open(path, **({"consortium": CONSORTIUM, "epoch": 1} | arguments))
    assert "\n" not in str(raised.value)
    assert raised.value.remedy
    return raised.value


def test_what_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"this is not a database, it is a text of some length" * 100)
    before = path.read_bytes()
    assert unusable(path).reason is Reason.JOURNAL_UNUSABLE
    assert path.read_bytes() == before
    with pytest.raises(JournalError):
        read_rounds(path)


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_journal_is_refused(path, damage):
    with open_journal(path) as journal:
        for number in range(1, 200):
            journal.promise_round(number, hash_of(number))
    data = bytearray(path.read_bytes())
    assert len(data) > 3 * 4096
    if damage == "cut":
        data = data[: len(data) // 2]
    else:
        data[4096 * 2 : 4096 * 3] = b"\xff" * 4096
    path.write_bytes(data)
    error = unusable(path)
    assert error.reason is Reason.JOURNAL_UNUSABLE
    assert "backup" in error.remedy


def test_the_database_of_another_program_is_refused(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()
    assert "not a party's journal" in unusable(path).message
    with pytest.raises(JournalError, match="not a party's journal"):
        read_rounds(path)


def test_a_later_version_is_refused(path):
    open_journal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    assert "has version 2" in unusable(path).message


def test_the_journal_of_another_consortium_is_refused(path):
    open_journal(path).close()
    assert unusable(path, consortium=b"\x22" * 32).reason is Reason.CONSORTIUM_MISMATCH
    open_journal(path).close()


@pytest.mark.parametrize("where", ["no/such/folder/journal.db", ".", "file/journal.db"])
def test_a_path_that_cannot_be_written_is_one_clear_line(tmp_path, where):
    (tmp_path / "file").write_text("a file, no folder")
    error = unusable(tmp_path / where)
    assert error.reason is Reason.JOURNAL_UNUSABLE
    assert "permissions" in error.remedy


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes to read-only files")
def test_a_file_that_is_read_only_is_refused(path):
    open_journal(path).close()
    path.chmod(0o400)
    assert "permissions" in unusable(path).remedy


def test_a_journal_that_becomes_read_only_refuses_to_promise(journal):
    journal._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalError, match="readonly") as raised:
        journal.promise_round(1, hash_of(1))
    assert "permissions" in raised.value.remedy
    assert journal.last_round() == 0


def test_a_full_disk_refuses_to_promise_and_keeps_what_was(journal):
    journal.promise_round(1, hash_of(1))
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")

    def promise_many():
        for number in range(2, 500):
            journal.promise_round(number, hash_of(number))

    with pytest.raises(JournalError, match="full") as raised:
        promise_many()
    assert raised.value.reason is Reason.JOURNAL_UNUSABLE
    assert "free some space" in raised.value.remedy
    last = journal.last_round()
    assert 1 <= last < 499
    journal._connection.execute("PRAGMA max_page_count = 100000")
    journal.promise_round(last + 1, hash_of(1))


def test_a_closed_journal_says_so(path):
    journal = open_journal(path)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="is closed"):
        journal.promise_round(1, hash_of(1))


def test_there_is_nothing_to_read_where_no_party_ran(path):
    with pytest.raises(JournalError, match="no journal"):
        read_rounds(path)
    assert not path.exists()


# Threads and processes


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
        assert all(records[number].nonce_spent for number in range(1, said.get("spent", 0) + 1))
        for number in range(1, said["promised"] + 1):
            refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, number, hash_of(number))
        for number in range(1, said.get("spent", 0) + 1):
            refused(Reason.NONCE_SPENT, journal.spend_nonce, number, hash_of(number + 1_000_000))


# All sequences of calls, against a model


class JournalMachine(RuleBasedStateMachine):
    """A journal beside plain dictionaries, with restarts in between."""

    rounds = st.integers(1, 6)
    values = st.integers(1, 4).map(hash_of)

    def __init__(self):
        super().__init__()
        self.promised: dict[int, dict] = {}
        self.spent: dict[bytes, int] = {}

    @initialize()
    def start(self):
        import tempfile  # noqa: PLC0415 - one directory per run

        self.directory = tempfile.TemporaryDirectory()
        self.path = Path(self.directory.name) / "journal.db"
        self.journal = open_journal(self.path)

    def teardown(self):
        self.journal.close()
        self.directory.cleanup()

    def attempt(self, call, *arguments):
        try:
            call(*arguments)
        except RoundError as refusal:
            return refusal.reason
        return None

    @rule(number=rounds, proposal=values)
    def promise(self, number, proposal):
        outcome = self.attempt(self.journal.promise_round, number, proposal)
        if number > max(self.promised, default=0):
            assert outcome is None
            self.promised[number] = {"digest": None, "state": RoundState.PROMISED}
        else:
            assert outcome is Reason.ROUND_ALREADY_PROMISED

    @rule(number=rounds, digest=values)
    def approve(self, number, digest):
        outcome = self.attempt(self.journal.approve_digest, number, digest)
        entry = self.promised.get(number)
        if entry is None or entry["state"] is not RoundState.PROMISED:
            assert outcome is Reason.PROPOSAL_REFUSED
        elif entry["digest"] in {None, digest}:
            assert outcome is None
            entry["digest"] = digest
        else:
            assert outcome is Reason.APPROVAL_MISMATCH

    @rule(number=rounds, nonce=values)
    def spend(self, number, nonce):
        outcome = self.attempt(self.journal.spend_nonce, number, nonce)
        entry = self.promised.get(number)
        if nonce in self.spent or number in self.spent.values():
            assert outcome is Reason.NONCE_SPENT
        elif entry is None or entry["state"] is not RoundState.PROMISED or entry["digest"] is None:
            assert outcome is Reason.PROPOSAL_REFUSED
        else:
            assert outcome is None
            self.spent[nonce] = number

    @rule(number=rounds, state=st.sampled_from(RoundState))
    def end(self, number, state):
        outcome = self.attempt(self.journal.record_outcome, number, state)
        entry = self.promised.get(number)
        if entry is not None and (entry["state"] == state or (entry["state"], state) in ALLOWED):
            assert outcome is None
            entry["state"] = state
        else:
            assert outcome is Reason.PROPOSAL_REFUSED

    @rule()
    def restart(self):
        self.journal.close()
        self.journal = open_journal(self.path)

    @invariant()
    def the_journal_knows_what_the_model_knows(self):
        if not hasattr(self, "journal"):
            return
        assert self.journal.last_round() == max(self.promised, default=0)
        told = {r.round: (r.digest, r.state, r.nonce_spent) for r in self.journal.rounds()}
        assert told == {
            number: (entry["digest"], entry["state"], number in self.spent.values())
            for number, entry in self.promised.items()
        }


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
