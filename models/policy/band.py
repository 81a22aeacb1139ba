"""A no-transaction band around a published hedge: what a desk can add at home, where its previous hedge is known.

The published hedge delta is one for all desks and cannot depend on any desk's previous hedge. A desk that trades only
when its own hedge has left a band around the published one saves costs and tells nobody anything. The band's width
needs only what is published, and the desk's own cost and aversion.
Source: Whalley, Wilmott, "An asymptotic analysis of an optimal hedging model for option pricing with transaction
costs", Mathematical Finance 7, 1997.
"""

import numpy as np
from numpy.typing import NDArray

from models.policy.features import Inputs

Floats = NDArray[np.float64]


def whalley_wilmott_width(inputs: Inputs, cost: float, aversion: float, step_years: float) -> Floats:
    """Half-width of the band, (paths, steps): (3/2 cost spot gamma^2 / aversion)^(1/3), gamma per unit of spot.

    Args:
        inputs: the option along its paths; gamma is density / (spot vol sqrt(T)).
        cost: proportional.
        aversion: absolute risk aversion, per unit of the spot at the start.
        step_years: length of one step.
    """
    steps = inputs.delta.shape[1]
    vol = 0.5 * np.exp(2.0 * inputs.features[..., 3])
    root = np.sqrt(step_years * np.arange(steps, 0, -1))
    spot = inputs.spot[:, :-1]
    gamma = inputs.density / (spot * vol * root)
    return np.asarray(np.cbrt(1.5 * cost * spot * gamma**2 / aversion), dtype=np.float64)


def within_band(target: Floats, width: Floats) -> Floats:
    """The hedge that moves to the nearer edge of target +- width only when it is outside; it starts from 0."""
    held = np.zeros(target.shape[0])
    result = np.empty_like(target)
    for step in range(target.shape[1]):
        held = np.clip(held, target[:, step] - width[:, step], target[:, step] + width[:, step])
        result[:, step] = held
    return result
