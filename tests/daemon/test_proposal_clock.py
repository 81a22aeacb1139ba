"""A proposal's market time, against this party's clock and the rounds before."""

import pytest

from mpc_party.daemon.proposal_check import CLOCK_TOLERANCE, check_clock
from tests.support.proposals import NOW, proposal, refused


def test_market_time_that_is_live():
    for now in (NOW - CLOCK_TOLERANCE, NOW, NOW + CLOCK_TOLERANCE):
        check_clock(proposal(), now=now, replays=False, last_observed=NOW)
    for now in (NOW - CLOCK_TOLERANCE - 1, NOW + CLOCK_TOLERANCE + 0.5, 0.0):
        refused(check_clock, proposal(), now=now, replays=False, last_observed=0, match="this party's clock")


def test_market_time_of_a_recording():
    check_clock(proposal(), now=NOW + 10**8, replays=True, last_observed=0)


@pytest.mark.parametrize("replays", [True, False])
def test_market_time_does_not_run_back(replays):
    refused(
        check_clock,
        proposal(),
        now=NOW,
        replays=replays,
        last_observed=NOW + 1,
        match="lies before that of an earlier",
    )
    check_clock(proposal(), now=NOW, replays=replays, last_observed=NOW)  # a retry
