"""The joint computation of one round, whole: what is public, what is private, and what is opened.

Public     the book, forwards, reference vols and margin scenarios (`PublicInputs`: basis, Chebyshev coefficients)
Private    per party: surface coefficients, order flow and positions (`Snapshot`); of the consortium: the hedge model
Opened     what `opening` lists, in one place

Steps, with rounds on the mesh for three parties (MV: minimum-variance quadratic, policy: the network):

    1. share the private inputs                                             1
    2. aggregate market inputs: the median (`aggregate.median_input`)       3
    3. log-vol deviation u per instrument: a public linear map              0
    4. Chebyshev polynomials T_2 .. T_d of u, by doubling                   ceil(log2 d) = 4
    5. vol ratio, greeks, time value, losses per scenario: linear           0
    6. hedge delta: delta + density * model(features), secret weights       3 (MV), 6 (policy)
    7. worst scenario per instrument and per portfolio, net exposures,      6
       and, beside them, who put in what is out of range, which is opened
    8. open the rest, if nobody did                                         1

    18 rounds with the quadratic, 21 with the network. Linear steps take what position 0 deals ahead (`secure.three`).
    With five and seven parties it is 24 and 27 rounds, and before the inputs 22 and 24 more (`secure.preparing`).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.hedging.aggregate import median_input
from mpc_party.hedging.chebyshev import Output
from mpc_party.hedging.hedge_model import hedge_adjustment
from mpc_party.hedging.model import COUNTS
from mpc_party.hedging.opening import open_round, open_violations
from mpc_party.hedging.outputs import Opened
from mpc_party.hedging.public import FIRST_SCENARIO, Derived, PublicInputs
from mpc_party.hedging.snapshot import COLUMNS, Snapshot
from mpc_party.secure import (
    PrivateInput,
    ReplicatedShares,
    SecureSession,
    chebyshev_series,
    constant,
    largest,
    prepare_for,
    reduce,
    share_many,
    together,
)
from mpc_party.secure.encoding import FixedPoint
from mpc_party.secure.steps import Steps, collective


def compute(
    session: SecureSession, public: PublicInputs, snapshot: Snapshot, kind: str, model: ReplicatedShares
) -> Opened:
    """Run the program. Collective: all committee members call it with equal `public` and `kind`.

    Args:
        session: the committee's secure session, set up and current.
        public: equal at all parties (compare `public.digest` beforehand).
        snapshot: this party's private input.
        kind: of the model, one of `model.COUNTS`.
        model: shares of its weights, shape (count,).

    Returns:
        What was opened to this party; call `check_range` on it before use.

    Reveals: what `opening` lists.
    """
    prepare_for(
        session,
        lambda rehearsal: _run(rehearsal, public, _blank(public), kind, _no_model(rehearsal, kind)),
        ("hedging", kind, len(public.grid.expiry), public.coefficients.shape, public.surface_map.shape),
    )
    return _run(session, public, snapshot, kind, model)


def _blank(public: PublicInputs) -> Snapshot:
    """A snapshot of zeros, of the same shapes as every party's."""
    expiries = len(public.grid.expiry)
    return Snapshot(
        np.zeros((expiries, COLUMNS)), np.zeros(COLUMNS), np.zeros(public.count), public.program.fraction_bits
    )


def _no_model(session: SecureSession, kind: str) -> ReplicatedShares:
    words = torch.zeros((len(session.held), COUNTS[kind]), dtype=torch.int64)
    return ReplicatedShares(session, words, session.fraction_bits)


def _run(
    session: SecureSession, public: PublicInputs, snapshot: Snapshot, kind: str, model: ReplicatedShares
) -> Opened:
    with session:
        markets, positions = _share(session, public, snapshot)
        market = median_input(markets)
        surface, flow = market[: len(public.grid.expiry)], market[len(public.grid.expiry)]
        deviation = log_vol_deviation(public, surface)
        columns = outputs(public, deviation)
        delta = columns[Output.DELTA]
        hedge_delta = delta + hedge_adjustment(kind, model, _features(public, columns, flow))
        owned = ReplicatedShares.stack([hedge_delta, columns[Derived.GAMMA], columns[Derived.VEGA]], dim=0)
        losses = columns[FIRST_SCENARIO:]
        worst, exposures, violations = together(
            worst_loss.steps(losses),
            net_exposures.steps(positions, owned, losses),
            open_violations.steps(markets),
        )
        table = ReplicatedShares.stack(
            [
                columns[Output.VOL_RATIO],
                delta,
                columns[Output.DENSITY],
                columns[Output.GAMMA_SHAPE],
                columns[Output.TIME_VALUE],
                hedge_delta,
                worst,
            ],
            dim=0,
        )
        return open_round(table, violations, exposures)


