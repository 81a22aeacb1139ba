import hashlib

import msgspec
import pytest
from eth_hash.auto import keccak

from coordinator.challenges.exhibits import NEAR, allowances, candidates, nearest
from mpc_party.hedging.laws import Floors, Law
from mpc_party.protocol.actions import Tolerances
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.words import MARGIN_ABSENT
from tests.support.contract_stage import with_field
from tests.support.judged_reports import honest_columns, report_of, smile_book

TOLERANCES = Tolerances(
    delta=2000, gamma=32_000, vega=2000, premium=2000, vol=8000, hedge_reach=800, hedge_slack=20_000
)


@pytest.fixture(scope="module")
def honest():
    public = smile_book()
    return report_of(public, honest_columns(public))


def replaced(book, index, word):
    words = bytearray(book)
    words[32 * index : 32 * index + 32] = word
    return bytes(words)


def about(report, book):
    return msgspec.structs.replace(report, book=bytes(keccak(book)))


def test_tolerances_become_fractions():
    assert allowances(TOLERANCES) == pytest.approx(Floors(2e-3, 32e-3, 2e-3, 2e-3, 8e-3, 8.0, 20e-3))


def test_an_honest_report_has_no_candidate(honest):
    report, book = honest
    assert candidates(report, book, TOLERANCES) == []
    found = nearest(report, book, TOLERANCES)
    assert 0 <= found.share < 0.5


def test_a_tolerance_decides_what_is_a_candidate(honest):
    report, book = honest
    wrong = with_field(report, 27, "bs_delta", 3_000)
    found = candidates(wrong, book, TOLERANCES)
    assert [(one.law, one.rows) for one in found] == [(Law.BLACK76, (27,))]
    assert found[0].share == pytest.approx(1.5, abs=0.02)
    wide = msgspec.structs.replace(TOLERANCES, delta=3_500)
    assert candidates(wrong, book, wide) == []
    assert nearest(wrong, book, wide).share < NEAR


# Even rows are puts, odd ones calls.
RANGE_FAULTS = [
    ("iv", lambda _: 0, "vol is zero"),
    ("maintenance_margin", lambda _: MARGIN_ABSENT - 1, "margin"),
    ("initial_margin", lambda _: MARGIN_ABSENT, "margin"),
    ("premium", lambda _: 2**32 - 1, "premium"),
    ("bs_delta", lambda row: -1 if row % 2 else 1, "delta"),
    ("bs_delta", lambda row: 1_000_001 if row % 2 else -1_000_001, "delta"),
]


@pytest.mark.parametrize(("field", "make", "match"), RANGE_FAULTS)
@pytest.mark.parametrize("row", [0, 1, 26, 53])
def test_what_breaks_range_by_itself_is_found_in_integers(honest, field, make, match, row):
    report, book = honest
    public = smile_book()
    now = int(honest_columns(public)[field][row])
    wrong = with_field(report, row, field, make(row) - now)
    if field == "initial_margin":
        wrong = with_field(wrong, row, "maintenance_margin", 0)
    first = candidates(wrong, book, TOLERANCES)[0]
    assert (first.law, first.rows, first.share) == (Law.RANGE, (row,), float("inf"))
    assert match in first.reason
    assert nearest(wrong, book, TOLERANCES) == first


def test_reserved_bits_break_range(honest):
    report, book = honest
    params = bytearray(report.params)
    params[31] = 1
    wrong = msgspec.structs.replace(report, params=bytes(params))
    assert candidates(wrong, book, TOLERANCES)[0].rows == (0,)
    forwards = bytearray(report.forwards)
    forwards[0] = 1
    wrong = msgspec.structs.replace(report, forwards=bytes(forwards))
    first_expiry = [one.rows for one in candidates(wrong, book, TOLERANCES)]
    assert first_expiry == [(row,) for row in range(18)]


