"""Words as elements of the ring Z_2^64, or as 64 bits each: one set of protocols serves both.

Functions here are local, on flat arrays: components (held, N), summands (N,).
"""

from dataclasses import dataclass

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import SecureSession


@dataclass(frozen=True, slots=True)
class Domain:
    """How words add up, and which streams mask them."""

    kind: FrameKind
    add: np.ufunc
    subtract: np.ufunc
    inputs: Purpose
    products: Purpose
    random: Purpose
    zero: Purpose


RING = Domain(
    FrameKind.WORDS,
    np.add,
    np.subtract,
    Purpose.INPUT_WORDS,
    Purpose.PRODUCT_WORDS,
    Purpose.RANDOM_WORDS,
    Purpose.ZERO_WORDS,
)
BITS = Domain(
    FrameKind.BITS,
    np.bitwise_xor,
    np.bitwise_xor,
    Purpose.INPUT_BITS,
    Purpose.PRODUCT_BITS,
    Purpose.RANDOM_BITS,
    Purpose.ZERO_BITS,
)


def random_words(session: SecureSession, domain: Domain, count: int) -> Words:
    """Shares (held, count) of uniform words that no t parties know: every component from its seed."""
    words = np.empty((len(session.held), count), dtype=np.int64)
    for slot, component in enumerate(session.held):
        session.seeds.fill(component, domain.random, words[slot])
    return words


def summand(session: SecureSession, domain: Domain, shares: Words) -> Words:
    """This position's part of the value, (N,): the parts of all positions add up to it. A new array."""
    part = np.zeros(shares.shape[1], dtype=np.int64)
    for slot in session.layout.counted[session.position]:
        domain.add(part, shares[slot], out=part)
    return part


def mask_summand(session: SecureSession, domain: Domain, part: Words) -> None:
    """Add this position's part of a pseudo-random zero, in place, so that the part may leave the party.

    The t + 1 holders h_0 .. h_t of each component draw t words w_1 .. w_t from its seed; h_k adds w_{k+1} - w_k, where
    w_0 and w_{t+1} are zero. Whichever t parties pry, the t + 1 others are the holders of one component, whose seed the
    former lack: their t + 1 parts are uniform but for their sum. So the masked parts of the others tell what they add
    up to, and nothing else.
    """
    for component in session.held:
        words = session.words(component, domain.zero, (session.threshold, part.size))
        place = session.layout.holders(component).index(session.position)
        if place < session.threshold:
            domain.add(part, words[place], out=part)
        if place > 0:
            domain.subtract(part, words[place - 1], out=part)


def add_public(session: SecureSession, domain: Domain, shares: Words, value: Words | int) -> None:
    """Add what all know to shares, in place: component 0 carries it."""
    if session.carrier is not None:
        domain.add(shares[session.carrier], value, out=shares[session.carrier])
