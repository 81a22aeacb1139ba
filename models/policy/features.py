"""From simulated paths of one option to the policy's inputs: the features, the Black-Scholes delta, and the density.

The features are `mpc_party.hedging.model.FEATURES`, in that order and clipped to those ranges, computed as the joint
computation computes them, with the path's vol in the place of the aggregated implied vol.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.paths import Paths
from mpc_party.hedging.model import FEATURES
from mpc_party.market.black76 import greeks, normal_density

Floats = NDArray[np.float64]

REFERENCE_VOL = 0.5
_LOWEST_VOL = 1e-4  # a variance path can touch 0, where the greeks have no value


class Inputs(NamedTuple):
    """One short call followed along its paths; steps is the number of trades, the first at the start.

    Attributes:
        features: (paths, steps, 6).
        delta: (paths, steps), Black-Scholes at the path's own vol.
        density: (paths, steps), phi(d1) = vega / (spot sqrt(T)).
        spot: (paths, steps + 1).
        payoff: (paths,), of the call.
        premium: Black-Scholes price at the start, at the vol of the start.
    """

    features: Floats
    delta: Floats
    density: Floats
    spot: Floats
    payoff: Floats
    premium: float


def call_inputs(paths: Paths, strike: float, step_years: float) -> Inputs:
    """The inputs for a call that expires at the paths' last moment.

    Args:
        paths: arrays (paths, steps + 1), spot 1 at the start.
        strike: of the call, in units of the spot at the start.
        step_years: length of one step.
    """
    steps = paths.spot.shape[1] - 1
    spot, vol = paths.spot[:, :-1], np.maximum(paths.vol[:, :-1], _LOWEST_VOL)
    time = np.broadcast_to(step_years * np.arange(steps, 0, -1, dtype=np.float64), spot.shape)
    moneyness = strike / spot
    call = np.ones((), dtype=np.bool_)
    first = greeks(moneyness[:1, :1], vol[:1, :1], time[:1, :1], call)
    deviation = vol * np.sqrt(time)
    density = normal_density(-np.log(moneyness) / deviation + 0.5 * deviation)
    delta = greeks(moneyness, vol, time, call).delta
    columns = (
        delta - 0.5,
        density,
        np.minimum(np.sqrt(time), 2.0) / 2.0,
        np.log(vol / REFERENCE_VOL) / 2.0,
        paths.imbalance[:, :-1],
        paths.realised[:, :-1],
    )
    features = np.stack(
        [np.clip(column, known.low, known.high) for column, known in zip(columns, FEATURES, strict=True)],
        axis=-1,
    )
    payoff = np.maximum(paths.spot[:, -1] - strike, 0.0)
    return Inputs(features, delta, density, paths.spot, payoff, float(first.premium[0, 0]))
