"""The median of three and the largest of several secrets, exact, in as few rounds as all comparisons side by side take.

Every pair is compared at once, the signs stay bits until one bit per candidate says whether it is chosen, and one
selection per candidate adds up to the result. A tournament of maxima takes a comparison's rounds per level instead.

`bits` is a promise, as in `comparison`: the ring words of all differences lie in [-2^(bits-1), 2^(bits-1)).
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from mpc_party.secure.binary import and_all, sign_plane
from mpc_party.secure.conversion import select
from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares, same_session
from mpc_party.secure.steps import Steps, collective


@collective
def median_of_three(
    x: ReplicatedShares, y: ReplicatedShares, z: ReplicatedShares, *, bits: int = RING_BITS
) -> Steps[ReplicatedShares]:
    """The middle one of x, y and z, elementwise and exact, all of one shape. Collective.

    Whatever one of the three is, the result lies between the two others.

    Cost: 4 + ceil(log2(bits - 1)) rounds. Revealed: nothing.
    """
    session = same_session((x, y, z))
    (x_y, x_z, y_z), _ = yield from _less_than(session, [(x, y), (x, z), (y, z)], bits)
    # x is the middle one where one of the others is less than it and one is not; z likewise.
    chosen = np.stack([x_y ^ x_z, x_z ^ y_z], axis=1)
    moved = yield from _selected(session, ReplicatedShares.stack([x - y, z - y], dim=0), chosen)
    return y + moved.sum(0)


@collective
def largest(values: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """The largest along dimension 0, exact: (S, ...) to (...). Collective.

    Cost: 4 + ceil(log2(bits - 1)) + ceil(log2(S - 1)) rounds; S (S - 1) / 2 comparisons. Revealed: nothing.
    """
    session = values.session
    count = values.shape[0]
    rows = [values[i] for i in range(count)]
    if count == 1:
        return rows[0]
    pairs = list(itertools.combinations(range(count), 2))
    planes, ones = yield from _less_than(session, [(rows[i], rows[j]) for i, j in pairs], bits)
    less = dict(zip(pairs, planes, strict=True))
    # Of equal ones the first wins: i < j holds against j unless x_i < x_j, j against i only if x_i < x_j.
    wins = [
        np.stack([less[j, i] if j < i else less[i, j] ^ ones for j in range(count) if j != i], axis=1)
        for i in range(count)
    ]
    chosen = yield from and_all(session, np.stack(wins, axis=2))
    return (yield from _selected(session, values, chosen)).sum(0)


def _less_than(
    session: SecureSession, pairs: Sequence[tuple[ReplicatedShares, ReplicatedShares]], bits: int
) -> Steps[tuple[list[Words], Words]]:
    """A plane of bits (2, M) per pair, M words for the elements of one; and the plane of ones, to negate with."""
    difference = ReplicatedShares.stack([x - y for x, y in pairs], dim=0)
    arranged = _arranged(difference.words)
    plane = yield from sign_plane(session, arranged.reshape(2, -1).numpy(), bits)
    planes = plane.reshape(2, len(pairs), -1)
    ones = np.zeros_like(planes[:, 0])
    slot = {0: 0, 1: None, 2: 1}[session.position]  # component 0 carries what all know
    if slot is not None:
        ones[slot] = -1
    return [planes[:, index] for index in range(len(pairs))], ones


def _selected(session: SecureSession, values: ReplicatedShares, planes: Words) -> Steps[ReplicatedShares]:
    """Values (K, ...) where the planes (2, K, M) have a one, else 0."""
    count, elements = values.shape[0], values.shape[1:].numel()
    shares = ReplicatedShares(session, _arranged(values.words), values.fraction_bits)
    chosen = yield from select(session, shares, np.ascontiguousarray(planes.reshape(2, -1)))
    words = chosen.words.permute(0, 2, 1, 3).reshape(2, count, -1)[:, :, :elements]
    return ReplicatedShares(session, words.reshape(2, *values.shape), values.fraction_bits)


def _arranged(words: torch.Tensor) -> torch.Tensor:
    """Words (2, K, ...) as (2, 64, K, M), padded with zeros: element k M + m of each of the K lies at [k, :, m].

    That is where a plane of all of them looks for it (`binary.to_planes`), so that each of the K has words of its own.
    """
    count = words.shape[1]
    flat = words.reshape(2, count, -1)
    padded = torch.nn.functional.pad(flat, (0, -flat.shape[2] % RING_BITS))
    return padded.reshape(2, count, RING_BITS, -1).permute(0, 2, 1, 3).contiguous()
