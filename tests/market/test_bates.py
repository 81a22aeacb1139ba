"""Heston and Bates prices: published values, QuantLib's integrals, and what every option price must satisfy."""

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - the name that its documentation uses
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from mpc_party.market.bates import BatesModel, characteristic, cumulants, premium
from mpc_party.market.black76 import greeks
from mpc_party.protocol.errors import ConfigError

FANG_OOSTERLEE = BatesModel(1.5768, 0.0398, 0.5751, -0.5711)
COIN = BatesModel(4.0, 0.16, 1.0, -0.3, 40.0, -0.01, 0.03)

models = st.builds(
    BatesModel,
    st.floats(0.5, 10),
    st.floats(0.01, 1),
    st.floats(0.05, 2),
    st.floats(-0.95, 0.95),
    st.floats(0, 60),
    st.floats(-0.05, 0.05),
    st.floats(0.001, 0.08),
)
variances = st.floats(0.01, 4.0)
times = st.floats(1 / 365, 1.0)


def strikes(variance, time, count=25):
    return np.exp(np.linspace(-4, 4, count) * math.sqrt(variance * time))


def calls(moneyness, variance, time, model):
    return premium(moneyness, variance, time, np.ones(len(moneyness), dtype=bool), model)


@pytest.mark.parametrize(
    ("time", "reference", "error"), [(1, 5.785155450, 1e-7), (10, 22.318945791474590, 1e-8)]
)
def test_the_values_published_with_the_method(time, reference, error):
    """Fang and Oosterlee 2008, section 5.2, tables 4 and 5: spot and strike 100, no interest, variance 0.0175."""
    assert 100 * calls(np.ones(1), 0.0175, time, FANG_OOSTERLEE)[0] == pytest.approx(reference, abs=error)


@pytest.mark.parametrize("model", [COIN, FANG_OOSTERLEE, BatesModel(2.0, 0.5, 2.5, 0.4, 10.0, 0.05, 0.02)])
@pytest.mark.parametrize("days", [1, 30, 365])
def test_against_the_integrals_of_quantlib(model, days):
    variance = 0.09
    moneyness = strikes(variance, days / 365)
    call = moneyness > 1.0
    ours = premium(moneyness, variance, days / 365, call, model)
    assert np.abs(ours - quantlib(model, variance, days, moneyness, call)).max() < 1e-9


def quantlib(model, variance, days, moneyness, call):
    today = ql.Date(1, 1, 2026)
    ql.Settings.instance().evaluationDate = today
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
    process = ql.BatesProcess(
        flat, flat, ql.QuoteHandle(ql.SimpleQuote(1.0)), variance, model.reversion, model.long_variance,
        model.vol_of_variance, model.correlation, max(model.jump_intensity, 1e-12), model.jump_mean,
        max(model.jump_deviation, 1e-12),
    )  # fmt: skip
    engine = ql.BatesEngine(ql.BatesModel(process), 1e-12, 100_000)
    prices = []
    for strike, is_call in zip(moneyness, call, strict=True):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if is_call else ql.Option.Put, float(strike))
        option = ql.VanillaOption(payoff, ql.EuropeanExercise(today + days))
        option.setPricingEngine(engine)
        prices.append(option.NPV())
    return np.array(prices)


@given(models, variances, times)
@settings(max_examples=60, deadline=None)
def test_prices_hold_no_arbitrage_and_parity(model, variance, time):
    moneyness = strikes(variance, time)
    call = calls(moneyness, variance, time, model)
    put = premium(moneyness, variance, time, np.zeros(len(moneyness), dtype=bool), model)
    assert np.allclose(call - put, 1.0 - moneyness, rtol=0, atol=1e-12)
    assert (call >= np.maximum(1.0 - moneyness, 0.0) - 1e-12).all()
    assert (call <= 1.0 + 1e-12).all()
    slope = np.diff(call) / np.diff(moneyness)
    noise = 1e-8 / np.diff(moneyness).min()
    assert (slope <= noise).all()
    assert (slope >= -1.0 - noise).all()
    assert (np.diff(slope) >= -2 * noise).all()
    later = calls(moneyness, variance, 1.5 * time, model)
    assert (later >= call - 1e-8).all()


