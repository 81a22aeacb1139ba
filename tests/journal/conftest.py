"""A new journal for each test."""

from __future__ import annotations

import pytest

from tests.support.journals import open_journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path):
    with open_journal(path) as opened:
        yield opened
