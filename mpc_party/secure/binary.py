"""Binary replicated sharings of the bits of words, and the two circuits on them: the sign of a sum, and zero.

Bits lie in planes: plane p holds bit p of all elements, 64 elements to a word. Combining bit positions is then
a choice of planes, without shifting or compacting bits, and each level of a circuit sends exactly what it needs.
For N elements, a plane has M = ceil(N / 64) words; arrays of sharings are (2, planes, M) int64.

The value is a sum of two words: a = x_0 + x_1, which party 0 knows, and b = x_2, which parties 1 and 2 know. The
bits of b are a binary replicated sharing at no cost (two components zero); party 0 shares those of a. The
three-operand adder that the free sharings of x_0, x_1 and x_2 would need costs the same round and three times
the words. The circuit is the carry half of a parallel-prefix adder: Mohassel, Rindal, "ABY3", CCS 2018, section 5.3,
with a tree that computes the one carry that decides the sign.
"""

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps

_SWAP_MASKS = (
    (32, 0x00000000FFFFFFFF),
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def words_per_plane(count: int) -> int:
    """How many 64-bit words hold one bit of each of `count` elements."""
    return -(-count // RING_BITS)


def to_planes(words: Words) -> Words:
    """Bit planes of N words: (64, M), where bit k of plane[p, m] is bit p of word k*M + m; padded with zeros.

    The 64 x 64 bit matrix transposition of Warren, "Hacker's Delight", 2nd edition, section 7-3, on M matrices at once.
    """
    width = words_per_plane(words.size)
    planes = np.zeros((RING_BITS, width), dtype=np.int64)
    planes.reshape(-1)[: words.size] = words.reshape(-1)
    for distance, mask in _SWAP_MASKS:
        blocks = planes.reshape(RING_BITS // (2 * distance), 2, distance, width)
        low, high = blocks[:, 0], blocks[:, 1]
        swap = low >> distance
        swap ^= high
        swap &= mask  # also drops the copies of the sign bit that the shift brought in
        high ^= swap
        swap <<= distance
        low ^= swap
    return planes


def from_plane(plane: Words, count: int) -> Words:
    """The bits of one plane as `count` words of 0 or 1."""
    positions = np.arange(RING_BITS, dtype=np.int64)[:, None]
    return ((plane[None, :] >> positions) & 1).reshape(-1)[:count]


def _local_and(x: Words, y: Words) -> Words:
    # z_i = x_i y_i + x_i y_{i+1} + x_{i+1} y_i over GF(2)
    z: Words = y[0] ^ y[1]
    z &= x[0]
    z ^= x[1] & y[0]
    return z


def _reshare(session: SecureSession, z: Words) -> Steps[Words]:
    """From additive shares of bits to replicated ones. One round, the bits of z once per party."""
    shares = np.empty((2, *z.shape), dtype=np.int64)
    np.bitwise_xor(z, session.seeds.zero_bits(z.shape), out=shares[0])
    send, receive = [(session.previous, shares[0])], [(session.next, shares[1])]
    yield [Messages(session, FrameKind.BITS, "and", send, receive)]
    return shares


def _share_first(session: SecureSession, planes: Words | None, shape: tuple[int, ...]) -> Steps[Words]:
    """Share bits that party 0 knows, as (r, a ^ r, 0). One round, the bits once, from party 0 to 1."""
    shares = np.zeros((2, *shape), dtype=np.int64)
    send, receive = [], []
    if planes is not None:
        shares[0] = session.words(0, Purpose.INPUT_BITS, shape)
        np.bitwise_xor(planes, shares[0], out=shares[1])
        send.append((1, shares[1]))
    elif session.position == 1:
        receive.append((0, shares[0]))
    else:
        shares[1] = session.words(0, Purpose.INPUT_BITS, shape)
    yield [Messages(session, FrameKind.BITS, "share-bits", send, receive)]
    return shares


def sign_plane(session: SecureSession, components: Words, bits: int) -> Steps[Words]:
    """Bit `bits` - 1 of x = x_0 + x_1 + x_2, which is its sign where -2^(bits-1) <= x < 2^(bits-1).

    Args:
        session: the computation.
        components: this party's two components, shape (2, N).
        bits: 2..64.

    Cost: 2 + ceil(log2(bits - 1)) rounds. In bits per element: `bits` from party 0 only, then about 3 * bits from
    each party (181 where bits = 64).

    Returns:
        a binary replicated sharing, (2, M).
    """
    width = words_per_plane(components.shape[1])
    known_to_first = session.position == 0
    # a = x_0 + x_1 at party 0; b = x_2 at the two others (slot 1 at party 1, slot 0 at party 2)
    own = components[0] + components[1] if known_to_first else components[session.position % 2]
    planes = to_planes(own)[:bits]
    a = yield from _share_first(session, planes if known_to_first else None, (bits, width))
    propagate = a
    generated = np.zeros((bits - 1, width), dtype=np.int64)
    if not known_to_first:
        # b has the one component x_2; its product with a is a_1 b at party 1 and a_0 b at party 2.
        slot = session.position % 2
        np.bitwise_and(a[1 - slot, : bits - 1], planes[: bits - 1], out=generated)
        propagate[slot] ^= planes
    sign = propagate[:, bits - 1].copy()
    generate = yield from _reshare(session, generated)
    carry = yield from _carry_out(session, generate, propagate[:, : bits - 1])
    sign ^= carry
    return sign


def _carry_out(session: SecureSession, generate: Words, propagate: Words) -> Steps[Words]:
    """The carry out of all positions: (g, p) o (g', p') = (g ^ p g', p p'), as a tree, upper part first."""
    while (count := generate.shape[1]) > 1:
        half, even = count // 2, count - count % 2
        upper = propagate[:, 1:even:2]
        lower_g, lower_p = generate[:, 0:even:2], propagate[:, 0:even:2]
        # Nothing is carried into the lowest group: its p is not needed, nor that of what it is merged into.
        z = np.concatenate([_local_and(upper, lower_g), _local_and(upper[:, 1:], lower_p[:, 1:])])
        products = yield from _reshare(session, z)
        products[:, :half] ^= generate[:, 1:even:2]
        unused = products[:, :1]
        top = slice(even, count)  # an odd position on top waits for the next level
        propagate = np.concatenate([unused, products[:, half:], propagate[:, top]], axis=1)
        generate = np.concatenate([products[:, :half], generate[:, top]], axis=1)
    return generate[:, 0]


def zero_plane(session: SecureSession, components: Words, bits: int) -> Steps[Words]:
    """Whether the lower `bits` bits of x = x_0 + x_1 + x_2 are all zero: the conjunction of a = -b bit by bit.

    Arguments and result as `sign_plane`. Cost: 1 + ceil(log2(bits)) rounds; `bits` bits per element from party 0,
    then about `bits` from each party.
    """
    width = words_per_plane(components.shape[1])
    known_to_first = session.position == 0
    own = ~(components[0] + components[1]) if known_to_first else -components[session.position % 2]
    planes = to_planes(own)[:bits]
    equal = yield from _share_first(session, planes if known_to_first else None, (bits, width))
    if not known_to_first:
        equal[session.position % 2] ^= planes  # ~a ^ -b
    return (yield from and_all(session, equal))


def and_all(session: SecureSession, bits: Words) -> Steps[Words]:
    """The conjunction along the first dimension after that of components: (2, K, ...) to (2, ...).

    Cost: ceil(log2(K)) rounds, K - 1 bits for each bit of the result from each party.
    """
    while (count := bits.shape[1]) > 1:
        half, even = count // 2, count - count % 2
        products = yield from _reshare(session, _local_and(bits[:, :half], bits[:, half:even]))
        bits = np.concatenate([products, bits[:, even:]], axis=1)
    return bits[:, 0]
