"""The sign of a sum of two words, and whether it is zero, in the levels of `gates`; conjunctions of shared bits.

x = a + b, where position 0 knows a = x_0 + x_1 and the two others b = x_2. The sign is the top bit of a ^ b and the carry
into it, for which a parallel-prefix adder needs one carry only; x is zero if all bits of a and -b are equal.

A binary sharing is s = s_0 ^ s_1 ^ s_2, held as words are: 0 knows the mask l = s_0 ^ s_1, the others m = s_2.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.bits import to_planes
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps
from mpc_party.secure.three.gates import (
    MAX_RADIX,
    deal_groups,
    deal_nodes,
    fold_groups,
    fold_nodes,
    group_rows,
    node_rows,
    rows_of,
)
from mpc_party.secure.three.products import dealt


class Level(NamedTuple):
    """One round of a circuit: so many inputs, in groups of `radix`."""

    inputs: int
    radix: int


@functools.cache
def plan(count: int, *, carry: bool, positions: bool = True) -> tuple[Level, ...]:
    """The levels that bring `count` inputs down to one: as few as can be, then as few planes as can be.

    Args:
        count: at least 1.
        carry: whether carries are wanted, or conjunctions.
        positions: whether the first level takes positions of an adder (`gates`), or nodes like all others.
    """
    depth = 1
    while MAX_RADIX**depth < count:
        depth += 1
    return _best(count, depth, carry, positions=positions)[1]


@functools.cache
def _best(count: int, depth: int, carry: bool, *, positions: bool) -> tuple[int, tuple[Level, ...]]:  # noqa: FBT001 - as in `plan`
    choices = []
    for radix in range(1 if positions else 2, MAX_RADIX + 1):
        groups = -(-count // radix)
        if (depth == 1 and groups > 1) or groups > MAX_RADIX ** (depth - 1):
            continue
        dealt = group_rows(count, radix) if positions else node_rows(count, radix, carry=carry)
        below, levels = (0, ()) if groups == 1 else _best(groups, depth - 1, carry, positions=False)
        choices.append((dealt + 2 * rows_of(groups, carry=carry) + below, (Level(count, radix), *levels)))
    return min(choices)


def sign_plane(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Bit `bits` - 1 of x, which is its sign where -2^(bits-1) <= x < 2^(bits-1).

    Args:
        session: the computation.
        words: this party's two components, shape (2, N).
        bits: 2..64.

    Cost, with c = bits - 1: ceil(log5(c)) rounds: 1 up to 6 bits, 2 up to 26, 3 up to 64. In bits per element with all
    64: 329 from position 0 to 1, ahead, and 39 between positions 1 and 2 each way.

    Returns:
        a binary sharing, (2, M).
    """
    count = bits - 1
    if session.position == 0:
        planes = to_planes(words[0] + words[1], bits)
    else:
        planes = to_planes(words[session.position % 2], bits)
    return (yield from _tree(session, planes, plan(count, carry=True), top=planes[count], carry=True))


