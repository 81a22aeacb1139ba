"""Cleaning: every cause drops what it should, once, and nothing else."""

import pickle  # noqa: TID251 - to show that it refuses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.market import Quotes, clean
from mpc_party.market.black76 import HIGHEST_VOL, LOWEST_VOL, greeks, years

NOW = 1_767_258_000
EXPIRY = NOW + 30 * 86_400
LATER = NOW + 90 * 86_400
FORWARDS = {EXPIRY: 90_000.0, LATER: 91_000.0}
MAX_AGE = 600
VOL = 0.5


def good_row(strike=90_000.0, *, call=True, expiry=EXPIRY, spread=0.002):
    forward = FORWARDS.get(expiry, 90_000.0)
    time = years(np.array([expiry]), NOW)
    mid = greeks(np.array([strike / forward]), np.array([VOL]), time, np.array([call])).premium[0]
    return {
        "seen_at": NOW - 5,
        "expiry": expiry,
        "strike": strike,
        "call": call,
        "forward": forward,
        "bid": mid - spread / 2,
        "ask": mid + spread / 2,
    }


def quotes(*rows) -> Quotes:
    types = {"seen_at": np.int64, "expiry": np.int64, "call": np.bool_}
    names = ("seen_at", "expiry", "strike", "call", "forward", "bid", "ask")
    return Quotes(
        *(np.array([row[name] for row in rows], dtype=types.get(name, np.float64)) for name in names)
    )


def cleaned(*rows):
    return clean(quotes(*rows), FORWARDS, NOW, MAX_AGE)


def test_good_quotes_become_the_vols_that_they_were_made_from():
    rows = [
        good_row(strike, call=call, expiry=expiry)
        for strike in (80_000.0, 90_000.0, 100_000.0)
        for call in (True, False)
        for expiry in (EXPIRY, LATER)
    ]
    vols, dropped = cleaned(*rows)
    assert dropped == Counter()
    assert vols.expiry.tolist() == [row["expiry"] for row in rows]
    assert vols.strike.tolist() == [row["strike"] for row in rows]
    assert np.allclose(vols.vol, VOL, rtol=1e-9)
    time, forward = years(vols.expiry, NOW), np.array([FORWARDS[int(e)] for e in vols.expiry])
    vega = greeks(vols.strike / forward, vols.vol, time, np.ones(len(vols), bool)).vega
    assert np.allclose(vols.width, 0.002 / vega, rtol=0.05)  # ask less bid, as vol


def test_vols_are_on_the_books_forwards_not_on_the_quotes_own():
    row = good_row()
    vols, _ = cleaned(row | {"forward": 1.0})
    assert np.allclose(vols.vol, VOL, rtol=1e-9)


BAD = [
    ("not-in-book", {"expiry": EXPIRY + 1}),
    ("missing", {"bid": np.nan}),
    ("missing", {"ask": np.nan}),
    ("missing", {"bid": np.nan, "ask": np.nan}),
    ("missing", {"strike": np.nan}),
    ("missing", {"forward": np.nan}),
    ("missing", {"ask": np.inf}),
    ("missing", {"bid": -np.inf}),
    ("negative", {"bid": -0.001}),
    ("negative", {"bid": 0.0}),
    ("negative", {"ask": -0.001}),
    ("negative", {"strike": -90_000.0}),
    ("negative", {"strike": 0.0}),
    ("negative", {"forward": 0.0}),
    ("negative", {"forward": -1.0}),
    ("crossed", {"bid": 0.9, "ask": 0.01}),
    ("stale", {"seen_at": NOW - MAX_AGE - 1}),
    ("stale", {"seen_at": NOW + 1}),
    ("stale", {"seen_at": 0}),
    ("no-vol", {"strike": 45_000.0, "bid": 0.40, "ask": 0.41}),  # below the intrinsic value of 0.5
    ("no-vol", {"bid": 0.05, "ask": 1.2}),  # an ask above the forward, though not the mid
    ("no-vol", {"strike": 900_000.0, "bid": 1e-12, "ask": 1e-11}),  # worthless
    ("no-vol", {"bid": 5.0, "ask": 5.1}),
]


