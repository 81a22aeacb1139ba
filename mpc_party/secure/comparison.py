"""Comparison of secrets, exact, and what is built from it. All operations are collective.

Every comparison is of ring words: less_than(x, y) is exact as long as x - y does not leave the ring, that is
|x - y| < 2^(63 - fraction_bits). Where the caller knows the range, `bits` makes it cheaper: a promise that the ring
word of what is compared with zero lies in [-2^(bits-1), 2^(bits-1)). A broken promise gives a wrong sign.

Results of comparisons are numbers 0 and 1 at scale 0: multiplying by them needs no truncation and adds no error.

Cost with the full 64 bits, for N elements (N rounded up to a multiple of 64 in the bits):
    sign         8 rounds, 8 bytes per element from position 0, 23 from each party
    to a number  2 rounds, 8 bytes per element from position 0, 8 from each party
    to select    2 rounds, 8 bytes per element from position 0, 16 from each party
so 10 rounds for a comparison or a ReLU, and at most 55 bytes per element sent by one party for a ReLU.
Nothing is revealed.
"""

import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.binary import sign_plane, zero_plane
from mpc_party.secure.conversion import lift, select
from mpc_party.secure.encoding import RING_BITS, Public
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective

Operand = ReplicatedShares | Public


def _sign(x: ReplicatedShares, bits: int) -> Steps[Words]:
    if not 2 <= bits <= RING_BITS:
        raise ValueError(f"bits is {bits}, not within 2..{RING_BITS}")
    return (yield from sign_plane(x.session, _flat(x), bits))


def _flat(x: ReplicatedShares) -> Words:
    words: Words = x.words.reshape(2, -1).numpy()
    return words


@collective
def less_than_zero(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x < 0, else 0."""
    plane = yield from _sign(x, bits)
    return (yield from lift(x.session, plane, x.shape))


@collective
def not_less_than_zero(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x >= 0, else 0."""
    plane = yield from _sign(x, bits)
    return (yield from lift(x.session, plane, x.shape, negate=True))


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
    """1 where x = y, else 0. No adder is needed: 9 rounds, and 8 bytes per element and party in the circuit.

    `bits`: x - y is compared with zero modulo 2^bits.
    """
    return (yield from _equal(x, y, bits, negate=False))


@collective
def not_equal(x: ReplicatedShares, y: Operand, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """1 where x differs from y, else 0: see `equal`."""
    return (yield from _equal(x, y, bits, negate=True))


def _equal(x: ReplicatedShares, y: Operand, bits: int, *, negate: bool) -> Steps[ReplicatedShares]:
    if not 1 <= bits <= RING_BITS:
        raise ValueError(f"bits is {bits}, not within 1..{RING_BITS}")
    difference: ReplicatedShares = x - y
    session: SecureSession = difference.session
    plane = yield from zero_plane(session, _flat(difference), bits)
    return (yield from lift(session, plane, difference.shape, negate=negate))


@collective
def relu(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """max(x, 0), exact, at the scale of x."""
    plane = yield from _sign(x, bits)
    return (yield from select(x.session, x, plane, negate=True))


@collective
def absolute(x: ReplicatedShares, *, bits: int = RING_BITS) -> Steps[ReplicatedShares]:
    """|x|, exact, at the scale of x."""
    plane = yield from _sign(x, bits)
    return x + (yield from select(x.session, -2 * x, plane))


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
def where(
    condition: ReplicatedShares | torch.Tensor, x: ReplicatedShares, y: Operand
) -> Steps[ReplicatedShares]:
    """X where the condition is 1, y where it is 0: exact for secrets.

    Args:
        condition: shares of 0 and 1 at scale 0, as comparisons give them; or public, and then local.
        x: shares.
        y: shares or a public value.

    Cost: one round, one word per element and party, for a secret condition.
    """
    difference = x - y
    if isinstance(condition, torch.Tensor):
        return difference * condition.to(torch.int64) + y
    if condition.fraction_bits:
        raise ValueError("a condition is 0 or 1 at scale 0, as comparisons give it")
    return (yield from reduce.steps(difference * condition, difference.fraction_bits)) + y
