from __future__ import annotations

from pathlib import Path

import pytest
import structlog

from mpc_party.protocol import passphrase as module
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.passphrase import Passphrase, passphrase_from


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPC_PASSPHRASE", raising=False)


@pytest.mark.parametrize("content", [b"two words", b"two words\n", b"two words\r\n"])
def test_from_a_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(content)
    path.chmod(0o600)
    with structlog.testing.capture_logs() as logs:
        assert passphrase_from(file=path).reveal() == b"two words"
    assert logs == []


def test_only_one_newline_is_taken_off(tmp_path: Path) -> None:
    (tmp_path / "passphrase").write_bytes(b" word \n\n")
    assert passphrase_from(file=tmp_path / "passphrase").reveal() == b" word \n"


def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_bytes(b"hunter2")
    path.chmod(0o644)
    with structlog.testing.capture_logs() as logs:
        passphrase_from(file=path)
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert "hunter2" not in str(logs)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * 2000])
def test_a_bad_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "passphrase").write_bytes(content)
    with pytest.raises(ConfigError, match=r"empty|not UTF-8|larger|longer"):
        passphrase_from(file=tmp_path / "passphrase")


def test_a_file_named_but_missing_does_not_fall_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPC_PASSPHRASE", "from the environment")
    with pytest.raises(ConfigError, match="no such file"):
        passphrase_from(file=tmp_path / "missing")


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPC_PASSPHRASE", "from the environment")
    assert passphrase_from().reveal() == b"from the environment"
    monkeypatch.setenv("OTHER", "other")
    assert passphrase_from(environment="OTHER").reveal() == b"other"


def test_an_empty_or_undecodable_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPC_PASSPHRASE", "")
    with pytest.raises(ConfigError, match="MPC_PASSPHRASE: empty"):
        passphrase_from()
    monkeypatch.setenv("MPC_PASSPHRASE", "\udcff")  # how Python shows a byte that is not UTF-8
    with pytest.raises(ConfigError, match="not UTF-8"):
        passphrase_from()


def terminal(monkeypatch: pytest.MonkeyPatch, *entries: str) -> list[str]:
    asked: list[str] = []
    left = iter(entries)

    def ask(prompt: str) -> str:
        asked.append(prompt)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr(module.getpass, "getpass", ask)
    monkeypatch.setattr(module.sys.stdin, "isatty", lambda: True, raising=False)
    return asked


def test_from_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = terminal(monkeypatch, "typed", "typed")
    assert passphrase_from(prompt="Passphrase of alice").reveal() == b"typed"
    assert asked == ["Passphrase of alice: "]


def test_a_new_one_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch, "caf\u00e9", "cafe\u0301")  # the same, from two keyboards
    assert passphrase_from(prompt="New", confirm=True).reveal() == "caf\u00e9".encode()
    terminal(monkeypatch, "one", "two")
    with pytest.raises(ConfigError, match="differ"):
        passphrase_from(prompt="New", confirm=True)


def test_end_of_input_and_emptiness_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    with pytest.raises(ConfigError, match="no passphrase given"):
        passphrase_from(prompt="P")
    terminal(monkeypatch, "")
    with pytest.raises(ConfigError, match="empty"):
        passphrase_from(prompt="P")


def test_without_any_source_it_says_where_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(ConfigError, match="MPC_PASSPHRASE"):
        passphrase_from(prompt="P")


def test_the_bounds() -> None:
    assert Passphrase("x" * 1024).reveal() == b"x" * 1024
    with pytest.raises(ConfigError, match="longer"):
        Passphrase("x" * 1025)
