"""From opened words to report units by integers; and the range check that stands before."""

from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.hedging.outputs import (
    GAMMA_TOLERANCE,
    MODEL_REACH,
    TOLERANCE,
    Column,
    Opened,
    check_range,
    report_columns,
)
from mpc_party.market.black76 import greeks
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import Reason, ReportError, RoundError
from mpc_party.protocol.words import PARAM_FIELDS, pack_params, unpack_params
from tests.support.books import book, exact_table

ULP = 2.0**-16
PUBLIC = book()
FIELDS = {field.name: field for field in PARAM_FIELDS}


def refused(public, opened) -> RoundError:
    with pytest.raises(RoundError) as caught:
        check_range(public, opened)
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    return caught.value


@pytest.mark.parametrize("u", [-1.0, -0.6, 0.0, 0.3, 1.0])
@pytest.mark.parametrize("model", [(0, 0, 0), (-0.25, 0.4, -0.3), (8, 0, 0), (0, -8, 0), (3, 2, 3)])
def test_exact_values_pass(u, model):
    check_range(PUBLIC, exact_table(PUBLIC, u, model))


def test_exact_values_pass_at_the_extremes():
    for reference in (0.01, 0.2, 5.0):
        public = book(
            moneyness=(1 / 20, 0.5, 1.0, 2.0, 20.0), days=(1 / 24, 1.0, 3650.0), reference=reference
        )
        for u in (-1.0, 0.0, 1.0):
            check_range(public, exact_table(public, u))


def test_a_few_units_of_error_pass():
    opened = exact_table(PUBLIC, 0.2)
    for shift in (-8, 8):
        check_range(PUBLIC, Opened(opened.table + shift, opened.fraction_bits))


@given(
    column=st.sampled_from(Column),
    instrument=st.integers(0, PUBLIC.count - 1),
    error=st.integers(2**40, 2**63 - 2**40) | st.sampled_from([2**47, 2**48, 2**62]),
    negative=st.booleans(),
    u=st.floats(-1, 1),
)
@settings(max_examples=150)
def test_any_single_wild_word_is_caught(column, instrument, error, negative, u):
    opened = exact_table(PUBLIC, u)
    with np.errstate(over="ignore"):
        opened.table[column, instrument] += np.int64(-error if negative else error)
    assert f"instrument {instrument} " in refused(PUBLIC, opened).message


@pytest.mark.parametrize("word", [-(2**63), 2**63 - 1, -(2**62), 2**31])
@pytest.mark.parametrize("column", Column)
def test_words_at_the_ends_of_the_ring_are_caught(column, word):
    opened = exact_table(PUBLIC)
    opened.table[column, 3] = word
    error = refused(PUBLIC, opened)
    assert column.name.lower().replace("_", " ") in error.message
    assert "instrument 3 is out of range (1 in all)" in error.message


@pytest.mark.parametrize(
    ("column", "tolerance"),
    [
        (Column.DELTA, TOLERANCE),
        (Column.DENSITY, TOLERANCE),
        (Column.GAMMA_SHAPE, GAMMA_TOLERANCE),
        (Column.TIME_VALUE, TOLERANCE),
        (Column.SCENARIO_LOSS, TOLERANCE),
    ],
)
def test_tolerances_are_what_they_say(column, tolerance):
    for sign in (-1, 1):
        opened = exact_table(PUBLIC)
        opened.table[column, 5] += sign * int((tolerance - 4 * ULP) / ULP)
        check_range(PUBLIC, opened)
        opened.table[column, 5] += sign * 8
        assert column.name.lower().split("_")[0] in refused(PUBLIC, opened).message


def test_a_vol_off_by_two_percent_does_not_match_its_greeks():
    opened = exact_table(PUBLIC)
    opened.table[Column.VOL_RATIO, 4] += 1311
    refused(PUBLIC, opened)


@pytest.mark.parametrize("u", [-1.1, 1.1])
def test_a_vol_outside_the_band(u):
    assert "vol ratio" in refused(PUBLIC, exact_table(PUBLIC, u)).message


def test_hedge_deltas_reach_as_far_as_a_dealt_model_can():
    opened = exact_table(PUBLIC, 0.0, (MODEL_REACH, 0, 0))
    check_range(PUBLIC, opened)
    at_the_money = 4  # density 0.4
    opened.table[Column.HEDGE_DELTA, at_the_money] += int(0.02 / ULP)
    assert "hedge delta" in refused(PUBLIC, opened).message


@pytest.mark.parametrize(
    "shape", [(6, PUBLIC.count), (7, PUBLIC.count + 1), (7,), (7, PUBLIC.count, 1), (0, 0)]
)
def test_a_table_of_another_shape(shape):
    assert "shape" in refused(PUBLIC, Opened(np.zeros(shape, np.int64), 16)).message


