"""Bits of words in planes: plane p holds bit p of all elements, 64 elements to a word.

Combining bit positions is then a choice of planes, without shifting or compacting bits, and each level of a circuit sends
exactly what it needs. For N elements a plane has M = ceil(N / 64) words, and element k M + m lies at bit k of word m.
"""

import numpy as np

from mpc_party.secure.encoding import RING_BITS
from mpc_party.secure.jit import kernel
from mpc_party.secure.randomness import Words


def words_per_plane(count: int) -> int:
    """How many 64-bit words hold one bit of each of `count` elements."""
    return -(-count // RING_BITS)


def require_width(bits: int, least: int) -> None:
    """Refuse a width that words do not have.

    Raises:
        ValueError: it is not within `least` .. 64.
    """
    if not least <= bits <= RING_BITS:
        raise ValueError(f"bits is {bits}, not within {least}..{RING_BITS}")


def to_planes(words: Words, bits: int = RING_BITS) -> Words:
    """The lower bit planes of N words: (bits, M), padded with zeros. At most 64 of them."""
    if not 0 <= bits <= RING_BITS:
        raise ValueError(f"words have {RING_BITS} bits, not {bits}")
    planes = np.empty((bits, words_per_plane(words.size)), dtype=np.int64)
    _transpose(np.ascontiguousarray(words).reshape(-1), planes)
    return planes


def from_plane(plane: Words, count: int) -> Words:
    """The bits of one plane as `count` words of 0 or 1."""
    words = np.empty(count, dtype=np.int64)
    _spread(plane, words)
    return words


@kernel("void(i8[::1], i8, i8, i8[:, ::1])")
def _load(words: Words, start: int, width: int, block: Words) -> None:
    """Words start .. start + 7 of all 64 rows of `width`; zeros behind a row's end and behind that of the words."""
    lanes = min(8, width - start)
    if lanes == 8 and 63 * width + start + 8 <= words.size:
        for row in range(64):
            for lane in range(8):
                block[row, lane] = words[row * width + start + lane]
        return
    block[:] = 0
    for row in range(64):
        for lane in range(min(lanes, words.size - row * width - start)):
            block[row, lane] = words[row * width + start + lane]


@kernel("void(i8[::1], i8[:, ::1])")
def _transpose(words: Words, planes: Words) -> None:
    """The 64 x 64 bit matrix transposition of Warren, "Hacker's Delight", 2nd edition, section 7-3, on 8 matrices at once."""
    width = planes.shape[1]
    block = np.empty((64, 8), dtype=np.int64)
    for start in range(0, width, 8):
        _load(words, start, width, block)
        distance = 32
        mask = np.int64(0x00000000FFFFFFFF)
        while distance:
            for row in range(64):
                if row & distance == 0:
                    for lane in range(8):
                        low, high = block[row, lane], block[row + distance, lane]
                        swap = ((low >> distance) ^ high) & mask  # also drops the copies of the sign bit
                        block[row + distance, lane] = high ^ swap
                        block[row, lane] = low ^ (swap << distance)
            distance >>= 1
            mask ^= mask << distance
        for row in range(planes.shape[0]):
            for lane in range(min(8, width - start)):
                planes[row, start + lane] = block[row, lane]


@kernel("void(i8[::1], i8[::1])")
def _spread(plane: Words, words: Words) -> None:
    width = plane.size
    for row in range(64):
        for lane in range(min(width, words.size - row * width)):
            words[row * width + lane] = (plane[lane] >> row) & 1