def zero_plane(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Whether the lower `bits` bits of x are all zero: whether a = -b, bit by bit. As `sign_plane`; 1 <= bits <= 64.

    Cost: ceil(log5(bits)) rounds; with all 64 bits per element 279 from position 0, ahead, and 28 each way between 1 and 2.
    """
    if session.position == 0:
        planes = to_planes(~(words[0] + words[1]), bits)
    else:
        planes = to_planes(-words[session.position % 2], bits)
    return (yield from _tree(session, planes, plan(bits, carry=False), top=None, carry=False))


def and_planes(session: SecureSession, planes: Words) -> Steps[Words]:
    """The conjunction of K shared bits: (2, K, ...) to (2, ...). ceil(log5(K)) rounds."""
    count, shape = planes.shape[1], planes.shape[2:]
    if count == 1:
        return planes[:, 0]
    nodes = np.ascontiguousarray(planes.reshape(2, count, -1))
    for level in plan(count, carry=False, positions=False):
        nodes = yield from _node_level(session, nodes, level, carry=False)
    return nodes.reshape(2, *shape)


def public_plane(session: SecureSession, plane: Words) -> Words:
    """A sharing (2, *shape) of bits that all know, carried by component 0. Local."""
    words = np.zeros((2, *plane.shape), dtype=np.int64)
    if session.carrier is not None:
        words[session.carrier] = plane
    return words


def _tree(
    session: SecureSession, planes: Words, levels: tuple[Level, ...], *, top: Words | None, carry: bool
) -> Steps[Words]:
    """All levels; the top plane of a sum, a's at position 0 and b's at the others, is added to the result of the last."""
    first, *others = levels
    nodes = yield from _group_level(session, planes, first, top=None if others else top, carry=carry)
    for index, level in enumerate(others):
        last = index == len(others) - 1
        nodes = yield from _node_level(session, nodes, level, top=top if last else None, carry=carry)
    return nodes[:, 0]


def _group_level(
    session: SecureSession, planes: Words, level: Level, *, top: Words | None, carry: bool
) -> Steps[Words]:
    count, radix = level
    first, carries = int(session.position == 1), int(carry)
    return (
        yield from _level(
            session,
            (group_rows(count, radix), rows_of(-(-count // radix), carry=carry), planes.shape[1]),
            top,
            deal=lambda table: deal_groups(planes, count, radix, table),
            fold=lambda table, share: fold_groups(table, planes, count, radix, first, carries, share),
        )
    )


def _node_level(
    session: SecureSession, nodes: Words, level: Level, *, carry: bool, top: Words | None = None
) -> Steps[Words]:
    count, radix = level
    first, carries = int(session.position == 1), int(carry)
    slot = session.position % 2  # of m, at positions 1 and 2
    return (
        yield from _level(
            session,
            (node_rows(count, radix, carry=carry), rows_of(-(-count // radix), carry=carry), nodes.shape[2]),
            top,
            deal=lambda table: deal_nodes(nodes[0] ^ nodes[1], count, radix, carries, table),
            fold=lambda table, share: fold_nodes(
                table, nodes[1 - slot], nodes[slot], count, radix, first, carries, share
            ),
        )
    )


def _level(
    session: SecureSession,
    size: tuple[int, int, int],
    top: Words | None,
    *,
    deal: Callable[[Words], None],
    fold: Callable[[Words, Words], None],
) -> Steps[Words]:
    """One round: 0 deals a table, 1 and 2 fold it to shares of the results and make them replicated.

    Args:
        session: the computation.
        size: planes dealt, planes that result, words of each.
        top: a plane of a at position 0, of b at the two others, to be added to the first result.
        deal: adds the products to the table, at position 0.
        fold: adds this party's shares to the results, at 1 and 2.
    """
    rows, results, width = size
    operation = "compare"

    def hide(drawn: Words) -> None:
        deal(drawn)
        if top is not None:
            drawn[rows] ^= top

    # "0 shares products of bits between 1 and 2"
    table = yield from dealt(session, operation, (rows + (top is not None), width), hide, FrameKind.BITS)
    words = np.empty((2, results, width), dtype=np.int64)
    if session.position == 0:
        session.seeds.fill(
            0, Purpose.MASK_BITS, words[0]
        )  # in the step in which the others draw theirs: see `steps`
        session.seeds.fill(1, Purpose.MASK_BITS, words[1])
        yield [Messages(session, FrameKind.BITS, operation)]
        return words
    slot, peer = session.position % 2, 3 - session.position
    session.seeds.fill(1 if session.position == 1 else 0, Purpose.MASK_BITS, words[1 - slot])
    share = words[1 - slot].copy()
    fold(table, share)
    if top is not None:
        share[0] ^= table[rows]
        if session.position == 1:
            share[0] ^= top
    # 1 sends its share ^ l_1, 2 sends its share ^ l_0: both then know m = result ^ l_0 ^ l_1
    yield [Messages(session, FrameKind.BITS, operation, [(peer, share)], [(peer, words[slot])])]
    words[slot] ^= share
    return words
