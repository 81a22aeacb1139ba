import dataclasses

import numpy as np
import pytest

from models.metrics import fixed_point, hedging_metrics, report_adjustment
from models.minimum_variance import hedging_errors
from mpc_party.market.intervals import HedgingRows
from tests.support.intervals import made, series

WEIGHTS = np.array([-0.3, 0.5, -0.2])


def adjustments(rows, weights=WEIGHTS):
    return [interval.density * (interval.delta[:, None] ** np.arange(3) @ weights) for interval in rows]


@pytest.fixture(scope="module")
def rows():
    return series(WEIGHTS, 40, noise=1e-3)


@pytest.fixture(scope="module")
def metrics(rows):
    exact = adjustments(rows)
    return hedging_metrics(
        rows, exact, [report_adjustment(*pair) for pair in zip(rows, exact, strict=True)], "x"
    )


def test_the_gain_by_brute_force(rows, metrics):
    plain = np.concatenate([interval.error for interval in rows])
    model = np.concatenate([hedging_errors(interval, WEIGHTS) for interval in rows])
    assert metrics["intervals"] == 40
    assert metrics["rows"] == 8000
    assert metrics["gain"]["value"] == pytest.approx(1 - (model @ model) / (plain @ plain), abs=1e-4)
    assert metrics["gain"]["low"] < metrics["gain"]["value"] < metrics["gain"]["high"]
    assert metrics["rms_plain"] == pytest.approx(np.sqrt(np.mean(plain**2)), rel=1e-3)
    assert metrics["rms_model"] == pytest.approx(np.sqrt(np.mean(model**2)), rel=1e-3)
    better = [(hedging_errors(r, WEIGHTS) ** 2).sum() < (r.error**2).sum() for r in rows]
    assert metrics["intervals_better"] == pytest.approx(np.mean(better), abs=1e-3)
    sums = np.array([[(r.error**2).sum(), (hedging_errors(r, WEIGHTS) ** 2).sum()] for r in rows])
    rest = sums[np.argsort(sums[:, 0])[:-5]].sum(axis=0)
    assert metrics["gain_without_largest"] == pytest.approx(1 - rest[1] / rest[0], abs=1e-4)


@pytest.mark.parametrize(
    ("key", "value", "edges"),
    [
        ("by_expiry", lambda r: r.time * 365, [1, 3, 7, 30, 90, 10_000]),
        ("by_call_delta", lambda r: r.delta, [0.05, 0.2, 0.4, 0.6, 0.8, 0.95]),
        ("by_type", lambda r: ~r.call, [0, 1, 2]),
    ],
)
def test_groups_by_brute_force(rows, metrics, key, value, edges):
    groups = metrics[key]
    assert len(groups) == len(edges) - 1
    values = np.concatenate([value(r) for r in rows])
    plain = np.concatenate([r.error for r in rows])
    model = np.concatenate([hedging_errors(r, WEIGHTS) for r in rows])
    for group, low, high in zip(groups, edges, edges[1:], strict=False):
        inside = (values >= low) & (values < high)
        assert group["rows"] == np.count_nonzero(inside)
        assert group["share"] == pytest.approx((plain[inside] ** 2).sum() / (plain**2).sum(), abs=1e-3)
        gain = 1 - (model[inside] ** 2).sum() / (plain[inside] ** 2).sum()
        assert group["gain"] == pytest.approx(gain, abs=1e-3)
        assert group["low"] <= group["gain"] <= group["high"]
    assert sum(group["rows"] for group in groups) == len(values)
    assert sum(group["share"] for group in groups) == pytest.approx(1, abs=1e-2)


def test_names_of_groups(metrics):
    assert [group["group"] for group in metrics["by_type"]] == ["calls", "puts"]
    assert metrics["by_expiry"][0]["group"] == "1 to 3 days"
    assert metrics["by_expiry"][-1]["group"] == "from 90 days"
    assert metrics["by_call_delta"][0]["group"] == "0.05 to 0.2 call delta"


def test_empty_groups_are_left_out_and_thin_ones_have_no_interval():
    rows = [dataclasses.replace(r, call=np.ones(200, dtype=np.bool_)) for r in series(WEIGHTS, 5, noise=1e-3)]
    found = hedging_metrics(rows, adjustments(rows), adjustments(rows), "x")
    assert [group["group"] for group in found["by_type"]] == ["calls"]
    assert (found["by_type"][0]["low"], found["by_type"][0]["high"]) == (None, None)


def test_plain_delta_gains_nothing(rows):
    none = [np.zeros(len(r)) for r in rows]
    found = hedging_metrics(rows, none, none, "x")
    assert (found["gain"]["value"], found["gain"]["low"], found["gain"]["high"]) == (0, 0, 0)
    assert found["intervals_better"] == 0


def test_what_a_report_rounds(rows):
    interval: HedgingRows = made(WEIGHTS)
    (exact,) = adjustments([interval])
    rounded = report_adjustment(interval, exact)
    delta = np.where(interval.call, interval.delta, interval.delta - 1)
    in_units = (delta + rounded) * 1e6
    np.testing.assert_allclose(in_units, np.rint(in_units), atol=1e-6)
    assert 0 < np.abs(rounded - exact).max() <= 0.5e-6 + 1e-12
    assert fixed_point(np.array([0.1, -0.3, 2.0])).tolist() == [6554 / 65536, -19661 / 65536, 2.0]


def test_reported_gain_is_of_the_rounded_adjustments(rows):
    wrong = [-adjustment for adjustment in adjustments(rows)]
    found = hedging_metrics(rows, adjustments(rows), wrong, "x")
    assert found["gain_as_reported"] < 0 < found["gain"]["value"]
