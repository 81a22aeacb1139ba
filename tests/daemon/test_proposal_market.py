"""A proposal's underlying and forwards, against the market that this party sees itself."""

import msgspec
import numpy as np
import pytest

from mpc_party.daemon.proposal_check import check_market
from mpc_party.market import Quotes
from mpc_party.protocol.errors import Reason
from tests.support.proposals import DAY, EXPIRIES, FORWARDS, NOW, PROGRAM, consortium, proposal, refused


def quotes(forwards=FORWARDS, each: int = 5) -> Quotes:
    count = each * len(forwards)
    return Quotes(
        np.full(count, NOW),
        np.repeat(EXPIRIES[: len(forwards)], each),
        np.full(count, 90_000.0),
        np.ones(count, bool),
        np.repeat(np.array(forwards, dtype=np.float64), each),
        np.full(count, 0.01),
        np.full(count, 0.02),
    )


def test_the_market_that_this_party_sees_itself():
    check_market(proposal(), consortium(), "BTC", quotes())
    # One day, thirty and 365: a tenth of a standard deviation at a vol of 0.5, and at most 1 %.
    for share in (0.99, -0.97):
        widths = (0.1 * 0.5 * (1 / 365) ** 0.5, 0.01, 0.01)
        seen = [f * (1 + share * w) for f, w in zip(FORWARDS, widths, strict=True)]
        check_market(proposal(), consortium(), "BTC", quotes(seen))


def test_another_underlying():
    refused(
        check_market, proposal(), consortium(), "ETH", quotes(), match="underlying BTC, this party sees ETH"
    )


@pytest.mark.parametrize("factor", [1.0102, 0.9899, 2.0, 1e-6])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_one_forward_that_is_off(index, factor):
    forwards = [f / factor if i == index else f for i, f in enumerate(FORWARDS)]
    refused(
        check_market,
        proposal(),
        consortium(),
        "BTC",
        quotes(forwards),
        reason=Reason.FORWARD_OUT_OF_BOUNDS,
        match=f"{EXPIRIES[index]} is more than {(0.26, 1.0, 1.0)[index]:.2f}%",
    )


def test_the_tolerance_is_the_consortiums():
    loose = consortium(program=msgspec.structs.replace(PROGRAM, forward_tolerance=0.2))
    off = quotes([FORWARDS[0], FORWARDS[1], FORWARDS[2] * 1.045])
    check_market(proposal(), loose, "BTC", off)
    refused(check_market, proposal(), consortium(), "BTC", off, reason=Reason.FORWARD_OUT_OF_BOUNDS)
    # However loose, it moves no option by more than a tenth of a standard deviation.
    for index, share in ((0, -1.02), (1, -1.02), (2, -1.02)):
        width = 0.1 * 0.5 * ((EXPIRIES[index] - NOW) / (365 * DAY)) ** 0.5
        seen = [f * (1 + share * width) if i == index else f for i, f in enumerate(FORWARDS)]
        refused(check_market, proposal(), loose, "BTC", quotes(seen), reason=Reason.FORWARD_OUT_OF_BOUNDS)


def test_stale_quotes_do_not_vouch_for_a_forward():
    seen = quotes()
    seen.seen_at[:] = NOW - PROGRAM.max_quote_age - 1
    refused(check_market, proposal(), consortium(), "BTC", seen, reason=Reason.MARKET_DATA_STALE)
    seen.seen_at[:] = NOW + 1
    refused(check_market, proposal(), consortium(), "BTC", seen, reason=Reason.MARKET_DATA_STALE)


def test_a_minority_of_bad_forwards_does_not_matter():
    seen = quotes()
    seen.forward[[0, 1]] = [1.0, 1e9]
    seen.forward[[5, 6, 7, 8]] = [np.nan, np.inf, -1.0, 0.0]
    check_market(proposal(), consortium(), "BTC", seen)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -90_000.0])
def test_an_expiry_of_which_this_party_sees_nothing(bad):
    seen = quotes()
    seen.forward[5:10] = bad
    for known in (seen, quotes(FORWARDS[:1]), quotes(())):
        refused(
            check_market,
            proposal(),
            consortium(),
            "BTC",
            known,
            reason=Reason.MARKET_DATA_STALE,
            match="no fresh quotes for expiry",
        )
