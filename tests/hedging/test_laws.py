"""No honest report breaks a law, every lie does, and what is found is the worst of all pairs and triples."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import msgspec
import numpy as np
import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.hedging.laws import FLOORS, OWN_SHARE, Judged, Law, check_laws, decode, law_uses, worst
from mpc_party.hedging.model import MODEL_REACH
from mpc_party.protocol.errors import Reason, ReportError, RoundError
from mpc_party.protocol.words import ForwardFields, pack_forward
from tests.support.books import NOW, book
from tests.support.judged_reports import honest_columns, report_of, smile_book

PUBLIC = smile_book()
STRIKES = 9


def row(expiry: int, strike: int, *, call: bool) -> int:
    return 2 * (STRIKES * expiry + strike) + int(call)


def refused(columns) -> RoundError:
    report, words = report_of(PUBLIC, columns)
    with pytest.raises(RoundError) as caught:
        check_laws(report, words)
    assert caught.value.reason is Reason.REPORT_UNLAWFUL
    assert "nothing was signed" in caught.value.remedy
    return caught.value


def shares(columns) -> dict[tuple[Law, str], float]:
    return {(use.law, use.quantity): use.share for use in law_uses(decode(*report_of(PUBLIC, columns)))}


def changed(name: str, changes: dict[int, int]) -> dict[str, np.ndarray]:
    columns = honest_columns(PUBLIC)
    for at, shift in changes.items():
        columns[name][at] += shift
    return columns


def test_no_contract_can_be_stricter_than_a_party():
    """The floors in the contract's source: what a party signs must lie within any tolerances that members can set."""
    source = (
        Path(__file__).resolve().parents[2] / "contracts" / "src" / "judge" / "ToleranceFloors.sol"
    ).read_text()
    found = dict(re.findall(r"_(\w+)_FLOOR = ([\d_]+);", source))
    least = {name.lower(): int(value) for name, value in found.items()}
    assert set(least) == set(FLOORS._fields)
    for name, own in FLOORS._asdict().items():
        unit = 1e-2 if name == "hedge_reach" else 1e-6
        assert own <= least[name] * unit * (1 + 1e-12), name
    assert OWN_SHARE < 1


def test_an_honest_report_is_lawful_and_far_from_a_challenge():
    report, words = report_of(PUBLIC, honest_columns(PUBLIC))
    check_laws(report, words)
    assert worst(decode(report, words)).share < 0.15
    assert set(Law) - {Law.BUTTERFLY} == {use.law for use in law_uses(decode(report, words))}


def test_prices_that_are_convex_use_nothing_of_the_butterflys_allowance_and_others_do():
    dented = changed("premium", {row(2, 4, call=True): 200_000})
    assert 0 < shares(dented)[Law.BUTTERFLY, "premium"] < 1
    assert (Law.BUTTERFLY, "premium") not in shares(honest_columns(PUBLIC))


