"""One round for all tests that only read it."""

from __future__ import annotations

import pytest

from tests.audit.scene import Scene


@pytest.fixture(scope="session")
def scene():
    return Scene()