def test_decoded():
    opened = Opened(np.arange(14, dtype=np.int64).reshape(7, 2) << 15, 16)
    assert opened.decoded(Column.DELTA).tolist() == [1.0, 1.5]


# Report units


def expected_unit(word: int, scale: int, bits: int) -> int:
    """round(word * scale / 2^bits), ties up, in exact decimals."""
    with_half = Decimal(word) * scale / Decimal(2) ** bits + Decimal("0.5")
    return int(with_half.to_integral_value(rounding=ROUND_FLOOR))


@given(st.data())
@settings(max_examples=60)
def test_columns_are_the_opened_words_scaled_exactly(data):
    opened = exact_table(PUBLIC, data.draw(st.floats(-1, 1)))
    opened.table[:] += np.array(data.draw(st.lists(st.integers(-9, 9), min_size=7, max_size=7)))[:, None]
    columns = report_columns(PUBLIC, opened)
    at = data.draw(st.integers(0, PUBLIC.count - 1))
    word = {column: int(opened.table[column, at]) for column in Column}
    time, reference = PUBLIC.time[at], PUBLIC.reference_vol[at]
    low, high = (0, 10**6) if PUBLIC.call[at] else (-(10**6), 0)
    intrinsic = max(0.0, (1 - PUBLIC.moneyness[at]) * (1 if PUBLIC.call[at] else -1))
    delta = expected_unit(word[Column.DELTA], 10**6, 16)
    gamma = expected_unit(word[Column.GAMMA_SHAPE], round(1e6 / (reference * np.sqrt(time))), 16)
    vega = expected_unit(word[Column.DENSITY], round(1e8 * np.sqrt(time)), 16)
    time_value = expected_unit(word[Column.TIME_VALUE], 10**8, 16)
    margin = max(expected_unit(word[Column.SCENARIO_LOSS], 10**6, 16), 0)
    assert {name: int(column[at]) for name, column in columns.items()} == {
        "iv": expected_unit(word[Column.VOL_RATIO], 500_000, 16),
        "bs_delta": min(max(delta, low), high),
        "hedge_delta": expected_unit(word[Column.HEDGE_DELTA], 10**6, 16),
        "gamma": max(gamma, 0),
        "vega": max(vega, 0),
        "premium": max(time_value, 0) + round(intrinsic * 1e8),
        "maintenance_margin": margin,
        "initial_margin": margin * 125 // 100,
    }
    assert all(column.dtype == np.int64 for column in columns.values())


def test_the_report_says_what_black_76_says():
    u = np.linspace(-0.9, 0.9, PUBLIC.count)
    columns = report_columns(PUBLIC, exact_table(PUBLIC, u, (0, 0, 0)))
    vol = PUBLIC.reference_vol * np.exp(1.4 * u)
    exact = greeks(PUBLIC.moneyness, vol, PUBLIC.time, PUBLIC.call)
    root = np.sqrt(PUBLIC.time)
    assert np.abs(columns["iv"] * 1e-6 - vol).max() < ULP
    assert np.abs(columns["bs_delta"] * 1e-6 - exact.delta).max() < ULP
    assert np.abs(columns["hedge_delta"] * 1e-6 - exact.delta).max() < ULP
    assert (np.abs(columns["gamma"] * 1e-6 - exact.gamma) < ULP / (PUBLIC.reference_vol * root) + 1e-6).all()
    assert (np.abs(columns["vega"] * 1e-8 - exact.vega) < ULP * root + 1e-8).all()
    assert np.abs(columns["premium"] * 1e-8 - exact.premium).max() < ULP


@pytest.mark.parametrize("error", [-40, -1, 1, 40])
def test_a_delta_that_opens_beyond_its_bounds_is_reported_at_them(error):
    public = book(moneyness=(0.05, 20.0), days=(1.0,))
    opened = exact_table(public, 0.0, (0, 0, 0))
    assert opened.table[Column.DELTA].tolist() == [0, 65_536, -65_536, 0]  # put and call, twice
    opened.table[Column.DELTA] += error
    check_range(public, opened)
    found = report_columns(public, opened)["bs_delta"].tolist()
    inside = [-610, 999_390, -999_390, 610] if abs(error) == 40 else [-15, 999_985, -999_985, 15]
    expected = [
        min(inside[0], 0) if error < 0 else 0,
        inside[1] if error < 0 else 10**6,
        -(10**6) if error < 0 else inside[2],
        0 if error < 0 else inside[3],
    ]
    assert found == expected
    pack_params(report_columns(public, opened))


