"""A party's private input to one round, and the salted commitment that binds the party to it beforehand.

market     int64 (E + 1, 3): per expiry the surface's coefficients in log-vol; in the last row the order flow:
           imbalance, realised vol, volume-weighted forward (`market.flow.flow_row`). Each at most `LARGEST_INPUT`.
positions  int64 (n,): the party's own contracts per instrument, in units of its own choice that keep them within 1.

The commitment has two leaves with a salt each, so that an audit can open the market part and never the positions:

    leaf       = SHA-256(domain || salt, 32 || rows, 4, big-endian || words, 8 each, little-endian)
    commitment = SHA-256("mpc-hedge/snapshot/v2" || consortium hash, 32 || round, 8, big-endian || member index, 4,
                 big-endian || market leaf || positions leaf)

The salts are random, so that the commitment, which is published, says nothing of the few numbers behind it; the member
index keeps a party from passing another's commitment off as its own.
"""

import hashlib
import secrets
from typing import Final, Never

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.public import to_ring
from mpc_party.market.surface import BASIS_SIZE, LARGEST_COEFFICIENT

Floats = NDArray[np.float64]
Words = NDArray[np.int64]

COLUMNS: Final = BASIS_SIZE  # of the market words
LARGEST_INPUT: Final = LARGEST_COEFFICIENT  # of a market value: what a fit is drawn in to, and a round checks
SALT_BYTES: Final = 32
_DOMAIN: Final = b"mpc-hedge/snapshot/v2"
_MARKET: Final = b"mpc-hedge/snapshot-market/v2"
_POSITIONS: Final = b"mpc-hedge/snapshot-positions/v2"


class Snapshot:
    """A party's private input of one round. Secret: it shows no number and does not serialise."""

    __slots__ = ("_market", "_market_salt", "_positions", "_positions_salt")

    def __init__(self, coefficients: Floats, flow: Floats, positions: Floats, fraction_bits: int) -> None:
        """Round to the ring.

        Args:
            coefficients: (E, 3) in log-vol.
            flow: (3,), the flow row.
            positions: (n,), within [-1, 1].
            fraction_bits: of the fixed point.

        Raises:
            ValueError: a number beyond what the round allows.
        """
        market = np.concatenate([coefficients, flow.reshape(1, COLUMNS)])
        if not (np.abs(market) <= LARGEST_INPUT).all() or not (np.abs(positions) <= 1.0).all():
            raise ValueError("a private input is out of range")
        self._market = to_ring(market, fraction_bits)
        self._positions = to_ring(positions, fraction_bits)
        self._market_salt = secrets.token_bytes(SALT_BYTES)
        self._positions_salt = secrets.token_bytes(SALT_BYTES)

    @property
    def market(self) -> Words:
        """The secret ring integers of surface and flow, (E + 1, 3)."""
        return self._market

    @property
    def positions(self) -> Words:
        """The secret ring integers of the positions, (n,)."""
        return self._positions

    @property
    def market_salt(self) -> bytes:
        """Opens the market leaf, with the market words."""
        return self._market_salt

    @property
    def positions_salt(self) -> bytes:
        """Opens the positions leaf, with the positions."""
        return self._positions_salt

    def commitment(self, consortium: bytes, round_number: int, member: int) -> bytes:
        """32 bytes that bind this member to the snapshot in this round."""
        return snapshot_commitment(
            consortium,
            round_number,
            member,
            market_leaf(self._market_salt, self._market),
            positions_leaf(self._positions_salt, self._positions),
        )

    def __repr__(self) -> str:
        return f"Snapshot({len(self._market) - 1} expiries, {len(self._positions)} instruments)"

    def __reduce__(self) -> Never:
        raise TypeError("a snapshot is secret and does not pickle")


def market_leaf(salt: bytes, words: Words) -> bytes:
    """32 bytes for surface and flow, (E + 1, 3)."""
    return _leaf(_MARKET, salt, words)


def positions_leaf(salt: bytes, words: Words) -> bytes:
    """32 bytes for the positions, (n,)."""
    return _leaf(_POSITIONS, salt, words)


def snapshot_commitment(
    consortium: bytes, round_number: int, member: int, market: bytes, positions: bytes
) -> bytes:
    """The commitment's definition, for whoever checks an opened one; the last two are leaves."""
    digest = hashlib.sha256(_DOMAIN)
    digest.update(consortium)
    digest.update(round_number.to_bytes(8, "big"))
    digest.update(member.to_bytes(4, "big"))
    digest.update(market)
    digest.update(positions)
    return digest.digest()


def _leaf(domain: bytes, salt: bytes, words: Words) -> bytes:
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    digest = hashlib.sha256(domain)
    digest.update(salt)
    digest.update(len(words).to_bytes(4, "big"))
    digest.update(np.ascontiguousarray(words, dtype="<i8").tobytes())
    return digest.digest()
