"""Margin scenarios: what a short option may lose when forward and vol move, as polynomials in the secret log-vol.

A scenario moves the forward by a fraction and multiplies the vol; a weight below one stands for a move so large that only part
of its loss is to be covered. The maintenance margin of one short option is the worst scenario's loss, as a fraction of
the forward; the initial margin is a fixed multiple of it. Which scenario is worst depends on the secret vol.

Source: CME, "SPAN: standard portfolio analysis of risk", 1988 (scan over price and vol, extreme moves at a part of their
loss); the moves are the consortium's to set (`Program.scenarios`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.chebyshev import chebyshev_nodes, coefficients_of
from mpc_party.market.black76 import greeks
from mpc_party.protocol.consortium import Scenario

Floats = NDArray[np.float64]


def short_losses(
    moneyness: Floats, vol: Floats, time: Floats, call: NDArray[np.bool_], scenarios: Sequence[Scenario]
) -> Floats:
    """Weighted losses of one short option per scenario, as fractions of the forward: (S, ...); arguments broadcast.

    loss = weight * ((1 + move) * price(strike / (1 + move), vol * factor) - price(strike, vol)), undiscounted, no time passing.
    The prices of in-the-money options come from the out-of-the-money side, which keeps the digits.
    """
    base = _premium(moneyness, vol, time, call)
    return np.stack(
        [
            each.weight
            * (
                (1.0 + each.move) * _premium(moneyness / (1.0 + each.move), vol * each.vol_factor, time, call)
                - base
            )
            for each in scenarios
        ]
    )


def scenario_table(
    moneyness: Floats,
    reference_vol: Floats,
    time: Floats,
    call: NDArray[np.bool_],
    band: float,
    degree: int,
    scenarios: Sequence[Scenario],
) -> Floats:
    """Chebyshev coefficients of `short_losses`, (S, degree + 1, n); arguments of shape (n,): see `coefficient_table`."""
    ratio = np.exp(band * chebyshev_nodes(degree))[:, None]
    # A put loses what the call of its strike loses less the forward's move: one evaluation for both.
    losses = short_losses(
        moneyness, reference_vol * ratio, time, np.ones_like(call, dtype=np.bool_), scenarios
    )
    table = coefficients_of(losses, degree)
    moves = np.array([each.weight * each.move for each in scenarios])
    table[:, 0] -= np.where(call, 0.0, moves[:, None])
    return table


def _premium(moneyness: Floats, vol: Floats, time: Floats, call: NDArray[np.bool_]) -> Floats:
    time_value = greeks(moneyness, vol, time, moneyness >= 1.0).premium
    intrinsic = np.maximum(np.where(call, 1.0 - moneyness, moneyness - 1.0), 0.0)
    return np.asarray(time_value + intrinsic, dtype=np.float64)
