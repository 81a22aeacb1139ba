"""The median of three and the largest of several secrets, exact, in as few rounds as all comparisons side by side take.

Every pair is compared at once, the signs stay bits until one bit per candidate says whether it is chosen, and one
selection per candidate adds up to the result. A tournament of maxima takes a comparison's rounds per level instead.

`bits` is a promise, as in `comparison`: the ring words of all differences lie in [-2^(bits-1), 2^(bits-1)).
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.randomness import Words
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares, same_session
from mpc_party.secure.steps import Steps, collective


@collective
def median_of_three(
    x: ReplicatedShares, y: ReplicatedShares, z: ReplicatedShares, *, bits: int = RING_BITS
) -> Steps[ReplicatedShares]:
    """The middle one of x, y and z, elementwise and exact, all of one shape. Collective.

    Whatever one of the three is, the result lies between the two others.

    Cost: the rounds of one comparison, with three of them and two selections side by side. Revealed: nothing.
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

    Cost: the rounds of one comparison and those of a conjunction of S - 1 bits; S (S - 1) / 2 comparisons.
    Revealed: nothing.
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
    chosen = yield from scheme_of(session).and_planes(session, np.stack(wins, axis=2))
    return (yield from _selected(session, values, chosen)).sum(0)


def _less_than(
    session: SecureSession, pairs: Sequence[tuple[ReplicatedShares, ReplicatedShares]], bits: int
) -> Steps[tuple[list[Words], Words]]:
    """A plane of bits (components, M) per pair, M words for the elements of one; and the plane of ones, to negate with."""
    difference = ReplicatedShares.stack([x - y for x, y in pairs], dim=0)
    arranged = _arranged(difference.words)
    scheme = scheme_of(session)
    plane = yield from scheme.sign_plane(session, arranged.reshape(len(arranged), -1).numpy(), bits)
    planes = plane.reshape(len(arranged), len(pairs), -1)
    ones = scheme.public_plane(session, np.full(planes.shape[2:], -1, dtype=np.int64))
    return [planes[:, index] for index in range(len(pairs))], ones


def _selected(session: SecureSession, values: ReplicatedShares, planes: Words) -> Steps[ReplicatedShares]:
    """Values (K, ...) where the planes (components, K, M) have a one, else 0."""
    count, elements = values.shape[0], values.shape[1:].numel()
    arranged = _arranged(values.words)
    held = len(arranged)
    chosen = yield from scheme_of(session).select(
        session, arranged.numpy(), np.ascontiguousarray(planes.reshape(held, -1))
    )
    words = torch.from_numpy(chosen).permute(0, 2, 1, 3).reshape(held, count, -1)[:, :, :elements]
    return ReplicatedShares(session, words.reshape(held, *values.shape), values.fraction_bits)


def _arranged(words: torch.Tensor) -> torch.Tensor:
    """Words (components, K, ...) as (components, 64, K, M), padded with zeros.

    Element k M + m of each of the K lies at [k, :, m]. That is where a plane of all of them looks for it (`bits.to_planes`), so that each of the K has words of its own.
    """
    held, count = words.shape[:2]
    flat = words.reshape(held, count, -1)
    padded = torch.nn.functional.pad(flat, (0, -flat.shape[2] % RING_BITS))
    return padded.reshape(held, count, RING_BITS, -1).permute(0, 2, 1, 3).contiguous()
