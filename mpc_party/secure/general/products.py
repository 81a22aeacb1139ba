"""Products of words closed, divided by powers of two, and shares divided by them.

A product without division is closed in one round, t words per element from each party (`closing`). With division, its
summands and those of a mask are sent to all and the sum divided by everybody, with what was made for it ahead (`pairs`): one
round, 2t words. To open the quotient right away costs t more. Shares are masked, opened and divided the same way, with t words. In committees of five no two parties, and
in those of seven no three, ever hold what a product could be put together from before it is divided.
"""

import numpy as np

from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.general.closing import close, open_summands
from mpc_party.secure.general.domains import RING, add_public, summand
from mpc_party.secure.general.pairs import divided, rounding
from mpc_party.secure.general.pool import Item, Kind, take
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, merged


def reshare(session: SecureSession, product: Words, bits: int) -> Steps[Words]:
    """From this party's summand of a product, of any shape, to shares of the product / 2^bits.

    Cost: one round. From each party t words per element without division; 2t with, 32 bytes where t = 2 and 48 where t = 3,
    and one truncation by so many bits is used up. Range and rounding: see `pairs`. Revealed: nothing.

    Raises:
        ValueError: more bits than 58 at once.
    """
    if bits == 0:
        part = np.ascontiguousarray(product).reshape(-1)
        words = yield from close(session, RING, part, "multiply")
    else:
        part, upper, top = yield from _masked(session, product, bits)
        opened = yield from open_summands(session, part, "multiply-truncate")
        words = divided(session, opened, upper, top, bits)
    return words.reshape(len(session.held), *product.shape)


def open_product(session: SecureSession, product: Words, bits: int) -> Steps[Words]:
    """Open a product / 2^bits to all, from this party's summand.

    Cost: one round. From each party 2t words per element without division, 3t with; two rounds for division by 2. Revealed:
    the product; with division what `reshare` and opening its result reveal, which is c and the quotient, and for the top bit of
    the mask nothing that depends on more than these: it has nothing to do with the digits dropped.
    """
    if bits == 0:
        part = np.ascontiguousarray(product).reshape(-1).copy()
        return (yield from open_summands(session, part, "open-product")).reshape(product.shape)
    if bits == 1:  # which leaves no room for the top bit
        words = yield from reshare(session, product, bits)
        return (yield from open_to_all(session, RING, [words], "open"))[0]
    part, upper, top = yield from _masked(session, product, bits)
    (opened,), (told,) = yield from merged(
        [
            _opened_sum(session, part),
            # The mask's upper part is below 20 * 2^(60 - bits), so that its top bit goes above.
            open_to_all(session, RING, [upper + (top << (bits - 1))], "open"),
        ]
    )
    wrapped = (told < 0) & (opened >= 0)
    result: Words = ((opened >> bits) & ((1 << (RING_BITS - bits)) - 1)) - (
        told & ((1 << (RING_BITS - 1)) - 1)
    )
    result += wrapped.astype(np.int64) << (RING_BITS - bits)
    result -= rounding(session.threshold, bits).taken
    return result.reshape(product.shape)


def _masked(session: SecureSession, product: Words, bits: int) -> Steps[tuple[Words, Words, Words]]:
    """This party's summand of c, and what divides c once it is opened (`pairs`)."""
    mask, upper, top = yield from take(session, Item(Kind.TRUNCATION, bits), product.size)
    part = np.ascontiguousarray(product).reshape(-1) + summand(session, RING, mask)
    if session.position == 0:
        part += rounding(session.threshold, bits).added
    return part, upper, top


def _opened_sum(session: SecureSession, part: Words) -> Steps[list[Words]]:
    return [(yield from open_summands(session, part, "open-product"))]


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
