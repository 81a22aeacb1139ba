"""Comparison of secrets, exact, and what is built from it. All operations are collective.

Every comparison is of ring words: less_than(x, y) is exact as long as x - y does not leave the ring, that is
|x - y| < 2^(63 - fraction_bits). Where the caller knows the range, `bits` makes it cheaper: a promise that the ring
word of what is compared with zero lies in [-2^(bits-1), 2^(bits-1)). A broken promise gives a wrong sign.

Results of comparisons are numbers 0 and 1 at scale 0: multiplying by them needs no truncation and adds no error.

Cost where t = 1, with the full 64 bits (a round less up to 26 bits, two less up to 6):
    sign         3 rounds; per element 5 bytes from positions 1 and 2 to each other, 41 that 0 sends to 1 ahead
    to a number  1 round; 8 bytes, and 8 ahead
    to select    1 round; 8 bytes, and 16 ahead
so 4 rounds for a comparison or a ReLU, and 57 bytes per element sent by position 0 for a ReLU, 13 by the others.
Fewer bits cost fewer bytes, except that what saves a round costs some more: 26 bits deal 193 bits ahead, and 27 bits 86.
Where t > 1, see `general`. Nothing is revealed.
"""

import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.bits import require_width
from mpc_party.secure.encoding import RING_BITS, Public
from mpc_party.secure.randomness import Words
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective

Operand = ReplicatedShares | Public


def _sign(x: ReplicatedShares, bits: int) -> Steps[Words]:
    require_width(bits, 2)
    return (yield from scheme_of(x.session).sign_plane(x.session, _flat(x), bits))


def _flat(x: ReplicatedShares) -> Words:
    words: Words = x.words.reshape(x.words.shape[0], -1).numpy()
    return words


def _lifted(x: ReplicatedShares, plane: Words, *, negate: bool = False) -> Steps[ReplicatedShares]:
    words = yield from scheme_of(x.session).lift(x.session, plane, tuple(x.shape), negate=negate)
    return ReplicatedShares(x.session, torch.from_numpy(words), 0)


def _selected(x: ReplicatedShares, plane: Words, *, negate: bool = False) -> Steps[ReplicatedShares]:
    words = yield from scheme_of(x.session).select(x.session, x.words.numpy(), plane, negate=negate)
    return ReplicatedShares(x.session, torch.from_numpy(words), x.fraction_bits)


@collective
def less_than_zero(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x < 0, else 0."""
    plane = yield from _sign(x, bits)
    return (yield from _lifted(x, plane))


@collective
def not_less_than_zero(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x >= 0, else 0."""
    plane = yield from _sign(x, bits)
    return (yield from _lifted(x, plane, negate=True))


@collective
def less_than(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x < y, else 0. `bits` bounds x - y."""
    return (yield from less_than_zero.steps(x - y, bits=bits))


@collective
def greater_than(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x > y, else 0. `bits` bounds y - x."""
    return (yield from less_than_zero.steps(-(x - y), bits=bits))


@collective
def less_equal(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x <= y, else 0. `bits` bounds y - x."""
    return (yield from not_less_than_zero.steps(-(x - y), bits=bits))


@collective
def greater_equal(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x >= y, else 0. `bits` bounds x - y."""
    return (yield from not_less_than_zero.steps(x - y, bits=bits))


@collective
def equal(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x = y, else 0. No adder is needed: as many rounds as a comparison, and fewer bytes.

    `bits`: x - y is compared with zero modulo 2^bits.
    """
    return (yield from _equal(x, y, bits, negate=False))


@collective
def not_equal(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x differs from y, else 0: see `equal`."""
    return (yield from _equal(x, y, bits, negate=True))


def _equal(x: ReplicatedShares, y: Operand, bits: int, *, negate: bool) -> Steps[ReplicatedShares]:
    require_width(bits, 1)
    difference: ReplicatedShares = x - y
    session = difference.session
    plane = yield from scheme_of(session).zero_plane(session, _flat(difference), bits)
    return (yield from _lifted(difference, plane, negate=negate))


@collective
def relu(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """max(x, 0), exact, at the scale of x."""
    plane = yield from _sign(x, bits)
    return (yield from _selected(x, plane, negate=True))


@collective
def absolute(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """|x|, exact, at the scale of x."""
    plane = yield from _sign(x, bits)
    return x + (yield from _selected(-2 * x, plane))


@collective
def sign(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """-1 where x < 0, else 1 (also for 0, as CrypTen has it), at scale 0."""
    return (yield from less_than_zero.steps(x, bits=bits)) * -2 + 1


@collective
def maximum(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """The larger of x and y, elementwise and exact. `bits` bounds x - y."""
    return (yield from relu.steps(x - y, bits=bits)) + y


@collective
def minimum(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """The smaller of x and y, elementwise and exact. `bits` bounds x - y."""
    return x - (yield from relu.steps(x - y, bits=bits))


@collective
def where(condition: Operand, x: ReplicatedShares, y: Operand) -> Steps[ReplicatedShares]:
    """X where the condition is 1, y where it is 0: exact for secrets.

    Args:
        condition: shares of 0 and 1 at scale 0, as comparisons give them; or public, and then local.
        x: shares.
        y: shares or a public value.

    Cost: that of a product without truncation (`reduce`), for a secret condition.

    Raises:
        ValueError: a public condition is something else than 0 or 1, or a secret one has fraction bits.
    """
    difference = x - y
    if not isinstance(condition, ReplicatedShares):
        public = torch.as_tensor(condition)
        if not bool(((public == 0) | (public == 1)).all()):
            raise ValueError("a public condition is 0 or 1")
        return difference * public.to(torch.int64) + y
    if condition.fraction_bits:
        raise ValueError("a condition is 0 or 1 at scale 0, as comparisons give it")
    return (yield from reduce.steps(difference * condition, difference.fraction_bits)) + y
