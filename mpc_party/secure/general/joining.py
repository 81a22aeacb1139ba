"""What comparisons use up: masks, the products of their bits in groups of four, and the gates that join groups."""

import numpy as np

from mpc_party.secure.general.gates import Gate, complete, gate, make_gates
from mpc_party.secure.general.masks import make_masks
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, merged

WIDTH = 4
ALL = (1 << WIDTH) - 1
EQUAL = gate([ALL])

# To join four groups: inputs 0 .. 2 say that group 1 .. 3 is equal, 3 .. 5 that group 0 .. 2 is less, and 6 that group 0 is
# equal. A group decides if all above it are equal. Where nothing is left to be joined, nobody asks whether all are equal.
DECIDES = tuple((0b111 >> i << i) | 1 << (WIDTH - 1 + i) for i in range(WIDTH - 1))
ALL_EQUAL = 0b1000111
LESS = gate([*DECIDES, ALL_EQUAL])
LESS_LAST = gate(DECIDES)


def levels(groups: int) -> list[int]:
    """How many gates join so many groups by four, level by level."""
    counts = []
    while groups > 1:
        groups = -(-groups // WIDTH)
        counts.append(groups)
    return counts


def make_sign_masks(
    session: SecureSession, bits: int, columns: int, *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    """What `sign_plane` uses up for 64 elements in each column.

    Returns:
        shares of words (held, 64, columns); of their top bits (held, columns); of the products of the bits below, by groups,
        (held, products, groups, columns); of the gates of each level, (held, products, gates, columns).
    """
    counts = levels(-(-(bits - 1) // WIDTH))
    forms = [LESS_LAST if count == 1 else LESS for count in counts]
    return (
        yield from _make(
            session, bits, bits - 1, list(zip(forms, counts, strict=True)), columns, thrifty=thrifty
        )
    )


def make_zero_masks(
    session: SecureSession, bits: int, columns: int, *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    """What `zero_plane` uses up, likewise; its top bits are of no use."""
    counts = levels(-(-bits // WIDTH))
    return (
        yield from _make(session, bits, bits, [(EQUAL, count) for count in counts], columns, thrifty=thrifty)
    )


def make_equal_gates(session: SecureSession, columns: int, *, thrifty: bool) -> Steps[tuple[Words, ...]]:
    """Gates for conjunctions of four, (held, products, columns)."""
    return ((yield from make_gates(session, EQUAL, (columns,), thrifty=thrifty)),)


def _make(
    session: SecureSession,
    bits: int,
    low: int,
    joining: list[tuple[Gate, int]],
    columns: int,
    *,
    thrifty: bool,
) -> Steps[tuple[Words, ...]]:
    made = yield from merged(
        [
            _grouped(session, bits, low, columns, thrifty=thrifty),
            *(_gates(session, form, (count, columns), thrifty=thrifty) for form, count in joining),
        ]
    )
    return tuple(words for part in made for words in part)


def _grouped(
    session: SecureSession, bits: int, low: int, columns: int, *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    words, planes = yield from make_masks(session, bits, columns, thrifty=thrifty)
    groups = in_groups(planes[:, :low])
    return words, planes[:, -1], (yield from complete(session, EQUAL, groups, thrifty=thrifty))


def _gates(
    session: SecureSession, form: Gate, shape: tuple[int, ...], *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    return ((yield from make_gates(session, form, shape, thrifty=thrifty)),)


def in_groups(planes: Words) -> Words:
    """(held, K, M) to (held, 4, groups, M), bit by bit of the groups; padded with zeros."""
    held, count, columns = planes.shape
    groups = -(-count // WIDTH)
    filled = np.zeros((held, groups * WIDTH, columns), dtype=np.int64)
    filled[:, :count] = planes
    return np.ascontiguousarray(filled.reshape(held, groups, WIDTH, columns).swapaxes(1, 2))
