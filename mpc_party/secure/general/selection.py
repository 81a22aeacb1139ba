"""From shared bits back to words: a bit as a number, a value kept or dropped by a bit, random fractions.

With a random bit b that is shared as a number too, e = s ^ b is opened, and s = e + (1 - 2e) b over the integers. So a value is
selected as e v + (1 - 2e) b v, where the product b v does not depend on s and is closed in the same round.
"""

import numpy as np

from mpc_party.secure.bits import from_plane, words_per_plane
from mpc_party.secure.general.closing import close, multiplied
from mpc_party.secure.general.domains import BITS, RING, add_public
from mpc_party.secure.general.pool import Item, Kind, take
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, merged

_SELECTION = Item(Kind.SELECTION, 0)


def lift(
    session: SecureSession, plane: Words, shape: tuple[int, ...], *, negate: bool = False
) -> Steps[Words]:
    """A shared bit per element as the number 0 or 1, (held, *shape); 1 - bit where `negate`.

    Cost: one round, t bits per element from each party. Uses up one selection per element. Revealed: nothing.
    """
    count = int(np.prod(shape))
    numbers, bits = yield from take(session, _SELECTION, words_per_plane(count))
    (opened,) = yield from open_to_all(session, BITS, [plane ^ bits], "lift")
    flips = from_plane(opened, count) ^ int(negate)
    words: Words = numbers.reshape(len(numbers), -1)[:, :count] * (1 - 2 * flips)
    add_public(session, RING, words, flips)
    return words.reshape(len(session.held), *shape)


def select(session: SecureSession, values: Words, plane: Words, *, negate: bool = False) -> Steps[Words]:
    """Values (held, *shape) where the bit is 1, else 0; where it is 0 if `negate`.

    Cost: one round, t words and t bits per element from each party: 16.25 bytes where t = 2 and 24.4 where t = 3. Uses up one
    selection per element. Revealed: nothing.
    """
    held, *shape = values.shape
    flat = np.ascontiguousarray(values).reshape(held, -1)
    count = flat.shape[1]
    numbers, bits = yield from take(session, _SELECTION, words_per_plane(count))
    part = multiplied(session, np.ascontiguousarray(numbers.reshape(held, -1)[:, :count]), flat)
    (opened,), (kept,) = yield from merged(
        [
            open_to_all(session, BITS, [plane ^ bits], "select"),
            _closed(session, part),
        ]
    )
    flips = from_plane(opened, count) ^ int(negate)
    words: Words = kept * (1 - 2 * flips) + flat * flips
    return words.reshape(held, *shape)


def _closed(session: SecureSession, part: Words) -> Steps[list[Words]]:
    return [(yield from close(session, RING, part, "select"))]


def random_fractions(session: SecureSession, shape: tuple[int, ...], scale: int) -> Steps[Words]:
    """Uniform in 0 .. 2^scale - 1, known to nobody: (held, *shape). No round; uses up one fraction per element."""
    (words,) = yield from take(session, Item(Kind.FRACTION, scale), int(np.prod(shape)))
    return words.reshape(len(session.held), *shape)
