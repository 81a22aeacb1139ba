"""One member's share of the group's signing key, with the public values that it must fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import evm_address
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.group_key import group_key_statement
from mpc_party.protocol.secret import Secret
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.exponent import lie_on_degree
from mpc_party.signing.field import coordinate
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import Bytes32, PointBytes, ScalarBytes


class _StoredKeyShare(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="key-share"
):
    """What is sealed in the keystore."""

    version: Literal[1]
    index: Annotated[int, Meta(ge=0, lt=256)]
    threshold: Annotated[int, Meta(ge=1, lt=128)]
    epoch: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    roster_hash: Bytes32
    secret: ScalarBytes
    public_key: PointBytes
    public_shares: Annotated[tuple[PointBytes, ...], Meta(min_length=3, max_length=256)]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_StoredKeyShare)


@dataclass(frozen=True, repr=False, eq=False)
class KeyShare(Secret):
    """x_i, a share of degree t of the group's key x; Y = x G; X_j = x_j G for every member j.

    `public_key` and `public_shares` are compressed points; `index` is the 0-based member index, whose Shamir
    x-coordinate is index + 1.
    """

    index: int
    threshold: int
    epoch: int
    roster_hash: bytes
    public_key: bytes
    public_shares: tuple[bytes, ...]
    secret: SecretScalar

    def __post_init__(self) -> None:
        """Check everything that can be checked without the other members.

        Raises:
            ValueError: the parts do not belong together.
        """
        members = len(self.public_shares)
        if not (self.threshold >= 1 and 2 * self.threshold < members and 0 <= self.index < members):
            raise ValueError("index, threshold and number of members do not fit")
        group_key = Point.decode(self.public_key)
        shares = [Point.decode(share) for share in self.public_shares]
        if multiply_base(self.secret) != shares[self.index]:
            raise ValueError("the secret share is not the logarithm of its public share")
        coordinates = (0, *(coordinate(member) for member in range(members)))
        if not lie_on_degree(coordinates, [group_key, *shares], self.threshold):
            raise ValueError(
                "the public shares do not lie on a polynomial of degree t through the public key"
            )

    @property
    def address(self) -> str:
        """The group's account, EIP-55."""
        return evm_address(self.public_key)

    @property
    def attestation(self) -> bytes:
        """The 32 bytes that this member signs for the consortium file (see `protocol.group_key`)."""
        return group_key_statement(self.roster_hash, self.public_key, self.public_shares)

    def encode(self) -> bytes:
        """Canonical bytes, version 1, with the secret in the clear: for the keystore to seal, nothing else."""
        return _encoder.encode(
            _StoredKeyShare(
                1,
                self.index,
                self.threshold,
                self.epoch,
                self.roster_hash,
                self.secret.reveal(),
                self.public_key,
                self.public_shares,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> KeyShare:
        """Inverse of `encode`, with every check of the constructor.

        Raises:
            ConfigError: not such bytes, or parts that do not belong together.
        """
        try:
            stored = _decoder.decode(data)
            if _encoder.encode(stored) != data:
                raise ValueError("a second encoding of a key share")  # noqa: TRY301 - one refusal for all
            return cls(
                stored.index,
                stored.threshold,
                stored.epoch,
                stored.roster_hash,
                stored.public_key,
                stored.public_shares,
                SecretScalar(stored.secret),
            )
        except (msgspec.DecodeError, ValueError) as failure:
            # The cause is dropped: its message may quote what it met, and this is a secret.
            raise ConfigError(
                f"the key share cannot be used: {_describe(failure)}",
                remedy="restore the file that key generation wrote; without it this member cannot sign",
            ) from None


def _describe(failure: Exception) -> str:
    return "its encoding is damaged" if isinstance(failure, msgspec.DecodeError) else str(failure)
