"""One moment of a market by expiry, for a model's owner to look at: quoted vols, the fit on them, delta and hedge delta."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.adjustment import adjustment
from models.model_file import ModelFile
from mpc_party.market.black76 import SECONDS_PER_YEAR, greeks
from mpc_party.market.chain import ChainSnapshot
from mpc_party.market.quotes import Quotes, VolQuotes, clean
from mpc_party.market.surface import Grid, fit_surface

Floats = NDArray[np.float64]

SHOWN: Final = 6  # expiries
POINTS: Final = 101
LEAST_QUOTES: Final = 8  # on an expiry that is shown
SHOWN_DEVIATIONS: Final = (
    3.0  # of the log forward at expiry, either way: farther out, quotes are mostly spread
)
BAND: Final = 1.4  # half-width of the fit's deviations in log-vol, as in a consortium's program


class Slice(NamedTuple):
    """One expiry. Moneyness is log(strike / forward), vols are annual fractions, deltas are the call's."""

    days: float
    quoted_moneyness: Floats  # (quotes,)
    quoted_vol: Floats  # (quotes,)
    moneyness: Floats  # (101,)
    vol: Floats  # (101,)
    delta: Floats  # (101,)
    hedge_delta: Floats  # (101,)


def slices(chain: ChainSnapshot, model: ModelFile) -> list[Slice]:
    """Up to six expiries, spread over those with enough quotes; none where no expiry has enough."""
    forwards = chain.forwards()
    seen_at = np.full(len(chain), chain.observed_at, dtype=np.int64)
    quotes, _ = clean(
        Quotes(seen_at, chain.expiry, chain.strike, chain.call, chain.forward, chain.bid, chain.ask),
        forwards,
        chain.observed_at,
        0,
    )
    expiries = [e for e in forwards if np.count_nonzero(quotes.expiry == e) >= LEAST_QUOTES]
    if not expiries:
        return []
    grid = Grid(
        chain.observed_at,
        np.array(expiries, dtype=np.int64),
        np.array([forwards[e] for e in expiries]),
        np.array([_at_money(quotes, e, forwards[e]) for e in expiries]),
    )
    coefficients = fit_surface(grid, quotes, BAND).coefficients
    shown = np.unique(np.linspace(0, len(expiries) - 1, SHOWN).round().astype(np.int64))
    found = (_slice(grid, int(index), quotes, coefficients[index], model) for index in shown)
    return [one for one in found if one is not None]


def _slice(grid: Grid, index: int, quotes: VolQuotes, coefficients: Floats, model: ModelFile) -> Slice | None:
    """None where all quotes are too far out to be shown."""
    forward, time = grid.forward[index], np.full(POINTS, grid.time[index])
    reach = SHOWN_DEVIATIONS * grid.reference_vol[index] * np.sqrt(grid.time[index])
    rows = (quotes.expiry == grid.expiry[index]) & (np.abs(np.log(quotes.strike / forward)) < reach)
    if not rows.any():
        return None
    quoted = np.log(quotes.strike[rows] / forward)
    moneyness = np.linspace(quoted.min(), quoted.max(), POINTS)
    basis = grid.basis(np.full(POINTS, index, dtype=np.int64), forward * np.exp(moneyness))
    vol = grid.reference_vol[index] * np.exp(basis @ coefficients)
    at = greeks(np.exp(moneyness), vol, time, np.ones(POINTS, dtype=np.bool_))
    density = at.vega / np.sqrt(time)
    return Slice(
        float(grid.expiry[index] - grid.observed_at) / SECONDS_PER_YEAR * 365,
        quoted,
        quotes.vol[rows],
        moneyness,
        vol,
        at.delta,
        at.delta + adjustment(model, at.delta, density, time, vol),
    )


def _at_money(quotes: VolQuotes, expiry: int, forward: float) -> float:
    rows = np.flatnonzero(quotes.expiry == expiry)
    return float(quotes.vol[rows[np.argmin(np.abs(np.log(quotes.strike[rows] / forward)))]])
