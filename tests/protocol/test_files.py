from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mpc_party.protocol import files
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import one_line, read_limited, read_text_limited, write_atomic


def test_reads_up_to_the_limit_and_not_beyond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    assert read_limited(path, 10, "test file") == b"x" * 10
    with pytest.raises(ConfigError, match=r"test file .*file: larger than 9 bytes"):
        read_limited(path, 9, "test file")


def test_a_pipe_a_directory_and_an_endless_device_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(ConfigError, match=r"not a regular file|directory"):
            read_limited(path, 10, "test file")


def test_missing_unreadable_and_impossible_paths_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path / ("n" * 300), "a\0b"):
        with pytest.raises(ConfigError) as refused:
            read_limited(path, 10, "test file")
        assert "\n" not in str(refused.value)


def test_text_must_be_utf8(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc\xff")
    with pytest.raises(ConfigError, match="not UTF-8 at byte 3"):
        read_text_limited(tmp_path / "file", 10, "test file")


@pytest.mark.parametrize(("secret", "mode"), [(True, 0o600), (False, 0o644)])
def test_writes_and_replaces_with_the_right_mode(tmp_path: Path, secret: bool, mode: int) -> None:
    path = tmp_path / "file"
    mask = os.umask(0o022)
    try:
        for data in (b"one", b"two"):
            write_atomic(path, data, secret=secret)
            assert path.read_bytes() == data
            assert stat.S_IMODE(path.stat().st_mode) == mode
    finally:
        os.umask(mask)
    assert list(tmp_path.iterdir()) == [path]


def test_does_not_overwrite_when_told_so(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"one", overwrite=False)
    with pytest.raises(ConfigError, match="exists already"):
        write_atomic(path, b"two", overwrite=False)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["replace", "fsync"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(ConfigError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_directory_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write_atomic(tmp_path / "no" / "file", b"x")


def test_text_from_outside_becomes_one_harmless_line() -> None:
    assert one_line("a\nb\x1b[31m\u2028c\u202ed é 漢") == "a?b?[31m?c?d é 漢"
    assert one_line("x" * 300, 10) == "xxxxxxx..."
    assert one_line("x" * 10, 10) == "x" * 10
