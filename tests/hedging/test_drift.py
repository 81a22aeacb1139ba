"""The drift monitor: errors by hand, verdicts on series whose right hedge is known, and how often it is wrong."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.hedging.drift import (
    FEWEST_INTERVALS,
    HedgingErrors,
    Verdict,
    assess,
    effective_count,
    hedging_errors,
    hedging_intervals,
    weighted_gain,
)
from mpc_party.market.black76 import greeks
from mpc_party.market.streams import uniform
from tests.support.drifting_reports import DAY, START, Report, reports

FOREVER = 1e9


def verdicts(strength, seeds, count=121, **options):
    return [
        assess(hedging_intervals(reports(seed, count, strength, **options)), FOREVER).verdict
        for seed in seeds
    ]


def one(
    observed_at,
    forward,
    premium,
    delta,
    hedge,
    *,
    vol=0.5,
    expiry=START + 30 * DAY,
    call=True,
    strike=90_000.0,
):
    return Report(
        observed_at,
        np.array([expiry]),
        np.array([strike]),
        np.array([call]),
        np.array([forward]),
        np.array([vol]),
        np.array([premium]),
        np.array([delta]),
        np.array([hedge]),
    )


def test_errors_by_hand():
    # Values 4500 and 5200 on forwards of 90000 and 91000: dV = 700, dF = 1000, in units of 90000.
    start = one(START, 90_000.0, 0.05, 0.55, 0.50)
    end = one(START + 3600, 91_000.0, 5200 / 91_000, 0.6, 0.6)
    errors = hedging_errors(start, end)
    assert len(errors) == 1
    assert errors.plain[0] == pytest.approx((700 - 0.55 * 1000) / 90_000, rel=1e-12)
    assert errors.hedged[0] == pytest.approx((700 - 0.50 * 1000) / 90_000, rel=1e-12)
    assert errors.move[0] == pytest.approx(1 / 90)
    assert (errors.start, errors.end) == (START, START + 3600)


def test_a_put_and_a_call_of_one_strike_have_the_same_errors():
    errors = [e for e in hedging_intervals(reports(1, 6, 1.0, step=3600)) if len(e)]
    assert errors
    for interval in errors:
        calls = interval.call
        # Parity holds to the noise of the report's vols, which here is each option's own.
        assert np.array_equal(interval.strike[calls], interval.strike[~calls])
        assert np.allclose(interval.plain[calls], interval.plain[~calls], atol=3e-3)


def test_only_options_in_both_reports_that_count():
    start, end = reports(3, 2, 1.0)
    whole = hedging_errors(start, end)
    shorter = Report(end.observed_at, *(column[3:] for column in list(vars(end).values())[1:]))
    part = hedging_errors(start, shorter)
    assert 0 < len(part) < len(whole)
    far = one(START, 90_000.0, 0.3, 0.99, 0.99)
    assert len(hedging_errors(far, replace(far, observed_at=START + 60))) == 0
    near = one(START, 90_000.0, 0.01, 0.5, 0.5, expiry=START + DAY + 60)
    assert len(hedging_errors(near, replace(near, observed_at=START + 60))) == 0
    assert len(hedging_errors(near, replace(near, observed_at=START + 59))) == 1
    put = one(START, 90_000.0, 0.05, -0.5, -0.5, call=False)
    assert len(hedging_errors(put, replace(put, observed_at=START + 60))) == 1


@pytest.mark.parametrize("after", [0, -1])
def test_an_interval_ends_after_it_starts(after):
    start = one(START, 90_000.0, 0.05, 0.5, 0.5)
    with pytest.raises(ValueError, match="ends after"):
        hedging_errors(start, replace(start, observed_at=START + after))


def test_spacing_and_gaps():
    series = reports(4, 9, 1.0, step=3600)
    assert len(hedging_intervals(series)) == 8
    assert [(e.start, e.end) for e in hedging_intervals(series, spacing=7200)] == [
        (START + k * 3600, START + (k + 2) * 3600) for k in (0, 2, 4, 6)
    ]
    gap = [replace(r, observed_at=r.observed_at + (2 * DAY if k >= 4 else 0)) for k, r in enumerate(series)]
    assert len(hedging_intervals(gap)) == 7
    twice = [r for r in series for _ in range(2)]
    assert len(hedging_intervals(twice)) == 8


def test_what_an_unchanged_vol_gains_is_convexity_and_no_error():
    """With the vol held, both hedges' errors are convexity to the last digit, less what the hedges differ by."""
    time, later = 30 / 365, 29 / 365
    for call in (True, False):
        before, after = (
            greeks(np.array([k]), np.array([0.6]), np.array([t]), np.array([call]))
            for k, t in ((1.0, time), (1 / 1.2, later))
        )
        delta = before.delta[0]
        expiry = START + 30 * DAY
        start = one(START, 90_000.0, before.premium[0], delta, delta + 0.1, vol=0.6, expiry=expiry, call=call)
        end = one(START + DAY, 108_000.0, after.premium[0], 0.5, 0.5, vol=0.6, expiry=expiry, call=call)
        errors = hedging_errors(start, end)
        assert errors.convexity[0] == pytest.approx(errors.plain[0], abs=1e-15)
        assert errors.convexity[0] > 0.02  # a fifth up in a day
        assert errors.squares() == (pytest.approx(0.0, abs=1e-25), pytest.approx(0.02**2))
        assert errors.squares(net=False)[0] == pytest.approx(errors.plain[0] ** 2)


