"""One component split into parts for the new members, the same at everybody who has its seed.

x_A = sum over the new subsets B of x_A^B. All parts but the last are the words of a stream, AES-256-CTR under a key that
HKDF-SHA256 (RFC 5869) derives from the seed, the move and A; the last makes the sum right. Along with each part comes a
piece of salt from the same stream, 32 bytes. The part x_A^B and its piece go to every new member outside of B.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from mpc_party.protocol.secret import Secret
from mpc_party.resharing.model_plan import SALT_BYTES, WORD_BYTES, Subset

Words = NDArray[np.int64]
SEED_BYTES = 32
_AES_BLOCK = 16
_KEY = b"mpc-hedge/model-move/parts/v1/"
_SEED_HASH = b"mpc-hedge/model-move/seed/v1/"
_PART_HASH = b"mpc-hedge/model-move/part/v1/"
_SALT = b"mpc-hedge/model-move/salt/v1/"


class Parts(Secret):
    """The parts of one component: `words`, int64 of shape (new subsets, weights), and a piece of salt for each."""

    __slots__ = ("salts", "words")

    def __init__(self, words: Words, salts: Sequence[bytes]) -> None:
        self.words = words
        self.salts = tuple(salts)

    def block(self, wanted: Sequence[int]) -> bytes:
        """What goes to one member: of each wanted part, in this order, its words (little-endian) and its piece of salt."""
        return b"".join(
            self.words[part].astype("<i8", copy=False).tobytes() + self.salts[part] for part in wanted
        )


def split(seed: bytes, session: bytes, subset: Subset, component: bytes, parts: int) -> Parts:
    """Split the component that the old members in `subset` lack. Local; equal at all who have the seed.

    Args:
        seed: 32 bytes that only the component's holders know.
        session: what the move is bound to, 32 bytes.
        subset: A.
        component: x_A, 8 bytes a weight, little-endian.
        parts: how many new subsets there are.
    """
    key = HKDF(algorithm=SHA256(), length=32, salt=session, info=_KEY + encoded(subset)).derive(seed)
    # The key is for this stream only, so that the counter may start at zero.
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(_AES_BLOCK))).encryptor()
    salts = [stream.update(bytes(SALT_BYTES)) for _ in range(parts)]
    whole = np.frombuffer(component, dtype="<i8")
    words = np.empty((parts, len(whole)), dtype=np.int64)
    zeros = bytes(len(component))
    words[-1] = whole
    for part in range(parts - 1):
        words[part] = np.frombuffer(stream.update(zeros), dtype="<i8")
        words[-1] -= words[part]  # wraps: in Z_2^64
    return Parts(words, salts)


def parse_block(block: memoryview, wanted: Sequence[int], count: int) -> dict[int, tuple[Words, bytes]]:
    """Words and piece of salt of each part in a block, whose length the caller has checked."""
    size = WORD_BYTES * count
    result = {}
    for place, part in enumerate(wanted):
        start = place * (size + SALT_BYTES)
        words = np.frombuffer(block[start : start + size], dtype="<i8")
        result[part] = (
            words.astype(np.int64, copy=False),
            bytes(block[start + size : start + size + SALT_BYTES]),
        )
    return result


def hash_of_seed(session: bytes, subset: Subset, seed: bytes) -> bytes:
    """What a holder tells the other holders, who know the seed: that it split by this one."""
    return hashlib.sha256(_SEED_HASH + session + encoded(subset) + seed).digest()


def hash_of_block(session: bytes, subset: Subset, block: bytes | memoryview) -> bytes:
    """What a holder tells a member that gets this block from the leader; its pieces of salt hide it from others."""
    digest = hashlib.sha256(_PART_HASH + session + encoded(subset))
    digest.update(block)
    return digest.digest()


def salt_of(session: bytes, subset: Subset, pieces: Sequence[bytes]) -> bytes:
    """The salt of the new component that the new members in `subset` lack, from its pieces in the order of the old subsets.

    Whoever lacks the component lacks the piece that honest holders drew, so the salt is random to it.
    """
    return hashlib.sha256(_SALT + session + encoded(subset) + b"".join(pieces)).digest()


def encoded(subset: Subset) -> bytes:
    """A subset of at most 7 members, with its size in front."""
    return bytes([len(subset), *subset])