def _share(
    session: SecureSession, public: PublicInputs, snapshot: Snapshot
) -> tuple[list[ReplicatedShares], ReplicatedShares]:
    """The parties' market inputs, (E + 1, 3) each, and their positions, (parties, n). One round."""
    scale = 2.0**-session.fraction_bits
    own = ((len(public.grid.expiry) + 1, COLUMNS), snapshot.market), ((public.count,), snapshot.positions)
    inputs = [
        PrivateInput(owner, shape, torch.from_numpy(words * scale) if owner == session.position else None)
        for shape, words in own
        for owner in range(session.parties)
    ]
    shared = share_many(inputs)
    return shared[: session.parties], ReplicatedShares.stack(shared[session.parties :], dim=0)


def _features(
    public: PublicInputs, columns: ReplicatedShares, flow: ReplicatedShares
) -> dict[str, ReplicatedShares]:
    """What the hedge model sees of each instrument, (n,) each.

    By the call's delta for puts too: what the vol does when the forward moves is the same for both, so that a put and a
    call of one strike keep hedge deltas that differ by one.
    """
    ones = torch.ones(public.count, dtype=torch.int64)
    return {
        "call_delta": columns[Output.DELTA] + torch.from_numpy(np.where(public.call, 0, 1)),
        "density": columns[Output.DENSITY],
        "root_time": constant(_public(public.root_time_feature, public), public.program.fraction_bits),
        "log_vol": columns[Derived.LOG_VOL],
        "imbalance": flow[0] * ones,
        "realised": flow[1] * ones,
    }


def log_vol_deviation(public: PublicInputs, surface: ReplicatedShares) -> ReplicatedShares:
    """Log-vol deviation u = log(vol / reference) / band per instrument, (n,), from the surface's coefficients, (E, 3)."""
    rows = surface[torch.from_numpy(public.expiry_index)]
    return reduce((rows * _public(public.surface_map, public)).sum(dim=1))


def outputs(public: PublicInputs, u: ReplicatedShares) -> ReplicatedShares:
    """The rows of `PublicInputs.coefficients`, (8 + S, n): polynomials in the log-vol deviation u, (n,)."""
    higher, lowest = public.coefficients[:, 1:], public.coefficients[:, 0]
    return chebyshev_series(u, _public(higher, public), _public(lowest, public))


@collective
def worst_loss(losses: ReplicatedShares) -> Steps[ReplicatedShares]:
    """The worst scenario per instrument: (S, n) to (n,), exact. Collective; 5 rounds for 8 scenarios, 6 with more than three parties.

    A loss lies within 2 of the forward (a move is at most 1), so that differences lie within 4.
    """
    return (yield from largest.steps(losses, bits=losses.fraction_bits + 4))


@collective
def net_exposures(
    positions: ReplicatedShares, owned: ReplicatedShares, losses: ReplicatedShares
) -> Steps[list[ReplicatedShares]]:
    """What each party's positions add up to. Collective; a round more than `worst_loss`, a word per sum.

    Args:
        positions: (parties, n), a row per party, within 1.
        owned: (3, n): hedge delta, gamma, vega.
        losses: (S, n) of one short option per scenario; what a long one gains.

    Returns:
        per party (4,): net delta, gamma, vega and the loss of the whole portfolio in its worst scenario.
    """
    rows = ReplicatedShares.cat([owned, -losses], dim=0)
    sums = yield from reduce.steps(positions @ rows.t())
    # n positions within 1, losses within 2: differences within 4 n.
    bits = losses.fraction_bits + 4 + (positions.shape[1] - 1).bit_length()
    worst = yield from largest.steps(sums[:, 3:].t(), bits=bits)
    return [ReplicatedShares.cat([sums[p, :3], worst[p : p + 1]], dim=0) for p in range(len(positions))]


def _public(words: NDArray[np.int64], public: PublicInputs) -> FixedPoint:
    return FixedPoint(torch.from_numpy(np.ascontiguousarray(words)), public.program.fraction_bits)


__all__ = ["compute", "log_vol_deviation", "net_exposures", "outputs", "worst_loss"]
