"""The path of a simulated market: a spot with stochastic variance and jumps, the same for all who know the seed.

Time is cut into steps of five seconds. The variance follows the full-truncation Euler scheme of R. Lord, R. Koekkoek,
D. van Dijk, "A comparison of biased simulation schemes for stochastic volatility models", Quantitative Finance 10,
2010, whose bias vanishes with the step, and at five seconds is out of sight; the log spot follows it, with Poisson
jumps, of which a step has one at most. The path runs on for four weeks and then starts anew from `SPOT`: so any moment
can be reached by simulating at most four weeks.
"""

import math
import threading

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.bates import BatesModel
from mpc_party.market.black76 import SECONDS_PER_YEAR
from mpc_party.market.simulated import CARRY, SPOT
from mpc_party.market.streams import normal, uniform

Array = NDArray[np.float64]

# Near what coin options show: variance 0.4^2 in the long run, a skew to the downside, a jump every nine days.
MODEL = BatesModel(
    reversion=4.0,
    long_variance=0.16,
    vol_of_variance=1.0,
    correlation=-0.3,
    jump_intensity=40.0,
    jump_mean=-0.01,
    jump_deviation=0.03,
)
STEP_SECONDS = 5
STEPS_A_DAY = 86_400 // STEP_SECONDS
DAYS_A_RUN = 28
STEPS_A_RUN = DAYS_A_RUN * STEPS_A_DAY
_SHOCK_DAYS = 4  # held: a window needs two at most
_FIRST_SPREAD = 0.4  # of the log of a run's first variance around the long run's


def run_start(step: int) -> int:
    """The first step of the run that this step is in."""
    return step // STEPS_A_RUN * STEPS_A_RUN


class HestonPath:
    """Spot and variance by step; a step is Unix time // 5. Days are simulated when they are asked for, and kept.

    The drift of the log spot is the carry's, so that every forward is a martingale. Several threads may ask at once.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._run = -1
        self._days: list[
            tuple[Array, Array]
        ] = []  # log spot and variance of the run's days, STEPS_A_DAY + 1 each
        self._shocks: dict[int, Array] = {}
        self._lock = threading.RLock()  # over what is kept

    def spot(self, step: int) -> float:
        """The spot at a step, quote currency."""
        path, index = self._at(step)
        return math.exp(path[0][index])

    def variance(self, step: int) -> float:
        """The annual variance of the diffusion at a step, at least 1e-4."""
        path, index = self._at(step)
        return max(float(path[1][index]), 1e-4)

    def shocks(self, first: int, last: int) -> Array:
        """The standard normal Brownian moves of the spot into the steps from `first` to `last`, both included.

        The spot of a step already has its own move; the moves into later steps are the market's future.
        """
        days = range((first - 1) // STEPS_A_DAY, (last - 1) // STEPS_A_DAY + 1)
        joined = np.concatenate([self._spot_shocks(day) for day in days])
        start = first - 1 - days[0] * STEPS_A_DAY
        return joined[start : start + last - first + 1]

    def _at(self, step: int) -> tuple[tuple[Array, Array], int]:
        day, index = divmod(step, STEPS_A_DAY)
        run, wanted = divmod(day, DAYS_A_RUN)
        with self._lock:
            if run != self._run:
                self._run, self._days = run, []
            while len(self._days) <= wanted:
                self._days.append(self._simulate(run * DAYS_A_RUN + len(self._days)))
            return self._days[wanted], index

    def _simulate(self, day: int) -> tuple[Array, Array]:
        if self._days:
            log_spot, first = float(self._days[-1][0][-1]), float(self._days[-1][1][-1])
        else:
            shock = float(normal(f"{self._seed}/heston/start/{self._run}", 1)[0])
            log_spot, first = math.log(SPOT), MODEL.long_variance * math.exp(_FIRST_SPREAD * shock)
        step = STEP_SECONDS / SECONDS_PER_YEAR
        variance = self._variances(day, first)
        held = np.maximum(variance[:-1], 0.0)
        drift = CARRY - MODEL.jump_drift
        moves = (drift - 0.5 * held) * step + np.sqrt(held * step) * self._spot_shocks(day)
        path = np.concatenate(([log_spot], log_spot + np.cumsum(moves + self._jumps(day, step))))
        return path, variance

    def _variances(self, day: int, first: float) -> Array:
        step = STEP_SECONDS / SECONDS_PER_YEAR
        pull, spread = MODEL.reversion * step, MODEL.vol_of_variance * math.sqrt(step)
        level, value, root = MODEL.long_variance, first, math.sqrt
        values = [value]
        for shock in (spread * self._variance_shocks(day)).tolist():
            held = max(0.0, value)
            value += pull * (level - held) + root(held) * shock
            values.append(value)
        return np.array(values)

    def _jumps(self, day: int, step: float) -> Array:
        chance = -math.expm1(-MODEL.jump_intensity * step)
        jumps = np.zeros(STEPS_A_DAY)
        where = np.flatnonzero(uniform(f"{self._seed}/heston/jump/{day}", STEPS_A_DAY) < chance)
        sizes = normal(f"{self._seed}/heston/size/{day}", len(where))
        jumps[where] = MODEL.jump_mean + MODEL.jump_deviation * sizes
        return jumps

    def _variance_shocks(self, day: int) -> Array:
        return normal(f"{self._seed}/heston/variance/{day}", STEPS_A_DAY)

    def _spot_shocks(self, day: int) -> Array:
        with self._lock:
            found = self._shocks.get(day)
            if found is None:
                own = normal(f"{self._seed}/heston/spot/{day}", STEPS_A_DAY)
                other = math.sqrt(1.0 - MODEL.correlation**2)
                found = MODEL.correlation * self._variance_shocks(day) + other * own
                if len(self._shocks) >= _SHOCK_DAYS:
                    self._shocks.clear()
                self._shocks[day] = found
            return found
