import math

import msgspec
import numpy as np
import pytest
from scipy.stats import norm

from coordinator.check import (
    at_the_money_vols,
    decode_book,
    max_delta_error,
    require_lawful,
    require_sane,
    sanity_errors,
)
from mpc_party.hedging.laws import Law
from mpc_party.hedging.scenarios import short_losses
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.words import MARGIN_ABSENT, pack_params
from tests.support.signed_group import CHAIN_START, SignedGroup, book_words, flat_columns


@pytest.fixture(scope="module")
def group():
    return SignedGroup()


@pytest.fixture
def signed(group):
    proposal = group.proposal(1)
    return proposal, group.report(proposal)


PROGRAM = Program()


def with_columns(proposal, report, **changes):
    columns = flat_columns(proposal, 0.5) | {k: np.asarray(v, dtype=np.int64) for k, v in changes.items()}
    return msgspec.structs.replace(report, params=pack_params(columns))


def test_the_delta_of_one_option_is_black_76s_computed_by_hand(signed):
    proposal, report = signed
    decoded = decode_book(report, book_words(proposal))
    i = 7
    time = (decoded.expiry[i] - CHAIN_START) / (365 * 86_400)
    d1 = math.log(decoded.forward[i] / decoded.strike[i]) / (0.5 * math.sqrt(time)) + 0.25 * math.sqrt(time)
    delta = norm.cdf(d1) - (0.0 if decoded.call[i] else 1.0)
    assert decoded.black76().delta[i] == pytest.approx(delta, abs=1e-12)


def test_an_exact_report_is_off_by_its_rounding_only(signed):
    proposal, report = signed
    errors = require_sane(decode_book(report, book_words(proposal)), program=PROGRAM)
    assert 0 < errors.delta <= 0.5e-6
    assert errors.premium <= 0.5e-8 + 1e-15


def test_the_error_is_the_largest_one_of_either_sign(signed):
    proposal, report = signed
    delta = flat_columns(proposal, 0.5)["bs_delta"].copy()
    put, call = (
        next(k for k, i in enumerate(proposal.instruments) if i.call is c and k > 9) for c in (False, True)
    )
    delta[call] += 300
    delta[put] -= 700
    changed = with_columns(proposal, report, bs_delta=np.clip(delta, -(10**6), 10**6))
    assert max_delta_error(decode_book(changed, book_words(proposal))) == pytest.approx(700e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("column", "shift", "name"),
    [
        ("bs_delta", -1_100, "delta"),
        ("premium", 110_000, "premium"),
        ("vega", 1_000_000, "vega"),
        ("gamma", 5_000_000, "gamma"),
        ("iv", 200_000, "is off by"),
    ],
)
def test_a_greek_that_is_not_its_vols_is_refused(signed, column, shift, name):
    proposal, report = signed
    values = flat_columns(proposal, 0.5)[column].copy()
    row = int(np.argmin(np.abs(flat_columns(proposal, 0.5)["bs_delta"] - 500_000)))
    values[row] += shift
    changed = with_columns(proposal, report, **{column: values})
    with pytest.raises(ReportError, match=name):
        require_sane(decode_book(changed, book_words(proposal)), program=PROGRAM)


def margins(proposal, report) -> dict[str, np.ndarray]:
    decoded = decode_book(report, book_words(proposal))
    losses = short_losses(
        decoded.strike / decoded.forward, decoded.iv, decoded.time, decoded.call, PROGRAM.scenarios
    ).max(axis=0)
    maintenance = np.rint(1e6 * losses).astype(np.int64)
    return {"maintenance_margin": maintenance, "initial_margin": maintenance * 125 // 100}


def test_margins_are_those_of_the_scenarios(signed):
    proposal, report = signed
    exact = margins(proposal, report)
    require_sane(decode_book(with_columns(proposal, report, **exact), book_words(proposal)), PROGRAM)
    for name, shift in (("maintenance_margin", -1100), ("initial_margin", 1100)):
        wrong = {key: value.copy() for key, value in exact.items()}
        wrong[name][5] += shift
        with pytest.raises(ReportError, match=name.replace("_", " ")):
            require_sane(decode_book(with_columns(proposal, report, **wrong), book_words(proposal)), PROGRAM)


def test_margins_for_some_instruments_only_are_refused(signed):
    proposal, report = signed
    some = {name: values.copy() for name, values in margins(proposal, report).items()}
    for values in some.values():
        values[3] = MARGIN_ABSENT
    with pytest.raises(ReportError, match="maintenance margin"):
        require_sane(decode_book(with_columns(proposal, report, **some), book_words(proposal)), PROGRAM)


def test_a_book_that_is_not_the_reports_is_refused(group, signed):
    proposal, report = signed
    book = bytearray(book_words(proposal))
    book[29] ^= 1
    with pytest.raises(ReportError, match="hash differs"):
        decode_book(report, bytes(book))


def test_a_report_of_another_length_than_its_book_is_refused(signed):
    proposal, report = signed
    shorter = msgspec.structs.replace(report, params=report.params[:-32])
    with pytest.raises(ReportError, match="instruments"):
        decode_book(shorter, book_words(proposal))


def test_an_expiry_without_a_forward_is_refused(signed):
    proposal, report = signed
    fewer = msgspec.structs.replace(report, forwards=report.forwards[:-32])
    with pytest.raises(ReportError, match="no forward"):
        decode_book(fewer, book_words(proposal))


def test_the_vol_at_the_money_is_the_nearest_strikes(signed):
    proposal, report = signed
    vols = 400_000 + 1000 * np.arange(len(proposal.instruments))
    decoded = decode_book(with_columns(proposal, report, iv=vols), book_words(proposal))
    found = at_the_money_vols(decoded)
    assert set(found) == {e.expiry for e in proposal.expiries}
    for expiry, vol in found.items():
        rows = [i for i in range(len(decoded)) if decoded.expiry[i] == expiry]
        nearest = min(rows, key=lambda i: abs(math.log(decoded.strike[i] / decoded.forward[i])))
        assert vol == decoded.iv[nearest]


def test_all_errors_are_numbers(signed):
    proposal, report = signed
    errors = sanity_errors(decode_book(report, book_words(proposal)))
    assert all(
        math.isfinite(getattr(errors, name)) for name in ("delta", "density", "premium", "gamma_shape")
    )


def test_an_exact_report_is_lawful_and_says_what_comes_nearest(signed):
    proposal, report = signed
    nearest = require_lawful(report, book_words(proposal))
    assert nearest.law in Law
    assert 0 <= nearest.share < 0.01


@pytest.mark.parametrize(("shift", "challengeable"), [(490, False), (510, True)])
def test_a_report_that_can_be_challenged_is_refused_and_one_that_a_party_would_not_sign_is_not(
    signed, shift, challengeable
):
    """A call's vol against its put's, in 1e-6 of 0.5: the least tolerance is 1e-3 of the vol, a party's own 0.9e-3."""
    proposal, report = signed
    columns = flat_columns(proposal, 0.5)
    call = next(k for k, i in enumerate(proposal.instruments) if i.call and k > 9)
    vols = columns["iv"].copy()
    vols[call] += shift
    changed = with_columns(proposal, report, iv=vols)
    require_sane(decode_book(changed, book_words(proposal)), PROGRAM)
    if not challengeable:
        assert require_lawful(changed, book_words(proposal)).share > 0.9
        return
    with pytest.raises(ReportError, match="law PARITY: vol of call") as caught:
        require_lawful(changed, book_words(proposal))
    assert caught.value.reason is Reason.REPORT_UNLAWFUL
