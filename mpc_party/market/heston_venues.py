"""The venues of the simulated market: what sets each one's prices apart from the others'."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.streams import normal

Array = NDArray[np.float64]

_BASIS_SECONDS = 600


@dataclass(frozen=True)
class Venue:
    """One venue.

    Attributes:
        name: as in `heston:SEED@name`.
        tick: of option prices, in coin.
        spread: half the spread of an option, relative to its vol (times vega; at least half a tick).
        lag: seconds by which the venue sees the spot late.
        basis: standard deviation of log(the venue's spot / the market's); it wanders over hours.
        spot_spread: half the spread of the spot, relative.
        size: mean amount of a trade and of a best quote, in coin.
    """

    name: str
    tick: float
    spread: float
    lag: int
    basis: float
    spot_spread: float
    size: float

    def log_basis(self, seed: int, moment: int) -> float:
        """log(the venue's spot / the market's) at a moment, which is continuous in time.

        The sum of six independent numbers, one of each ten minutes, whose weights rise and fall over the hour.
        """
        if self.basis == 0.0:
            return 0.0
        block, within = divmod(moment, _BASIS_SECONDS)
        numbers = np.array([normal(f"{seed}/heston/basis/{self.name}/{block - k}", 1)[0] for k in range(6)])
        age = (np.arange(6) + within / _BASIS_SECONDS) / 6.0
        weight = np.sin(np.pi * age)
        return float(self.basis * (weight @ numbers) / np.sqrt(weight @ weight))


VENUES = (
    Venue("a", tick=0.0001, spread=0.010, lag=0, basis=0.0, spot_spread=2e-5, size=0.4),
    Venue("b", tick=0.0005, spread=0.008, lag=2, basis=5e-5, spot_spread=5e-5, size=0.2),
    Venue("c", tick=0.0002, spread=0.020, lag=4, basis=1e-4, spot_spread=1e-4, size=0.1),
)
NAMES = tuple(venue.name for venue in VENUES)
