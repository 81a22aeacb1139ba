"""A proposal against the consortium file: every rule refuses what breaks it, and a proper one passes."""

import itertools
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.daemon.proposal_check import SHORTEST_LIFE, check_structure
from mpc_party.hedging.public import Derived, public_inputs
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Expiry, Instrument, Proposal, decode_message, encode_message
from tests.support.proposals import DAY, EXPIRIES, NOW, PROGRAM, UNIT, consortium, proposal, refused


def expiry(**changes) -> tuple[Expiry, ...]:
    """The expiries, the first one changed."""
    first, *others = proposal().expiries
    return (msgspec.structs.replace(first, **changes), *others)


BOOK = proposal().instruments


def test_a_proper_proposal_passes():
    check_structure(proposal(), consortium())
    check_structure(proposal(committee=(0, 1, 2)), consortium(3))
    check_structure(proposal(valid_until=NOW + 1), consortium())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 1}, "epoch 1, this party is in 2"),
        ({"epoch": 3}, "epoch 3"),
        ({"committee": (0, 1)}, "3 members, ascending"),
        ({"committee": (0, 1, 2, 3)}, "3 members, ascending"),
        ({"committee": (0, 1, 2, 3, 4)}, "3 members, ascending"),
        ({"committee": (1, 0, 2)}, "ascending"),
        ({"committee": (0, 1, 1)}, "ascending"),
        ({"committee": (0, 1, 4)}, "does not exist"),
        ({"committee": (0, 1, 2**62)}, "does not exist"),
        ({"committee": (-1, 0, 1)}, "does not exist"),
        ({"committee": (-4, -3, -2)}, "does not exist"),
        ({"committee": (0, 1, 2)}, "round 9 belongs to another committee"),
        ({"round": 10}, "round 10 belongs to another committee"),
        ({"instruments": (*BOOK, Instrument(2, 151_000 * UNIT, True))}, "7 instruments are too many"),
        ({"expiries": proposal().expiries[::-1]}, "expiries are not ascending"),
        ({"expiries": expiry(expiry=EXPIRIES[1])}, "expiries are not ascending"),
        ({"instruments": BOOK[::-1]}, "instruments are not ascending"),
        ({"instruments": (BOOK[1], BOOK[0], *BOOK[2:])}, "instruments are not ascending"),  # call before put
        ({"instruments": (BOOK[0], *BOOK[:5])}, "ascending and distinct"),
        ({"instruments": BOOK[:4]}, "do not fit"),  # nothing on the last expiry
        ({"instruments": BOOK[3:]}, "do not fit"),
        ({"instruments": (*BOOK[:5], Instrument(3, 90_000 * UNIT, True))}, "do not fit"),
        ({"instruments": (*BOOK[:5], Instrument(63, 90_000 * UNIT, True))}, "do not fit"),
        ({"expiries": expiry(expiry=NOW + SHORTEST_LIFE - 1)}, "less than an hour"),
        ({"expiries": expiry(expiry=NOW - 1)}, "less than an hour"),
        ({"observed_at": 2**63 - 1, "valid_until": 2**63 - 1}, "less than an hour"),
        ({"valid_until": NOW}, "valid_until"),
        ({"valid_until": NOW - 1}, "valid_until"),
        ({"valid_until": NOW + 3601}, "within 3600 s"),
        ({"instruments": (Instrument(0, 4_499 * UNIT, True), *BOOK[3:])}, "absurd"),
        ({"instruments": (Instrument(0, 1_800_001 * UNIT, True), *BOOK[3:])}, "absurd"),
        ({"instruments": (*BOOK[:4], Instrument(2, 1, True))}, "absurd"),
        ({"instruments": (*BOOK[:5], Instrument(2, 2**63 - 1, True))}, "absurd"),
        ({"expiries": expiry(forward=1)}, "absurd"),
    ],
)
def test_structure(changes, message):
    refused(check_structure, proposal(**changes), consortium(), match=message)


def test_structure_at_its_edges():
    check_structure(proposal(expiries=expiry(expiry=NOW + SHORTEST_LIFE)), consortium())
    edge = (Instrument(0, 4_500 * UNIT, True), Instrument(0, 1_800_000 * UNIT, True), *BOOK[3:])
    check_structure(proposal(instruments=edge), consortium())


def test_a_report_does_not_outlive_its_first_expiry():
    long = consortium(program=msgspec.structs.replace(PROGRAM, report_validity=2 * DAY))
    check_structure(proposal(valid_until=EXPIRIES[0]), long)
    refused(check_structure, proposal(valid_until=EXPIRIES[0] + 1), long, match="after the first expiry")


