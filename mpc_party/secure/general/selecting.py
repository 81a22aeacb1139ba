"""Random bits in stock: as numbers and as shared bits, to select by; and as the digits of random fractions."""

import numpy as np

from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.general.random_bits import ring_bits, root_bits
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, merged

_EXACT = 2  # digits that are not multiplied by 4 or more


def make_selectors(session: SecureSession, columns: int, *, thrifty: bool) -> Steps[tuple[Words, ...]]:
    """Random bits as words and as planes, 64 in each column. The bit is the parity of the number: of all its components.

    Cost: six rounds and 10t / (2t + 1) words from each party for each if `thrifty`; else three rounds and 4t words.

    Returns:
        shares (held, 64, columns) of the numbers, and (held, columns) of the bits.
    """
    bits = yield from ring_bits(session, RING_BITS * columns, thrifty=thrifty)
    words = bits.reshape(len(session.held), RING_BITS, columns)
    places = np.arange(RING_BITS, dtype=np.int64)[:, None]
    return words, np.bitwise_or.reduce((words & 1) << places, axis=1)


def make_fractions(
    session: SecureSession, scale: int, count: int, *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    """Uniform in 0 .. 2^scale - 1: shares (held, count).

    Cost: six rounds if `thrifty`, else three. From each party 4t / (2t + 1) words for each digit, else 2t; for each of the two
    lowest also 6t / (2t + 1), else 2t.
    """
    exact = min(scale, _EXACT)
    lower, upper = yield from merged(
        [
            ring_bits(session, exact * count, thrifty=thrifty),
            root_bits(session, (scale - exact) * count, thrifty=thrifty),
        ]
    )
    digits = np.concatenate(
        [
            lower.reshape(len(session.held), exact, count),
            upper.reshape(len(session.held), scale - exact, count),
        ],
        axis=1,
    )
    total = np.zeros((len(digits), count), dtype=np.int64)
    for place in range(scale):
        total += digits[:, place] << place
    return (total,)
