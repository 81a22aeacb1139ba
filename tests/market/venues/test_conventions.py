"""Units: worked examples, and what is no number of a venue."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.market.venues import conventions as units


def test_conversions():
    assert units.percent_to_fraction(53.25) == 0.5325
    assert units.usd_to_coin(900.0, 90_000.0) == 0.01
    # 3 contracts of 100 USD at 60,000 USD are a two-hundredth of a coin.
    assert units.contracts_to_coin(3.0, units.BINANCE_COIN_CONTRACT_USD, 60_000.0) == pytest.approx(0.005)
    assert units.coin_to_quote(0.0207, 90_000.0) == pytest.approx(1863.0)
    assert units.quote_to_coin(1863.0, 90_000.0) == pytest.approx(0.0207)


@given(st.floats(1e-6, 100.0), st.floats(1.0, 1e9))
def test_a_price_there_and_back(price, forward):
    assert units.quote_to_coin(units.coin_to_quote(price, forward), forward) == pytest.approx(
        price, rel=1e-12
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0.0), ("61773.6", 61773.6), ("0.00000001", 1e-8), ("00.50", 0.5), ("9" * 20, 1e20)],
)
def test_decimals(text, value):
    assert units.decimal(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "+1",
        "1e5",
        "nan",
        "inf",
        ".5",
        "5.",
        "1_000",
        "1,5",
        " 1",
        "1\n",
        "٣",
        "0x10",
        "9" * 21,
        "1." + "0" * 39,
    ],
)
def test_what_is_no_decimal(text):
    with pytest.raises(ValueError, match="not a decimal"):
        units.decimal(text)


@given(st.text(max_size=50))
def test_any_text_is_a_finite_number_that_is_not_negative_or_refused(text):
    try:
        value = units.decimal(text)
    except ValueError:
        return
    assert 0.0 <= value < math.inf


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_what_is_no_price_no_amount_and_no_vol(bad):
    assert not (units.is_price(bad))
    assert not (units.is_amount(bad))
    assert not (units.is_vol(bad))


def test_edges_of_the_ranges():
    assert units.is_price(units.HIGHEST_PRICE)
    assert not units.is_price(units.HIGHEST_PRICE * 1.001)
    assert units.is_vol(20.0)
    assert not units.is_vol(20.001)
    assert units.is_time(1_626_993_723_632)
    assert not units.is_time(1_626_993_723)  # seconds
    assert not units.is_time(1_626_993_723_632_000)  # microseconds
    assert not units.is_time(-1)


@pytest.mark.parametrize("price", [None, 0.0])
@pytest.mark.parametrize("amount", [None, 0.0, 5.0])
def test_a_side_without_a_quote(price, amount):
    value, size = units.option_quote(price, amount)
    assert math.isnan(value)
    assert size == 0.0


def test_a_side_with_a_quote():
    assert units.option_quote(0.0205, 3.0) == (0.0205, 3.0)


@pytest.mark.parametrize(
    ("price", "amount"),
    [
        (-0.1, 1.0),
        (101.0, 1.0),
        (math.nan, 1.0),
        (0.1, None),
        (0.1, 0.0),
        (0.1, -1.0),
        (0.1, 1e13),
        (0.1, math.nan),
    ],
)
def test_a_side_that_no_venue_quotes(price, amount):
    with pytest.raises(ValueError, match="out of range"):
        units.option_quote(price, amount)
