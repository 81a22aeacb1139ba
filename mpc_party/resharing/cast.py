"""Who meets in a ceremony: the members of the old file in its order, then those that join, in the order of the new file.

A *seat* is a place in this list, and the index of the member in the ceremony's session. The Shamir coordinate of a member is
one more than its index in the file, so a member that is in both files can have two, and neither has to do with its seat.
Old members may be absent; all new members take part.
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
    """The members of both epochs by seat, with their indices in both files; None where a member is not in one.

    Args:
        members: entries; of a member in both files, that of the new one.
        old_index: by seat.
        new_index: by seat.
        participants: the seats of those that take part, ascending.
    """

    members: tuple[Member, ...]
    old_index: tuple[int | None, ...]
    new_index: tuple[int | None, ...]
    participants: tuple[int, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """By seat."""
        return tuple(member.name for member in self.members)

    @cached_property
    def keys(self) -> dict[int, bytes]:
        """Ed25519 public keys by seat."""
        return {seat: bytes.fromhex(member.signing_key) for seat, member in enumerate(self.members)}

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """The names of the old members that are not there."""
        return tuple(name for seat, name in enumerate(self.names) if seat not in self.participants)

    @cached_property
    def present_old(self) -> tuple[int, ...]:
        """The seats of the old members that take part."""
        return tuple(seat for seat in self.participants if self.old_index[seat] is not None)

    def dealers(self, threshold: int) -> tuple[int, ...]:
        """The seats of the first t+1 old members that take part."""
        return self.present_old[: threshold + 1]

    def seat_of(self, member: Member) -> int:
        """The seat of a member that takes part, by its name and signing key.

        Raises:
            ConfigError: KEY_UNKNOWN, it does not.
        """
        for seat in self.participants:
            if is_same(self.members[seat], member):
                return seat
        raise ConfigError(
            f"{member.name} takes no part in this ceremony",
            reason=Reason.KEY_UNKNOWN,
            remedy="check the next file, and --without",
        )

    def meeting(self, old: Consortium, new: Consortium) -> bytes:
        """32 bytes on which all ends of the ceremony's mesh must agree: both files, and who takes part."""
        present = msgspec.msgpack.encode(self.participants)
        return hashlib.sha256(_MEETING + old.hash + new.roster_hash + present).digest()


def cast_of(old: Consortium, new: Consortium, without: Collection[str] = ()) -> Cast:
    """Check both files against each other, and seat all.

    Args:
        old: the file in force.
        new: the next one.
        without: names of old members that are absent.

    Raises:
        ConfigError: the files do not follow each other; an absent member is in the new file or not in the old one; too few old
            members are left; two of those that meet share an address or a certificate.
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
    staying = {member.name: member for member in new.members}
    joiners = [m for m in new.members if not any(is_same(m, before) for before in old.members)]
    members = (*(staying.get(member.name, member) for member in old.members), *joiners)
    count = len(old.members)
    participants = tuple(seat for seat, member in enumerate(members) if member.name not in absent)
    present = sum(seat < count for seat in participants)
    if present < fewest_old(old):
        raise ConfigError(
            f"{present} members of epoch {old.epoch} take part, at least {fewest_old(old)} of {count} must: those who are"
            " absent could sign on with the old key",
            remedy="bring back some of those named with --without",
        )
    _require_meeting(members, participants)
    indices = {member.name: index for index, member in enumerate(new.members)}
    return Cast(
        members=members,
        old_index=tuple(seat if seat < count else None for seat in range(len(members))),
        new_index=tuple(indices.get(member.name) for member in members),
        participants=participants,
    )


def _require_meeting(members: tuple[Member, ...], participants: tuple[int, ...]) -> None:
    """Leavers and joiners are in no common file, and yet they meet."""
    for what, values in {
        "mesh_address": [str(parse_address(members[s].mesh_address)).lower() for s in participants],
        "certificate": [member.certificate for member in members],
    }.items():
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise ConfigError(
                f"members.{what}: a joiner and a leaver have the same one: {twice[:60]!a}",
                remedy="a joiner needs an address and a certificate of its own until the leaver has left",
            )


__all__ = ["Cast", "cast_of"]
