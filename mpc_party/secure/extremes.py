"""The median of an odd number and the largest of several secrets, exact, in as few rounds as all comparisons side by side take.

Every pair is compared at once, the signs stay bits until one bit per candidate says whether it is chosen, and one
selection per candidate adds up to the result. A tournament of maxima takes a comparison's rounds per level instead.

`bits` is a promise, as in `comparison`: the ring words of all differences lie in [-2^(bits-1), 2^(bits-1)).
"""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from mpc_party.secure.bits import require_width
from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.randomness import Words
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective


@collective
def median(values: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """The middle one along dimension 0, elementwise and exact: (S, ...) to (...), where S is 1, 3, 5 or 7. Collective.

    Whatever (S - 1) / 2 of them are, the result is not beyond all the others.

    Cost: the rounds of one comparison, and those of two conjunctions of two bits where S > 3; S (S - 1) / 2 comparisons, and
    S - 1 selections, side by side. Revealed: nothing.

    Raises:
        ValueError: S is none of these.
    """
    session = values.session
    count = values.shape[0]
    if count not in {1, 3, 5, 7}:
        raise ValueError(f"medians are of 1, 3, 5 or 7 values, not {count}")
    rows = [values[i] for i in range(count)]
    last = rows.pop()
    if not rows:
        return last
    pairs = list(itertools.combinations(range(count), 2))
    planes, ones = yield from _less_than(session, [(values[i], values[j]) for i, j in pairs], bits)
    less = dict(zip(pairs, planes, strict=True))
    # Those that come before i: j < i if x_j < x_i, j > i unless x_i < x_j, so that of equal ones the last comes first. The
    # middle one has as many of them as not. The last of all is chosen where no other is.
    before = [
        np.stack([less[j, i] if j < i else less[i, j] ^ ones for j in range(count) if j != i], axis=1)
        for i in range(len(rows))
    ]
    chosen = yield from _half(session, np.stack(before, axis=2), ones[:, None])
    moved = yield from _selected(session, ReplicatedShares.stack([x - last for x in rows], dim=0), chosen)
    return last + moved.sum(0)


def _half(session: SecureSession, votes: Words, ones: Words) -> Steps[Words]:
    """Whether half of 2, 4 or 6 bits are one: (components, bits, ...) to (components, ...), in two rounds where more than 2."""
    count = votes.shape[1]
    if count == 2:
        return votes[:, 0] ^ votes[:, 1]
    scheme = scheme_of(session)
    a, b, c = (votes[:, index] for index in range(3))
    odd = a ^ b ^ c  # with their majority, (a ^ c)(b ^ c) ^ c, the two digits of their number
    if count == 4:  # two of them: an even number, and 2 * majority + odd * fourth is one 2
        d = votes[:, 3]
        factors = [np.stack([a ^ c, odd], axis=1), np.stack([b ^ c, d], axis=1)]
        parity, carried = odd ^ d ^ ones, c
    else:  # three of them: an odd number, and one of two majorities
        d, e, f = (votes[:, index] for index in range(3, 6))
        factors = [np.stack([a ^ c, d ^ f], axis=1), np.stack([b ^ c, e ^ f], axis=1)]
        parity, carried = odd ^ d ^ e ^ f, c ^ f
    products = yield from scheme.and_planes(session, np.stack(factors, axis=1))
    twos = products[:, 0] ^ products[:, 1] ^ carried
    return (yield from scheme.and_planes(session, np.stack([parity, twos], axis=1)))


@collective
def median_of_three(
    x: ReplicatedShares, y: ReplicatedShares, z: ReplicatedShares, *, bits: int = RING_BITS
) -> Steps[ReplicatedShares]:
    """The middle one of x, y and z, all of one shape: see `median`. Collective."""
    return (yield from median.steps(ReplicatedShares.stack([x, y, z], dim=0), bits=bits))


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
    require_width(bits, 2)
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