@given(variances, times)
@settings(max_examples=25, deadline=None)
def test_constant_variance_without_jumps_is_black_76(variance, time):
    model = BatesModel(1.0, variance, 1e-5, 0.0)
    moneyness = strikes(variance, time)
    vol = np.full(len(moneyness), math.sqrt(variance))
    exact = greeks(moneyness, vol, np.full(len(moneyness), time), np.ones(len(moneyness), dtype=bool))
    assert np.abs(calls(moneyness, variance, time, model) - exact.premium).max() < 1e-9


def test_jumps_over_constant_variance_are_mertons_sum():
    variance, time, model = 0.09, 0.25, BatesModel(1.0, 0.09, 1e-5, 0.0, 12.0, -0.03, 0.07)
    moneyness = strikes(variance, time)
    expected = np.zeros(len(moneyness))
    mean_jump = math.exp(-0.03 + 0.5 * 0.07**2)
    rate = 12.0 * time
    for n in range(60):
        # Merton 1976: given how many jumps there are, the forward is lognormal.
        probability = math.exp(-rate + n * math.log(rate) - math.lgamma(n + 1))
        forward = math.exp(-12.0 * (mean_jump - 1.0) * time) * mean_jump**n
        vol = math.sqrt((variance * time + n * 0.07**2) / time)
        black = greeks(moneyness / forward, np.float64(vol), np.float64(time), np.array(True))
        expected += probability * forward * black.premium
    assert np.abs(calls(moneyness, variance, time, model) - expected).max() < 1e-8


@pytest.mark.parametrize("variance", [0.01, 0.2, 1.0])
def test_cumulants_solve_the_riccati_equations(variance):
    model, time = BatesModel(2.0, 0.09, 0.5, -0.7), 0.7

    def slopes(_time, y):
        first, second, *_ = y
        return [
            -0.5 - 2.0 * first,
            0.5 - 2.0 * second - 0.7 * 0.5 * first + 0.5 * 0.25 * first**2,
            2.0 * 0.09 * first,
            2.0 * 0.09 * second,
        ]

    y = solve_ivp(slopes, (0, time), [0.0] * 4, rtol=1e-11, atol=1e-14).y[:, -1]
    mean, spread = cumulants(variance, time, model)
    assert mean == pytest.approx(y[2] + y[0] * variance, rel=1e-9)
    assert spread == pytest.approx(2 * (y[3] + y[1] * variance), rel=1e-9)


def test_the_forward_is_a_martingale_and_probabilities_sum_to_one():
    # u = -i has no place in a real argument: the series' mean of e^y, by the far put, says the same.
    assert characteristic(np.zeros(1), 0.2, 0.5, COIN)[0] == pytest.approx(1.0, abs=1e-15)
    far = np.array([40.0])
    put = premium(far, 0.2, 0.5, np.zeros(1, dtype=bool), COIN)
    assert put[0] == pytest.approx(39.0, abs=1e-9)


def test_negative_correlation_makes_low_strikes_dear():
    moneyness = np.array([0.8, 1.25])
    call = np.array([False, True])
    down = premium(moneyness, 0.16, 0.25, call, BatesModel(4.0, 0.16, 1.0, -0.6))
    up = premium(moneyness, 0.16, 0.25, call, BatesModel(4.0, 0.16, 1.0, 0.6))
    assert down[0] > up[0]
    assert down[1] < up[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reversion", 0.0),
        ("long_variance", -1.0),
        ("vol_of_variance", 0.0),
        ("correlation", 1.1),
        ("jump_intensity", -1.0),
        ("jump_mean", math.nan),
        ("jump_deviation", math.inf),
    ],
)
def test_parameters_out_of_range_are_named(name, value):
    good = {"reversion": 1.0, "long_variance": 0.1, "vol_of_variance": 0.5, "correlation": 0.0}
    with pytest.raises(ConfigError, match=name):
        BatesModel(**{**good, name: value})


@pytest.mark.parametrize(("variance", "time"), [(0.0, 1.0), (0.1, 0.0), (math.nan, 1.0), (0.1, math.inf)])
def test_no_price_without_variance_and_time(variance, time):
    with pytest.raises(ConfigError, match="no price"):
        calls(np.ones(1), variance, time, COIN)
