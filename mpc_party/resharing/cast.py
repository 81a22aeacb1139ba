"""Who takes part in a ceremony: the old members that are there, in the order of the old file, then the joiners.

A *seat* is a place in this list, and the index of the member in the ceremony's session. The Shamir coordinate of a member is
one more than its index in the file, so a member that is in both files can have two, and neither has to do with its seat.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from mpc_party.protocol.addresses import parse_address
from mpc_party.protocol.consortium import Consortium, Member
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.resharing.successor import check_successor, fewest_old, is_same

_MEETING: Final = b"mpc-hedge/reshare-meeting/v1"


@dataclass(frozen=True)
class Cast:
    """The members of one ceremony by seat, with their indices in both files; None where a member is not in one.

    Args:
        members: entries; of a member in both files, that of the new one.
        old_index: by seat.
        new_index: by seat.
        old_count: number of members in the old file.
    """

    members: tuple[Member, ...]
    old_index: tuple[int | None, ...]
    new_index: tuple[int | None, ...]
    old_count: int

    @cached_property
    def names(self) -> tuple[str, ...]:
        """By seat."""
        return tuple(member.name for member in self.members)

    @cached_property
    def keys(self) -> dict[int, bytes]:
        """Ed25519 public keys by seat."""
        return {seat: bytes.fromhex(member.signing_key) for seat, member in enumerate(self.members)}

    @cached_property
    def old_seats(self) -> tuple[int | None, ...]:
        """The seat of each member of the old file; None for who is absent."""
        return tuple(
            self.old_index.index(index) if index in self.old_index else None
            for index in range(self.old_count)
        )

    @cached_property
    def new_seats(self) -> tuple[int, ...]:
        """The seat of each member of the new file."""
        count = sum(index is not None for index in self.new_index)
        return tuple(self.new_index.index(index) for index in range(count))

    def dealers(self, threshold: int) -> tuple[int, ...]:
        """The seats of the first t+1 old members that take part."""
        return tuple(seat for seat in self.old_seats if seat is not None)[: threshold + 1]

    def seat_of(self, member: Member) -> int:
        """The seat of a member, by its name and signing key.

        Raises:
            ConfigError: KEY_UNKNOWN, it does not take part.
        """
        for seat, entry in enumerate(self.members):
            if is_same(entry, member):
                return seat
        raise ConfigError(
            f"{member.name} takes no part in this ceremony",
            reason=Reason.KEY_UNKNOWN,
            remedy="check the next file, and --without",
        )

    def meeting(self, old: Consortium, new: Consortium) -> bytes:
        """32 bytes on which all ends of the ceremony's mesh must agree: both files, and who takes part."""
        present = msgspec.msgpack.encode((self.names, tuple(self.keys.values())))
        return hashlib.sha256(_MEETING + old.hash + new.roster_hash + present).digest()


def cast_of(old: Consortium, new: Consortium, without: Collection[str] = ()) -> Cast:
    """Check both files against each other, and seat who takes part.

    Args:
        old: the file in force.
        new: the next one.
        without: names of old members that are absent.

    Raises:
        ConfigError: the files do not follow each other; an absent member is in the new file or in none; too few old members
            are left; two of those that meet share an address or a certificate.
    """
    check_successor(old, new)
    absent = set(without)
    for name in sorted(absent):
        old.index_of(name)
        if name in new.names:
            raise ConfigError(
                f"{name} is in the next file, so it must take part",
                remedy="leave it out of the next file, or out of --without",
            )
    joiners = [m for m in new.members if not any(is_same(m, before) for before in old.members)]
    staying = {member.name: member for member in new.members}
    present = [
        (index, staying.get(m.name, m)) for index, m in enumerate(old.members) if m.name not in absent
    ]
    if len(present) < fewest_old(old):
        raise ConfigError(
            f"{len(present)} members of epoch {old.epoch} take part, at least {fewest_old(old)} of {len(old.members)} must:"
            f" those who are absent could sign on with the old key",
            remedy="bring back some of those named with --without",
        )
    members = (*(member for _, member in present), *joiners)
    _require_meeting(members)
    return Cast(
        members=members,
        old_index=(*(index for index, _ in present), *(None for _ in joiners)),
        new_index=tuple(next((i for i, m in enumerate(new.members) if is_same(m, member)), None) for member in members),
        old_count=len(old.members),
    )  # fmt: skip


def _require_meeting(members: tuple[Member, ...]) -> None:
    """Leavers and joiners are in no common file, and yet they meet."""
    for what, values in {
        "mesh_address": [str(parse_address(member.mesh_address)).lower() for member in members],
        "certificate": [member.certificate for member in members],
    }.items():
        for place, value in enumerate(values):
            if value in values[:place]:
                other = members[values.index(value)].name
                raise ConfigError(
                    f"members.{what}: {other} and {members[place].name} have the same one, and both take part",
                    remedy="a joiner needs an address and a certificate of its own until the leaver has left",
                )


__all__ = ["Cast", "cast_of"]
