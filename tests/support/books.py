"""Public inputs for the tests of this folder."""

import numpy as np

from mpc_party.hedging.chebyshev import output_values
from mpc_party.hedging.outputs import Column, Opened, exact_losses
from mpc_party.hedging.public import PublicInputs, to_ring
from mpc_party.market import Grid
from mpc_party.protocol.consortium import Program

NOW = 1_767_258_000
HOUR, DAY = 3600, 86_400


def book(
    moneyness=(0.7, 0.9, 1.0, 1.1, 1.4),
    days=(1 / 24, 1.0, 30.0, 365.0),
    reference=0.5,
    program: Program | None = None,
) -> PublicInputs:
    """A put and a call at each moneyness of each expiry; `reference` one vol or one per expiry."""
    expiry = NOW + np.rint(np.array(days) * DAY).astype(np.int64)
    forward = np.linspace(90_000.0, 95_000.0, len(days))
    grid = Grid(NOW, expiry, forward, np.broadcast_to(np.float64(reference), len(days)).copy())
    index = np.repeat(np.arange(len(days)), 2 * len(moneyness))
    strike = np.tile(np.repeat(moneyness, 2), len(days)) * forward[index]
    call = np.tile([False, True], len(strike) // 2)
    return PublicInputs(program or Program(), grid, index, strike, call)


def exact_table(public: PublicInputs, u=0.0, model=(-0.25, 0.4, -0.3)) -> Opened:
    """What a perfect computation would open at log-vol deviations `band * u`, scalar or (n,)."""
    ratio = np.exp(public.program.band * np.broadcast_to(np.float64(u), public.count))
    values = output_values(public.moneyness, public.reference_vol * ratio, public.time, public.call, ratio)
    delta, density = values[Column.DELTA], values[Column.DENSITY]
    a, b, c = model
    hedge = delta + density * (a + b * delta + c * delta**2)
    bits = public.program.fraction_bits
    losses = exact_losses(public, ratio).max(axis=0)
    return Opened(to_ring(np.concatenate([values, hedge[None], losses[None]]), bits), bits)
