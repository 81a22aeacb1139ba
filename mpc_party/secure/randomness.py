"""Randomness of the computation: AES-256-CTR streams from seeds that t + 1 parties share, and how those seeds come about.

Each component of a replicated sharing has a seed that the component's holders know, and nobody else. Each of them puts
32 bytes of its own into it, which are hashed together, so that none chooses it alone. Every purpose gets a stream with
a key of its own.

Source: Cramer, Damgard, Ishai, "Share conversion, pseudorandom secret-sharing and applications to secure
computation", TCC 2005 (pseudo-random shares of random values and of zero without communication); HKDF is RFC 5869.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

Words = NDArray[np.int64]

SEED_BYTES = 32
WORD_BYTES = 8
_AES_BLOCK = 16
_BUFFER_WORDS = 8192  # one call of the cipher fills 64 KiB; small draws then cost a slice
_PUBLIC = -1  # no component
_ZEROS = bytes(_BUFFER_WORDS * WORD_BYTES)
_DOMAIN = b"mpc-hedge/secure/v1/"

if sys.byteorder != "little":  # pragma: no cover - words go to the wire as they lie in memory
    raise ImportError(
        "mpc_party.secure needs a little-endian machine: ring words are sent as they lie in memory"
    )


class Purpose(StrEnum):
    """What a stream's words are used for. Part of the key derivation: renaming one changes every stream."""

    PRODUCT_WORDS = (
        "product-words"  # what hides position 0's part of a product, or a factor that it deals, from 1
    )
    PRODUCT_BITS = "product-bits"  # the same for bits
    MASK_WORDS = "mask-words"  # the two components of a new sharing that position 0 knows
    TRUNCATED_WORDS = "truncated-words"  # the same for what position 0 shares anew when shares are truncated
    MASK_BITS = "mask-bits"  # the same for bits
    ZERO_WORDS = "zero-words"  # sharings of zero in Z_2^64
    ZERO_BITS = "zero-bits"  # the same for bits, under exclusive or
    TRUNCATION = "truncation"  # public words that make the summands of what is truncated uniform
    INPUT_WORDS = "input-words"  # all but one component of a private input
    INPUT_BITS = "input-bits"  # the same for bits
    RANDOM_WORDS = "random-words"  # uniform words that nobody knows
    RANDOM_BITS = "random-bits"  # uniform bits that nobody knows


def derive_key(material: bytes, context: bytes, purpose: str, subset: Sequence[int]) -> bytes:
    """A 32-byte key by HKDF-SHA256, bound to the round, to what it is for and to who may know it.

    Args:
        material: at least 32 secret bytes.
        context: digest of (consortium, epoch, round, committee), the HKDF salt.
        purpose: what the key is used for.
        subset: member indices that must NOT know the key (the A of "known to the parties outside A").
    """
    excluded = b"".join(member.to_bytes(2, "big") for member in sorted(subset))
    info = _DOMAIN + purpose.encode() + b"/" + len(subset).to_bytes(2, "big") + excluded
    return HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=context, info=info).derive(material)


class SeedStream:
    """The keystream of AES-256-CTR under one key, handed out as 64-bit words, each of them once.

    Both holders of a seed draw the same counts in the same order, and so hold the same words.
    """

    __slots__ = ("_buffer", "_cipher", "_next")

    def __init__(self, key: bytes) -> None:
        if len(key) != SEED_BYTES:
            raise ValueError(f"a stream needs a key of {SEED_BYTES} bytes, got {len(key)}")
        # The key is used for this stream only, so that the counter may start at zero.
        self._cipher = Cipher(algorithms.AES(key), modes.CTR(bytes(_AES_BLOCK))).encryptor()
        self._buffer: Words = np.empty(0, dtype=np.int64)
        self._next = 0

    def words(self, shape: Sequence[int]) -> Words:
        """The next prod(shape) words as int64, uniform in Z_2^64. The array is the caller's to overwrite."""
        count = math.prod(shape)
        if count <= len(self._buffer) - self._next:
            result = self._buffer[self._next : self._next + count]
            self._next += count
            return result.reshape(tuple(shape))
        result = np.empty(tuple(shape), dtype=np.int64)
        self.fill(result)
        return result

    def fill(self, target: Words) -> None:
        """Write the next words into a contiguous array."""
        result = target.reshape(-1)
        count = result.size
        left = min(count, len(self._buffer) - self._next)
        result[:left] = self._buffer[self._next : self._next + left]
        self._next += left
        missing = count - left
        if not missing:
            return
        direct = missing - missing % _BUFFER_WORDS  # whole buffers go straight to where they are wanted
        if direct:
            self._fill(result[left : left + direct])
        self._buffer = np.empty(_BUFFER_WORDS, dtype=np.int64)
        self._fill(self._buffer)
        self._next = missing - direct
        result[left + direct :] = self._buffer[: self._next]

    def _fill(self, target: Words) -> None:
        view = target.view(np.uint8).data
        for start in range(0, len(view), len(_ZEROS)):
            # update_into wants room for a block more than it writes only where the length is no whole block.
            self._cipher.update_into(_ZEROS, view[start : start + len(_ZEROS)])

    def __repr__(self) -> str:
        return "SeedStream(hidden)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a seed stream is secret and is not serialised")


class SeedSet:
    """One party's seeds, by component, and the streams made from them by purpose."""

    __slots__ = ("_context", "_seeds", "_streams", "_subsets")

    def __init__(
        self, seeds: Mapping[int, bytes], subsets: Mapping[int, Sequence[int]], context: bytes
    ) -> None:
        self._seeds = dict(seeds)
        self._subsets = dict(subsets)
        self._context = context
        self._streams: dict[tuple[int, Purpose], SeedStream] = {}

    def words(self, component: int, purpose: Purpose, shape: Sequence[int]) -> Words:
        """The next words of a component's seed; its other holders draw the same ones.

        Raises:
            KeyError: this party does not hold the component.
        """
        return self._stream(component, purpose).words(shape)

    def public_words(self, purpose: Purpose, shape: Sequence[int]) -> Words:
        """The next words of a stream that everybody knows, parties or not: for statistics, never to hide anything."""
        stream = self._streams.get((_PUBLIC, purpose))
        if stream is None:
            key = derive_key(bytes(SEED_BYTES), self._context, f"public/{purpose}", ())
            stream = self._streams[_PUBLIC, purpose] = SeedStream(key)
        return stream.words(shape)

    def fill(self, component: int, purpose: Purpose, target: Words) -> None:
        """The same as `words`, into a contiguous array."""
        self._stream(component, purpose).fill(target)

    def _stream(self, component: int, purpose: Purpose) -> SeedStream:
        stream = self._streams.get((component, purpose))
        if stream is None:
            key = derive_key(self._seeds[component], self._context, purpose, self._subsets[component])
            stream = self._streams[component, purpose] = SeedStream(key)
        return stream

    def __repr__(self) -> str:
        return "SeedSet(hidden)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("seeds are secret and are not serialised")
