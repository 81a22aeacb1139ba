"""SIGKILL between any two statements that SQLite is given: the journal is as it was before, or as it was to be."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from mpc_party.journal import Floor, HandoverState, Journal, read_standing, schema
from mpc_party.protocol.errors import Reason
from tests.journal.golden.regenerate import CONSORTIUM
from tests.support.journals import hash_of, open_journal, unusable

A, PLAN = hash_of(100), hash_of(200)
MOST = 200


def killed_at(statement: int, work) -> bool:
    """Run `work(kill_here)` in a process of its own, which SIGKILL ends before that statement; whether it came to that.

    `kill_here` is for `sqlite3.Connection.set_trace_callback`.
    """
    child = os.fork()
    if child == 0:
        try:
            left = statement

            def kill_here(_text: str) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            work(kill_here)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def at_every_statement(template: Path, folder: Path, work):
    """Kill at the first, second ... statement of `work(path, kill_here)`, each on a fresh copy; yields what is left."""
    for statement in range(1, MOST):
        copy = folder / str(statement)
        shutil.copytree(template, copy)
        path = copy / "journal.db"
        if not killed_at(statement, lambda kill_here, path=path: work(path, kill_here)):
            assert statement > 3
            return
        yield path
    raise AssertionError("the work does not end")


@pytest.fixture
def template(tmp_path):
    folder = tmp_path / "template"
    folder.mkdir()
    with open_journal(folder / "journal.db") as journal:
        journal.promise_round(4, hash_of(1))
        journal.attest_handover(A, PLAN, 2)
    return folder


def test_a_commit_is_there_or_not(template, tmp_path):
    def work(path, kill_here):
        with open_journal(path) as journal:
            journal._connection.set_trace_callback(kill_here)
            journal.commit_handover(A, floor=9)

    seen = 0
    for path in at_every_statement(template, tmp_path, work):
        seen += 1
        standing = read_standing(path)
        assert (standing.epoch, standing.last_round) == (
            1,
            4,
        )  # COMMIT is the last statement, and none before it counts
        with open_journal(path) as journal:
            assert journal.undecided().ceremony == A
            assert journal.handover(A).state is HandoverState.ATTESTED
            journal.commit_handover(A, floor=9)  # the same again ends it
        assert unusable(path, epoch=1).reason is Reason.CONSORTIUM_MISMATCH
        with open_journal(path, epoch=2) as journal:
            assert journal.last_round() == 9
            journal.promise_round(10, hash_of(1))
    assert seen >= 6


def test_once_it_is_said_that_the_commit_is_done_a_kill_does_not_undo_it(template, tmp_path):
    """The process dies with the file open, so that all is in the write-ahead log."""
    said, say = os.pipe()

    def work(_kill_here):
        journal = open_journal(template / "journal.db")
        journal.commit_handover(A, floor=9)
        os.write(say, b"done")
        os.kill(os.getpid(), signal.SIGKILL)

    assert killed_at(MOST, work)
    assert os.read(said, 4) == b"done"
    os.close(said)
    os.close(say)
    standing = read_standing(template / "journal.db")
    assert (standing.epoch, standing.last_round, standing.undecided) == (2, 9, None)
    assert unusable(template / "journal.db", epoch=1).reason is Reason.CONSORTIUM_MISMATCH


@pytest.mark.parametrize("what", ["attest", "abort", "floor"])
def test_so_are_the_other_writes(template, tmp_path, what):
    if what == "attest":
        with open_journal(template / "journal.db") as journal:
            journal.abort_handover(A)

    def call(journal):
        if what == "attest":
            journal.attest_handover(hash_of(101), PLAN, 2)
        elif what == "abort":
            journal.abort_handover(A)
        else:
            journal.distrust(12, "restored")

    def work(path, kill_here):
        with open_journal(path) as journal:
            journal._connection.set_trace_callback(kill_here)
            call(journal)

    before = read_standing(template / "journal.db")
    for path in at_every_statement(template, tmp_path, work):
        assert read_standing(path) == before
        with open_journal(path) as journal:
            call(journal)
        assert read_standing(path) != before


@pytest.mark.parametrize("version", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_new_journal_has_its_floor_or_is_none_and_an_old_one_is_whole(tmp_path, monkeypatch, version):
    template = tmp_path / "template"
    template.mkdir()
    if version:
        from tests.journal.test_journal_file import restore  # noqa: PLC0415 - not for a new file

        restore(template / "journal.db", version)
    connect = schema.sqlite3.connect

    def work(path, kill_here):
        def traced(*arguments, **named):
            connection = connect(*arguments, **named)
            connection.set_trace_callback(kill_here)
            return connection

        monkeypatch.setattr(schema.sqlite3, "connect", traced)
        Journal.open(
            path, consortium=CONSORTIUM, epoch=3, beginning=Floor(50, "restored", known=False)
        ).close()

    for path in at_every_statement(template, tmp_path, work):
        standing = read_standing(path)
        if version:  # as it was
            assert (standing.epoch, standing.last_round, standing.floor.known) == (2, 8, True)
        else:  # the next opening begins it
            assert standing is None
        with Journal.open(
            path, consortium=CONSORTIUM, epoch=3, beginning=Floor(50, "restored", known=False)
        ) as journal:
            assert journal.floor() == Floor(50, "restored", known=False)