def test_a_zero_forward_and_a_past_expiry_break_range_and_nothing_is_computed_with_them(honest):
    report, book = honest
    for wrong in (
        msgspec.structs.replace(report, forwards=report.forwards[:20] + bytes(12) + report.forwards[32:]),
        msgspec.structs.replace(report, observed_at=report.observed_at + 3 * 86_400),
    ):
        found = candidates(wrong, book, TOLERANCES)
        assert {one.rows for one in found if one.law is Law.RANGE and len(one.rows) == 1} >= {
            (row,) for row in range(18)
        }
        for one in found:
            if one.law is not Law.RANGE:
                assert min(one.rows) >= 18
    every = msgspec.structs.replace(report, observed_at=2**39)
    assert {one.law for one in candidates(every, book, TOLERANCES)} == {Law.RANGE}
    assert nearest(every, book, TOLERANCES).share == float("inf")


def test_words_beyond_what_parties_accept_are_judged_all_the_same(honest):
    """A vol below the breaker's bound, a hedge delta above it: RANGE does not forbid them, the others do."""
    report, book = honest
    low = with_field(report, 8, "iv", 9_000 - int(honest_columns(smile_book())["iv"][8]))
    assert {one.law for one in candidates(low, book, TOLERANCES)} >= {Law.BLACK76, Law.PARITY}
    high = with_field(report, 8, "hedge_delta", 7_000_000)
    assert [one.law for one in candidates(high, book, TOLERANCES)] == [Law.HEDGE_BAND]


def test_a_report_that_does_not_fit_its_book_needs_no_exhibits(honest):
    report, book = honest
    short = msgspec.structs.replace(report, params=report.params[:-32])
    fewer = msgspec.structs.replace(report, forwards=report.forwards[32:])
    swapped = msgspec.structs.replace(
        report, forwards=report.forwards[32:64] + report.forwards[:32] + report.forwards[64:]
    )
    for wrong in (short, fewer, swapped):
        (only,) = candidates(wrong, book, TOLERANCES)
        assert only.rows == ()
        assert nearest(wrong, book, TOLERANCES) == only


def test_another_book_is_refused(honest):
    report, book = honest
    with pytest.raises(ReportError, match="hash differs"):
        candidates(report, book[:-32], TOLERANCES)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda book: replaced(book, 1, book[:32]), "twice"),
        (lambda book: replaced(book, 0, book[-32:]), "before"),
        (lambda book: replaced(book, 2, b"ETH" + bytes(9) + book[76:96]), "underlying"),
        (lambda book: replaced(book, 2, book[64:76] + b"\3" + book[77:96]), "no instrument"),
        (lambda book: replaced(book, 2, book[64:95] + b"\1"), "no instrument"),
        (lambda book: replaced(book, 2, book[64:82] + bytes(14)), "no instrument"),
    ],
)
def test_a_book_that_no_contract_registers_cannot_be_challenged_about(honest, change, match):
    report, book = honest
    other = change(book)
    with pytest.raises(ReportError, match=match):
        candidates(about(report, other), other, TOLERANCES)


def test_an_underlying_that_our_own_reader_refuses_is_judged(honest):
    report, book = honest
    other = b"".join(b"\xff\x01" + bytes(10) + book[at + 12 : at + 32] for at in range(0, len(book), 32))
    assert candidates(about(report, other), other, TOLERANCES) == []


def test_random_words_never_stop_the_search(honest):
    report, book = honest

    def noise(of, length):
        return hashlib.shake_128(of.encode()).digest(length)

    for trial in range(50):
        params = noise(f"p{trial}", len(report.params))
        forwards = b"".join(
            report.forwards[at : at + 20] + noise(f"f{trial}.{at}", 12)
            for at in range(0, len(report.forwards), 32)
        )
        wrong = msgspec.structs.replace(report, params=params, forwards=forwards)
        found = candidates(wrong, book, TOLERANCES)
        assert found
        assert all(one.reason for one in found)
        nearest(wrong, book, TOLERANCES)