def mutated(draw) -> Proposal:
    """Any proposal that the wire could carry."""
    count = draw(st.integers(1, 4))
    expiries = st.builds(
        Expiry,
        st.integers(NOW, NOW + 400 * DAY) | st.integers(1, 2**40 - 1),
        st.integers(80_000 * UNIT, 100_000 * UNIT) | st.integers(1, 2**63 - 1),
        st.integers(10_000, 5_000_000),
    )
    instruments = st.builds(
        Instrument,
        st.integers(0, count - 1) | st.integers(0, 63),
        st.integers(80_000, 100_000).map(lambda k: k * UNIT) | st.integers(1, 2**63 - 1),
        st.booleans(),
    )
    chosen = draw(st.lists(instruments, min_size=1, max_size=7))
    listed = draw(st.lists(expiries, min_size=count, max_size=count))
    if draw(st.booleans()):
        chosen = sorted(set(chosen), key=msgspec.structs.astuple)
        listed = sorted(listed, key=lambda e: e.expiry)
    return Proposal(
        round=draw(st.integers(0, 2**63 - 1)),
        epoch=draw(st.sampled_from([1, 2, 2, 2])),
        committee=tuple(draw(st.lists(st.integers(-2, 5), min_size=3, max_size=4))),
        observed_at=draw(st.just(NOW) | st.integers(0, 2**63 - 1)),
        valid_until=draw(st.integers(NOW, NOW + 4000) | st.integers(0, 2**63 - 1)),
        underlying="BTC",
        expiries=tuple(listed),
        instruments=tuple(chosen),
        deadline_ms=1000,
    )


def is_proper(p: Proposal, c: Consortium) -> bool:
    """The rules once more, written differently."""
    indices = [i.expiry for i in p.instruments]
    keys = [msgspec.structs.astuple(i) for i in p.instruments]
    times = [e.expiry for e in p.expiries]
    return (
        p.epoch == c.epoch
        and len(p.committee) == 3
        and list(p.committee) == sorted(set(p.committee) & set(range(len(c.members))))
        and len(keys) <= c.program.max_instruments
        and times == sorted(set(times))
        and keys == sorted(set(keys))
        and sorted(set(indices)) == list(range(len(times)))
        and times[0] >= p.observed_at + 3600
        and p.observed_at < p.valid_until <= p.observed_at + c.program.report_validity
        and all(
            p.expiries[i.expiry].forward <= 20 * i.strike and i.strike <= 20 * p.expiries[i.expiry].forward
            for i in p.instruments
        )
    )


@given(st.data())
@settings(max_examples=300)
def test_any_proposal_passes_exactly_if_it_is_proper(data):
    made = mutated(data.draw)
    try:
        check_structure(made, consortium())
        passed = True
    except RoundError as error:
        passed = error.reason is not Reason.PROPOSAL_REFUSED
    assert passed == is_proper(made, consortium())


@given(st.data())
def test_what_passes_gives_public_inputs(data):
    """Nothing that passes ends in an overflow, a NaN or a warning further on."""
    reference = data.draw(st.integers(10_000, 5_000_000))
    forward = data.draw(st.integers(10_000, 2**58))
    seconds = data.draw(st.integers(3600, 2**40 - NOW - 1))
    strikes = data.draw(
        st.lists(st.integers(-(-forward // 20), 20 * forward), min_size=1, max_size=6, unique=True)
    )
    made = proposal(
        expiries=(Expiry(NOW + seconds, forward, reference),),
        instruments=tuple(Instrument(0, strike, strike % 2 == 0) for strike in sorted(strikes)),
    )
    assert decode_message(encode_message(made)) == made
    check_structure(made, consortium())
    public = public_inputs(made, PROGRAM)
    of_owners = np.abs(
        public.coefficients[[Derived.GAMMA, Derived.VEGA]]
    )  # 1,024 times; sqrt of 2^40 seconds
    assert of_owners.max() < 2**26
    assert np.delete(np.abs(public.coefficients), [Derived.GAMMA, Derived.VEGA], axis=0).max() < 2**20
    assert np.abs(public.surface_map).max() < 2**20
    assert len(public.digest) == 32


def test_no_two_committees_can_be_brought_to_run_one_round_number():
    # Of five members with t = 1, two committees may share one member only, and that one may be the liar.
    def accepts(committee):
        with suppress(RoundError):
            check_structure(proposal(committee=committee, round=23), consortium(5))
            return True
        return False

    assert [c for c in itertools.combinations(range(5), 3) if accepts(c)] == [(0, 2, 3)]
