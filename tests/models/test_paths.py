import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - as its own documentation has it

from models.paths import MARKETS, REALISED_WINDOW, STEP_YEARS, BrownianMarket, HestonMarket

PATHS, STEPS = 50_000, 20


@pytest.fixture(scope="module")
def heston():
    return HestonMarket().simulate("test", PATHS, STEPS)


@pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)
def test_every_array_has_a_row_per_path_and_a_column_per_moment(market):
    paths = market.simulate("test", 7, 3)
    assert all(array.shape == (7, 4) and array.dtype == np.float64 for array in paths)
    assert (paths.spot[:, 0] == 1.0).all()
    assert paths.vol[:, 0] == pytest.approx(0.2)


@pytest.mark.parametrize("market", MARKETS.values(), ids=MARKETS)
def test_paths_are_determined_by_the_label(market):
    first, again, other = (market.simulate(label, 5, 3) for label in ("a", "a", "b"))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))
    assert (first.spot[:, 1:] != other.spot[:, 1:]).all()


def test_brownian_log_returns_are_independent_normals_of_the_right_moments():
    paths = BrownianMarket(vol=0.3).simulate("test", PATHS, STEPS)
    returns = np.diff(np.log(paths.spot), axis=1)
    variance = 0.09 * STEP_YEARS
    assert returns.mean() == pytest.approx(-variance / 2, abs=4 * np.sqrt(variance / returns.size))
    assert returns.var() == pytest.approx(variance, rel=4 * np.sqrt(2 / returns.size))
    assert np.corrcoef(returns[:, 3], returns[:, 4])[0, 1] == pytest.approx(0.0, abs=4 / np.sqrt(PATHS))
    assert np.mean((returns / returns.std()) ** 4) == pytest.approx(3.0, abs=4 * np.sqrt(96 / returns.size))
    assert not paths.imbalance.any()
    assert not paths.realised.any()


def test_heston_spot_is_a_martingale(heston):
    for step in (1, STEPS):
        spot = heston.spot[:, step]
        assert spot.mean() == pytest.approx(1.0, abs=4 * spot.std() / np.sqrt(PATHS))


def test_heston_variance_has_the_moments_of_the_square_root_process():
    # Cox, Ingersoll, Ross 1985, equation (19), from theta and over a year, in coarse steps
    market = HestonMarket(step_years=0.05, substeps=1)
    variance = market.simulate("test", PATHS, 20).vol[:, -1] ** 2
    decay = np.exp(-1.0)
    spread = 0.04 * 0.04 * ((decay - decay**2) + (1 - decay) ** 2 / 2)
    assert variance.mean() == pytest.approx(0.04, abs=4 * np.sqrt(spread / PATHS))
    assert variance.var() == pytest.approx(spread, rel=0.05)


def test_heston_keeps_its_moments_when_the_variance_often_touches_nought():
    # 2 kappa theta is 0.08 and sigma^2 is 1: mostly the exponential branch of the scheme
    market = HestonMarket(sigma=1.0, rho=-0.9, step_years=0.05, substeps=1)
    paths = market.simulate("test", PATHS, 10)
    variance, spot = paths.vol[:, -1] ** 2, paths.spot[:, -1]
    assert (paths.vol == 0.0).any()
    assert variance.mean() == pytest.approx(0.04, abs=4 * variance.std() / np.sqrt(PATHS))
    assert spot.mean() == pytest.approx(1.0, abs=4 * spot.std() / np.sqrt(PATHS))


def test_heston_calls_cost_what_the_analytic_formula_says():
    market = HestonMarket(step_years=0.025, substeps=1)
    spot = market.simulate("prices", PATHS, 20).spot[:, -1]
    today = ql.Date(1, 1, 2026)
    ql.Settings.instance().evaluationDate = today
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
    process = ql.HestonProcess(
        flat,
        flat,
        ql.QuoteHandle(ql.SimpleQuote(1.0)),
        0.04,
        market.kappa,
        market.theta,
        market.sigma,
        market.rho,
    )
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process))
    expiry = ql.EuropeanExercise(today + ql.Period(182, ql.Days))  # half a year; 182.5 / 365 is 20 steps
    for strike in (0.85, 1.0, 1.15):
        option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call, strike), expiry)
        option.setPricingEngine(engine)
        payoff = np.maximum(spot - strike, 0.0)
        error = 4 * payoff.std() / np.sqrt(PATHS) + 1e-4  # half a day's time value
        assert payoff.mean() == pytest.approx(option.NPV(), abs=error)


def test_at_another_vol_the_relative_variance_is_the_same():
    low, high = (HestonMarket().at_vol(vol).simulate("test", 50, 5) for vol in (0.2, 0.8))
    np.testing.assert_allclose(high.vol, 4 * low.vol, rtol=1e-9)
    assert BrownianMarket().at_vol(0.8).vol == 0.8
    assert HestonMarket().at_vol(0.8).vol == pytest.approx(0.8)


def test_imbalance_foretells_the_next_return_by_the_documented_correlation(heston):
    returns = np.diff(np.log(heston.spot), axis=1)
    assert np.abs(heston.imbalance).max() <= 1.0
    documented = 0.05 * np.sqrt(3 / np.pi)
    standard = returns / heston.vol[:, :-1]
    found = np.corrcoef(heston.imbalance[:, :-1].ravel(), standard.ravel())[0, 1]
    assert found == pytest.approx(documented, abs=4 / np.sqrt(standard.size))
    past = np.corrcoef(heston.imbalance[:, 1:-1].ravel(), standard[:, :-1].ravel())[0, 1]
    assert past == pytest.approx(0.0, abs=4 / np.sqrt(standard.size))


def test_flow_does_not_change_the_prices():
    with_flow, without = (HestonMarket(flow=flow).simulate("test", 20, 4) for flow in (0.5, 0.0))
    assert (with_flow.spot == without.spot).all()
    assert (with_flow.imbalance != without.imbalance).any()


def test_realised_vol_is_that_of_the_trailing_window():
    paths = HestonMarket(substeps=1).simulate("test", 10, 12)
    returns = np.diff(np.log(paths.spot), axis=1)
    assert not paths.realised[:, 0].any()
    for step in range(1, 13):
        window = returns[:, max(0, step - REALISED_WINDOW) : step]
        ratio = np.sqrt((window**2).mean(axis=1) / STEP_YEARS) / paths.vol[:, step]
        np.testing.assert_allclose(paths.realised[:, step], np.clip(np.log(ratio), -1, 1), atol=1e-9)


@pytest.mark.parametrize(
    ("name", "spot", "vol"),
    [
        ("brownian", [1.0169081372641167, 1.0178524617539524], [0.2, 0.2]),
        ("heston", [0.9753806312640905, 0.9584298112030053], [0.20465558612822413, 0.2130807500924244]),
    ],
)
def test_paths_of_a_label_never_change(name, spot, vol):
    # trained networks and published figures stand on these: from one commit, to be kept by all later ones
    paths = MARKETS[name].simulate("golden", 2, 2)
    np.testing.assert_allclose(paths.spot[:, -1], spot, rtol=1e-10)
    np.testing.assert_allclose(paths.vol[:, -1], vol, rtol=1e-10)
