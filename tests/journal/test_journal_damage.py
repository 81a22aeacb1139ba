"""Files that are no journal of this party, disks that fail: each refused in one line that says what to do."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing

import pytest

from mpc_party.journal import JournalError, read_rounds, read_standing
from mpc_party.protocol.errors import Reason
from tests.support.journals import hash_of, open_journal, unusable


def test_what_is_no_database_is_refused_and_left_alone(path):
    path.write_bytes(b"this is not a database, it is a text of some length" * 100)
    before = path.read_bytes()
    assert unusable(path).reason is Reason.JOURNAL_UNUSABLE
    assert path.read_bytes() == before
    for read in (read_rounds, read_standing):
        with pytest.raises(JournalError):
            read(path)


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
        connection.execute("PRAGMA user_version = 4")
    assert "has version 4" in unusable(path).message


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
    assert read_standing(path) is None
    assert not path.exists()
