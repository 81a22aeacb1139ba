"""The simulated path: one for all who know the seed, with the moments of its model."""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mpc_party.market.heston_path import (
    DAYS_A_RUN,
    MODEL,
    STEP_SECONDS,
    STEPS_A_DAY,
    STEPS_A_RUN,
    HestonPath,
    run_start,
)
from mpc_party.market.simulated import SPOT

RUN = 735 * STEPS_A_RUN  # in 2026
GOLDEN_STEP = RUN + 2 * STEPS_A_DAY + 1234
GOLDEN_SPOT, GOLDEN_VARIANCE = 87836.48948344833, 0.1277137814760415


def log_spots(path, steps):
    return np.log([path.spot(step) for step in steps])


def test_golden_path():
    path = HestonPath(7)
    assert path.spot(GOLDEN_STEP) == pytest.approx(GOLDEN_SPOT, rel=1e-9)
    assert path.variance(GOLDEN_STEP) == pytest.approx(GOLDEN_VARIANCE, rel=1e-9)


def test_what_was_asked_before_does_not_matter():
    fresh, used = HestonPath(7), HestonPath(7)
    for step in (RUN + 3 * STEPS_A_DAY, RUN - 5, RUN + STEPS_A_RUN + 1, RUN):
        used.spot(step)
        used.shocks(step - 3, step + 3)
    for step in (GOLDEN_STEP, RUN, RUN + 5 * STEPS_A_DAY):
        assert used.spot(step) == fresh.spot(step)
        assert used.variance(step) == fresh.variance(step)


def test_threads_that_ask_at_once_are_told_the_same():
    alone, shared = HestonPath(9), HestonPath(9)
    steps = [RUN + day * STEPS_A_DAY + 5 for day in (6, 2, 5, 0, 6, 3)] + [RUN - 5, RUN + 9]
    with ThreadPoolExecutor(len(steps)) as pool:
        answers = list(pool.map(shared.spot, steps, timeout=60))
    assert answers == [alone.spot(step) for step in steps]


def test_seeds_differ():
    assert HestonPath(7).spot(GOLDEN_STEP) != HestonPath(8).spot(GOLDEN_STEP)


def test_a_run_begins_at_the_level_and_days_join():
    path = HestonPath(11)
    assert path.spot(RUN) == pytest.approx(SPOT, rel=1e-12)
    assert run_start(RUN + 17) == run_start(RUN) == RUN
    around = log_spots(path, range(RUN + STEPS_A_DAY - 3, RUN + STEPS_A_DAY + 4))
    typical = math.sqrt(path.variance(RUN + STEPS_A_DAY) * STEP_SECONDS / (365 * 86_400))
    assert np.abs(np.diff(around)).max() < 6 * typical


def test_the_brownian_moves_are_those_of_the_spot():
    path = HestonPath(3)
    first = RUN + STEPS_A_DAY - 40
    steps = range(first, first + 81)  # over midnight
    moves = np.diff(log_spots(path, steps))
    variance = np.array([path.variance(step) for step in steps])[:-1]
    shocks = path.shocks(first + 1, first + 80)
    expected = shocks * np.sqrt(variance * STEP_SECONDS / (365 * 86_400))
    quiet = np.abs(moves) < 10 * np.abs(expected).mean()  # without jumps
    assert quiet.sum() >= 79
    assert np.allclose(moves[quiet], expected[quiet], atol=1e-6)


def test_moments_are_those_of_the_model():
    moves, variances, jumps = [], [], 0
    for seed in range(3):
        path = HestonPath(seed)
        path.spot(RUN + STEPS_A_RUN - 1)
        for log_spot, variance in path._days:
            move = np.diff(log_spot)
            jump = np.abs(move) > 8 * np.sqrt(variance[:-1].clip(1e-4) * STEP_SECONDS / (365 * 86_400))
            jumps += jump.sum()
            moves.append(np.where(jump, 0, move) / np.sqrt(variance[:-1].clip(1e-9)))
            variances.append(variance)
    days = len(moves)
    assert days == 3 * DAYS_A_RUN
    scale = math.sqrt(STEP_SECONDS / (365 * 86_400))
    assert np.concatenate(moves).std() == pytest.approx(scale, rel=0.01)
    assert 0.03 < np.mean(variances) < 0.4  # it takes months to forget where it began
    expected = MODEL.jump_intensity * days / 365
    # Small jumps hide among moves; Poisson, six deviations.
    assert 0 < jumps < expected + 6 * math.sqrt(expected)
    # Spot and variance move against each other.
    last = np.diff(variances[-1])
    assert np.corrcoef(last, moves[-1])[0, 1] == pytest.approx(MODEL.correlation, abs=0.05)


def test_variance_is_positive_enough_to_price_with():
    path = HestonPath(5)
    assert min(path.variance(RUN + day * STEPS_A_DAY) for day in range(DAYS_A_RUN)) >= 1e-4
