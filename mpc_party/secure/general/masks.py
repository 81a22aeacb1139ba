"""Random words that are shared as numbers and bit by bit, to mask what is compared: made before the round.

The word is x_0 + .. + x_t, where position j knows x_j and shares its bits (`chosen_words`: as a number it is free). Shared
bits of t + 1 words are added up to two by carry-save adders, and these by an adder that finds all carries, in ceil(log2 bits)
rounds: Sklansky, "Conditional-sum addition logic", IRE Trans. Electronic Computers 1960.
"""

import numpy as np

from mpc_party.secure.bits import to_planes
from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.general.closing import conjunction
from mpc_party.secure.general.domains import BITS
from mpc_party.secure.general.pairs import chosen_words
from mpc_party.secure.general.random_bits import OPERATION
from mpc_party.secure.general.sharing import share
from mpc_party.secure.randomness import Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps


def make_masks(
    session: SecureSession, bits: int, columns: int, *, thrifty: bool
) -> Steps[tuple[Words, Words]]:
    """Random words, 64 for each of `columns`, with their lowest `bits` bits.

    Cost: one round in which positions 0 .. t send t * bits bits per element; then t + ceil(log2(bits - 1)) conjunctions one after
    the other, in all of t (bits - 1) bits per element and as many as `carries` has.

    Returns:
        shares (held, 64, columns), and their planes (held, bits, columns).
    """
    words, own = chosen_words(session, RING_BITS * columns)
    planes = None if own is None else to_planes(own, bits)
    shape = (bits, columns)
    pieces = [(j, shape, planes if j == session.position else None) for j in range(session.threshold + 1)]
    operands = yield from share(session, BITS, pieces, OPERATION)
    while len(operands) > 2:
        x, y, z, *rest = operands
        both = x ^ z
        # The majority of three is (x ^ z)(y ^ z) ^ z; what it is at the top would be carried out of the word.
        carried = yield from conjunction(session, both[:, :-1], (y ^ z)[:, :-1], OPERATION, thrifty=thrifty)
        carried ^= z[:, :-1]
        operands = [*rest, both ^ y, _moved_up(carried)]
    x, y = operands
    total = x ^ y
    if bits > 1:
        generate = yield from conjunction(session, x[:, :-1], y[:, :-1], OPERATION, thrifty=thrifty)
        total[:, 1:] ^= yield from carries(session, generate, total[:, :-1].copy(), thrifty=thrifty)
    return words.reshape(len(session.held), RING_BITS, columns), total


def _moved_up(planes: Words) -> Words:
    held, _, columns = planes.shape
    return np.concatenate([np.zeros((held, 1, columns), dtype=np.int64), planes], axis=1)


def carries(session: SecureSession, generate: Words, propagate: Words, *, thrifty: bool) -> Steps[Words]:
    """The carries out of all positions of an addition; both arguments (held, positions, M) are overwritten.

    ceil(log2(positions)) conjunctions one after the other. Level d has a gate for each position i with bit d set in i, and another one unless
    i < 2^(d + 1).
    """
    count = generate.shape[1]
    for level in range((count - 1).bit_length()):
        block = 1 << level
        upper = [i for i in range(count) if i & block]
        last = [i // block * block - 1 for i in upper]  # the top of the lower half, whose carry i waits for
        first = sum(
            i < 2 * block for i in upper
        )  # nothing is carried into the lowest block: its p is not needed again
        x = propagate[:, upper + upper[first:]]
        y = np.concatenate([generate[:, last], propagate[:, last[first:]]], axis=1)
        products = yield from conjunction(session, x, y, OPERATION, thrifty=thrifty)
        generate[:, upper] ^= products[:, : len(upper)]
        propagate[:, upper[first:]] = products[:, len(upper) :]
    return generate
