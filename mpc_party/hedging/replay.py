"""The joint program in the clear: what a round's table must be, given all inputs and weights. For audits and tests.

Float64 all through, on the same public integers, so that only the truncations of the fixed point are missing: the opened
table lies within `allowance` of this one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.chebyshev import Output
from mpc_party.hedging.model import FEATURES, MINIMUM_VARIANCE, POLICY, policy_reaches, policy_weights
from mpc_party.hedging.outputs import Column
from mpc_party.hedging.public import FIRST_SCENARIO, Derived, PublicInputs

Floats = NDArray[np.float64]
Words = NDArray[np.int64]


def replay(public: PublicInputs, market: Sequence[Words], kind: str, weights: Floats) -> Floats:
    """The table (7, n) of `Column`, in the units of the decoded opened one.

    Args:
        public: as the parties derived it from the proposal.
        market: each party's market words, (E + 1, 3).
        kind: of the model.
        weights: its weights as dealt, decoded.
    """
    unit = np.float64(2.0**-public.program.fraction_bits)
    inputs = np.median(np.stack(market), axis=0) * unit
    surface, flow = inputs[:-1], inputs[-1]
    u = (public.surface_map * unit * surface[public.expiry_index]).sum(axis=1)
    columns = _polynomials(public.coefficients * unit, u)
    delta, density = columns[Output.DELTA], columns[Output.DENSITY]
    call_delta = delta + np.where(public.call, 0.0, 1.0)
    if kind == MINIMUM_VARIANCE:
        a, b, c = weights
        adjustment = a + b * call_delta + c * call_delta**2
    else:
        parts = policy_weights(weights)
        features = np.stack(
            [
                call_delta - 0.5,
                density,
                public.root_time_feature * unit,
                columns[Derived.LOG_VOL],
                np.full(public.count, flow[0]),
                np.full(public.count, flow[1]),
            ],
            axis=1,
        )
        hidden = (features @ parts.first.T + parts.first_bias) ** 2
        hidden = (hidden @ parts.second.T + parts.second_bias) ** 2
        adjustment = hidden @ parts.last + parts.last_bias[0]
    table = np.empty((len(Column), public.count))
    table[: len(Output)] = columns[: len(Output)]
    table[Column.HEDGE_DELTA] = delta + density * adjustment
    table[Column.SCENARIO_LOSS] = columns[FIRST_SCENARIO:].max(axis=0)
    return table


def _polynomials(coefficients: Floats, u: Floats) -> Floats:
    """Chebyshev sums of coefficients (m, degree + 1, n) at u (n,), by the recurrence, which also holds beyond [-1, 1]."""
    basis = [np.ones_like(u), u]
    while len(basis) < coefficients.shape[1]:
        basis.append(2.0 * u * basis[-1] - basis[-2])
    result: Floats = np.einsum("okn,kn->on", coefficients, np.stack(basis))
    return result


# In units in the last place, by `Column`. Measured on four real chains of 628 to 884 options: at most 4.4, 1.2, 1.2, 1.4, 1.0,
# 2.0 and 1.0. At the ends of the band, where the polynomials' own rounding grows: 9.7, 4.8, 11, 7.8, 1.5, 7.6 and 2.6.
_ALLOWED = (32.0, 12.0, 24.0, 20.0, 8.0, 24.0, 8.0)
# Of committees of five and seven, whose truncations have deviations of 0.58 and 0.65 units instead of 0.41, on six chains: at most
# 4.2, 1.9, 1.9, 2.1, 1.8, 2.8, 1.9 and 7.5, 2.1, 2.3, 2.7, 2.0, 3.0, 2.0; at the ends of the band, 1.7 to 2.1 times as much as three.
_WIDER = {3: 1.0, 5: 1.6, 7: 2.0}


# Standard deviations of what reaches the network's first layer, by `model.FEATURES`, and of one truncation, with three parties:
# measured, and 1/sqrt(6) rounded up. Eight of the result's are allowed; of honest networks at most 2.5 were seen.
_FEATURE_ERRORS = (2.0, 2.0, 0.3, 1.0, 0.3, 0.3)
_TRUNCATION = 0.5
_DEVIATIONS = 8.0


def allowance(
    public: PublicInputs, kind: str = MINIMUM_VARIANCE, weights: Floats | None = None, parties: int = 3
) -> Floats:
    """How far each column (7,) of an honest opened table may lie from `replay`: truncations of the fixed point only.

    A network can make more of a rounding error than the quadratic does; how much is worked out from its weights, which are
    needed for that kind only. Committees of five and seven round more coarsely than those of three.
    """
    allowed = _WIDER[parties] * np.array(_ALLOWED)
    if kind == POLICY:
        if weights is None:
            raise ValueError("the allowance of a network depends on its weights")
        allowed[Column.HEDGE_DELTA] = max(
            allowed[Column.HEDGE_DELTA], _WIDER[parties] * _DEVIATIONS * _network_rounding(weights)
        )
    return allowed * 2.0**-public.program.fraction_bits


def _network_rounding(weights: Floats) -> float:
    """Standard deviation of the network's adjustment, in units in the last place, if roundings are independent, with three parties."""
    parts, (first, second, last) = policy_weights(weights), policy_reaches(weights)
    variance = np.square(np.array(_FEATURE_ERRORS))
    for matrix, reach in ((parts.first, first), (parts.second, second)):
        variance = np.square(matrix) @ variance + _TRUNCATION**2
        variance = np.square(2.0 * reach) * variance + _TRUNCATION**2
    adjustment = float(np.square(parts.last) @ variance) + _TRUNCATION**2
    density = FEATURES[1].high
    return float(np.sqrt(density**2 * adjustment + (last * _TRUNCATION) ** 2 + _TRUNCATION**2))
