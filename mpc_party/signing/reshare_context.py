"""What one resharing of the key is bound to: two epochs, the cast of both, and who deals.

The session runs among the *cast*: the members of the old file in its order, then those that join, in the order of the new
file. A member's index in the session is its place in the cast; its *seat* is its index in a consortium file, and its Shamir
x-coordinate there is the seat plus one. A member is the same in both files if its name and its signing key are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason
from mpc_party.signing.errors import SigningError
from mpc_party.signing.field import coordinate
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.wire import bind

NO_SEAT: Final = 255  # in what is hashed; no consortium has so many members
Seats = tuple[int | None, ...]


@dataclass(frozen=True)
class ReshareContext:
    """The same at every participant; all of it goes into the session's hash.

    Attributes:
        consortium_hash: `hash` of the old consortium file, whole.
        old: Y and X_i, t and epoch by the old file.
        roster_hash, epoch, threshold: of the new file.
        names: of the cast.
        old_seats, new_seats: by cast index, the index in the old and in the new file; None where it is in no such file.
        participants: cast indices, ascending, of those that take part: all new members, and of the old ones at least
            max(t+1, n-2t), so that the absent could not sign by themselves (that takes 2t+1).
        dealers: cast indices, ascending, of exactly t+1 old members that take part.
        ceremony: 32 bytes, fresh for each attempt.
    """

    consortium_hash: bytes
    old: PublicKeyMaterial
    roster_hash: bytes
    epoch: int
    threshold: int
    names: tuple[str, ...]
    old_seats: Seats
    new_seats: Seats
    participants: tuple[int, ...]
    dealers: tuple[int, ...]
    ceremony: bytes

    @classmethod
    def between(
        cls,
        old: Consortium,
        new: Consortium,
        ceremony: bytes,
        absent: Collection[str] = (),
    ) -> ReshareContext:
        """From the two consortium files. The first t+1 old members that take part are the dealers.

        Args:
            old: with its key.
            new: its members and threshold; a key section is not looked at.
            ceremony: 32 fresh bytes that all have agreed on.
            absent: names of old members that do not take part.

        Raises:
            SigningError: RESHARE_FAILED: too many are absent, or a new member is.
            ConfigError: the old file has no key.
        """
        names, old_seats, new_seats = cast_of(old, new)
        participants = tuple(
            index for index, name in enumerate(names) if new_seats[index] is not None or name not in absent
        )
        if any(member.name in absent for member in new.members):
            raise _refuse("a member of the new epoch is absent")
        return cls(
            consortium_hash=old.hash,
            old=PublicKeyMaterial.of_consortium(old),
            roster_hash=new.roster_hash,
            epoch=new.epoch,
            threshold=new.threshold,
            names=names,
            old_seats=old_seats,
            new_seats=new_seats,
            participants=participants,
            dealers=tuple(index for index in participants if old_seats[index] is not None)[
                : old.threshold + 1
            ],
            ceremony=ceremony,
        )

    def __post_init__(self) -> None:
        """Refuse what the protocol cannot run on.

        Raises:
            SigningError: RESHARE_FAILED.
        """
        members, threshold = len(self.old.public_shares), self.old.threshold
        cast = range(len(self.names))
        if not len(self.old_seats) == len(self.new_seats) == len(cast) < NO_SEAT:
            raise _refuse("the cast has no seats, or too many")
        if sorted(seat for seat in self.old_seats if seat is not None) != list(range(members)):
            raise _refuse("the old seats are not those of the old members")
        seats = sorted(seat for seat in self.new_seats if seat is not None)
        if seats != list(range(len(seats))) or not (self.threshold >= 1 and 2 * self.threshold < len(seats)):
            raise _refuse(
                f"{len(seats)} members cannot share a key with threshold {self.threshold}: it takes 2t < n and t >= 1"
            )
        if self.epoch <= self.old.epoch or self.roster_hash == self.old.roster_hash:
            raise _refuse("the new epoch does not follow the old one")
        if not _ascending(self.participants, cast) or not _ascending(self.dealers, self.participants):
            raise _refuse("participants and dealers are not in ascending order, or are not of the cast")
        if not set(self.receivers) <= set(self.participants):
            raise _refuse("a member of the new epoch is absent")
        taking_part = [index for index in self.participants if self.old_seats[index] is not None]
        if len(taking_part) < max(threshold + 1, members - 2 * threshold):
            raise _refuse(f"only {len(taking_part)} of {members} old members take part")
        if len(self.dealers) != threshold + 1 or not set(self.dealers) <= set(taking_part):
            raise _refuse("the dealers are not t+1 old members")

    @property
    def receivers(self) -> tuple[int, ...]:
        """The new members by cast index, in the order of the new file."""
        seated = [(seat, index) for index, seat in enumerate(self.new_seats) if seat is not None]
        return tuple(index for _, index in sorted(seated))

    def new_coordinate(self, index: int) -> int:
        """The Shamir x-coordinate of a new member, by its cast index."""
        seat = self.new_seats[index]
        if seat is None:
            raise _refuse(f"{self.names[index]} is no member of the new epoch")
        return coordinate(seat)

    def old_seat(self, index: int) -> int:
        """The seat of an old member, by its cast index."""
        seat = self.old_seats[index]
        if seat is None:
            raise _refuse(f"{self.names[index]} is no member of the old epoch")
        return seat

    @property
    def dealer_coordinates(self) -> tuple[int, ...]:
        """The dealers' Shamir x-coordinates in the old epoch."""
        return tuple(coordinate(self.old_seat(dealer)) for dealer in self.dealers)

    @property
    def most_corrupt(self) -> int:
        """How many of the cast t corrupt old and t' corrupt new members can be: one more tell the truth at least once.

        Who stays and is corrupt counts in both epochs.
        """
        leaving = sum(new is None for new in self.new_seats)
        joining = sum(old is None for old in self.old_seats)
        staying = len(self.names) - leaving - joining
        leavers, joiners = min(self.old.threshold, leaving), min(self.threshold, joining)
        return leavers + joiners + min(self.old.threshold - leavers, self.threshold - joiners, staying)

    @property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return bind(
            b"mpc-hedge/reshare/v1",
            self.consortium_hash,
            self.old.epoch,
            self.old.threshold,
            self.old.public_key,
            self.old.public_shares,
            self.roster_hash,
            self.epoch,
            self.threshold,
            tuple(NO_SEAT if seat is None else seat for seat in self.old_seats),
            tuple(NO_SEAT if seat is None else seat for seat in self.new_seats),
            self.participants,
            self.dealers,
            self.ceremony,
        )


def cast_of(old: Consortium, new: Consortium) -> tuple[tuple[str, ...], Seats, Seats]:
    """Names of the cast of two files, and everybody's seats in the old and in the new one."""
    before = [(member.name, member.signing_key) for member in old.members]
    after = [(member.name, member.signing_key) for member in new.members]
    cast = before + [member for member in after if member not in before]
    return (
        tuple(name for name, _ in cast),
        tuple(before.index(member) if member in before else None for member in cast),
        tuple(after.index(member) if member in after else None for member in cast),
    )


def _ascending(indices: tuple[int, ...], among: Collection[int]) -> bool:
    return indices == tuple(sorted(set(indices))) and set(indices) <= set(among)


def _refuse(what: str) -> SigningError:
    return SigningError(what, reason=Reason.RESHARE_FAILED)
