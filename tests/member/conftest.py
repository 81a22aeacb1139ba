import pytest

from tests.support.party_homes import copy_of, make_world, quick_keystores
from tests.support.reshares import copied, desks


@pytest.fixture(scope="session")
def complete(tmp_path_factory):
    """A complete consortium that no test changes."""
    return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(complete, tmp_path):
    """A complete consortium for one test."""
    return copy_of(complete, tmp_path / "w")


@pytest.fixture(scope="session")
def founded_desks(tmp_path_factory):
    """Three members of a complete consortium, and two that may join. No test changes it."""
    with quick_keystores():
        return desks(tmp_path_factory.mktemp("desks") / "w", joining=2)


@pytest.fixture
def scene(founded_desks, tmp_path):
    """The same for one test."""
    return copied(founded_desks, tmp_path / "w")


@pytest.fixture(autouse=True)
def quick():
    with quick_keystores():
        yield
