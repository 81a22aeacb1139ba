"""The auditor's key file: for its owner only, readable by the age tools, and one key in it."""

from __future__ import annotations

import pickle  # noqa: TID251 - to show that it refuses
from datetime import UTC, datetime

import pyrage
import pytest

from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.protocol.errors import ConfigError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_key_comes_back_and_opens_what_is_for_it(tmp_path):
    key = AuditorKey.generate()
    key.save(tmp_path / "auditor.key", NOW)
    again = AuditorKey.load(tmp_path / "auditor.key")
    assert again.recipient == key.recipient
    recipient = pyrage.x25519.Recipient.from_str(key.recipient)
    assert again.decrypt(pyrage.encrypt(b"told", [recipient])) == b"told"


def test_the_file_is_the_age_tools_and_its_owners_alone(tmp_path):
    key = AuditorKey.generate()
    key.save(tmp_path / "auditor.key", NOW)
    lines = (tmp_path / "auditor.key").read_text().splitlines()
    assert lines[:2] == ["# created: 2026-01-02T03:04:05+00:00", f"# public key: {key.recipient}"]
    assert lines[2].startswith("AGE-SECRET-KEY-1")
    assert (tmp_path / "auditor.key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_written_over_another(tmp_path):
    AuditorKey.generate().save(tmp_path / "auditor.key", NOW)
    before = (tmp_path / "auditor.key").read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        AuditorKey.generate().save(tmp_path / "auditor.key", NOW)
    assert (tmp_path / "auditor.key").read_bytes() == before


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"AGE-SECRET-KEY-1QQ\n", b"\xff\xfe\n", b"age1abc\n"])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path, text):
    (tmp_path / "auditor.key").write_bytes(text)
    with pytest.raises(ConfigError, match="not one age secret key") as caught:
        AuditorKey.load(tmp_path / "auditor.key")
    assert "AGE-SECRET" not in str(caught.value)


def test_two_keys_in_a_file_are_refused(tmp_path):
    secret = str(pyrage.x25519.Identity.generate())
    (tmp_path / "auditor.key").write_text(f"{secret}\n{secret}\n")
    with pytest.raises(ConfigError, match="not one age secret key"):
        AuditorKey.load(tmp_path / "auditor.key")


def test_a_key_does_not_show_itself():
    key = AuditorKey.generate()
    assert repr(key) == "<AuditorKey>"
    with pytest.raises(TypeError):
        pickle.dumps(key)
