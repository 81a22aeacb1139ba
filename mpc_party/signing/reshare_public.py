"""What all may know of the group's key in one epoch: what a key share has but for the secret."""

from __future__ import annotations

from dataclasses import dataclass

from mpc_party.protocol.consortium import Consortium, evm_address
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.group_key import group_key_statement
from mpc_party.signing.curve import Point
from mpc_party.signing.exponent import lie_on_degree
from mpc_party.signing.field import coordinate
from mpc_party.signing.keyshare import KeyShare


@dataclass(frozen=True)
class PublicKeyMaterial:
    """Y and all X_j of one epoch. What resharing gives a member that leaves, and what an epoch's file says of its key.

    Attributes:
        threshold, epoch, roster_hash: of the epoch that these shares are of.
        public_key: Y, compressed, 33 bytes.
        public_shares: X_j by member index, compressed.
    """

    threshold: int
    epoch: int
    roster_hash: bytes
    public_key: bytes
    public_shares: tuple[bytes, ...]

    def __post_init__(self) -> None:
        """Check that all points lie on one polynomial of degree t.

        Raises:
            ValueError: they do not, or are no points, or there is no honest majority.
        """
        members = len(self.public_shares)
        if not (self.threshold >= 1 and 2 * self.threshold < members):
            raise ValueError("threshold and number of members do not fit")
        points = [Point.decode(point) for point in (self.public_key, *self.public_shares)]
        if not lie_on_degree(tuple(range(members + 1)), points, self.threshold):
            raise ValueError(
                "the public shares do not lie on a polynomial of degree t through the public key"
            )

    @classmethod
    def of(cls, share: KeyShare) -> PublicKeyMaterial:
        """The public part of a key share."""
        return cls(share.threshold, share.epoch, share.roster_hash, share.public_key, share.public_shares)

    @classmethod
    def of_consortium(cls, consortium: Consortium) -> PublicKeyMaterial:
        """What a consortium file says of its key.

        Raises:
            ConfigError: CONSORTIUM_INCOMPLETE before key generation.
        """
        if consortium.key is None:
            raise ConfigError(
                f"consortium {consortium.name!a} has no key yet",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy="`mpc-party keygen` adds it",
            )
        return cls(
            consortium.threshold,
            consortium.epoch,
            consortium.roster_hash,
            bytes.fromhex(consortium.key.public_key),
            tuple(bytes.fromhex(share) for share in consortium.key.public_shares),
        )

    @property
    def address(self) -> str:
        """The group's account, EIP-55."""
        return evm_address(self.public_key)

    @property
    def attestation(self) -> bytes:
        """The 32 bytes that each member of this epoch signs for its file (see `protocol.group_key`)."""
        return group_key_statement(self.roster_hash, self.public_key, self.public_shares)

    def fits(self, share: KeyShare) -> bool:
        """Whether a share is of this key and epoch."""
        return (
            (self.threshold, self.epoch, self.roster_hash)
            == (share.threshold, share.epoch, share.roster_hash)
            and self.public_key == share.public_key
            and self.public_shares == share.public_shares
        )

    def point(self, member: int) -> Point:
        """X_j of a member."""
        return Point.decode(self.public_shares[member])

    @property
    def coordinates(self) -> tuple[int, ...]:
        """The Shamir x-coordinates of all members."""
        return tuple(coordinate(member) for member in range(len(self.public_shares)))
