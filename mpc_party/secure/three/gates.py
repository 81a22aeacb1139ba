"""Conjunctions of many bits in one round: what position 0 deals for a level of gates, and what the others make of it.

Two kinds of level, both on planes (`bits`), both for groups of up to five neighbours.

*Groups of an adder's positions.* Position 0 knows the words a and the two others the words b. A group of s positions
generates a carry, G = g_{s-1} ^ p_{s-1} (g_{s-2} ^ p_{s-2} (...)), and passes one on if all of them do, P = p_{s-1} ... p_0,
where g_i = a_i b_i and p_i = a_i ^ b_i. Both are polynomials in the bits of a whose coefficients 1 and 2 know. So 0 shares
the 2^s - 1 products of bits of a between them, and both evaluate them by themselves.

*Groups of nodes.* The (G, P) of s neighbours are shared bits: each is l ^ m, where 0 knows l, and 1 and 2 know m. The
(G, P) of the group is a polynomial again, in the bits l, of which products of two or more are shared by 0; the bits
themselves are shared as they stand. With P alone, a level is a conjunction of up to five bits.

In both, what 1 and 2 have then is an exclusive-or sharing of the result, which `Messages` of one plane each make
replicated. Gates of many inputs: Patra, Schneider, Suresh, Yalame, "ABY2.0", USENIX Security 2021, section 3.1.4; the
tables of a group of positions are ours.

Rows of planes, by kind: carries have G of all groups, lowest first, then P of all but the lowest, which nobody needs;
conjunctions have P of all.
"""

import numpy as np

from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Words

MAX_RADIX = 5
_LANES = 32  # words of a plane that are worked on at once: the tables of a group stay in the first-level cache


def rows_of(groups: int, *, carry: bool) -> int:
    """How many planes a level with so many groups results in."""
    return 2 * groups - 1 if carry else groups


def group_rows(count: int, radix: int) -> int:
    """How many planes position 0 deals for `count` positions in groups of `radix`; the lowest has what is left over."""
    groups, lowest = _groups(count, radix)
    return (groups - 1) * ((1 << radix) - 1) + (1 << lowest) - 1


def node_rows(count: int, radix: int, *, carry: bool) -> int:
    """How many planes position 0 deals for `count` nodes in groups of `radix`."""
    groups, lowest = _groups(count, radix)
    full, rest = (1 << radix) - 1 - radix, (1 << lowest) - 1 - lowest
    if not carry:
        return (groups - 1) * full + rest
    return (groups - 1) * 2 * full + rest + (1 << (lowest - 1)) - lowest


