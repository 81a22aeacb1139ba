import dataclasses

import numpy as np
import pytest

from models.bootstrap import gain_interval
from models.minimum_variance import (
    CANDIDATES,
    LEAST_HISTORY,
    Candidate,
    fit,
    hedging_errors,
    squared_errors,
    walk_forward,
)
from mpc_party.market.intervals import normal_equations, solve
from tests.support.intervals import HOURS, START, made, series

WEIGHTS = np.array([-0.3, 0.5, -0.2])


def test_a_known_relation_is_found_and_gains_what_it_explains():
    """The best gain is the share of the plain errors' variance that the relation explains; the interval holds it."""
    rows = series(WEIGHTS, 120, noise=5e-4)
    walked = walk_forward(rows)
    assert np.abs(walked.final - WEIGHTS).sum() < 0.06
    later = slice(LEAST_HISTORY, None)
    gain = gain_interval(walked.model[later], walked.plain[later], "known")
    noise = sum(squared_errors(interval, WEIGHTS) for interval in rows[later])
    best = 1 - noise / walked.plain[later].sum()
    assert 0.2 < best < 0.9
    assert best - 0.03 < gain.value <= best + 0.01
    assert gain.low < best < gain.high


def test_without_noise_the_weights_are_exact_from_the_first_fit_on():
    walked = walk_forward(series(WEIGHTS, 20), [Candidate(7.0, 0.0)])
    assert (walked.weights[:LEAST_HISTORY] == 0).all()
    np.testing.assert_allclose(walked.weights[LEAST_HISTORY:], np.tile(WEIGHTS, (12, 1)), atol=1e-9)
    np.testing.assert_array_equal(walked.plain[:LEAST_HISTORY], walked.model[:LEAST_HISTORY])
    assert walked.model[LEAST_HISTORY:].max() < 1e-20


def test_the_recursion_is_the_fit_on_the_past_alone():
    rows = series(WEIGHTS, 15, noise=1e-3)
    candidate = Candidate(3.0, 0.05)
    walked = walk_forward(rows, [candidate])
    for index in range(LEAST_HISTORY, 15):
        expected = solve(normal_equations(rows[:index], 3.0, as_of=rows[index].start), 0.05)
        np.testing.assert_allclose(walked.weights[index], expected, rtol=1e-9)
    np.testing.assert_allclose(walked.final, fit(rows, candidate), rtol=1e-9)


@pytest.mark.parametrize("change", ["shuffled", "scaled", "left out"])
@pytest.mark.parametrize("known", [LEAST_HISTORY, 25, 39])
def test_the_future_changes_nothing_of_the_past(change, known):
    """What is held over interval `known` is settled when it starts, the choice among candidates included."""
    rows = series(WEIGHTS, 40, noise=2e-3)
    before = walk_forward(rows)
    if change == "left out":
        others = rows[:known] + series([3.0, -2.0, 1.0], 1, first=known)
    elif change == "shuffled":
        errors = [interval.error[::-1] for interval in rows[known:]][::-1]
        others = rows[:known] + [
            dataclasses.replace(interval, error=error)
            for interval, error in zip(rows[known:], errors, strict=True)
        ]
    else:
        others = rows[:known] + [
            dataclasses.replace(interval, error=-7 * interval.error, move=3 * interval.move)
            for interval in rows[known:]
        ]
    after = walk_forward(others)
    np.testing.assert_array_equal(before.weights[: known + 1], after.weights[: known + 1])
    np.testing.assert_array_equal(before.chosen[: known + 1], after.chosen[: known + 1])
    np.testing.assert_array_equal(before.model[:known], after.model[:known])
    assert not np.array_equal(before.final, after.final)


def test_the_past_does_change_what_is_held():
    rows = series(WEIGHTS, 12, noise=2e-3)
    other = [dataclasses.replace(rows[0], error=-rows[0].error), *rows[1:]]
    assert not np.array_equal(walk_forward(rows).weights[-1], walk_forward(other).weights[-1])


def test_a_short_half_life_is_chosen_where_the_relation_turns():
    steady = walk_forward(series(WEIGHTS, 100, noise=1e-3))
    turning = walk_forward(series(WEIGHTS, 50, noise=1e-3) + series(-WEIGHTS, 50, first=50, noise=1e-3))
    assert CANDIDATES[turning.last].half_life == min(c.half_life for c in CANDIDATES)
    assert CANDIDATES[steady.last].half_life > CANDIDATES[turning.last].half_life
    assert (steady.chosen[:LEAST_HISTORY] == -1).all()
    assert (steady.chosen[LEAST_HISTORY:] >= 0).all()


def test_pure_noise_gains_nothing():
    gains = []
    for seed in range(8):
        rows = series([0.0, 0.0, 0.0], 60, first=100 * seed, noise=1e-3)
        walked = walk_forward(rows)
        gains.append(1 - walked.model.sum() / walked.plain.sum())
    assert max(gains) < 0.01


def test_errors_by_hand():
    rows = made(WEIGHTS, noise=1e-3)
    i = 3
    d = rows.delta[i]
    hedge = rows.density[i] * (-0.3 + 0.5 * d - 0.2 * d * d) * rows.move[i]
    assert hedging_errors(rows, WEIGHTS)[i] == pytest.approx(rows.error[i] - hedge)
    assert squared_errors(rows, WEIGHTS) == pytest.approx(float((hedging_errors(rows, WEIGHTS) ** 2).sum()))


def test_intervals_that_make_no_walk_are_refused():
    rows = series(WEIGHTS, 12)
    with pytest.raises(ValueError, match="7 intervals"):
        walk_forward(rows[:7])
    with pytest.raises(ValueError, match="order of time"):
        walk_forward(rows[::-1])
    with pytest.raises(ValueError, match="overlap"):
        walk_forward([*rows[:10], made(WEIGHTS, START + 9 * HOURS + 1)])
    with pytest.raises(ValueError, match="do not determine"):
        walk_forward(series(WEIGHTS, 12, move=0.0))


def test_no_weight_is_shown():
    assert repr(walk_forward(series(WEIGHTS, 12))) == "<WalkForward>"
