"""Black-76 against published examples, QuantLib, its own identities and derivatives; implied vol against prices."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from scipy.special import ndtr

from mpc_party.market.black76 import (
    HIGHEST_VOL,
    LOWEST_TIME_VALUE,
    LOWEST_VOL,
    SECONDS_PER_YEAR,
    greeks,
    implied_vol,
    normal_density,
    years,
)
from mpc_party.market.streams import uniform

GOLDEN = Path(__file__).with_name("golden") / "black76.json"
COUNT = 24

log_moneyness = nps.arrays(np.float64, COUNT, elements=st.floats(-3.0, 3.0))
log_vols = nps.arrays(np.float64, COUNT, elements=st.floats(np.log(0.02), np.log(5.0)))
log_times = nps.arrays(np.float64, COUNT, elements=st.floats(np.log(1 / 8760), np.log(5.0)))
calls = nps.arrays(np.bool_, COUNT)


def one(forward, strike, time, vol, call):
    return greeks(np.array(strike / forward), np.array(vol), np.array(time), np.array(call))


@pytest.mark.parametrize(
    ("forward", "strike", "time", "vol", "rate", "call", "price", "digits"),
    [
        # Hull, "Options, Futures, and Other Derivatives", 9th ed., ch. 18: put on oil futures, call on gold futures.
        (60.0, 60.0, 4 / 12, 0.25, 0.09, False, 3.35, 2),
        (1240.0, 1200.0, 6 / 12, 0.20, 0.05, True, 88.37, 2),
        # Haug, "The Complete Guide to Option Pricing Formulas", 2nd ed., 1.1.3: Brent futures, call and put.
        (19.0, 19.0, 0.75, 0.28, 0.10, True, 1.7011, 4),
        (19.0, 19.0, 0.75, 0.28, 0.10, False, 1.7011, 4),
    ],
)
def test_published_examples(forward, strike, time, vol, rate, call, price, digits):
    found = np.exp(-rate * time) * forward * one(forward, strike, time, vol, call).premium
    assert round(float(found), digits) == price


def test_prices_and_greeks_are_those_of_quantlib():
    rows = np.array(json.loads(GOLDEN.read_text())["rows"], dtype=np.float64)
    found = greeks(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3] == 1.0)
    assert len(rows) == 550
    for column, name in enumerate(("premium", "delta", "gamma", "vega"), start=4):
        expected = rows[:, column]
        assert np.allclose(getattr(found, name), expected, rtol=1e-11, atol=5e-14), name


@given(log_moneyness, log_vols, log_times)
def test_a_call_less_a_put_is_a_forward(k, v, t):
    moneyness, vol, time = np.exp(k), np.exp(v), np.exp(t)
    call = greeks(moneyness, vol, time, np.ones(COUNT, bool))
    put = greeks(moneyness, vol, time, np.zeros(COUNT, bool))
    assert np.allclose(call.premium - put.premium, 1.0 - moneyness, rtol=0, atol=1e-13)
    assert np.allclose(call.delta - put.delta, 1.0, rtol=0, atol=1e-15)
    assert (call.gamma == put.gamma).all()
    assert (call.vega == put.vega).all()


@given(log_moneyness, log_vols, log_times, calls)
def test_bounds(k, v, t, call):
    moneyness = np.exp(k)
    at = greeks(moneyness, np.exp(v), np.exp(t), call)
    intrinsic = np.maximum(np.where(call, 1.0 - moneyness, moneyness - 1.0), 0.0)
    assert (at.premium >= intrinsic - 1e-14).all()
    assert (at.premium <= np.where(call, 1.0, moneyness) + 1e-14).all()
    assert (np.where(call, at.delta, -at.delta) >= 0).all()
    assert (np.abs(at.delta) <= 1).all()
    assert (at.gamma >= 0).all()
    assert (at.vega >= 0).all()


def central(f, x, step):
    """Fourth-order central difference."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)


@given(
    nps.arrays(np.float64, COUNT, elements=st.floats(-2.0, 2.0)),  # d2-like: log-moneyness in deviations
    nps.arrays(np.float64, COUNT, elements=st.floats(np.log(0.1), np.log(2.0))),
    nps.arrays(np.float64, COUNT, elements=st.floats(np.log(0.01), np.log(2.0))),
    calls,
)
def test_greeks_are_the_derivatives_of_the_price(x, v, t, call):
    vol, time = np.exp(v), np.exp(t)
    deviation = vol * np.sqrt(time)
    moneyness = np.exp(x * deviation)
    at = greeks(moneyness, vol, time, call)

    def price(forward):  # at strike `moneyness`
        return forward * greeks(moneyness / forward, vol, time, call).premium

    def delta(forward):
        return greeks(moneyness / forward, vol, time, call).delta

    step = 1e-3 * deviation
    assert np.allclose(central(price, 1.0, step), at.delta, rtol=0, atol=1e-8)
    assert np.allclose(central(delta, 1.0, step) * deviation, at.gamma * deviation, rtol=0, atol=1e-8)
    by_vol = central(lambda s: greeks(moneyness, s, time, call).premium, vol, 1e-3 * vol)
    assert np.allclose(by_vol, at.vega, rtol=1e-7, atol=1e-9)


