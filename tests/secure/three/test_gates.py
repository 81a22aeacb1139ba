"""Levels of gates, against the adder that they are taken from: the shares of both parties add up to the group's bits."""

import numpy as np
import pytest

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
from tests.support.secure_parties import generator_of

WIDTHS = [1, 31, 32, 33, 70]  # around the 32 words that a kernel works on at once
SIZES = [
    (count, radix)
    for radix in range(1, MAX_RADIX + 1)
    for count in (1, 2, radix, radix + 1, 3 * radix - 1, 17)
]


def planes(generator, rows, width):
    return generator.integers(-(2**63), 2**63, (rows, width))


def groups_of(count, radix):
    """The positions of each group, lowest first; the lowest has what is left over."""
    bounds = list(range(count, 0, -radix))[::-1]
    return [range(max(0, top - radix), top) for top in bounds]


def carry_of(generated, passed, group):
    """(G, P) of neighbours, bit by bit."""
    carry = np.zeros_like(generated[0])
    for position in group:
        carry = generated[position] ^ (passed[position] & carry)
    return carry, np.bitwise_and.reduce([passed[position] for position in group])


def expected(generated, passed, count, radix, carry):
    results = [carry_of(generated, passed, group) for group in groups_of(count, radix)]
    if not carry:
        return np.stack([p for _, p in results])
    return np.stack([g for g, _ in results] + [p for _, p in results[1:]])


@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize(("count", "radix"), SIZES)
def test_groups_of_positions(count, radix, carry):
    for width in WIDTHS:
        generator = generator_of(width)
        a, b = planes(generator, count, width), planes(generator, count, width)
        table = planes(generator, group_rows(count, radix), width)  # the part of position 2
        other = table.copy()
        deal_groups(a, count, radix, other)
        out = np.zeros((rows_of(-(-count // radix), carry=carry), width), dtype=np.int64)
        fold_groups(
            other, b, count, radix, 1, int(carry), out
        )  # both add to the same array, which adds them up
        fold_groups(table, b, count, radix, 0, int(carry), out)
        assert np.array_equal(out, expected(a & b, a ^ b, count, radix, carry))


@pytest.mark.parametrize("carry", [True, False])
@pytest.mark.parametrize(("count", "radix"), [size for size in SIZES if size[1] > 1])
def test_groups_of_nodes(count, radix, carry):
    for width in WIDTHS:
        generator = generator_of(width)
        rows = rows_of(count, carry=carry)
        first, second, value = (planes(generator, rows, width) for _ in range(3))
        mask = first ^ second
        table = planes(generator, node_rows(count, radix, carry=carry), width)
        other = table.copy()
        deal_nodes(mask, count, radix, int(carry), other)
        out = np.zeros((rows_of(-(-count // radix), carry=carry), width), dtype=np.int64)
        fold_nodes(other, first, value, count, radix, 1, int(carry), out)
        fold_nodes(table, second, value, count, radix, 0, int(carry), out)
        bits = mask ^ value
        if carry:  # P of the lowest node is in no row, and nobody needs it
            generated, passed = (
                bits[:count],
                np.concatenate([np.zeros((1, width), dtype=np.int64), bits[count:]]),
            )
        else:
            generated, passed = np.zeros_like(bits), bits
        assert np.array_equal(out, expected(generated, passed, count, radix, carry))


def test_rows_that_are_dealt():
    assert [group_rows(n, 4) for n in (1, 4, 5, 63)] == [1, 15, 16, 15 * 15 + 7]
    assert [node_rows(n, 4, carry=True) for n in (2, 4, 16)] == [1, 15, 3 * 22 + 15]
    assert [node_rows(n, 4, carry=False) for n in (2, 4, 16)] == [1, 11, 44]
