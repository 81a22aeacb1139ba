"""What one desk knows of the market, and how it becomes the desk's private input.

`RecordedChain` and `SimulatedMarket` are sources; a `DeskView` is what one desk sees of a source; `clean` drops and
counts what cannot be used; `fit_surface` turns the rest into the few numbers that the desk shares.
"""

from mpc_party.market.chain import ChainSnapshot, MarketSource
from mpc_party.market.desk import DeskView
from mpc_party.market.errors import MarketDataError
from mpc_party.market.quotes import Quotes, VolQuotes, clean
from mpc_party.market.recorded import RecordedChain
from mpc_party.market.simulated import SimulatedMarket
from mpc_party.market.source import open_source
from mpc_party.market.surface import Grid, SurfaceFit, fit_surface

__all__ = [
    "ChainSnapshot",
    "DeskView",
    "Grid",
    "MarketDataError",
    "MarketSource",
    "Quotes",
    "RecordedChain",
    "SimulatedMarket",
    "SurfaceFit",
    "VolQuotes",
    "clean",
    "fit_surface",
    "open_source",
]