@pytest.mark.parametrize("u", [-1.0, -0.4, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("model", [(8, 0, 0), (-8, 0, 0), (0, -8, 0), (3, 2, 3)])
def test_every_model_that_can_be_dealt_and_every_flat_vol_is_lawful(u, model):
    assert max(map(abs, model)) <= MODEL_REACH
    check_laws(*report_of(PUBLIC, honest_columns(PUBLIC, u, model)))


def test_far_and_near_are_lawful():
    public = book(moneyness=(1 / 19, 0.3, 0.9, 1.0, 1.1, 3.0, 19.0), days=(1 / 24, 1.0, 365.0, 2000.0))
    for u in (-0.9, 0.0, 0.9):
        check_laws(*report_of(public, honest_columns(public, u)))


def test_one_instrument_alone_has_no_pair_and_no_triple():
    public = book(moneyness=(1.0,), days=(30.0,))
    assert {use.law for use in law_uses(decode(*report_of(public, honest_columns(public, 0.1))))} == {
        Law.RANGE,
        Law.PARITY,
        Law.BLACK76,
        Law.HEDGE_BAND,
    }


# One lie each: the law, what is changed where, and which rows the message must name

LIES = [
    (Law.BLACK76, "bs_delta", {row(1, 4, call=True): -1_500}, [row(1, 4, call=True)]),
    (Law.BLACK76, "gamma", {row(1, 4, call=True): 60_000}, [row(1, 4, call=True)]),
    (Law.BLACK76, "vega", {row(1, 4, call=False): -60_000}, [row(1, 4, call=False)]),
    (Law.BLACK76, "premium", {row(1, 4, call=False): 160_000}, [row(1, 4, call=False)]),
    (Law.PARITY, "iv", {row(2, 4, call=True): 600}, [row(2, 4, call=True), row(2, 4, call=False)]),
    (Law.HEDGE_BAND, "hedge_delta", {row(1, 4, call=True): 3_400_000}, [row(1, 4, call=True)]),
    (Law.HEDGE_BAND, "hedge_delta", {row(1, 4, call=False): -3_400_000}, [row(1, 4, call=False)]),
]


@pytest.mark.parametrize(("law", "name", "changes", "rows"), LIES)
def test_a_lie_about_one_instrument_is_named(law, name, changes, rows):
    columns = changed(name, changes)
    error = refused(columns)
    assert f"law {law.name}" in error.message
    found = worst(decode(*report_of(PUBLIC, columns)))
    assert (found.law, list(found.exhibits)) == (law, rows)
    judged = decode(*report_of(PUBLIC, columns))
    for each in rows:
        assert judged.name(each) in error.message
    assert f"{PUBLIC.strike[rows[0]]:.10g} of 2026-" in error.message


def test_a_rising_delta_names_the_pair_far_apart():
    """Each neighbour lies within the tolerance of the one before; only the ends show it."""
    columns = honest_columns(PUBLIC)
    calls = [row(0, k, call=True) for k in range(STRIKES)]
    columns["bs_delta"][calls] = 500_000 + 1_000 * np.arange(STRIKES)
    judged = decode(*report_of(PUBLIC, columns))
    (found,) = (use for use in law_uses(judged) if use.law is Law.MONOTONE)
    assert found.exhibits == (calls[0], calls[-1])
    assert found.share == pytest.approx(8_000 / 3_000)


def test_a_dear_butterfly_names_the_lowest_line_under_it():
    """The neighbours are dear as well; the line between the two ends is not."""
    columns = honest_columns(PUBLIC)
    puts = [row(2, k, call=False) for k in range(STRIKES)]
    columns["premium"][puts[1:-1]] += 20_000_000
    judged = decode(*report_of(PUBLIC, columns))
    (found,) = (use for use in law_uses(judged) if use.law is Law.BUTTERFLY)
    assert found.exhibits[::2] == (puts[0], puts[-1])
    assert found.share > 30


@pytest.mark.parametrize(
    ("at", "premium", "lawful"),
    [
        (row(0, 0, call=True), 20_000_000 - 130_000, True),  # intrinsic 0.2
        (row(0, 0, call=True), 20_000_000 - 140_000, False),
        (row(0, 8, call=False), 20_000_000 - 140_000, False),
        (row(0, 0, call=True), 100_130_000, True),
        (row(0, 0, call=True), 100_140_000, False),
        (row(0, 0, call=False), 80_130_000, True),  # K / F
        (row(0, 0, call=False), 80_140_000, False),
    ],
)
def test_a_premium_is_between_intrinsic_and_what_an_option_can_be_worth(at, premium, lawful):
    columns = honest_columns(PUBLIC)
    columns["premium"][at] = premium
    assert (shares(columns)[Law.RANGE, "premium"] <= OWN_SHARE) is lawful


@pytest.mark.parametrize(("call", "delta"), [(True, -1), (False, 1)])
def test_a_delta_of_the_wrong_sign_has_no_allowance(call, delta):
    columns = honest_columns(PUBLIC)
    columns["bs_delta"][row(0, 8 if call else 0, call=call)] = delta
    assert "law RANGE: sign of delta" in refused(columns).message


def edited(at: int, word: bytes):
    report, words = report_of(PUBLIC, honest_columns(PUBLIC))
    params = report.params[: 32 * at] + word + report.params[32 * at + 32 :]
    return msgspec.structs.replace(report, params=params), words


@pytest.mark.parametrize(
    ("start", "new", "what"),
    [
        (29, b"\0\0\1", "reserved bits"),
        (0, bytes(4), "`iv`"),
        (4, (10**6 + 1).to_bytes(3), "`bs_delta`"),
        (23, b"\0\0\2\0\0\1", "initial"),
        (23, b"\xff\xff\xff\0\0\1", "initial"),
    ],
)
def test_a_word_outside_its_format_breaks_the_law_of_ranges(start, new, what):
    """Words that this side's packing would refuse: the judge is given the words, not what they came from."""
    word = bytearray(report_of(PUBLIC, honest_columns(PUBLIC))[0].params[:32])
    word[start : start + len(new)] = new
    with pytest.raises(RoundError, match="law RANGE") as caught:
        check_laws(*edited(0, bytes(word)))
    assert caught.value.reason is Reason.REPORT_UNLAWFUL
    assert what in caught.value.message


def test_an_expiry_beyond_the_calendar_has_a_name_too():
    public = book(moneyness=(0.9, 1.0, 1.1), days=(12_000_000.0,), reference=0.02)
    columns = honest_columns(public, 0.0)
    columns["premium"][0] += 10_000_000
    report, words = report_of(public, columns)
    with pytest.raises(RoundError, match=r"of 348\d\d-"):
        check_laws(report, words)


@pytest.mark.parametrize("forward", [0, None])
def test_an_instrument_needs_a_forward_and_a_future(forward):
    report, words = report_of(PUBLIC, honest_columns(PUBLIC))
    forwards = report.forwards[32:]
    if forward == 0:
        forwards = report.forwards[:20] + bytes(12) + forwards
    for broken in (
        msgspec.structs.replace(report, forwards=forwards),
        msgspec.structs.replace(report, observed_at=int(PUBLIC.grid.expiry[0])),
    ):
        with pytest.raises(RoundError, match="law RANGE"):
            check_laws(broken, words)


def test_another_book_or_another_number_of_instruments_is_not_judged():
    report, words = report_of(PUBLIC, honest_columns(PUBLIC))
    with pytest.raises(ReportError, match="hash differs"):
        decode(report, words[:-1] + b"\1")
    shorter = msgspec.structs.replace(report, book=keccak(words[:-32]))
    with pytest.raises(ReportError, match="instruments"):
        decode(shorter, words[:-32])
    later = pack_forward(ForwardFields(NOW + 10**9, 1))
    with pytest.raises(ReportError, match="no forward"):
        decode(msgspec.structs.replace(report, forwards=later), words)


# Boundaries: a party signs up to 0.9 of each floor

BOUNDS = [
    (Law.BLACK76, "delta", "bs_delta", 1_350),
    (Law.BLACK76, "premium", "premium", 135_000),
    (Law.PARITY, "delta", "bs_delta", 2_700),
    (Law.PARITY, "premium", "premium", 270_000),
]


@pytest.mark.parametrize(("law", "quantity", "name", "units"), BOUNDS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_allowance_ends_where_it_says(law, quantity, name, units, sign):
    at = row(1, 5, call=True)
    clean = shares(honest_columns(PUBLIC))[law, quantity] * units / OWN_SHARE  # what is used up already
    within = shares(changed(name, {at: int(sign * (units - clean - 2))}))[law, quantity]
    beyond = shares(changed(name, {at: int(sign * (units + clean + 2))}))[law, quantity]
    assert OWN_SHARE * 0.9 < within <= OWN_SHARE < beyond


def test_the_floors_are_those_that_no_contract_goes_below():
    assert FLOORS == (1500e-6, 6000e-6, 1500e-6, 1500e-6, 1000e-6, 8.0, 15_000e-6)
    assert [law.name for law in Law] == [
        "RANGE",
        "PARITY",
        "BLACK76",
        "MONOTONE",
        "BUTTERFLY",
        "HEDGE_BAND",
    ]
    assert [law.value for law in Law] == list(range(6))


# Against all pairs and triples

options = st.tuples(
    st.integers(0, 2), st.booleans(), st.integers(1, 30), st.floats(-1, 1), st.floats(0, 1.5, width=32)
)


def judged_of(rows) -> Judged:
    expiry, call, strike, delta, premium = (np.array(column) for column in zip(*rows, strict=True))
    zeros = np.zeros(len(rows))
    return Judged(
        NOW,
        call,
        NOW + 86_400 * (1 + expiry),
        strike / 10.0,
        strike * 1000.0,
        zeros + 0.5,
        delta,
        zeros,
        zeros,
        zeros,
        premium,
    )


@given(
    st.lists(options, min_size=1, max_size=40, unique_by=lambda option: option[:3]).flatmap(st.permutations)
)
@settings(max_examples=300)
def test_the_worst_pair_and_triple_are_those_of_all(rows):
    judged = judged_of(rows)
    found = {use.law: use for use in law_uses(judged) if use.law in {Law.MONOTONE, Law.BUTTERFLY}}
    rises, flies = {}, {}
    for kind in {(e, c) for e, c, *_ in rows}:
        series = sorted((i for i, r in enumerate(rows) if r[:2] == kind), key=lambda i: rows[i][2])
        for a, b in combinations(series, 2):
            rises[a, b] = rows[b][3] - rows[a][3]
        for a, b, c in combinations(series, 3):
            (ka, pa), (kb, pb), (kc, pc) = ((rows[i][2], rows[i][4]) for i in (a, b, c))
            flies[a, b, c] = pb - (pa * (kc - kb) + pc * (kb - ka)) / (kc - ka)
    assert (Law.MONOTONE in found) == bool(rises)
    if rises:
        use = found[Law.MONOTONE]
        assert use.share * use.allowance == pytest.approx(max(rises.values()), abs=1e-12)
        assert rises[use.exhibits] == pytest.approx(max(rises.values()), abs=1e-12)
    worst_fly = max(flies.values(), default=0.0)
    if worst_fly > 1e-9:
        use = found[Law.BUTTERFLY]
        assert use.share * use.allowance == pytest.approx(worst_fly, abs=1e-9)
        assert flies[use.exhibits] == pytest.approx(worst_fly, abs=1e-9)
    elif Law.BUTTERFLY in found:
        assert found[Law.BUTTERFLY].share <= 1e-6


@given(st.lists(st.integers(-400, 400), min_size=18, max_size=18))
@settings(max_examples=60)
def test_errors_of_honest_size_pass_whatever_their_signs(errors):
    columns = honest_columns(PUBLIC)
    for name, scale in (("bs_delta", 1), ("premium", 100)):
        columns[name][:18] += scale * np.array(errors)
    columns["bs_delta"] = np.clip(
        columns["bs_delta"], np.where(PUBLIC.call, 0, -(10**6)), np.where(PUBLIC.call, 10**6, 0)
    )
    columns["premium"] = np.maximum(columns["premium"], 0)
    check_laws(*report_of(PUBLIC, columns))
