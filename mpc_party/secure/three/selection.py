"""From shared bits back to words: a bit as a number, a value kept or dropped by a bit, random fractions.

A shared bit is s = w ^ c, where position 0 knows the mask w, and the two others c. Over the integers it is
c + (1 - 2c) w, and s v = c v + (1 - 2c) w v: with w, and w (v_0 + v_1), shared between 1 and 2 by 0 ahead, both form
summands of the result by themselves, and exchange them masked.
"""

import math

import numpy as np

from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Purpose, Words
from mpc_party.secure.session import SecureSession
from mpc_party.secure.steps import Steps
from mpc_party.secure.three.products import closed, dealt


def lift(
    session: SecureSession, plane: Words, shape: tuple[int, ...], *, negate: bool = False
) -> Steps[Words]:
    """A shared bit per element as the number 0 or 1, (2, *shape). One round: a word between 1 and 2, one from 0 ahead."""
    part = yield from dealt(
        session,
        "lift",
        (math.prod(shape),),
        lambda drawn: _deal_bits(plane[0] ^ plane[1], int(negate), drawn),
    )
    known, first = plane[session.position % 2], int(session.position == 1)
    return (
        yield from closed(
            session, "lift", shape, lambda mask, message: _lift(known, part, mask, first, message)
        )
    )


def select(session: SecureSession, values: Words, plane: Words, *, negate: bool = False) -> Steps[Words]:
    """Values (2, *shape) where the bit is 1, else 0. One round: a word between 1 and 2, two words from 0 ahead."""
    shape = values.shape[1:]
    values = np.ascontiguousarray(values).reshape(2, -1)
    parts = yield from dealt(
        session,
        "select",
        values.shape,
        lambda drawn: _deal_selection(plane[0] ^ plane[1], values, int(negate), drawn),
    )
    slot = session.position % 2  # of x_2, and of the bits that 1 and 2 know
    # 1 selects x_2, besides its own x_1; 2 its own x_0.
    own = values[0] + values[1] if session.position == 1 else values[1]
    return (
        yield from closed(
            session,
            "select",
            shape,
            lambda mask, message: _select(plane[slot], own, values[slot], parts, mask, message),
        )
    )


def random_fractions(session: SecureSession, shape: tuple[int, ...], scale: int) -> Steps[Words]:
    """Uniform in 0 .. 2^scale - 1, known to nobody. One round: a word between 1 and 2, `scale` words from 0 ahead.

    Bit i is w_i ^ c_i; their sum is W + C - 2 sum 2^i w_i c_i, where 0 knows W and the others C.
    """
    count = math.prod(shape)
    bits = {c: session.words(c, Purpose.RANDOM_BITS, (count,)) & ((1 << scale) - 1) for c in session.held}

    def hide(drawn: Words) -> None:
        for bit in range(scale):
            np.subtract(((bits[0] ^ bits[1]) >> bit) & 1, drawn[bit], out=drawn[bit])

    parts = yield from dealt(session, "random-fractions", (scale, count), hide)

    def form(mask: Words, message: Words) -> None:
        np.subtract(bits[2] if session.position == 1 else 0, mask, out=message)
        for bit in range(scale):  # 2^i (1 - 2 c_i) w_i, and C once
            message += (1 - 2 * ((bits[2] >> bit) & 1)) * parts[bit] << bit

    return (yield from closed(session, "random-fractions", shape, form))


@kernel("void(i8[::1], i8, i8[::1])")
def _deal_bits(plane: Words, negate: int, part: Words) -> None:
    """Turn `part` into w - part."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, part.size - row * width)):
            part[row * width + lane] = (((plane[lane] >> row) & 1) ^ negate) - part[row * width + lane]


@kernel("void(i8[::1], i8[::1], i8[::1], i8, i8[::1])")
def _lift(plane: Words, dealt: Words, mask: Words, first: int, message: Words) -> None:
    """Form (first * c) + (1 - 2c) w - mask."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, message.size - row * width)):
            index = row * width + lane
            bit = (plane[lane] >> row) & 1
            message[index] = ((dealt[index] ^ -bit) + bit) + (bit & first) - mask[index]


@kernel("void(i8[::1], i8[:, ::1], i8, i8[:, ::1])")
def _deal_selection(plane: Words, values: Words, negate: int, parts: Words) -> None:
    """Turn `parts` into w and w (x_0 + x_1), each less its part."""
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
    """Form c own + (1 - 2c)(w a + w x_2) - mask, of which `dealt` has this party's parts of w and of w a; `known` is x_2."""
    width = plane.size
    for row in range(64):
        for lane in range(min(width, message.size - row * width)):
            index = row * width + lane
            bit = (plane[lane] >> row) & 1
            kept = dealt[1, index] + dealt[0, index] * known[index]
            message[index] = (own[index] & -bit) + ((kept ^ -bit) + bit) - mask[index]
