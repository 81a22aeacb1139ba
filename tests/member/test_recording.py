"""Recording a running market: what the disk says is passed on with the file's name and the next step."""

import errno

import pytest

from mpc_party.market import RecordedChain
from mpc_party.market import recorder as recorders
from mpc_party.member.recording import record
from mpc_party.protocol.errors import ConfigError


def test_a_full_disk_names_the_file_and_leaves_what_was_recorded(tmp_path, monkeypatch):
    out = tmp_path / "chain.csv"
    record("simulated:3", out, every=0.0, count=1, say=lambda _: None)
    before = out.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(recorders.os, "write", full)
        with pytest.raises(ConfigError, match=r"chain\.csv: cannot be written: No space left") as caught:
            record("simulated:3", out, every=0.0, count=1, say=lambda _: None)
    assert caught.value.remedy.startswith("make room")
    assert out.read_bytes() == before
    assert len(RecordedChain(out).times) == 1
