"""A proposal's reference vols, against the quotes that this party sees itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.daemon.proposal_check import ENOUGH_QUOTES, check_reference
from mpc_party.hedging.public import public_inputs
from mpc_party.market import VolQuotes
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, RoundError
from tests.support.proposals import EXPIRIES, FORWARDS, proposal, refused


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
