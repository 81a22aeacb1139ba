"""Journals for tests: how one is opened, what it refuses and how it says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_party.journal import Journal, JournalError
from mpc_party.protocol.errors import Reason, RoundError
from tests.journal.golden.regenerate import CONSORTIUM

# What a round may become, from what.
ALLOWED_OUTCOMES = {
    ("promised", "signed"),
    ("promised", "settled"),
    ("promised", "aborted"),
    ("signed", "settled"),
    ("signed", "aborted"),
    ("aborted", "settled"),
}


def hash_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def open_journal(path: Path, epoch: int = 1) -> Journal:
    return Journal.open(path, consortium=CONSORTIUM, epoch=epoch)


def refused(reason: Reason, call, *arguments) -> str:
    with pytest.raises(RoundError) as raised:
        call(*arguments)
    assert raised.value.reason is reason
    return raised.value.message


def unusable(path: Path, **arguments) -> JournalError:
    with pytest.raises(JournalError) as raised:
        Journal.open(path, **({"consortium": CONSORTIUM, "epoch": 1} | arguments))
    assert "\n" not in str(raised.value)
    assert raised.value.remedy
    return raised.value
