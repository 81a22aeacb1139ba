"""The search for what to challenge, in float64, against the judge itself."""

from itertools import combinations

import pytest

from coordinator.challenges.challenging import Court
from coordinator.challenges.exhibits import Candidate, candidates
from coordinator.challenges.signed_report import from_file
from coordinator.onchain import Onchain
from mpc_party.hedging.laws import Law
from tests.support.contract_stage import with_field
from tests.support.signed_group import book_words

pytestmark = pytest.mark.integration


def exhibits_of(law, instruments):
    """Every set of rows that a law can be asked about, but for triples: neighbours and ends alone."""
    if law in {Law.RANGE, Law.BLACK76, Law.HEDGE_BAND}:
        return [(row,) for row in range(len(instruments))]
    series = {}
    for row, one in sorted(enumerate(instruments), key=lambda it: it[1].strike):
        series.setdefault((one.expiry, one.call), []).append(row)
    if law is Law.PARITY:
        return [
            pair
            for (expiry, call_), rows in series.items()
            if call_
            for pair in zip(rows, series[expiry, False], strict=True)
        ]
    size = 2 if law is Law.MONOTONE else 3
    return [chosen for rows in series.values() for chosen in combinations(rows, size)]


@pytest.mark.parametrize(
    ("wrong", "laws"),
    [
        ({}, ""),
        ({4: ("bs_delta", 1_990)}, ""),
        ({4: ("bs_delta", 2_010)}, "BLACK76"),
        ({5: ("iv", 4_100), 20: ("premium", 250_000)}, "BLACK76 PARITY"),
        ({25: ("bs_delta", 200_000), 11: ("hedge_delta", 3_000_000)}, "BLACK76 HEDGE_BAND MONOTONE PARITY"),
        (
            {24: ("premium", 9_000_000), 3: ("maintenance_margin", -16_777_000)},
            "BLACK76 BUTTERFLY PARITY RANGE",
        ),
        ({row: ("bs_delta", -2_100 if row % 4 else 2_100) for row in range(12, 18)}, "BLACK76 PARITY"),
        ({row: ("premium", 900_000 if row % 4 else 0) for row in range(30)}, "BLACK76 BUTTERFLY PARITY"),
    ],
)
def test_nothing_that_the_judge_upholds_is_missed(stage, wrong, laws):
    """The search in float64 against the judge, asked about all that there is in a small book."""
    proposal, report = stage.report(1)
    for row, (field, add) in wrong.items():
        report = with_field(report, row, field, add)
    court = Court(Onchain(stage.url), stage.ledger.address)
    terms, book = court.terms(), book_words(proposal)
    signed = from_file(stage.file(proposal, report))
    found, broken = candidates(report, book, terms.tolerances), set()
    for law in Law:
        asked = [Candidate(law, rows, 0.0, "") for rows in exhibits_of(law, proposal.instruments)]
        upheld = {one.rows for one in asked if court.find(signed, book, terms, [one]) is not None}
        ours = {one.rows for one in found if one.law is law}
        broken |= {law.name} if upheld else set()
        if law in {Law.RANGE, Law.BLACK76, Law.HEDGE_BAND, Law.PARITY}:
            assert upheld <= ours, law
        else:
            # Of each strike the pair or triple that shows it best.
            assert {rows[1] for rows in upheld} <= {rows[1] for rows in ours}, law
    assert broken == set(laws.split())
