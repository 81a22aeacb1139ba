"""What a party checks in a proposal: every rule refuses what breaks it, and a proper proposal passes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.daemon.proposal_check import (
    CLOCK_TOLERANCE,
    ENOUGH_QUOTES,
    SHORTEST_LIFE,
    check_clock,
    check_market,
    check_reference,
    check_structure,
)
from mpc_party.hedging.public import public_inputs
from mpc_party.market import Quotes, VolQuotes
from mpc_party.protocol.consortium import Consortium, Member, Program
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Expiry, Instrument, Proposal, decode_message, encode_message

NOW = 1_767_258_000
DAY = 86_400
UNIT = 10**8
PROGRAM = Program(max_instruments=6, report_validity=3600, forward_tolerance=0.01)
FORWARDS = (90_000, 90_500, 92_000)
EXPIRIES = (NOW + DAY, NOW + 30 * DAY, NOW + 365 * DAY)


def consortium(members: int = 4, program: Program = PROGRAM) -> Consortium:
    """Only what the checks read is meaningful."""
    return Consortium(
        version=1,
        name="test",
        id="00" * 32,
        epoch=2,
        threshold=1,
        broker="mqtt://127.0.0.1:1883",
        coordinator="00" * 32,
        members=tuple(Member(f"m{i}", "", "", "", "", "") for i in range(members)),
        program=program,
    )


def proposal(**changes) -> Proposal:
    base = Proposal(
        round=9,
        epoch=2,
        committee=(0, 1, 3),
        observed_at=NOW,
        valid_until=NOW + 3600,
        underlying="BTC",
        expiries=tuple(Expiry(e, f * UNIT, 500_000) for e, f in zip(EXPIRIES, FORWARDS, strict=True)),
        instruments=(
            Instrument(0, 88_000 * UNIT, False),
            Instrument(0, 88_000 * UNIT, True),
            Instrument(0, 90_000 * UNIT, False),
            Instrument(1, 85_000 * UNIT, True),
            Instrument(2, 60_000 * UNIT, False),
            Instrument(2, 150_000 * UNIT, True),
        ),
        deadline_ms=10_000,
    )
    return msgspec.structs.replace(base, **changes)


def refused(check, *arguments, reason=Reason.PROPOSAL_REFUSED, match=None, **options) -> RoundError:
    with pytest.raises(RoundError, match=match) as caught:
        check(*arguments, **options)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    return caught.value


def expiry(**changes) -> tuple[Expiry, ...]:
    """The expiries, the first one changed."""
    first, *others = proposal().expiries
    return (msgspec.structs.replace(first, **changes), *others)


BOOK = proposal().instruments


# The consortium file


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
    assert np.abs(public.coefficients).max() < 2**20
    assert np.abs(public.surface_map).max() < 2**20
    assert len(public.digest) == 32


# The clock


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


# The market


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


def test_a_report_does_not_outlive_its_first_expiry():
    long = consortium(program=msgspec.structs.replace(PROGRAM, report_validity=2 * DAY))
    check_structure(proposal(valid_until=EXPIRIES[0]), long)
    refused(check_structure, proposal(valid_until=EXPIRIES[0] + 1), long, match="after the first expiry")


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


# The reference


def vols(levels=(0.5, 0.5, 0.5), counts=(9, 9, 9), width: float = 0.01) -> VolQuotes:
    """Quotes near the money, of one vol per expiry."""
    rows = [
        (EXPIRIES[i], FORWARDS[i] * (1 + 1e-5 * k), level)
        for i, (level, count) in enumerate(zip(levels, counts, strict=True))
        for k in range(count)
    ]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return VolQuotes(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.float64),
        np.array(columns[2], dtype=np.float64),
        np.full(len(rows), width),
    )


PUBLIC = public_inputs(proposal(), Program(band=1.4))  # reference 0.5 everywhere
INSIDE, ABOVE, BELOW = 0.5 * np.exp(1.39), 0.5 * np.exp(1.41), 0.5 * np.exp(-1.41)


def out_of_band(found: VolQuotes, match: str) -> None:
    refused(check_reference, PUBLIC, found, reason=Reason.REFERENCE_OUT_OF_BAND, match=match)


def test_quotes_within_the_band():
    check_reference(PUBLIC, vols())
    check_reference(PUBLIC, vols((INSIDE, INSIDE, 0.5 * np.exp(-1.39))))
    check_reference(PUBLIC, vols(counts=(1, 0, 0)))


def test_no_usable_quote_at_all():
    refused(
        check_reference,
        PUBLIC,
        vols(counts=(0, 0, 0)),
        reason=Reason.MARKET_DATA_STALE,
        match="no usable quote",
    )


@pytest.mark.parametrize("level", [ABOVE, BELOW, 5.0, 0.01])
def test_a_reference_that_is_wrong_everywhere(level):
    out_of_band(vols((level, level, level)), "too many")
    out_of_band(vols((level, 0.5, 0.5), (3, 5, 5)), "too many")  # 3 of 13: more than a fifth
    out_of_band(vols((level, 0.5, 0.5), (3, 0, 0)), "too many")


@pytest.mark.parametrize("level", [ABOVE, BELOW, 5.0, 0.01])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_reference_that_is_wrong_for_one_expiry(index, level):
    """A small part of all the quotes, and all that is known of this expiry."""
    levels = [level if i == index else 0.5 for i in range(3)]
    counts = [5 if i == index else 40 for i in range(3)]
    assert counts[index] / sum(counts) < 0.2
    out_of_band(vols(levels, counts), f"reference vol of expiry {EXPIRIES[index]}")


def test_a_few_quotes_do_not_judge_a_reference():
    assert ENOUGH_QUOTES == 4.0
    check_reference(PUBLIC, vols((ABOVE, 0.5, 0.5), (3, 40, 40)))


def test_wings_outside_the_band_do_not_judge_a_reference():
    money, wings = vols(counts=(8, 40, 40)), 9
    strike = FORWARDS[0] * (1 + 0.06 * np.arange(2, 2 + wings))
    found = VolQuotes(
        np.append(money.expiry, np.full(wings, EXPIRIES[0])),
        np.append(money.strike, strike),
        np.append(money.vol, np.full(wings, 2.5)),
        np.append(money.width, np.full(wings, 1.5)),
    )
    check_reference(PUBLIC, found)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.floats(0.01, 10.0), st.floats(1e-4, 9.0)), min_size=1, max_size=40
    )
)
def test_any_quotes_pass_or_are_out_of_band(rows):
    found = VolQuotes(
        np.array([EXPIRIES[i] for i, _, _ in rows], dtype=np.int64),
        np.array([FORWARDS[i] * 1.01 for i, _, _ in rows], dtype=np.float64),
        np.array([vol for _, vol, _ in rows], dtype=np.float64),
        np.array([width for _, _, width in rows], dtype=np.float64),
    )
    outside = np.abs(np.log(found.vol / 0.5)) > 1.4
    try:
        check_reference(PUBLIC, found)
        reason = None
    except RoundError as error:
        reason = error.reason
    assert reason in (None, Reason.REFERENCE_OUT_OF_BAND)
    if not outside.any():
        assert reason is None
    if outside.mean() > 0.2:
        assert reason is Reason.REFERENCE_OUT_OF_BAND
