"""A party's private input to one round, and the salted commitment that binds the party to it beforehand."""

import hashlib
import secrets
from typing import Never

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.public import to_ring
from mpc_party.market.surface import BASIS_SIZE, SurfaceFit

Words = NDArray[np.int64]
_DOMAIN = b"mpc-hedge/snapshot/v1"
COLUMNS = BASIS_SIZE + 1


class Snapshot:
    """Ring integers of shape (E, 4): per expiry the three surface coefficients and the party's weight. Secret.

    The commitment is SHA-256("mpc-hedge/snapshot/v1" || consortium hash, 32 bytes || round, 8, big-endian || member
    index, 4, big-endian || salt, 32 || E, 4, big-endian || words by expiry, 8 each, little-endian); the salt is
    random, so that the commitment, which is published, says nothing of the few numbers behind it; the member index
    keeps a party from passing another's commitment off as its own.
    """

    __slots__ = ("_salt", "_words")

    def __init__(self, fit: SurfaceFit, fraction_bits: int) -> None:
        self._words = to_ring(np.column_stack([fit.coefficients, fit.weights]), fraction_bits)
        self._salt = secrets.token_bytes(32)

    @property
    def words(self) -> Words:
        """The secret ring integers, (E, 4)."""
        return self._words

    @property
    def salt(self) -> bytes:
        """The secret that opens the commitment, with the words."""
        return self._salt

    def commitment(self, consortium: bytes, round_number: int, member: int) -> bytes:
        """32 bytes that bind this member to the snapshot in this round."""
        return snapshot_commitment(consortium, round_number, member, self._salt, self._words)

    def __repr__(self) -> str:
        return f"Snapshot({len(self._words)} expiries)"

    def __reduce__(self) -> Never:
        raise TypeError("a snapshot is secret and does not pickle")


def snapshot_commitment(
    consortium: bytes, round_number: int, member: int, salt: bytes, words: Words
) -> bytes:
    """The commitment's definition, for whoever checks an opened one."""
    digest = hashlib.sha256(_DOMAIN)
    digest.update(consortium)
    digest.update(round_number.to_bytes(8, "big"))
    digest.update(member.to_bytes(4, "big"))
    digest.update(salt)
    digest.update(len(words).to_bytes(4, "big"))
    digest.update(np.ascontiguousarray(words, dtype="<i8").tobytes())
    return digest.digest()
