"""Conjunctions of many bits in one round: what position 0 deals for a level of gates, and what the others make of it.

Two kinds of level, both on planes (`bits`), both for groups of up to five neighbours.

*Groups of an adder's positions.* Position 0 knows the words a and the two others the words b. A group of s positions
generates a carry, G = g_{s-1} ^ p_{s-1} (g_{s-2} ^ p_{s-2} (...)), and passes one on if all of them do, P = p_{s-1} ... p_0,
where g_i = a_i b_i and p_i = a_i ^ b_i. Both are polynomials in the bits of a whose coefficients 1 and 2 know. So 0 shares
the 2^s - 1 products of bits of a between them, and both evaluate them by themselves.

*Groups of nodes.* The (G, P) of s neighbours are shared bits: each is l ^ m, where 0 knows l, and 1 and 2 know m. The
(G, P) of the group is a polynomial again, in the bits l, of which products of two or more are shared by 0; the bits
themselves are shared as they stand. With P alone, a level is a conjunction of up to five bits.

In both, 1 and 2 then have an exclusive-or sharing of the results, which one message of each to the other makes
replicated (`carry`). Gates of many inputs: Patra, Schneider, Suresh, Yalame, "ABY2.0", USENIX Security 2021, section 3.1.4; the
tables of a group of positions are ours.

The kernels work on 32 words of a plane at once, so that the tables of a group, of up to 2^5 planes, stay in the cache.

Rows of planes, by kind: carries have G of all groups, lowest first, then P of all but the lowest, which nobody needs;
conjunctions have P of all.
"""

import numpy as np

from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Words

MAX_RADIX = 5


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


@kernel("i8(i8)")
def _lowest_bit(subset: int) -> int:
    bit = 0
    while not (subset >> bit) & 1:
        bit += 1
    return bit


@kernel("void(i8[:, ::1], i8, i8[:, ::1], i8, i8, i8)")
def _load(target: Words, entry: int, source: Words, row: int, start: int, lanes: int) -> None:
    for lane in range(lanes):
        target[entry, lane] = source[row, start + lane]


@kernel("void(i8[:, ::1], i8, i8[:, ::1], i8, i8, i8)")
def _store(table: Words, row: int, source: Words, entry: int, start: int, lanes: int) -> None:
    for lane in range(lanes):
        table[row, start + lane] ^= source[entry, lane]


@kernel("void(i8[:, ::1], i8, i8[:, ::1], i8, i8, i8)")
def _multiply(product: Words, subset: int, bits: Words, row: int, start: int, lanes: int) -> None:
    """The product of a subset: that of the subset without its lowest bit, times this bit."""
    rest = subset & (subset - 1)
    for lane in range(lanes):
        value = bits[row, start + lane]
        if rest:
            value &= product[rest, lane]
        product[subset, lane] = value


@kernel("void(i8[:, ::1], i8, i8[:, ::1], i8, i8, i8)")
def _fold(share: Words, bit: int, value: Words, row: int, start: int, lanes: int) -> None:
    """From a table over the subsets of bit + 1 bits to one over `bit`: multiply by (l ^ m) of the highest, m in `value`."""
    half = 1 << bit
    for subset in range(half):
        for lane in range(lanes):
            share[subset, lane] = share[subset + half, lane] ^ (
                value[row, start + lane] & share[subset, lane]
            )


