import json
import sqlite3
import subprocess
import sys

import pytest

from coordinator.history import History
from mpc_party.protocol.errors import ConsortiumError, Reason

ISSUE_KEYS = ["round", "state", "instruments", "ms", "mesh_bytes", "mesh_rounds", "gas", "max_delta_error"]


def open_history(tmp_path, **options):
    return History(tmp_path / "history.sqlite", **options)


def test_a_round_is_there_before_and_after_reopening(tmp_path):
    with open_history(tmp_path) as history:
        history.start(7, 6, 2, ("alpha", "bravo", "charlie"))
        history.update(
            7, state="settled", gas=5, ms={"total": 1.5}, tx=b"\x01" * 32, report=b"r", max_delta_error=1e-5
        )
    with open_history(tmp_path) as history:
        row = history.get(7)
        assert history.last_round() == 7
        assert history.last_settled() == row
        assert history.running() == []
    assert (row.state, row.gas, row.ms, row.tx) == ("settled", 5, {"total": 1.5}, b"\x01" * 32)
    assert row.committee == ("alpha", "bravo", "charlie")
    assert (row.first, row.attempt) == (6, 2)


def test_the_summary_begins_with_the_keys_that_programs_read_and_is_json(tmp_path):
    with open_history(tmp_path) as history:
        history.start(1, 1, 1, ("a", "b", "c"))
        summary = history.get(1).summary()
    assert list(summary)[: len(ISSUE_KEYS)] == ISSUE_KEYS
    assert json.loads(json.dumps(summary)) | {"committee": ("a", "b", "c")} == summary


def test_a_number_is_used_once(tmp_path):
    with open_history(tmp_path) as history:
        history.start(1, 1, 1, ())
        with pytest.raises(ConsortiumError) as caught:
            history.start(1, 1, 1, ())
    assert caught.value.reason is Reason.ROUND_ALREADY_PROMISED


def test_rounds_come_oldest_first_and_limited_to_the_latest(tmp_path):
    with open_history(tmp_path) as history:
        for number in (3, 1, 2):
            history.start(number, number, 1, ())
        assert [row.round for row in history.rounds(2)] == [2, 3]
        assert [row.round for row in history.running()] == [1, 2, 3]


@pytest.mark.parametrize("values", [{}, {"colour": 1}, {"round": 5}, {"round; DROP TABLE rounds": 1}])
def test_only_columns_can_be_updated(tmp_path, values):
    with open_history(tmp_path) as history:
        history.start(1, 1, 1, ())
        with pytest.raises(ValueError, match="no such columns"):
            history.update(1, **values)


def test_an_unknown_round_cannot_be_updated(tmp_path):
    with open_history(tmp_path) as history, pytest.raises(ConsortiumError, match="not in the history"):
        history.update(1, state="settled")


def test_reading_needs_a_file_and_does_not_make_one(tmp_path):
    with pytest.raises(ConsortiumError, match="no such file"):
        open_history(tmp_path, read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"this is no database, but a text" * 100, b"\0" * 4096])
def test_a_file_that_is_no_history_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "history.sqlite").write_bytes(content)
    with pytest.raises(ConsortiumError) as caught:
        open_history(tmp_path)
    assert caught.value.reason is Reason.JOURNAL_UNUSABLE
    assert "\n" not in str(caught.value)


def test_a_newer_version_is_refused(tmp_path):
    with open_history(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "history.sqlite") as database:
        database.execute("PRAGMA user_version = 9")
    database.close()
    with pytest.raises(ConsortiumError, match="version 9"):
        open_history(tmp_path)


def test_a_reader_sees_what_a_running_writer_has_written(tmp_path):
    with open_history(tmp_path) as history:
        history.start(1, 1, 1, ("a",))
        with open_history(tmp_path, read_only=True) as reader:
            assert [row.round for row in reader.rounds()] == [1]
            with pytest.raises(ConsortiumError):
                reader.start(2, 2, 1, ())


def test_what_was_written_survives_kill_9(tmp_path):
    script = (
        "import os, sys, pathlib; from coordinator.history import History;"
        "h = History(pathlib.Path(sys.argv[1])); h.start(5, 5, 1, ('a',)); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "history.sqlite")], check=False, timeout=60)
    with open_history(tmp_path) as history:
        assert history.last_round() == 5


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConsortiumError) as caught:
        History(tmp_path / "file" / "history.sqlite")
    assert caught.value.reason is Reason.JOURNAL_UNUSABLE