def test_what_cannot_be_negative_is_not():
    opened = exact_table(PUBLIC)
    opened.table[Column.DENSITY : Column.TIME_VALUE + 1] = -9
    below = exact_table(PUBLIC)
    below.table[Column.SCENARIO_LOSS] = -9
    columns = report_columns(PUBLIC, opened)
    assert not columns["gamma"].any()
    assert not columns["vega"].any()
    assert report_columns(PUBLIC, below)["maintenance_margin"].tolist() == [0] * PUBLIC.count
    intrinsic = np.maximum(np.where(PUBLIC.call, 1 - PUBLIC.moneyness, PUBLIC.moneyness - 1), 0)
    assert columns["premium"].tolist() == np.rint(intrinsic * 1e8).astype(int).tolist()


def distinct(public, column, name, words) -> bool:
    """Whether these ring words of instrument 1, a call, give as many report values."""
    opened = exact_table(public)
    found = set()
    for word in words:
        opened.table[column, 1] = word
        found.add(int(report_columns(public, opened)[name][1]))
    return len(found) == len(words)


NEAR = range(20_000, 20_300)
SAME_UNIT = [
    (Column.VOL_RATIO, "iv"),
    (Column.DELTA, "bs_delta"),
    (Column.HEDGE_DELTA, "hedge_delta"),
    (Column.GAMMA_SHAPE, "gamma"),
    (Column.DENSITY, "vega"),
    (Column.TIME_VALUE, "premium"),
    (Column.SCENARIO_LOSS, "maintenance_margin"),
]


@pytest.mark.parametrize(("column", "name"), SAME_UNIT)
@pytest.mark.parametrize(
    ("reference", "days"), [(0.066, 1 / 24), (0.066, 3650.0), (0.5, 30.0), (4.7, 3650.0), (5.0, 1 / 24)]
)
def test_at_sixteen_bits_a_report_value_names_its_ring_value(column, name, reference, days):
    assert distinct(book(moneyness=(1.0,), days=(days,), reference=reference), column, name, NEAR)


def test_where_report_values_are_shared():
    """The exceptions that the module names."""
    low_vol = book(moneyness=(1.0,), days=(1.0,), reference=0.06)
    assert not distinct(low_vol, Column.VOL_RATIO, "iv", NEAR)
    long_dated = book(moneyness=(1.0,), days=(3650.0,), reference=5.0)
    assert not distinct(long_dated, Column.GAMMA_SHAPE, "gamma", NEAR)
    twenty_bits = book(moneyness=(1.0,), days=(30.0,), program=Program(fraction_bits=20))
    assert not distinct(twenty_bits, Column.DELTA, "bs_delta", range(20_000, 21_000))
    assert not distinct(twenty_bits, Column.HEDGE_DELTA, "hedge_delta", range(20_000, 21_000))


@pytest.mark.parametrize("bits", [12, 16, 20])
@pytest.mark.parametrize("reference", [0.01, 0.3, 5.0])
@pytest.mark.parametrize("band", [0.11, 1.4, 2.0])
def test_nothing_overflows_and_every_field_fits_its_word(bits, reference, band):
    public = book(
        moneyness=(1 / 20, 0.9, 1.0, 1.1, 20.0),
        days=(1 / 24, 1.0, 3650.0),
        reference=reference,
        program=Program(fraction_bits=bits, band=band),
    )
    for u in (-1.0, 0.0, 1.0):
        for model in ((8.0, 0, 0), (-8.0, 0, 0)):
            opened = exact_table(public, u, model)
            columns = report_columns(public, opened)
            signed = {"bs_delta", "hedge_delta"}
            for name, column in columns.items():
                bits_of = 8 * FIELDS[name].width
                assert (-(1 << (bits_of - 1)) if name in signed else 0) <= column.min(), name
                assert column.max() < 1 << (bits_of - 1 if name in signed else bits_of), name
            within = all(
                FIELDS[name].lowest <= column.min() and column.max() <= FIELDS[name].highest
                for name, column in columns.items()
            )
            if within:
                packed = unpack_params(pack_params(columns))
                assert all((packed[name] == column).all() for name, column in columns.items())
            else:
                # A vol that the contract's breaker would reject is never signed.
                with pytest.raises(ReportError, match="`iv`"):
                    pack_params(columns)
            # No product wrapped: the same in floating point, to its digits.
            exact = greeks(
                public.moneyness, public.reference_vol * np.exp(band * u), public.time, public.call
            )
            scale = 1 / (public.reference_vol * np.sqrt(public.time))
            assert (np.abs(columns["gamma"] * 1e-6 - exact.gamma) <= 2.0**-bits * scale + 3e-6).all()


def test_a_far_expiry_does_not_fit_and_is_refused_not_wrapped():
    public = book(moneyness=(1.0,), days=(1.26e7,), reference=0.01)  # about 2^40 seconds
    columns = report_columns(public, exact_table(public))
    assert (columns["vega"] > 2**32).all()
    with pytest.raises(ReportError, match="vega"):
        pack_params(columns)
