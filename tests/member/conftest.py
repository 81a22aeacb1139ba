import pytest

from tests.support.party_homes import copy_of, make_world, quick_keystores


@pytest.fixture(scope="session")
def complete(tmp_path_factory):
    """A complete consortium that no test changes."""
    return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(complete, tmp_path):
    """A complete consortium for one test."""
    return copy_of(complete, tmp_path / "w")


@pytest.fixture(autouse=True)
def quick():
    with quick_keystores():
        yield
