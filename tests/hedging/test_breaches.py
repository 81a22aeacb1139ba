import pytest

from mpc_party.hedging.laws import FLOORS, Law, breaches, decode, law_uses
from tests.support.contract_stage import with_field
from tests.support.judged_reports import honest_columns, report_of, smile_book


@pytest.fixture(scope="module")
def honest():
    public = smile_book()
    return report_of(public, honest_columns(public))


def test_all_breaches_are_found_the_worst_first_and_each_worst_is_among_them(honest):
    report, book = honest
    wrong = report
    for row, add in ((26, 9_000), (27, -5_000), (44, 7_000)):
        wrong = with_field(wrong, row, "bs_delta", add)
    judged = decode(wrong, book)
    found = breaches(judged, FLOORS)
    shares = [use.share for use in found]
    assert shares == sorted(shares, reverse=True)
    assert {use.exhibits for use in found if use.law is Law.BLACK76} == {(26,), (27,), (44,)}
    for use in law_uses(judged):
        assert (use in found) == (use.share > 1)
    assert breaches(judged, FLOORS, 1e9) == []


def test_every_breach_of_monotone_names_two_of_a_kind_whose_delta_rises(honest):
    report, book = honest
    judged = decode(with_field(report, 45, "bs_delta", 300_000), book)
    found = [use for use in breaches(judged, FLOORS) if use.law is Law.MONOTONE]
    assert found
    for use in found:
        low, high = use.exhibits
        assert judged.call[low] == judged.call[high]
        assert judged.expiry[low] == judged.expiry[high]
        assert judged.strike[low] < judged.strike[high]
        rise = judged.delta[high] - judged.delta[low]
        assert rise == pytest.approx(use.share * use.allowance)
