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

    Cost: four rounds; from each party 4t / (2t + 1) + 2t words for each, 44.8 bytes where t = 2 and 61.7 where t = 3.

    Returns:
        shares (held, 64, columns) of the numbers, and (held, columns) of the bits.
    """
    bits = yield from ring_bits(session, RING_BITS * columns, thrifty=thrifty)
    words = bits.reshape(-1, RING_BITS, columns)
    places = np.arange(RING_BITS, dtype=np.int64)[:, None]
    return words, np.bitwise_or.reduce((words & 1) << places, axis=1)


def make_fractions(
    session: SecureSession, scale: int, count: int, *, thrifty: bool
) -> Steps[tuple[Words, ...]]:
    """Uniform in 0 .. 2^scale - 1: shares (held, count).

    Cost: four rounds; from each party 4t / (2t + 1) words for each digit, and 2t more for each of the two lowest.
    """
    exact = min(scale, _EXACT)
    lower, upper = yield from merged(
        [
            ring_bits(session, exact * count, thrifty=thrifty),
            root_bits(session, (scale - exact) * count, thrifty=thrifty),
        ]
    )
    digits = np.concatenate(
        [lower.reshape(-1, exact, count), upper.reshape(-1, scale - exact, count)], axis=1
    )
    total = np.zeros((len(digits), count), dtype=np.int64)
    for place in range(scale):
        total += digits[:, place] << place
    return (total,)