def _groups(count: int, radix: int) -> tuple[int, int]:
    groups = -(-count // radix)
    return groups, count - radix * (groups - 1)


@kernel("void(i8[:, ::1], i8, i8, i8[:, ::1])")
def deal_groups(a: Words, count: int, radix: int, table: Words) -> None:
    """Add the products of bits of `a`, planes 0 .. count - 1, to `table`: for each group, the subsets in binary order."""
    width = a.shape[1]
    groups = -(-count // radix)
    product = np.empty((32, 32), dtype=np.int64)
    for start in range(0, width, 32):
        lanes = min(32, width - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            for subset in range(1, 1 << size):
                rest = subset & (subset - 1)
                bit = 0
                while not (subset >> bit) & 1:
                    bit += 1
                for lane in range(lanes):
                    value = a[low + bit, start + lane]
                    if rest:
                        value &= product[rest, lane]
                    product[subset, lane] = value
                    table[row, start + lane] ^= value
                row += 1


@kernel("void(i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8[:, ::1])")
def fold_groups(table: Words, b: Words, count: int, radix: int, first: int, carry: int, out: Words) -> None:
    """Add this party's share of each group's (G, P) to `out`; `first` is 1 at the party that adds constants."""
    width = b.shape[1]
    groups = -(-count // radix)
    share = np.empty((32, 32), dtype=np.int64)
    generated = np.empty(32, dtype=np.int64)
    for start in range(0, width, 32):
        lanes = min(32, width - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            for lane in range(lanes):
                share[0, lane] = -first
                generated[lane] = 0
            for subset in range(1, 1 << size):
                for lane in range(lanes):
                    share[subset, lane] = table[row, start + lane]
                row += 1
            for bit in range(size - 1, -1, -1):
                half = 1 << bit
                # Multiplied so far by the p of all higher positions: g_bit = a_bit b_bit, then times p_bit = a_bit ^ b_bit
                for lane in range(lanes):
                    generated[lane] ^= b[low + bit, start + lane] & share[half, lane]
                for subset in range(half):
                    for lane in range(lanes):
                        share[subset, lane] = share[subset + half, lane] ^ (
                            b[low + bit, start + lane] & share[subset, lane]
                        )
            if carry:
                for lane in range(lanes):
                    out[group, start + lane] ^= generated[lane]
                if group:
                    for lane in range(lanes):
                        out[groups + group - 1, start + lane] ^= share[0, lane]
            else:
                for lane in range(lanes):
                    out[group, start + lane] ^= share[0, lane]


@kernel("void(i8[:, ::1], i8, i8, i8, i8[:, ::1])")
def deal_nodes(mask: Words, count: int, radix: int, carry: int, table: Words) -> None:
    """Add the products of two or more bits that a level of nodes needs to `table`. `mask` has the rows of `count` nodes."""
    width = mask.shape[1]
    groups = -(-count // radix)
    shift = count - 1 if carry else 0  # P of node i is in row shift + i
    product = np.empty((32, 32), dtype=np.int64)
    for start in range(0, width, 32):
        lanes = min(32, width - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            lowest = carry and group == 0
            for subset in range(1, 1 << size):
                if lowest and subset & 1:
                    continue
                rest = subset & (subset - 1)
                bit = 0
                while not (subset >> bit) & 1:
                    bit += 1
                for lane in range(lanes):
                    value = mask[shift + low + bit, start + lane]
                    if rest:
                        value &= product[rest, lane]
                    product[subset, lane] = value
                    if rest:
                        table[row, start + lane] ^= value
                if rest:
                    row += 1
            if carry:
                for node in range(size - 1):
                    for above in range(1, 1 << (size - 1 - node)):
                        for lane in range(lanes):
                            table[row, start + lane] ^= (
                                mask[low + node, start + lane] & product[above << (node + 1), lane]
                            )
                        row += 1


@kernel("void(i8[:, ::1], i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8[:, ::1])")
def fold_nodes(
    table: Words, own: Words, value: Words, count: int, radix: int, first: int, carry: int, out: Words
) -> None:
    """Add this party's share of each group's (G, P) to `out`.

    `own` are its shares of the bits l of all nodes, and `value` the bits m that both parties know.
    """
    width = own.shape[1]
    groups = -(-count // radix)
    shift = count - 1 if carry else 0
    share = np.empty((32, 32), dtype=np.int64)
    term = np.empty((32, 32), dtype=np.int64)
    for start in range(0, width, 32):
        lanes = min(32, width - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            lowest = carry and group == 0
            for lane in range(lanes):
                share[0, lane] = -first
            for subset in range(1, 1 << size):
                if lowest and subset & 1:
                    continue
                if subset & (subset - 1):
                    for lane in range(lanes):
                        share[subset, lane] = table[row, start + lane]
                    row += 1
                else:
                    bit = 0
                    while not (subset >> bit) & 1:
                        bit += 1
                    for lane in range(lanes):
                        share[subset, lane] = own[shift + low + bit, start + lane]
            if carry:
                for node in range(size):
                    above = 1 << (size - 1 - node)
                    # G_node times the p of the nodes above it: as a table over their bits, then folded
                    for lane in range(lanes):
                        term[0, lane] = own[low + node, start + lane]
                    for subset in range(1, above):
                        for lane in range(lanes):
                            term[subset, lane] = table[row, start + lane]
                        row += 1
                    for subset in range(above):
                        for lane in range(lanes):
                            term[subset, lane] ^= (
                                value[low + node, start + lane] & share[subset << (node + 1), lane]
                            )
                    for bit in range(size - 2 - node, -1, -1):
                        half = 1 << bit
                        for subset in range(half):
                            for lane in range(lanes):
                                term[subset, lane] = term[subset + half, lane] ^ (
                                    value[shift + low + node + 1 + bit, start + lane] & term[subset, lane]
                                )
                    for lane in range(lanes):
                        out[group, start + lane] ^= term[0, lane]
            if not lowest:
                for bit in range(size - 1, -1, -1):
                    half = 1 << bit
                    for subset in range(half):
                        for lane in range(lanes):
                            share[subset, lane] = share[subset + half, lane] ^ (
                                value[shift + low + bit, start + lane] & share[subset, lane]
                            )
                target = groups + group - 1 if carry else group
                for lane in range(lanes):
                    out[target, start + lane] ^= share[0, lane]
