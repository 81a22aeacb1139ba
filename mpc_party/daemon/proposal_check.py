"""What a party checks in a proposal before it promises anything: the coordinator is trusted with liveness only."""

from itertools import pairwise

import numpy as np

from mpc_party.hedging.public import FORWARD_UNIT, PublicInputs
from mpc_party.market.quotes import Quotes, VolQuotes
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Proposal

SHORTEST_LIFE = 3600  # seconds to expiry: below, the polynomials and the venue's quotes are both poor
CLOCK_TOLERANCE = 120  # seconds between the proposal's observation and this party's clock
MONEYNESS_LIMIT = 20.0
OUTSIDE_BAND_LIMIT = 0.2  # share of this party's quotes that may lie outside the band of the reference


def check_structure(proposal: Proposal, consortium: Consortium) -> None:
    """Checks against the consortium file alone.

    Raises:
        RoundError: PROPOSAL_REFUSED, saying which rule is broken.
    """
    size = 2 * consortium.threshold + 1
    members = proposal.committee
    expiries = [e.expiry for e in proposal.expiries]
    book = [(i.expiry, i.strike, i.call) for i in proposal.instruments]
    _require(
        proposal.epoch == consortium.epoch, f"epoch {proposal.epoch}, this party is in {consortium.epoch}"
    )
    _require(
        len(members) == size and all(a < b for a, b in pairwise(members)),
        f"the committee must be {size} members, ascending",
    )
    _require(members[-1] < len(consortium.members), "the committee has a member that does not exist")
    _require(len(book) <= consortium.program.max_instruments, f"{len(book)} instruments are too many")
    _require(all(a < b for a, b in pairwise(expiries)), "expiries are not ascending")
    _require(all(a < b for a, b in pairwise(book)), "instruments are not ascending and distinct")
    _require({i for i, _, _ in book} == set(range(len(expiries))), "expiries and instruments do not fit")
    _require(expiries[0] - proposal.observed_at >= SHORTEST_LIFE, "an expiry is less than an hour away")
    _require(
        0 < proposal.valid_until - proposal.observed_at <= consortium.program.report_validity,
        f"valid_until must be within {consortium.program.report_validity} s of observed_at",
    )
    for index, strike, _ in book:
        moneyness = strike / proposal.expiries[index].forward
        _require(
            1 / MONEYNESS_LIMIT <= moneyness <= MONEYNESS_LIMIT, f"strike {strike} is absurd for its forward"
        )


def check_clock(proposal: Proposal, *, now: float, replays: bool, last_observed: int) -> None:
    """Market time runs forward; and where the market is live, it is now.

    Args:
        now: this party's clock, Unix seconds.
        replays: the market source is a recording, whose time is its own.
        last_observed: observed_at of the last round that this party took part in.
    """
    _require(
        proposal.observed_at >= last_observed,
        f"observed_at {proposal.observed_at} lies before that of an earlier round",
    )
    _require(
        replays or abs(proposal.observed_at - now) <= CLOCK_TOLERANCE,
        f"observed_at is {proposal.observed_at - now:+.0f} s from this party's clock",
    )


def check_market(proposal: Proposal, consortium: Consortium, underlying: str, quotes: Quotes) -> None:
    """The proposed underlying and forwards are what this party sees itself.

    Raises:
        RoundError: PROPOSAL_REFUSED, MARKET_DATA_STALE or FORWARD_OUT_OF_BOUNDS.
    """
    _require(
        proposal.underlying == underlying, f"underlying {proposal.underlying}, this party sees {underlying}"
    )
    tolerance = consortium.program.forward_tolerance
    for slot in proposal.expiries:
        seen = quotes.forward[quotes.expiry == slot.expiry]
        seen = seen[np.isfinite(seen) & (seen > 0)]
        if not len(seen):
            raise RoundError(
                f"this party has no quotes for expiry {slot.expiry}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="check this party's market source",
            )
        own = float(np.median(seen))
        if abs(slot.forward * FORWARD_UNIT / own - 1) > tolerance:
            raise RoundError(
                f"the proposed forward of expiry {slot.expiry} is more than {tolerance:.1%} from this party's",
                reason=Reason.FORWARD_OUT_OF_BOUNDS,
                remedy="compare the coordinator's and this party's market sources",
            )


def check_reference(public: PublicInputs, vols: VolQuotes) -> None:
    """The reference vols leave this party's quotes within the band.

    Raises:
        RoundError: REFERENCE_OUT_OF_BAND or MARKET_DATA_STALE (no usable quote at all).
    """
    if not len(vols):
        raise RoundError(
            "this party has no usable quote",
            reason=Reason.MARKET_DATA_STALE,
            remedy="check this party's market source; what was dropped is in its log, by cause",
        )
    index = np.searchsorted(public.grid.expiry, vols.expiry)
    outside = np.abs(np.log(vols.vol / public.grid.reference_vol[index])) > public.program.band
    if outside.mean() > OUTSIDE_BAND_LIMIT:
        raise RoundError(
            "too many of this party's quotes lie outside the band of the reference vols",
            reason=Reason.REFERENCE_OUT_OF_BAND,
            remedy="the coordinator should take its reference from the last report",
        )


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - a condition and its sentence
    if not holds:
        raise RoundError(message, reason=Reason.PROPOSAL_REFUSED)
