"""The file of a journal: its format, who may read it, and that it reaches the disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mpc_party.journal import Journal, SnapshotCommitment, read_rounds
from tests.journal.golden.regenerate import CONSORTIUM, dump, fill
from tests.support.journals import hash_of

GOLDEN = Path(__file__).parent / "golden" / "journal-v1.sql"


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
