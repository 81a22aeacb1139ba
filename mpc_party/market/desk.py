"""One desk's view of a market: what this desk sees of it, and only this desk.

A real desk has feeds of its own: its quotes are taken as they are, with the moments at which they were heard. Over a
recording or a simulation, the view stands in for such feeds: a part of the chain (`coverage`), quotes moved by an
error of the desk's own (`noise`, relative to vol), seen at moments of its own. The view's seed is then the desk's
secret, as its feeds would be.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.market.black76 import greeks, years
from mpc_party.market.chain import ChainSnapshot, MarketSource
from mpc_party.market.quotes import Quotes
from mpc_party.market.streams import normal, uniform
from mpc_party.protocol.secret import Secret

MEAN_AGE = 60.0  # seconds, exponentially distributed


@dataclass(frozen=True, repr=False)
class DeskView(Secret):
    """A private, noisy, partial view of `source`, determined by `seed`; of a live source, the quotes themselves."""

    source: MarketSource
    seed: str
    coverage: float = 0.7
    noise: float = 0.01

    def __repr__(self) -> str:
        return f"DeskView({type(self.source).__name__}, coverage={self.coverage}, noise={self.noise})"

    def at(self, observed_at: int) -> Quotes:
        """The desk's quotes at a moment of the market.

        Raises:
            MarketDataError: the source has nothing for that moment.
        """
        chain = self.source.at(observed_at)
        if chain.seen_at is not None:  # the desk's own feed: nothing to stand in for
            return Quotes(
                chain.seen_at, chain.expiry, chain.strike, chain.call, chain.forward, chain.bid, chain.ask
            )
        label = f"view/{self.seed}/{observed_at}"
        seen = uniform(f"{label}/coverage", len(chain)) < self.coverage
        shift = self._price_shift(chain, normal(f"{label}/noise", len(chain)))
        age = np.floor(-MEAN_AGE * np.log(uniform(f"{label}/age", len(chain)))).astype(np.int64)
        return Quotes(
            (observed_at - age)[seen],
            chain.expiry[seen],
            chain.strike[seen],
            chain.call[seen],
            chain.forward[seen],
            (chain.bid + shift)[seen],
            (chain.ask + shift)[seen],
        )

    def _price_shift(self, chain: ChainSnapshot, error: NDArray[np.float64]) -> NDArray[np.float64]:
        vol = np.where(np.isfinite(chain.mark_vol), chain.mark_vol, 0.5)
        time = years(chain.expiry, chain.observed_at)
        vega = greeks(chain.strike / chain.forward, vol, time, chain.call).vega
        return np.asarray(self.noise * error * vol * vega, dtype=np.float64)
