"""What a party checks in a proposal before it promises anything: the coordinator is trusted with liveness only."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.public import FORWARD_UNIT, VOL_UNIT, PublicInputs
from mpc_party.market.black76 import SECONDS_PER_YEAR
from mpc_party.market.quotes import Quotes, VolQuotes
from mpc_party.market.surface import effective_count, row_weights
from mpc_party.protocol.committees import runs_round
from mpc_party.protocol.consortium import Consortium, Program
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Expiry, Proposal

SHORTEST_LIFE = 3600  # seconds to expiry: below, the polynomials and the venue's quotes are both poor
CLOCK_TOLERANCE = 120  # seconds between the proposal's observation and this party's clock
MONEYNESS_LIMIT = 20.0
OUTSIDE_BAND_LIMIT = 0.2  # share of this party's quotes that may lie outside the band of the reference
ENOUGH_QUOTES = 4.0  # effective count of quotes on an expiry, from which on they judge its reference


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
    _require(
        members[0] >= 0 and members[-1] < len(consortium.members),
        "the committee has a member that does not exist",
    )
    # Or two committees that share no honest member could sign two reports of one number.
    _require(
        runs_round(members, len(consortium.members), proposal.round),
        f"round {proposal.round} belongs to another committee than {members}",
    )
    _require(len(book) <= consortium.program.max_instruments, f"{len(book)} instruments are too many")
    _require(all(a < b for a, b in pairwise(expiries)), "expiries are not ascending")
    _require(all(a < b for a, b in pairwise(book)), "instruments are not ascending and distinct")
    _require({i for i, _, _ in book} == set(range(len(expiries))), "expiries and instruments do not fit")
    _require(expiries[0] - proposal.observed_at >= SHORTEST_LIFE, "an expiry is less than an hour away")
    _require(
        0 < proposal.valid_until - proposal.observed_at <= consortium.program.report_validity,
        f"valid_until must be within {consortium.program.report_validity} s of observed_at",
    )
    _require(proposal.valid_until <= expiries[0], "valid_until lies after the first expiry")
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
    program = consortium.program
    fresh = np.isfinite(quotes.forward) & (quotes.forward > 0)
    fresh &= (quotes.seen_at >= proposal.observed_at - program.max_quote_age) & (
        quotes.seen_at <= proposal.observed_at
    )
    for slot in proposal.expiries:
        seen = quotes.forward[fresh & (quotes.expiry == slot.expiry)]
        if not len(seen):
            raise RoundError(
                f"this party has no fresh quotes for expiry {slot.expiry}",
                reason=Reason.MARKET_DATA_STALE,
                remedy="check this party's market source",
            )
        tolerance = forward_tolerance(program, slot, proposal.observed_at)
        if abs(slot.forward * FORWARD_UNIT / float(np.median(seen)) - 1) > tolerance:
            raise RoundError(
                f"the proposed forward of expiry {slot.expiry} is more than {tolerance:.2%} from this party's",
                reason=Reason.FORWARD_OUT_OF_BOUNDS,
                remedy="compare the coordinator's and this party's market sources",
            )


def forward_tolerance(program: Program, slot: Expiry, observed_at: int) -> float:
    """How far a proposed forward may lie from a party's own, relative: what moves no delta by more than about 0.04.

    A tenth of a standard deviation to expiry, and at most the consortium's `forward_tolerance`, which alone would be
    half a standard deviation of a one-day option.
    """
    deviation = slot.reference_vol * VOL_UNIT * math.sqrt((slot.expiry - observed_at) / SECONDS_PER_YEAR)
    return min(program.forward_tolerance, 0.1 * deviation)


def check_reference(public: PublicInputs, vols: VolQuotes) -> None:
    """The reference vols leave this party's quotes within the band: those of all expiries together, and each expiry's.

    Of all quotes a fifth may lie outside, as the wings of an option with hours to go do. For each expiry on which this
    party has quotes enough, their weighted median must lie within: a reference that is wrong for one expiry would
    have every honest fit of it drawn in to the band's edge, and the parties would sign that.

    Raises:
        RoundError: REFERENCE_OUT_OF_BAND or MARKET_DATA_STALE (no usable quote at all).
    """
    if not len(vols):
        raise RoundError(
            "this party has no usable quote",
            reason=Reason.MARKET_DATA_STALE,
            remedy="check this party's market source; what was dropped is in its log, by cause",
        )
    deviation = np.log(vols.vol / public.grid.reference_vol[np.searchsorted(public.grid.expiry, vols.expiry)])
    if (np.abs(deviation) > public.program.band).mean() > OUTSIDE_BAND_LIMIT:
        raise _reference_error("too many of this party's quotes lie outside the band of the reference vols")
    for index, expiry in enumerate(public.grid.expiry):
        rows = vols.expiry == expiry
        if not rows.any():
            continue
        weights = row_weights(public.grid, index, vols, rows)
        if effective_count(weights) >= ENOUGH_QUOTES and _outside(
            deviation[rows], weights, public.program.band
        ):
            raise _reference_error(
                f"the reference vol of expiry {int(expiry)} is too far from this party's quotes"
            )


def _reference_error(message: str) -> RoundError:
    return RoundError(
        message,
        reason=Reason.REFERENCE_OUT_OF_BAND,
        remedy="the coordinator should take its reference from the last report",
    )


def _outside(deviation: NDArray[np.float64], weights: NDArray[np.float64], band: float) -> bool:
    """Whether the weighted median lies outside [-band, band]: whether more than half of the weight lies on one side."""
    half = 0.5 * weights.sum()
    return bool(weights[deviation > band].sum() > half or weights[deviation < -band].sum() > half)


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - a condition and its sentence
    if not holds:
        raise RoundError(message, reason=Reason.PROPOSAL_REFUSED)
