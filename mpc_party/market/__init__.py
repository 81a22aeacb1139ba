"""What one desk knows of the market, and how it becomes the desk's private input.

`open_source` opens a source of option chains by name: recorded, captured, simulated, or live from a venue (`venues`);
`open_flow` one of order flow. A `DeskView` is what one desk sees of a source; `clean` drops and counts what cannot be
used; `fit_surface` and `flow_row` turn the rest into the few numbers that the desk shares. `Positions` are the desk's own.
"""

from mpc_party.market.chain import ChainSnapshot, FlowSource, MarketSource
from mpc_party.market.desk import DeskView
from mpc_party.market.errors import MarketDataError
from mpc_party.market.flow import FlowFeatures, FlowWindow
from mpc_party.market.heston import HestonMarket
from mpc_party.market.positions import Positions, read_positions
from mpc_party.market.quotes import Quotes, VolQuotes, clean
from mpc_party.market.recorded import RecordedChain
from mpc_party.market.simulated import SimulatedMarket
from mpc_party.market.source import open_flow, open_source
from mpc_party.market.surface import Grid, SurfaceFit, fit_surface

__all__ = [
    "ChainSnapshot",
    "DeskView",
    "FlowFeatures",
    "FlowSource",
    "FlowWindow",
    "Grid",
    "HestonMarket",
    "MarketDataError",
    "MarketSource",
    "Positions",
    "Quotes",
    "RecordedChain",
    "SimulatedMarket",
    "SurfaceFit",
    "VolQuotes",
    "clean",
    "fit_surface",
    "open_flow",
    "open_source",
    "read_positions",
]
