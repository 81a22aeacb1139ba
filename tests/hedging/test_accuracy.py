"""The secret greeks against Black-76 of QuantLib, over moneyness 0.7 to 1.4, a day to a year, vol 0.2 to 1.5."""

import numpy as np
import pytest
import QuantLib

from mpc_party.hedging.exposure import check_exposure
from mpc_party.hedging.outputs import Column, check_range, report_columns
from mpc_party.hedging.public import PublicInputs
from mpc_party.market import Grid, SurfaceFit
from mpc_party.protocol.consortium import Program
from tests.support.books import DAY, NOW, book
from tests.support.joint import Joint, make_snapshot

ULP = 2.0**-16
MONEYNESS = np.linspace(0.7, 1.4, 15)
DAYS = np.array([1, 2, 4, 7, 14, 30, 60, 91, 182, 365])
VOLS = np.geomspace(0.2, 1.5, 8)
REFERENCE = 0.55  # one reference, so that the vols use the band from one side to the other


def joint_at(vol: float) -> Joint:
    """A book over all moneyness and times, and three desks that see this vol everywhere."""
    forward = np.linspace(90_000.0, 95_000.0, len(DAYS))
    grid = Grid(NOW, NOW + DAYS * DAY, forward, np.full(len(DAYS), REFERENCE))
    index = np.repeat(np.arange(len(DAYS)), 2 * len(MONEYNESS))
    strike = np.tile(np.repeat(MONEYNESS, 2), len(DAYS)) * forward[index]
    public = PublicInputs(Program(), grid, index, strike, np.tile([False, True], len(strike) // 2))
    fit = SurfaceFit(np.tile([np.log(vol / REFERENCE), 0.0, 0.0], (len(DAYS), 1)), 0, 0)
    return Joint(public, [fit] * 3, [make_snapshot(public, fit, seed) for seed in "abc"])


def quantlib(public: PublicInputs, vol: float) -> np.ndarray:
    """Delta, forward * gamma, vega / forward and price / forward of each instrument: (4, n)."""
    rows = []
    for forward, strike, time, call in zip(
        public.grid.forward[public.expiry_index], public.strike, public.time, public.call, strict=True
    ):
        payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if call else QuantLib.Option.Put, strike)
        exact = QuantLib.BlackCalculator(payoff, forward, vol * np.sqrt(time), 1.0)
        rows.append(
            (
                exact.deltaForward(),
                exact.gammaForward() * forward,
                exact.vega(time) / forward,
                exact.value() / forward,
            )
        )
    return np.array(rows).T


@pytest.fixture(scope="module")
def compared():
    """Opened and exact values of delta, gamma, vega and price, (4, vols * n) each; and the report's."""
    opened, exact, reported = [], [], []
    for vol in VOLS:
        joint = joint_at(vol)
        public, result = joint.public, joint.run()[0]
        root = np.sqrt(public.time)
        intrinsic = np.maximum(np.where(public.call, 1 - public.moneyness, public.moneyness - 1), 0)
        opened.append(
            [
                result.decoded(Column.DELTA),
                result.decoded(Column.GAMMA_SHAPE) * public.gamma_scale,
                result.decoded(Column.DENSITY) * root,
                result.decoded(Column.TIME_VALUE) + intrinsic,
            ]
        )
        columns = report_columns(public, result)
        reported.append(
            [
                columns["bs_delta"] * 1e-6,
                columns["gamma"] * 1e-6,
                columns["vega"] * 1e-8,
                columns["premium"] * 1e-8,
            ]
        )
        exact.append(quantlib(public, vol))
    return tuple(
        np.concatenate([np.array(part) for part in parts], axis=1) for parts in (opened, exact, reported)
    )


def test_the_grid_is_the_one_promised():
    public = joint_at(0.2).public
    assert (public.moneyness.min(), public.moneyness.max()) == pytest.approx((0.7, 1.4))
    assert (public.time.min() * 365, public.time.max() * 365) == pytest.approx((1, 365))
    assert (VOLS.min(), VOLS.max()) == pytest.approx((0.2, 1.5))


@pytest.mark.parametrize("values", [0, 2], ids=["opened", "reported"])
def test_delta_gamma_vega_and_price_within_the_stated_errors(compared, values):
    """The error of each report, its own vol's rounding included: against the desks' vol, not the opened one."""
    error = np.abs(compared[values] - compared[1])
    exact = compared[1]
    assert error[0].max() < 2e-4
    assert error[1].max() < 1e-3 * exact[1].max()
    assert error[2].max() < 1e-3 * exact[2].max()
    assert error[3].max() < 1e-4


@pytest.mark.parametrize("bits", [12, 14])
@pytest.mark.parametrize("u", [-0.95, 0.95])
def test_an_honest_round_passes_its_checks_with_few_fraction_bits_near_the_ends_of_the_widest_band(bits, u):
    """Rounding is then many times what the polynomials are wrong by."""
    program = Program(fraction_bits=bits, band=2.0, degree=16)
    moneyness = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.3, 1.6, 2.0)
    for reference in (0.3, 1.0):
        public = book(moneyness, (1 / 24, 0.3, 1.0, 7.0, 30.0, 120.0, 365.0), reference, program)
        fit = SurfaceFit(np.tile([2.0 * u, 0.0, 0.0], (7, 1)), 0, 0)
        joint = Joint(public, [fit] * 3, [make_snapshot(public, fit, seed) for seed in "abc"])
        for opened, snapshot in zip(joint.run(), joint.snapshots, strict=True):
            check_range(public, opened)
            unit = 2.0**-bits
            check_exposure(public, opened.table * unit, snapshot.positions * unit, opened.exposure)
