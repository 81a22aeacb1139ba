"""From shared bits back to words: a bit as a number, a value kept or dropped by a bit, random fractions.

A shared bit is s = w ^ c, where position 0 knows the mask w, and the two others c. Over the integers it is
c + (1 - 2c) w, and s v = c v + (1 - 2c) w v: with w, and w (v_0 + v_1), shared between 1 and 2 by 0 ahead, both form
summands of the result by themselves, and exchange them masked.
"""

import math

import numpy as np

from mpc_party.mesh.exchange import FrameKind
from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import Messages, SecureSession
from mpc_party.secure.steps import Steps
from mpc_party.secure.three.products import exchanged, masks, own_mask


def lift(
    session: SecureSession, plane: Words, shape: tuple[int, ...], *, negate: bool = False
) -> Steps[Words]:
    """A shared bit per element as the number 0 or 1, (2, *shape). One round: a word between 1 and 2, one from 0 ahead."""
    count = math.prod(shape)
    dealt = session.words(0, Purpose.PRODUCT_WORDS, (1, count)) if session.position != 1 else None
    if dealt is not None and session.position == 0:
        _deal_bits(plane[0] ^ plane[1], int(negate), dealt[0])
    dealt = yield from _dealt(session, "lift", dealt, (1, count))
    if session.position == 0:
        words = masks(session, shape)
        yield [Messages(session, FrameKind.WORDS, "lift")]
        return words
    mask = own_mask(session, count)
    message = np.empty(count, dtype=np.int64)
    _lift(plane[session.position % 2], dealt[0], mask, int(session.position == 1), message)
    return (yield from exchanged(session, "lift", message, mask)).reshape(2, *shape)


def select(session: SecureSession, values: Words, plane: Words, *, negate: bool = False) -> Steps[Words]:
    """Values (2, *shape) where the bit is 1, else 0. One round: a word between 1 and 2, two words from 0 ahead."""
    shape = values.shape[1:]
    values = np.ascontiguousarray(values).reshape(2, -1)
    count = values.shape[1]
    dealt = session.words(0, Purpose.PRODUCT_WORDS, (2, count)) if session.position != 1 else None
    if dealt is not None and session.position == 0:
        _deal_selection(plane[0] ^ plane[1], values, int(negate), dealt)
    dealt = yield from _dealt(session, "select", dealt, (2, count))
    if session.position == 0:
        words = masks(session, shape)
        yield [Messages(session, FrameKind.WORDS, "select")]
        return words
    mask = own_mask(session, count)
    message = np.empty(count, dtype=np.int64)
    if session.position == 1:  # its components are x_1 and x_2, both its own to select
        _select(plane[1], values[0] + values[1], values[1], dealt, mask, message)
    else:  # x_2 and x_0: 1 selects x_2
        _select(plane[0], values[1], values[0], dealt, mask, message)
    return (yield from exchanged(session, "select", message, mask)).reshape(2, *shape)


def random_fractions(session: SecureSession, shape: tuple[int, ...], scale: int) -> Steps[Words]:
    """Uniform in 0 .. 2^scale - 1, known to nobody. One round: a word between 1 and 2, `scale` words from 0 ahead.

    Bit i is w_i ^ c_i; their sum is W + C - 2 sum 2^i w_i c_i, where 0 knows W and the others C.
    """
    count = math.prod(shape)
    bits = {c: session.words(c, Purpose.RANDOM_BITS, (count,)) & ((1 << scale) - 1) for c in session.held}
    dealt = session.words(0, Purpose.PRODUCT_WORDS, (scale, count)) if session.position != 1 else None
    if dealt is not None and session.position == 0:
        known = bits[0] ^ bits[1]
        for bit in range(scale):
            np.subtract((known >> bit) & 1, dealt[bit], out=dealt[bit])
    dealt = yield from _dealt(session, "random-fractions", dealt, (scale, count))
    if session.position == 0:
        words = masks(session, shape)
        yield [Messages(session, FrameKind.WORDS, "random-fractions")]
        return words
    message = bits[2].copy() if session.position == 1 else np.zeros(count, dtype=np.int64)
    for bit in range(scale):  # 2^i (1 - 2 c_i) w_i, and C once
        message += (1 - 2 * ((bits[2] >> bit) & 1)) * dealt[bit] << bit
    mask = own_mask(session, count)
    message -= mask
    return (yield from exchanged(session, "random-fractions", message, mask)).reshape(2, *shape)


def _dealt(session: SecureSession, operation: str, own: Words | None, shape: tuple[int, ...]) -> Steps[Words]:
    """Position 0 sends its part to 1; 2 has drawn the other part from the seed of 0 and 2."""
    if session.position == 0 and own is not None:
        yield [Messages(session, FrameKind.WORDS, operation, [(1, own)], ahead=True)]
        return own
    if own is not None:
        yield [Messages(session, FrameKind.WORDS, operation, ahead=True)]
        return own
    part = np.empty(shape, dtype=np.int64)
    yield [Messages(session, FrameKind.WORDS, operation, receive=[(0, part)], ahead=True)]
    return part


@kernel("void(i8[::1], i8, i8[::1])")
def _deal_bits(plane: Words, negate: int, part: Words) -> None:
    """W - part, in place."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, part.size - row * width)):
            part[row * width + lane] = (((plane[lane] >> row) & 1) ^ negate) - part[row * width + lane]


@kernel("void(i8[::1], i8[::1], i8[::1], i8, i8[::1])")
def _lift(plane: Words, dealt: Words, mask: Words, first: int, message: Words) -> None:
    """(first * c) + (1 - 2c) w - mask."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, message.size - row * width)):
            index = row * width + lane
            bit = (plane[lane] >> row) & 1
            message[index] = ((dealt[index] ^ -bit) + bit) + (bit & first) - mask[index]


@kernel("void(i8[::1], i8[:, ::1], i8, i8[:, ::1])")
def _deal_selection(plane: Words, values: Words, negate: int, parts: Words) -> None:
    """W - part and w (x_0 + x_1) - part, in place."""
    width = plane.size
    count = parts.shape[1]
    for row in range(64):
        for lane in range(min(width, count - row * width)):
            index = row * width + lane
            bit = ((plane[lane] >> row) & 1) ^ negate
            parts[0, index] = bit - parts[0, index]
            parts[1, index] = (-bit & (values[0, index] + values[1, index])) - parts[1, index]


@kernel("void(i8[::1], i8[::1], i8[::1], i8[:, ::1], i8[::1], i8[::1])")
def _select(plane: Words, own: Words, known: Words, dealt: Words, mask: Words, message: Words) -> None:
    """C own + (1 - 2c)(w a + w x_2) - mask, of which `dealt` has this party's parts of w and of w a; `known` is x_2."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, message.size - row * width)):
            index = row * width + lane
            bit = (plane[lane] >> row) & 1
            kept = dealt[1, index] + dealt[0, index] * known[index]
            message[index] = (own[index] & -bit) + ((kept ^ -bit) + bit) - mask[index]
