"""Aggregation of the parties' private fits: the mean weighted by secret weights, by Goldschmidt's division.

Part of the joint program, in a file of its own because the rule will change (robust aggregation) and its caller
will not.
"""

from collections.abc import Sequence

import torch

from mpc_party.hedging.snapshot import COLUMNS
from mpc_party.market.surface import LOWEST_WEIGHT
from mpc_party.secure import ReplicatedShares, reduce, reduce_many

ITERATIONS = 4  # after the linear guess: its relative error 0.64 is squared five times, to 8e-7

_LOW = 3 * LOWEST_WEIGHT  # the sum of three weights in [1/16, 1]
_HIGH = 3.0
# Minimax line c0 - c1 x for 1/x on [low, high]: both ends and the middle err by the same relative error.
_SPREAD = (_HIGH + _LOW) ** 2 + 4 * _HIGH * _LOW
_GUESS_AT_ZERO = 8 * (_HIGH + _LOW) / _SPREAD
_GUESS_SLOPE = 8 / _SPREAD


def weighted_mean(inputs: Sequence[ReplicatedShares]) -> ReplicatedShares:
    """Per expiry, sum of w_i c_i over sum of w_i; from (E, 4) shares per party to (E, 3). Collective.

    The weights lie in [1/16, 1] each, which the parties' fits make sure of; a weight outside spoils the result, and
    the range check on what is opened then stops the round. Nothing is opened.

    Rounds: 4 + 2 * (ITERATIONS + 1) = 12; 3 words per element in all and pair of rounds.

    Source: Goldschmidt, "Applications of division by convergence", MIT, 1964; the guess is the minimax line.
    """
    width = COLUMNS - 1
    products = inputs[0][:, :width] * inputs[0][:, width:]
    weight = inputs[0][:, width:]
    for share in inputs[1:]:
        products = products + share[:, :width] * share[:, width:]
        weight = weight + share[:, width:]
    numerator, factor = reduce_many([products, _GUESS_AT_ZERO - _GUESS_SLOPE * weight])
    # N / D = (N F) / (D F): repeat with F = 2 - D until D is 1.
    numerator, denominator = reduce_many([numerator * factor, weight * factor])
    for _ in range(ITERATIONS - 1):
        factor = 2.0 - denominator
        numerator, denominator = reduce_many([numerator * factor, denominator * factor])
    return reduce(numerator * (2.0 - denominator))


def mean_in_the_clear(inputs: torch.Tensor) -> torch.Tensor:
    """What `weighted_mean` computes, in float64, from inputs of shape (parties, E, 4): for audits and tests."""
    weights = inputs[:, :, COLUMNS - 1 :]
    return (inputs[:, :, : COLUMNS - 1] * weights).sum(dim=0) / weights.sum(dim=0)
