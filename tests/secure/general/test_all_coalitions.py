"""The attack of `test_privacy` by every coalition of five parties, and by many of seven: slow, so run by `make test-all`."""

import itertools

import pytest

from tests.secure.general.test_privacy import MASKED, SURE, worst_change

COALITIONS = {5: list(itertools.combinations(range(5), 2)), 7: list(itertools.combinations(range(7), 3))[::3]}


@pytest.mark.slow
@pytest.mark.parametrize("size", COALITIONS)
@pytest.mark.parametrize("name", MASKED)
def test_all_that_any_coalition_receives_is_masked(size, name):
    assert worst_change(size, name, COALITIONS[size]) > SURE
