"""The sign of shared words, whether they are zero, and conjunctions of shared bits.

x is masked by a random word r whose bits are shared (`masks`), and c = x + r is opened. Bit k - 1 of x = c - r is that bit
of c, that of r, and whether there is a borrow from below: whether the lower bits of c are less than those of r. With c public,
that is found for groups of four bits without a message, because the products of r's bits in a group were made with r; so is
whether they are equal. Groups are then joined by four, in one round per level (`gates`, `joining`).

Revealed: nothing. What is opened is masked by words that no t parties know, each used once.
"""

import numpy as np

from mpc_party.secure.bits import to_planes, words_per_plane
from mpc_party.secure.general.closing import conjunction
from mpc_party.secure.general.domains import BITS, RING, add_public
from mpc_party.secure.general.gates import Gate, open_inputs, product
from mpc_party.secure.general.joining import (
    ALL,
    ALL_EQUAL,
    DECIDES,
    EQUAL,
    LESS,
    LESS_LAST,
    WIDTH,
    in_groups,
)
from mpc_party.secure.general.pool import Item, Kind, take
from mpc_party.secure.general.sharing import open_to_all
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps


def sign_plane(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Bit `bits` - 1 of the values of words (held, N): a plane (held, M).

    Cost: 1 + ceil(log4(ceil((bits - 1) / 4))) rounds, that is 3 for 64 bits, 2 up to 17. From each party t words per
    element, and t bits for each input of the gates: 34 for 64 bits, so 24.5 bytes where t = 2 and 36.75 where t = 3.
    Uses up one sign mask of so many bits per element.
    """
    mask, top, groups, *gates = yield from take(
        session, Item(Kind.SIGN, bits), words_per_plane(words.shape[1])
    )
    differs = yield from _opened(session, words, mask, bits, "compare")
    equal, less = _less(session, differs[: bits - 1], groups)
    for masks in gates:
        equal, less = yield from _joined(session, equal, less, masks)
    result = top ^ less[:, 0]
    add_public(session, BITS, result, ~differs[bits - 1])
    return result


def zero_plane(session: SecureSession, words: Words, bits: int) -> Steps[Words]:
    """Whether the lower `bits` bits of the values of words (held, N) are all zero: a plane (held, M).

    Cost: 1 + ceil(log4(ceil(bits / 4))) rounds. From each party t words per element, and t bits for each input of the gates:
    20 for 64 bits, so 21 bytes where t = 2 and 31.5 where t = 3. Uses up one zero mask of so many bits per element.
    """
    mask, _, groups, *gates = yield from take(session, Item(Kind.ZERO, bits), words_per_plane(words.shape[1]))
    differs = yield from _opened(session, words, mask, bits, "equal")
    equal = product(session, EQUAL, in_groups(_public(differs))[0], groups, ALL)
    for masks in gates:
        padded = in_groups(_filled(session, equal))
        opened = yield from open_inputs(session, EQUAL, padded, masks, "equal")
        equal = product(session, EQUAL, opened, masks, ALL)
    return equal[:, 0]


def and_planes(session: SecureSession, planes: Words) -> Steps[Words]:
    """The conjunction along the dimension after that of components: (held, K, ...) to (held, ...).

    Cost: ceil(log4(K)) rounds; t bits from each party for each bit that enters a gate. Uses up one gate for each group of
    up to four, but for two at once none.
    """
    held, count, *shape = planes.shape
    planes = planes.reshape(held, count, int(np.prod(shape)))
    while (count := planes.shape[1]) > 1:
        if count == 2:
            planes = (yield from conjunction(session, planes[:, 0], planes[:, 1], "and"))[:, None]
            continue
        inputs = in_groups(_filled(session, planes))
        groups, columns = inputs.shape[2:]
        (masks,) = yield from take(session, Item(Kind.CONJUNCTION, 0), groups * columns)
        masks = masks.reshape(held, len(EQUAL.products), groups, columns)
        opened = yield from open_inputs(session, EQUAL, inputs, masks, "and")
        planes = product(session, EQUAL, opened, masks, ALL)
    return planes.reshape(held, *shape)


def public_plane(session: SecureSession, plane: Words) -> Words:
    """A sharing (held, *shape) of bits that all know. Local."""
    shares = np.zeros((len(session.held), *plane.shape), dtype=np.int64)
    if session.carrier is not None:
        shares[session.carrier] = plane
    return shares


def _opened(session: SecureSession, words: Words, mask: Words, bits: int, operation: str) -> Steps[Words]:
    """The complement of c = x + r, by planes: (bits, M)."""
    count = words.shape[1]
    masked = words + mask.reshape(len(words), -1)[:, :count]
    (opened,) = yield from open_to_all(session, RING, [masked], operation)
    return ~to_planes(opened, bits)


def _public(planes: Words) -> Words:
    """With a first dimension of one, as if these were components; what pads c and r is equal."""
    missing = -len(planes) % WIDTH
    ones = np.full((missing, planes.shape[1]), -1, dtype=np.int64)
    return np.concatenate([planes, ones])[None]


def _filled(session: SecureSession, planes: Words) -> Words:
    """(held, K, M) with K a multiple of four, padded with ones."""
    missing = -planes.shape[1] % WIDTH
    ones = public_plane(session, np.full((missing, planes.shape[2]), -1, dtype=np.int64))
    return np.concatenate([planes, ones], axis=1)


def _less(session: SecureSession, differs: Words, groups: Words) -> tuple[Words, Words]:
    """Of each group, whether c is equal to r, and whether it is less: (held, groups, M) each. Local.

    Bits are equal where ~c ^ r is one. c is less because of a bit that is 0 in c and 1 in r, and all bits above it are equal.
    """
    by_bit = in_groups(_public(differs))[0]
    equal = product(session, EQUAL, by_bit, groups, ALL)
    less = np.zeros_like(equal)
    for bit in range(WIDTH):
        above = ALL >> bit << bit
        less ^= product(session, EQUAL, by_bit, groups, above, only=1 << bit) & by_bit[bit]
    return equal, less


def _joined(session: SecureSession, equal: Words, less: Words, masks: Words) -> Steps[tuple[Words, Words]]:
    """Groups joined by four: (held, groups, M) to (held, gates, M), both. One round."""
    last = masks.shape[1] == len(LESS_LAST.products)
    form: Gate = LESS_LAST if last else LESS
    equal, less = in_groups(_filled(session, equal)), in_groups(less)
    inputs = np.concatenate([equal[:, 1:], less[:, :-1], equal[:, :1]], axis=1)[:, : form.inputs]
    opened = yield from open_inputs(session, form, inputs, masks, "compare")
    result = less[:, -1].copy()
    for deciding in DECIDES:
        result ^= product(session, form, opened, masks, deciding)
    return (result if last else product(session, form, opened, masks, ALL_EQUAL)), result