def test_convexity_makes_the_gain_of_gross_errors_a_lottery():
    """Why verdicts are on net errors: the same right model, over the same intervals."""
    drifts = [assess(hedging_intervals(reports(seed, 161, 1.0)), FOREVER) for seed in range(8)]
    net, gross = (np.array([getattr(d, name) for d in drifts]) for name in ("gain", "gross_gain"))
    assert net.std() < 0.5 * gross.std()
    assert (net > 0.2).all()


def test_the_right_model_is_better_in_most_seeds():
    found = verdicts(1.0, range(20))
    assert found.count(Verdict.BETTER) >= 18
    assert Verdict.WORSE not in found


def test_a_model_with_the_wrong_sign_is_worse():
    found = verdicts(-1.0, range(20))
    assert found.count(Verdict.WORSE) >= 18
    assert Verdict.BETTER not in found


def test_no_better_and_no_worse_is_undecided_at_about_the_nominal_rate():
    # Twice the right adjustment misses by as much as none, to the other side.
    found = verdicts(2.0, range(60))
    assert found.count(Verdict.UNDECIDED) >= 52


def test_plain_delta_is_never_told_from_itself():
    drift = assess(hedging_intervals(reports(0, 61, 0.0)), FOREVER)
    assert (drift.verdict, drift.gain, drift.low, drift.high) == (Verdict.UNDECIDED, 0.0, 0.0, 0.0)


def test_few_intervals_decide_nothing():
    drift = assess(hedging_intervals(reports(2, 15, -1.0)), FOREVER)
    assert drift.verdict is Verdict.UNDECIDED
    assert drift.high < 0  # however clear they are
    assert drift.effective == pytest.approx(14)
    assert drift.effective < FEWEST_INTERVALS


def test_nothing_at_all():
    drift = assess([])
    assert (drift.verdict, drift.gain, drift.intervals, drift.effective) == (Verdict.UNDECIDED, None, 0, 0.0)


def test_old_intervals_fade():
    """A model that was right until the market turned round: by the recent past it is worse."""
    before = reports(5, 161, 1.0)
    after = [replace(r, observed_at=r.observed_at + 40 * DAY) for r in reports(6, 121, -1.0)]
    after = [replace(r, expiry=r.expiry + 40 * DAY) for r in after]
    intervals = hedging_intervals(before) + hedging_intervals(after)
    long, short = assess(intervals, FOREVER), assess(intervals, 10.0)
    assert short.verdict is Verdict.WORSE
    assert short.gain < long.gain
    assert short.effective < long.effective == pytest.approx(len(intervals))


def test_the_verdict_does_not_depend_on_the_unit_of_the_weights_or_of_errors():
    plain, hedged = (np.abs(np.sin(np.arange(50) * k)) + 0.1 for k in (1.0, 0.7))
    weight = 0.9 ** np.arange(50)
    first = weighted_gain(plain, hedged, weight)
    assert weighted_gain(1e-8 * plain, 1e-8 * hedged, 3 * weight) == pytest.approx(first, rel=1e-9)
    assert first == weighted_gain(plain, hedged, weight)


def test_gain_interval_of_equal_intervals_is_a_point():
    gain, low, high = weighted_gain(np.full(30, 2.0), np.full(30, 1.5), np.ones(30))
    assert gain == pytest.approx(0.25)
    assert (low, high) == (pytest.approx(0.25), pytest.approx(0.25))


@given(st.integers(1, 80), st.floats(0.5, 1.0))
@settings(max_examples=40, deadline=None)
def test_resampled_series_are_as_long_as_the_first(count, decay):
    # Were blocks cut or added wrongly, constant columns would have other ratios only if both differed; so count.
    weight = decay ** np.arange(count)[::-1]
    assert 1.0 <= effective_count(weight) <= count + 1e-9
    gain, low, high = weighted_gain(np.ones(count), np.full(count, 0.5), weight, resamples=50)
    assert max(abs(x - 0.5) for x in (gain, low, high)) < 1e-9


def test_interval_covers_the_truth_about_as_often_as_it_says():
    """Independent exponential squares with gain 0.2: 98 % nominal."""
    held = 0
    for k in range(200):
        plain, other = -np.log(uniform(f"cover/{k}", 120)).reshape(2, 60)
        hedged = 0.8 * (0.5 * plain + 0.5 * other)
        _, low, high = weighted_gain(plain, hedged, np.ones(60), resamples=400)
        held += low < 0.2 < high
    assert 186 <= held <= 200


@pytest.mark.parametrize("half_life", [0.0, -1.0, math.nan])
def test_a_half_life_is_positive(half_life):
    with pytest.raises(ValueError, match="half-life"):
        assess([], half_life)


def test_errors_are_columns_of_one_length():
    interval = hedging_intervals(reports(1, 2, 1.0))[0]
    assert isinstance(interval, HedgingErrors)
    columns = (interval.strike, interval.call, interval.move, interval.plain, interval.hedged)
    assert {len(column) for column in columns} == {len(interval)}
