"""Random bits that nobody knows, as numbers, from square roots; each is a shared bit as well, because of its parity.

For a random odd a = 2x + 1, where x is free, its square s is opened. It has four roots, +-a and +-a + 2^63, of which a is any
with the same probability. With y = 1 / sqrt(s), computed by everybody alike, a y is 1 or -1 (or these plus 2^63), and

    (a y + 1) / 2 = x y + (y + 1) / 2

is 1 or 0, modulo 2^62. That suffices wherever the bit is multiplied by 4 or more. Squared twice, it is 0 or 1 modulo 2^64:
(b + 2^62 k)^2 = b + 2^63 b k, and the square of that is b.

Source: Damgard, Escudero, Frederiksen, Keller, Scholl, Volgushev, "New primitives for actively-secure MPC over rings with
applications to private machine learning", S&P 2019 (random bits in Z_2^k).
"""

import numpy as np

from mpc_party.secure.general.closing import close, multiplied, open_summands
from mpc_party.secure.general.domains import RING, add_public, random_words, summand
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps

OPERATION = "pairs"  # under which all that is made ahead is counted
ROOT_BITS = 62
_NEWTON_STEPS = 6


def root_bits(session: SecureSession, count: int, *, thrifty: bool) -> Steps[Words]:
    """Random bits modulo 2^62: shares (held, count). Words from each party for each: 4t / (2t + 1) in two rounds, or 2t in one."""
    x = random_words(session, RING, count)
    part = multiplied(session, x, x)
    part += summand(session, RING, x)
    part <<= 2  # before anything is opened: bits above the square's own would tell more than it does
    square = yield from open_summands(session, part, OPERATION, thrifty=thrifty)
    root = inverse_root(square + 1)
    x *= root
    add_public(session, RING, x, ((root >> 1) & ((1 << 63) - 1)) + 1)  # (y + 1) / 2 for odd y
    return x


def ring_bits(session: SecureSession, count: int, *, thrifty: bool) -> Steps[Words]:
    """Random bits modulo 2^64, (held, count). That, and two products each."""
    bits = yield from root_bits(session, count, thrifty=thrifty)
    for _ in range(2):
        bits = yield from close(session, RING, multiplied(session, bits, bits), OPERATION, thrifty=thrifty)
    return bits


def inverse_root(square: Words) -> Words:
    """A y with y^2 * square = 1 in Z_2^64, for squares of odd words.

    Newton's iteration y (3 - s y^2) / 2: of s y^2 - 1, where 2^j divided it, 2^(2j - 2) does next: 3, 4, 6, 10, 18, 34, 66.
    The halving loses the top bit, on which y^2 does not depend.
    """
    root = np.ones_like(square)
    for _ in range(_NEWTON_STEPS):
        step = 3 - square * root * root
        step >>= 1
        root *= step
    return root
