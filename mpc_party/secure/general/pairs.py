"""Truncation of words without wild errors, with pairs of masks made before the round.

Division by 2^f opens c = z' + r, where z' = z + A is not negative, A public, and r is a mask that was shared together with its
upper part:

    r = u + 2^60 V      u = u_0 + .. + u_t, where position j chooses u_j in [0, 2^60); V four random bits of nobody's

The mask is uniform to any t parties, because they lack one u_j, and V. z' + u stays below 2^63, so that z' + r, an integer
below 2^64 + 2^63, wraps around the ring exactly if the top bit m of V is one and that of c is not. So

    z / 2^f  ~  (c >> f) + 2^(64-f) m (1 - top bit of c) - (u_0 >> f) - .. - (u_t >> f) - 2^(60-f) V - A / 2^f

in which all but c is shared, and no carry has to be followed through the bits of r. What is left is rounding: the parts
of the u_j below 2^f are uniform, so that t / 2 is added on average, which is taken off again.

Range: |z| <= 2^61 - 2^f. The result is off by less than 2 units in the last place where t = 2, 2.5 where t = 3, with variances of 1/3
and 5/12 where an ordinary random rounding has 1/6, and without bias (t = 3: half a unit of the digits dropped).

Privacy: c is uniform to any t parties. Who sees the quotient opened as well learns the sum of the digits dropped and of a uniform
number below 2^f, which one of those chose who do not pry: as much as the rounding has to do with them.

Source: Dalskov, Escudero, Keller, "Secure evaluation of quantized neural networks", PoPETs 2020 (truncation with the top
bit of the mask known; there the mask is put together from random bits).
"""

from dataclasses import dataclass

import numpy as np

from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.general.domains import RING, add_public
from mpc_party.secure.general.random_bits import OPERATION, ROOT_BITS, root_bits
from mpc_party.secure.general.sharing import share, share_narrow
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps, merged

CHOSEN_BITS = 60  # of each u_j
TOP_BITS = RING_BITS - CHOSEN_BITS  # of V
MAX_DROPPED = ROOT_BITS - TOP_BITS
RANGE = 1 << 61


@dataclass(frozen=True, slots=True)
class Rounding:
    """The public numbers of a division by 2^bits: what is added to z, and what is taken off the result."""

    added: int
    taken: int


def rounding(threshold: int, bits: int) -> Rounding:
    """For t + 1 choosing parties: A, and by how much (c >> bits) - (r >> bits) is too large on average.

    With S the sum of the dropped parts of the u_j, (z' + S) is rounded down. That is too large by t (2^bits - 1) / 2 in
    units of what is dropped; `added` makes it whole units of the result.
    """
    centre = ((1 << (RING_BITS - 1)) - ((threshold + 1) << CHOSEN_BITS)) // 2
    half = (threshold % 2) << (bits - 1)
    return Rounding(centre + half + threshold // 2, (centre >> bits) + (threshold + 1) // 2)


def make_pairs(session: SecureSession, bits: int, count: int, *, thrifty: bool) -> Steps[tuple[Words, ...]]:
    """Masks for `count` divisions by 2^bits.

    Cost: two rounds if `thrifty`, in which each party sends 16t / (2t + 1) words for V, that is 51 bytes where t = 2 and 55
    where t = 3; else one round and 8t words. Besides, positions 0 .. t send t words and 4t bits for their u_j: 17 and 25.5 bytes.

    Returns:
        shares (held, count) of r, of the upper parts that are subtracted, and of 2^(64 - bits) m.
    """
    if not 1 <= bits <= MAX_DROPPED:
        raise ValueError(f"at most {MAX_DROPPED} bits are dropped at once, not {bits}")
    (top,), (mask, upper) = yield from merged(
        [
            _top(session, count, thrifty=thrifty),
            _chosen(session, bits, count),
        ]
    )
    digits = top.reshape(len(session.held), TOP_BITS, count)
    number = np.zeros_like(mask)
    for place in range(TOP_BITS):
        number += digits[:, place] << place
    mask += number << CHOSEN_BITS
    upper += number << (CHOSEN_BITS - bits)
    return mask, upper, digits[:, TOP_BITS - 1] << (RING_BITS - bits)


def _top(session: SecureSession, count: int, *, thrifty: bool) -> Steps[list[Words]]:
    return [(yield from root_bits(session, TOP_BITS * count, thrifty=thrifty))]


def _chosen(session: SecureSession, bits: int, count: int) -> Steps[list[Words]]:
    """Shares of u and of what is left of the u_j without their lowest bits.

    x_j, which position j knows, is free as a word of 64 bits. u_j is x_j without its 4 upper bits, which j shares modulo 2^4.
    """
    mask, own = chosen_words(session, count)
    dealers = range(session.threshold + 1)
    lower = None if own is None else own & ((1 << CHOSEN_BITS) - 1)
    over = None if own is None else (own >> CHOSEN_BITS) & ((1 << TOP_BITS) - 1)
    narrow = [(j, count, over if j == session.position else None) for j in dealers]
    whole = [
        (j, (count,), lower >> bits if lower is not None and j == session.position else None) for j in dealers
    ]
    excess, upper = yield from merged(
        [share_narrow(session, narrow, TOP_BITS, OPERATION), share(session, RING, whole, OPERATION)]
    )
    mask -= sum(excess[1:], start=excess[0]) << CHOSEN_BITS
    return [mask, sum(upper[1:], start=upper[0])]


def chosen_words(session: SecureSession, count: int) -> tuple[Words, Words | None]:
    """Words x_0 + .. + x_t, of which position j <= t knows x_j. Free: x_j's components are those that j holds.

    Any t parties lack one x_j, of which they lack one component.

    Returns:
        shares (held, count) of the sum, and this position's own x_j; None beyond t.
    """
    shares = np.zeros((len(session.held), count), dtype=np.int64)
    own = np.zeros(count, dtype=np.int64) if session.position <= session.threshold else None
    for slot, component in enumerate(session.held):
        for dealer in range(session.threshold + 1):
            if dealer in session.layout.subsets[component]:
                continue
            words = session.words(component, Purpose.RANDOM_WORDS, (count,))
            shares[slot] += words
            if own is not None and dealer == session.position:
                own += words
    return shares, own


def divided(session: SecureSession, opened: Words, upper: Words, top: Words, bits: int) -> Words:
    """The shares of the quotient from the opened c: see above. Local; `upper` is left as it is."""
    result: Words = np.where(opened < 0, np.int64(0), np.int64(1)) * top
    result -= upper
    shifted = (opened >> bits) & ((1 << (RING_BITS - bits)) - 1)
    add_public(session, RING, result, shifted - rounding(session.threshold, bits).taken)
    return result
