"""Products of words closed, divided by powers of two, and shares divided by them.

A product without division is closed in one round, t words per element from each party (`closing`). With division, its
summands and those of a mask are sent to all and the sum divided by everybody, with what was made for it ahead (`pairs`): one
round, 2t words. Shares are masked, opened and divided the same way, with t words. In committees of five no two parties, and
in those of seven no three, ever hold what a product could be put together from before it is divided.
"""

import numpy as np

from mpc_party.secure.general.closing import close, open_summands
from mpc_party.secure.general.domains import RING, add_public, summand
from mpc_party.secure.general.pairs import divided, rounding
from mpc_party.secure.general.pool import Item, Kind, take
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps


def reshare(session: SecureSession, product: Words, bits: int) -> Steps[Words]:
    """From this party's summand of a product, of any shape, to shares of the product / 2^bits.

    Cost: one round. From each party t words per element without division; 2t with, 32 bytes where t = 2 and 48 where t = 3,
    and one truncation by so many bits is used up. Range and rounding: see `pairs`. Revealed: nothing.

    Raises:
        ValueError: more bits than 58 at once.
    """
    part = np.ascontiguousarray(product).reshape(-1)
    if bits == 0:
        words = yield from close(session, RING, part, "multiply")
    else:
        mask, upper, top = yield from take(session, Item(Kind.TRUNCATION, bits), part.size)
        part = part + summand(session, RING, mask)
        if session.position == 0:
            part += rounding(session.threshold, bits).added
        opened = yield from open_summands(session, part, "multiply-truncate")
        words = divided(session, opened, upper, top, bits)
    return words.reshape(len(session.held), *product.shape)


def truncate(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Divide shares (held, *shape) by 2^bits, bits > 0.

    Cost: one round, t words per element from each party; one truncation is used up. Range, rounding and errors: as `reshare`.
    """
    held, *shape = words.shape
    flat = words.reshape(held, -1)
    mask, upper, top = yield from take(session, Item(Kind.TRUNCATION, bits), flat.shape[1])
    masked = flat + mask
    add_public(session, RING, masked, rounding(session.threshold, bits).added)
    (opened,) = yield from open_to_all(session, RING, [masked], "truncate")
    return divided(session, opened, upper, top, bits).reshape(held, *shape)