@kernel("void(i8[:, ::1], i8, i8, i8[:, ::1])")
def deal_groups(a: Words, count: int, radix: int, table: Words) -> None:
    """Add the products of bits of `a`, planes 0 .. count - 1, to `table`: for each group, the subsets in binary order."""
    groups = -(-count // radix)
    product = np.empty((32, 32), dtype=np.int64)
    for start in range(0, a.shape[1], 32):
        lanes = min(32, a.shape[1] - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            for subset in range(1, 1 << size):
                _multiply(product, subset, a, low + _lowest_bit(subset), start, lanes)
                _store(table, row, product, subset, start, lanes)
                row += 1


@kernel("void(i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8[:, ::1])")
def fold_groups(table: Words, b: Words, count: int, radix: int, first: int, carry: int, out: Words) -> None:
    """Add this party's share of each group's (G, P) to `out`; `first` is 1 at the party that adds constants."""
    groups = -(-count // radix)
    share = np.empty((33, 32), dtype=np.int64)  # by subset; the last entry is G
    for start in range(0, b.shape[1], 32):
        lanes = min(32, b.shape[1] - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            share[0] = -first
            share[32] = 0
            for subset in range(1, 1 << size):
                _load(share, subset, table, row, start, lanes)
                row += 1
            for bit in range(size - 1, -1, -1):
                # Multiplied so far by the p of all higher positions: g_bit = a_bit b_bit, then times p_bit = a_bit ^ b_bit
                for lane in range(lanes):
                    share[32, lane] ^= b[low + bit, start + lane] & share[1 << bit, lane]
                _fold(share, bit, b, low + bit, start, lanes)
            if not carry:
                _store(out, group, share, 0, start, lanes)
                continue
            _store(out, group, share, 32, start, lanes)
            if group:
                _store(out, groups + group - 1, share, 0, start, lanes)


@kernel("i8(i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8, i8[:, ::1])")
def _deal_carries(
    product: Words, mask: Words, low: int, size: int, start: int, lanes: int, row: int, table: Words
) -> int:
    """Products of each node's G with the P of nodes above it; returns the next row."""
    for node in range(size - 1):
        for above in range(1, 1 << (size - 1 - node)):
            for lane in range(lanes):
                table[row, start + lane] ^= (
                    mask[low + node, start + lane] & product[above << (node + 1), lane]
                )
            row += 1
    return row


@kernel("void(i8[:, ::1], i8, i8, i8, i8[:, ::1])")
def deal_nodes(mask: Words, count: int, radix: int, carry: int, table: Words) -> None:
    """Add the products of two or more bits that a level of nodes needs to `table`. `mask` has the rows of `count` nodes."""
    groups = -(-count // radix)
    shift = count - 1 if carry else 0  # P of node i is in row shift + i
    product = np.empty((32, 32), dtype=np.int64)
    for start in range(0, mask.shape[1], 32):
        lanes = min(32, mask.shape[1] - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            lowest = carry and group == 0
            for subset in range(1, 1 << size):
                if lowest and subset & 1:
                    continue
                _multiply(product, subset, mask, shift + low + _lowest_bit(subset), start, lanes)
                if subset & (subset - 1):
                    _store(table, row, product, subset, start, lanes)
                    row += 1
            if carry:
                row = _deal_carries(product, mask, low, size, start, lanes, row, table)


@kernel("i8(i8[:, ::1], i8[:, ::1], i8[:, ::1], i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8, i8)")
def _fold_carries(
    term: Words, share: Words, table: Words, own: Words, value: Words,
    low: int, size: int, shift: int, start: int, lanes: int, row: int,
) -> int:  # fmt: skip
    """Leave this party's share of the group's G in the last entry of `term`; returns the next row."""
    term[32] = 0
    for node in range(size):
        above = 1 << (size - 1 - node)
        # G_node times the p of the nodes above it: as a table over their bits, then folded
        _load(term, 0, own, low + node, start, lanes)
        for subset in range(1, above):
            _load(term, subset, table, row, start, lanes)
            row += 1
        for subset in range(above):
            for lane in range(lanes):
                term[subset, lane] ^= value[low + node, start + lane] & share[subset << (node + 1), lane]
        for bit in range(size - 2 - node, -1, -1):
            _fold(term, bit, value, shift + low + node + 1 + bit, start, lanes)
        for lane in range(lanes):
            term[32, lane] ^= term[0, lane]
    return row


@kernel("void(i8[:, ::1], i8[:, ::1], i8[:, ::1], i8, i8, i8, i8, i8[:, ::1])")
def fold_nodes(
    table: Words, own: Words, value: Words, count: int, radix: int, first: int, carry: int, out: Words
) -> None:
    """Add this party's share of each group's (G, P) to `out`.

    `own` are its shares of the bits l of all nodes, and `value` the bits m that both parties know.
    """
    groups = -(-count // radix)
    shift = count - 1 if carry else 0
    share, term = np.empty((32, 32), dtype=np.int64), np.empty((33, 32), dtype=np.int64)
    for start in range(0, own.shape[1], 32):
        lanes = min(32, own.shape[1] - start)
        row = 0
        for group in range(groups):
            low = max(0, count - radix * (groups - group))
            size = count - radix * (groups - 1 - group) - low
            lowest = carry and group == 0
            share[0] = -first
            for subset in range(1, 1 << size):
                if lowest and subset & 1:
                    continue
                if subset & (subset - 1):
                    _load(share, subset, table, row, start, lanes)
                    row += 1
                else:
                    _load(share, subset, own, shift + low + _lowest_bit(subset), start, lanes)
            if carry:
                row = _fold_carries(term, share, table, own, value, low, size, shift, start, lanes, row)
                _store(out, group, term, 32, start, lanes)
            if not lowest:
                for bit in range(size - 1, -1, -1):
                    _fold(share, bit, value, shift + low + bit, start, lanes)
                _store(out, groups + group - 1 if carry else group, share, 0, start, lanes)
