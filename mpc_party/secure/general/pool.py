"""What is made before the round: masks, gates and bits that nobody's secrets have touched, kept until they are used up.

A session that has no more of what an operation needs makes it on the spot, as part of the operation, in lockstep at all
parties. It costs the same bytes then, but rounds in the middle of the computation. `used` says what a session has used, so
that the next one that runs the same program can `prepare` exactly that. What is made is counted as operation "pairs".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from weakref import WeakKeyDictionary

import numpy as np

from mpc_party.secure.general.joining import make_equal_gates, make_sign_masks, make_zero_masks
from mpc_party.secure.general.pairs import make_pairs
from mpc_party.secure.general.selecting import make_fractions, make_selectors
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, collective, merged


class Kind(StrEnum):
    """What something in stock is for."""

    TRUNCATION = "truncation"  # by so many bits; counted by elements
    SIGN = "sign"  # of words of so many bits; counted by 64 elements
    ZERO = "zero"  # likewise
    CONJUNCTION = "conjunction"  # of four bits; counted by 64 gates
    SELECTION = "selection"  # by a bit, or a bit as a number; counted by 64 elements
    FRACTION = "fraction"  # of so many bits; counted by elements


_BLOCKS = {Kind.SIGN: 512, Kind.ZERO: 512, Kind.TRUNCATION: 32768}


@dataclass(frozen=True, slots=True)
class Item:
    """Something that a pool has in stock; bits is 0 where that means nothing."""

    kind: Kind
    bits: int


@dataclass(slots=True)
class _Pool:
    stock: dict[Item, tuple[Words, ...]] = field(default_factory=dict, repr=False)
    used: dict[Item, int] = field(default_factory=dict)


_pools: WeakKeyDictionary[SecureSession, _Pool] = WeakKeyDictionary()


def used(session: SecureSession) -> dict[Item, int]:
    """What the session has used up so far, made before or on the spot: what to `prepare` for the same program."""
    return dict(_pool(session).used)


def in_stock(session: SecureSession, item: Item) -> int:
    """How many are left."""
    stock = _pool(session).stock.get(item)
    return 0 if stock is None else stock[0].shape[-1]


@collective
def prepare(session: SecureSession, wanted: Mapping[Item, int]) -> Steps[None]:
    """Make what is missing of what is wanted, all in the rounds of what takes longest. Collective.

    Rounds: 2 for truncations, 4 for conjunctions, 6 for selections and fractions, and for signs and zeros of `bits` bits
    5 + 2 t + 2 ceil(log2(bits - 1)), that is 21 and 23 for 64. Made on the spot: 1, 2, 3, 11 and 12, for more bytes. Bytes
    from each party in a committee of five, prepared and on the spot, and of seven:

        truncation, from 0 .. t  68, 145;   80, 217    of a word
        ... from the others      51, 128;   55, 192
        sign, from 0 .. t        123, 195;  149, 316   of 64 bits
        ... from the others      107, 179;  125, 292
        selection                32, 64;    34, 96     of an element

    Revealed: nothing.
    """
    missing = {item: max(0, count - in_stock(session, item)) for item, count in wanted.items()}
    stock = _pool(session).stock
    items = [item for item, count in missing.items() if count > 0 or item not in stock]
    made = yield from merged([_make(session, item, missing[item], thrifty=True) for item in items])
    pool = _pool(session)
    for item, fresh in zip(items, made, strict=True):
        pool.stock[item] = _joined(pool.stock.get(item), fresh)


def take(session: SecureSession, item: Item, count: int) -> Steps[tuple[Words, ...]]:
    """Arrays with `count` in their last dimension, from stock first, and made on the spot where that does not suffice."""
    pool = _pool(session)
    pool.used[item] = pool.used.get(item, 0) + count
    stock = pool.stock.pop(item, None)
    left = 0 if stock is None else stock[0].shape[-1]
    if stock is not None and (
        left > count or count == 0
    ):  # what is for no elements is in stock as well, once prepared
        pool.stock[item] = tuple(words[..., count:] for words in stock)
        stock = tuple(words[..., :count] for words in stock)
    if left >= count and stock is not None:
        return stock
    return _joined(stock, (yield from _make(session, item, count - left, thrifty=False)))


def _joined(stock: tuple[Words, ...] | None, fresh: tuple[Words, ...]) -> tuple[Words, ...]:
    if stock is None:
        return fresh
    return tuple(np.concatenate([old, new], axis=-1) for old, new in zip(stock, fresh, strict=True))


def _pool(session: SecureSession) -> _Pool:
    return _pools.setdefault(session, _Pool())


def _make(session: SecureSession, item: Item, count: int, *, thrifty: bool) -> Steps[tuple[Words, ...]]:
    """Make so many, in blocks whose arrays stay in the processor's caches; the blocks share their rounds."""
    block = _BLOCKS.get(item.kind, max(count, 1))
    sizes = [min(block, count - start) for start in range(0, count, block)] or [0]
    made = yield from merged([_make_block(session, item, size, thrifty=thrifty) for size in sizes])
    if len(made) == 1:
        return made[0]
    return tuple(np.concatenate(arrays, axis=-1) for arrays in zip(*made, strict=True))


def _make_block(session: SecureSession, item: Item, count: int, *, thrifty: bool) -> Steps[tuple[Words, ...]]:
    match item.kind:
        case Kind.TRUNCATION:
            return make_pairs(session, item.bits, count, thrifty=thrifty)
        case Kind.SIGN:
            return make_sign_masks(session, item.bits, count, thrifty=thrifty)
        case Kind.ZERO:
            return make_zero_masks(session, item.bits, count, thrifty=thrifty)
        case Kind.CONJUNCTION:
            return make_equal_gates(session, count, thrifty=thrifty)
        case Kind.SELECTION:
            return make_selectors(session, count, thrifty=thrifty)
        case Kind.FRACTION:
            return make_fractions(session, item.bits, count, thrifty=thrifty)