def test_arguments_broadcast():
    at = greeks(np.linspace(0.8, 1.2, 5)[:, None], np.array([0.2, 0.5, 0.9]), np.array(0.5), np.array(True))
    assert at.premium.shape == at.delta.shape == at.gamma.shape == at.vega.shape == (5, 3)


def test_years_are_of_365_days():
    assert years(np.array([SECONDS_PER_YEAR + 1000, 1000 + 86_400]), 1000).tolist() == [1.0, 1 / 365]


def test_the_density_integrates_to_the_distribution():
    x = np.linspace(-8, 1, 90_001)
    y = normal_density(x)
    assert abs(((y[1:] + y[:-1]) / 2).sum() * (x[1] - x[0]) - ndtr(1.0)) < 1e-9


def round_trip_bound(moneyness, vol, time):
    """How far implied vol may be off for the rounding of the price alone, in log-vol."""
    vega = greeks(moneyness, vol, time, np.ones(len(vol), bool)).vega * vol
    return 1e-12 + 2e-15 * np.maximum(1.0, moneyness) / np.maximum(vega, 1e-300)


@given(
    nps.arrays(np.float64, COUNT, elements=st.floats(-6.0, 6.0)),
    nps.arrays(np.float64, COUNT, elements=st.floats(np.log(0.0101), np.log(9.9))),
    log_times,
    calls,
)
def test_implied_vol_inverts_the_price(x, v, t, call):
    vol, time = np.exp(v), np.exp(t)
    moneyness = np.exp(np.clip(x * vol * np.sqrt(time), -3.0, 3.0))
    price = greeks(moneyness, vol, time, call).premium
    found = implied_vol(price, moneyness, time, call)
    time_value = greeks(moneyness, vol, time, moneyness >= 1.0).premium
    bound = round_trip_bound(moneyness, vol, time)
    usable = (time_value > 1.01 * LOWEST_TIME_VALUE) & (bound < 1e-3)
    assert np.isfinite(found[usable]).all()
    assert (np.abs(np.log(found[usable] / vol[usable])) <= bound[usable]).all()


def test_implied_vol_over_a_dense_grid():
    count = 60_000
    vol = 0.0101 * (9.9 / 0.0101) ** uniform("test/vol", count)
    time = (5.0 * 8760) ** uniform("test/time", count) / 8760
    deviations = 12.0 * uniform("test/moneyness", count) - 6.0
    moneyness = np.exp(np.clip(deviations * vol * np.sqrt(time), -3, 3))
    call = uniform("test/call", count) < 0.5
    found = implied_vol(greeks(moneyness, vol, time, call).premium, moneyness, time, call)
    time_value = greeks(moneyness, vol, time, moneyness >= 1.0).premium
    bound = round_trip_bound(moneyness, vol, time)
    usable = (time_value > 1.01 * LOWEST_TIME_VALUE) & (bound < 1e-3)
    assert usable.sum() > 50_000
    assert (np.abs(np.log(found[usable] / vol[usable])) <= bound[usable]).all()


@pytest.mark.parametrize(
    ("price", "moneyness", "call"),
    [
        (0.1, 0.8, True),  # a call below its intrinsic value of 0.2
        (0.2, 0.8, True),  # at it
        (0.2, 1.2, False),  # a put at it
        (0.0, 1.1, True),  # worthless
        (-0.01, 1.1, True),
        (0.9e-9, 1.1, True),  # less time value than any vol is inferred from
        (1.0, 1.1, True),  # a call as dear as the forward
        (1.2, 1.1, True),
        (1.1, 1.1, False),  # a put as dear as its strike
        (np.nan, 1.0, True),
        (np.inf, 1.0, True),
        (-np.inf, 1.0, False),
    ],
)
def test_a_price_that_no_vol_gives(price, moneyness, call):
    found = implied_vol(np.array([price]), np.array([moneyness]), np.array([0.1]), np.array([call]))
    assert np.isnan(found).all()


def test_the_limits_of_vol_are_not_passed():
    edges = np.array([LOWEST_VOL * 0.99, LOWEST_VOL * 1.01, HIGHEST_VOL * 0.99, HIGHEST_VOL * 1.01])
    ones, call = np.ones(4), np.ones(4, bool)
    time = 0.01 * ones
    found = implied_vol(greeks(ones, edges, time, call).premium, ones, time, call)
    assert np.isnan(found).tolist() == [True, False, False, True]
    assert np.allclose(found[1:3], edges[1:3], rtol=1e-9)


@given(
    nps.arrays(np.float64, (4, 8), elements=st.floats(allow_nan=True, allow_infinity=True)),
    nps.arrays(np.bool_, 8),
)
@example(np.array([[np.nan] * 8, [1.0] * 8, [0.1] * 8, [0.0] * 8]), np.ones(8, bool))
def test_any_price_gives_nan_or_a_vol_in_bounds(numbers, call):
    moneyness = np.clip(np.nan_to_num(np.abs(numbers[1])), 0.05, 20.0)
    time = np.clip(np.nan_to_num(np.abs(numbers[2])), 1e-4, 10.0)
    found = implied_vol(numbers[0], moneyness, time, call)
    assert (np.isnan(found) | ((found >= LOWEST_VOL) & (found <= HIGHEST_VOL))).all()


def test_nothing_gives_nothing():
    empty = np.zeros(0)
    assert implied_vol(empty, empty, empty, np.zeros(0, bool)).shape == (0,)
