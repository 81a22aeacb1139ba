"""One party's own positions: how they enter a round, and the sums that come back to it alone.

Position words are contracts times the ratio of the expiry's forward to the first one's, so that sums over expiries are in
units of the first expiry's forward; divided by the largest of them, so that words lie within 1. Both are undone by the
owner: the divisor is its own secret and never leaves it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.public import PublicInputs
from mpc_party.hedging.scenarios import short_losses
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.secret import Secret

Floats = NDArray[np.float64]

TOLERANCE = 1e-3  # per unit of position, of each sum against the opened table


@dataclass(frozen=True, repr=False)
class Exposure(Secret):
    """What a party's own positions add up to, in units of the first expiry's forward; known to that party alone.

    `delta`: sum of position * hedge delta. `gamma`: change of that per unit relative move of the forwards. `vega`: per
    1.00 of vol. `scenario_loss`: of the whole portfolio in its worst scenario, negative where even that is a gain.
    """

    delta: float
    gamma: float
    vega: float
    scenario_loss: float

    def __repr__(self) -> str:
        return "Exposure(...)"

    def times(self, scale: float) -> "Exposure":
        """The same for positions so many times as large."""
        return Exposure(self.delta * scale, self.gamma * scale, self.vega * scale, self.scenario_loss * scale)


NO_EXPOSURE = Exposure(0.0, 0.0, 0.0, 0.0)  # of who holds nothing


def scaled_positions(public: PublicInputs, contracts: Floats) -> tuple[Floats, float]:
    """Contracts (n,) as position words in [-1, 1], and the scale that undoes the division (1 where there are none)."""
    forward = public.grid.forward[public.expiry_index]
    positions = contracts * (forward / public.grid.forward[0])
    scale = float(np.abs(positions).max(initial=0.0))
    return (positions / scale, scale) if scale > 0 else (np.zeros(public.count), 1.0)


def check_exposure(public: PublicInputs, table: Floats, positions: Floats, exposure: Exposure) -> None:
    """Compare the private sums with what the opened table (7, n, decoded) gives: a wild truncation does not pass.

    Raises:
        RoundError: COMPUTATION_OUT_OF_RANGE; the message shows no number.
    """
    ratio, _, density, shape, _, hedge_delta, _ = table
    rows = np.stack([hedge_delta, shape * public.gamma_scale, density * np.sqrt(public.time)])
    losses = short_losses(
        public.moneyness, public.reference_vol * ratio, public.time, public.call, public.program.scenarios
    )
    expected = [*(rows @ positions), (-losses @ positions).max()]
    found = (exposure.delta, exposure.gamma, exposure.vega, exposure.scenario_loss)
    sizes = np.array([1.0, 1.0 + public.gamma_scale.max(), 1.0, 1.0])
    if (np.abs(np.array(expected) - found) > TOLERANCE * sizes * (1.0 + np.abs(positions).sum())).any():
        raise RoundError(
            "this party's net exposure does not follow from the opened table",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
            remedy="the round is run again with fresh randomness",
        )
