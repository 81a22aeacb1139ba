"""The joint computation of one round, whole: what is public, what is private, and what is opened.

Public     the book, forwards and reference vols (`PublicInputs`: basis, Chebyshev coefficients)
Private    per party: surface coefficients and weight per expiry (`Snapshot`); of the consortium: the model (a, b, c)
Opened     the table of `Column`: vol ratio, delta, density, gamma shape, time value and hedge delta per instrument

Nothing else is opened: `open_words_many` stands once in this file and nowhere else in this package.

Steps, with rounds on the mesh for three parties:

    1. share the private inputs                                        1
    2. aggregate them to one surface (`aggregate.weighted_mean`)      12
    3. log-vol deviation u per instrument: a public linear map         1
    4. Chebyshev polynomials T_2 .. T_d of u, by doubling              2 ceil(log2 d) = 8
    5. vol ratio, delta, density, gamma shape, time value: linear      1
    6. hedge delta: delta + density * model(delta), secret weights     6
    7. open the table                                                  1
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.hedging.aggregate import weighted_mean
from mpc_party.hedging.chebyshev import Output
from mpc_party.hedging.hedge_model import hedge_adjustment
from mpc_party.hedging.outputs import Column, Opened
from mpc_party.hedging.public import PublicInputs
from mpc_party.hedging.snapshot import COLUMNS, Snapshot
from mpc_party.secure import (
    PrivateInput,
    ReplicatedShares,
    SecureSession,
    open_words_many,
    reduce,
    share_many,
)
from mpc_party.secure.encoding import FixedPoint


def compute(
    session: SecureSession, public: PublicInputs, snapshot: Snapshot, model: ReplicatedShares
) -> Opened:
    """Run the program. Collective: all three committee members call it with equal `public`.

    Args:
        session: the committee's secure session, set up and current.
        public: equal at all parties (compare `public.digest` beforehand).
        snapshot: this party's private input, (E, 4).
        model: shares of (a, b, c), shape (3,).

    Returns:
        The opened table, equal at all parties; call `check_range` on it before use.

    Reveals: the table to the whole committee; nothing else to anyone.
    """
    expiries = len(public.grid.expiry)
    with session:
        inputs = share_many(
            [
                PrivateInput(
                    owner=owner,
                    shape=(expiries, COLUMNS),
                    value=_decoded(snapshot.words, session.fraction_bits)
                    if owner == session.position
                    else None,
                )
                for owner in range(3)
            ]
        )
        surface = weighted_mean(inputs)
        deviation = log_vol_deviation(public, surface)
        columns = outputs(public, chebyshev_basis(deviation, public.program.degree))
        delta, density = columns[Output.DELTA], columns[Output.DENSITY]
        # By the call's delta for puts too: what the vol does when the forward moves is the same for both, so that a
        # put and a call of one strike keep hedge deltas that differ by one.
        call_delta = delta + torch.from_numpy(np.where(public.call, 0, 1))
        hedge_delta = delta + hedge_adjustment(call_delta, density, model)
        table = ReplicatedShares.stack(
            [
                columns[Output.VOL_RATIO],
                delta,
                density,
                columns[Output.GAMMA_SHAPE],
                columns[Output.TIME_VALUE],
                hedge_delta,
            ],
            dim=0,
        )
        (opened,) = open_words_many([table])
    return Opened(opened.numpy().reshape(len(Column), public.count), session.fraction_bits)


def log_vol_deviation(public: PublicInputs, surface: ReplicatedShares) -> ReplicatedShares:
    """Log-vol deviation u = log(vol / reference) / band per instrument, (n,), from the surface's coefficients, (E, 3)."""
    rows = surface[torch.from_numpy(public.expiry_index)]
    return reduce((rows * _public(public.surface_map, public)).sum(dim=1))


def chebyshev_basis(u: ReplicatedShares, degree: int) -> list[ReplicatedShares]:
    """T_1(u) .. T_degree(u), each of shape (n,): T_{a+b} = 2 T_a T_b - T_{a-b}, doubling the degree each two rounds.

    T_0 = 1 is public and left out.
    """
    known = [u]
    while len(known) < degree:
        top = len(known)
        wanted = range(top + 1, min(2 * top, degree) + 1)
        # Split k into halves that differ by at most one, so that T_{a-b} is 1 or u.
        pairs = [((k + 1) // 2, k // 2) for k in wanted]
        left = ReplicatedShares.stack([known[a - 1] for a, _ in pairs], dim=0)
        right = ReplicatedShares.stack([known[b - 1] for _, b in pairs], dim=0)
        doubled = reduce(left * right * 2)
        known += [doubled[i] - (u if a != b else 1.0) for i, (a, b) in enumerate(pairs)]
    return known


def outputs(public: PublicInputs, basis: Sequence[ReplicatedShares]) -> ReplicatedShares:
    """The five outputs of `chebyshev.Output`, shape (5, n): public coefficients on T_0 .. T_d, one truncation."""
    higher, constant = public.coefficients[:, 1:], public.coefficients[:, 0]
    polynomials = ReplicatedShares.stack(list(basis), dim=0)
    return reduce((polynomials.unsqueeze(0) * _public(higher, public)).sum(dim=1) + _public(constant, public))


def _public(words: NDArray[np.int64], public: PublicInputs) -> FixedPoint:
    return FixedPoint(torch.from_numpy(np.ascontiguousarray(words)), public.program.fraction_bits)


def _decoded(words: NDArray[np.int64], fraction_bits: int) -> torch.Tensor:
    return torch.from_numpy(words / float(1 << fraction_bits))


__all__ = ["chebyshev_basis", "compute", "log_vol_deviation", "outputs"]
