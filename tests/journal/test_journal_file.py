"""The file of a journal: its format, who may read it, and that it reaches the disk."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mpc_party.journal import (
    Floor,
    Handover,
    HandoverState,
    Journal,
    RoundState,
    SnapshotCommitment,
    Standing,
    read_opening,
    read_rounds,
    read_standing,
)
from mpc_party.protocol.errors import Reason
from tests.journal.golden.regenerate import CONSORTIUM, dump, fill
from tests.support.journals import hash_of, refused, unusable

GOLDEN = Path(__file__).parent / "golden"


def restore(path, version):
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((GOLDEN / f"journal-v{version}.sql").read_text())


def schema(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_the_file_format_is_version_3s(path):
    fill(path)

    def without_times(text):
        return re.sub(r"\b1[0-9]{12}\b", "TIME", text)

    assert without_times(dump(path)) == without_times((GOLDEN / "journal-v3.sql").read_text())


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_file_of_each_version_is_read(path, version):
    restore(path, version)
    beside = read_rounds(path)  # by `status`, before the party has brought it up to date
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        assert journal.rounds() == beside
        assert journal.last_round() == 8
        assert [(r.round, r.state.value, r.nonce_spent) for r in journal.rounds()] == [
            (8, "promised", False),
            (7, "aborted", False),
            (5, "settled", True),
        ]
        assert journal.rounds()[2].details == {"ms": {"total": 123.5}, "instruments": 514}
        assert journal.snapshot(5) == SnapshotCommitment(b"\x55" * 32, b"salt" if version == 1 else None)
        assert "salt'" not in repr(journal.snapshot(5))


def test_a_file_of_version_1_keeps_openings_from_now_on(path):
    restore(path, 1)
    assert read_opening(path) is None
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        assert journal.opening(5) is None
        journal.promise_round(9, hash_of(1))
        journal.record_snapshot(9, hash_of(2), opening=b"sealed")
    assert read_opening(path).round == 9


@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_an_earlier_version_is_brought_up_to_date_with_all_that_it_has(path, version):
    restore(path, version)
    beside = read_standing(path)
    assert (beside.epoch, beside.last_round, beside.floor, beside.undecided) == (2, 8, Floor(), None)
    assert version_of(path) == version  # by who only looks, nothing is changed
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        journal.require_ready()
        refused(Reason.ROUND_ALREADY_PROMISED, journal.promise_round, 8, hash_of(1))
        journal.promise_round(9, hash_of(1))
        journal.approve_digest(9, hash_of(2))
        refused(Reason.NONCE_SPENT, journal.spend_nonce, 9, b"\xe5" * 32)
        journal.attest_handover(hash_of(7), hash_of(8), 3)
    assert read_standing(path).undecided.ceremony == hash_of(7)
    assert version_of(path) == 3
    fresh = path.with_name("fresh.db")
    fill(fresh)
    assert schema(path) == schema(fresh)


def test_floors_and_handovers_of_version_3_are_read(path):
    restore(path, 3)
    undecided = Handover(b"\xa2" * 32, HandoverState.ATTESTED, 2, 3, b"\xb2" * 32)
    assert read_standing(path) == Standing(CONSORTIUM, 2, 8, Floor(7, "said by the member"), undecided)
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        assert journal.undecided() == undecided
        assert journal.handover(b"\xa1" * 32) == Handover(
            b"\xa1" * 32, HandoverState.ABORTED, 2, 3, b"\xb1" * 32
        )
        assert journal.handover(b"\xa0" * 32) == Handover(b"\xa0" * 32, HandoverState.ABORTED, 2, None, None)


def test_a_file_that_cannot_be_brought_up_to_date_stays_as_it_was(path):
    restore(path, 1)
    before = dump(path)
    error = unusable(path, consortium=b"\x22" * 32, epoch=2)
    assert "belongs to the consortium" in error.message
    assert dump(path) == before


def test_an_opening_of_version_2_is_read(path):
    restore(path, 2)
    record = read_opening(path, 2, 5)
    assert (record.opening, record.exposure) == (b"sealed opening", b"sealed exposure")
    assert record.commitments == (b"\x55" * 32, b"\x66" * 32, b"\x77" * 32)
    assert record.state is RoundState.SETTLED
    assert read_opening(path).opening == b"another"
    assert read_opening(path, exposed=True).round == 5


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