@pytest.mark.parametrize(("cause", "change"), BAD)
def test_each_cause_drops_its_quote_and_no_other(cause, change):
    before, after = good_row(85_000.0), good_row(95_000.0, call=False)
    vols, dropped = cleaned(before, good_row() | change, after)
    assert dropped == Counter({cause: 1})
    assert vols.strike.tolist() == [85_000.0, 95_000.0]


@pytest.mark.parametrize("change", [{"seen_at": NOW}, {"seen_at": NOW - MAX_AGE}, {"bid": good_row()["ask"]}])
def test_at_the_edge_a_quote_still_counts(change):
    vols, dropped = cleaned(good_row() | change)
    assert dropped == Counter()
    assert vols.width[0] >= 1e-4  # a locked quote has no width, but is not infinitely good


def test_a_quote_with_many_faults_counts_once_for_the_first():
    worst = {"expiry": 5, "bid": np.nan, "ask": -1.0, "seen_at": 0}
    assert cleaned(good_row() | worst)[1] == Counter({"not-in-book": 1})
    assert cleaned(good_row() | {"bid": np.nan, "ask": -1.0, "seen_at": 0})[1] == Counter({"missing": 1})
    assert cleaned(good_row() | {"bid": 0.5, "ask": -1.0, "seen_at": 0})[1] == Counter({"negative": 1})
    assert cleaned(good_row() | {"bid": 0.5, "ask": 0.1, "seen_at": 0})[1] == Counter({"crossed": 1})


def test_nan_everywhere_and_nothing_at_all():
    nan = dict.fromkeys(("strike", "forward", "bid", "ask"), np.nan)
    vols, dropped = cleaned(*(good_row() | nan for _ in range(5)))
    assert len(vols) == 0
    assert dropped == Counter({"missing": 5})
    vols, dropped = cleaned()
    assert (len(vols), dropped) == (0, Counter())
    vols, dropped = clean(quotes(good_row()), {}, NOW, MAX_AGE)
    assert (len(vols), dropped) == (0, Counter({"not-in-book": 1}))


wild = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 9e4])
)
rows = st.fixed_dictionaries(
    {
        "seen_at": st.integers(NOW - 2 * MAX_AGE, NOW + 10) | st.integers(-(2**62), 2**62),
        "expiry": st.sampled_from([EXPIRY, LATER, 0, EXPIRY + 1]),
        "strike": wild | st.floats(1e4, 1e6),
        "call": st.booleans(),
        "forward": wild | st.just(9e4),
        "bid": wild,
        "ask": wild,
    }
)


@given(st.lists(rows | st.builds(good_row, st.floats(60_000, 130_000)), max_size=30))
@settings(max_examples=80)
def test_every_quote_is_used_or_counted(given_rows):
    vols, dropped = cleaned(*given_rows)
    assert len(vols) + sum(dropped.values()) == len(given_rows)
    assert set(dropped) <= {"not-in-book", "missing", "negative", "crossed", "stale", "no-vol"}
    assert all(dropped.values())
    assert len(vols.expiry) == len(vols.strike) == len(vols.vol) == len(vols.width)
    assert ((vols.vol >= LOWEST_VOL) & (vols.vol <= HIGHEST_VOL)).all()
    assert ((vols.width >= 1e-4) & np.isfinite(vols.width)).all()
    assert np.isin(vols.expiry, [EXPIRY, LATER]).all()


def test_quotes_and_vols_neither_show_nor_ship_their_numbers():
    vols, _ = cleaned(good_row(88_888.0))
    for secret in (quotes(good_row(88_888.0)), vols):
        assert "88888" not in f"{secret!r} {secret!s}"
        with pytest.raises(TypeError, match="secret"):
            pickle.dumps(secret)
    assert repr(vols) == "VolQuotes(1 rows)"
