"""Resharings in one process: who is in which epoch, and honest runs of the protocol over an in-memory mesh."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.signing import KeyShare, MessageKeys, PublicKeyMaterial, ReshareContext
from mpc_party.signing.reshare import ReshareParty, drive_reshare
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties
from tests.support.signing_parties import CONSORTIUM_HASH, key_shares, names

CEREMONY = b"\x05" * 32


@cache
def identity(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"reshare %d" % number).digest())


@cache
def public_identity(number: int) -> bytes:
    return identity(number).public_key().public_bytes_raw()


def message_keys(own: int, count: int) -> MessageKeys:
    return MessageKeys(identity(own).sign, {member: public_identity(member) for member in range(count)})


@dataclass(frozen=True)
class Move:
    """One resharing: old shares by seat, and the context. Cast index i < n is old seat i; joiners come after."""

    old: tuple[KeyShare, ...]
    context: ReshareContext

    def share(self, index: int) -> KeyShare | None:
        seat = self.context.old_seats[index]
        return None if seat is None else self.old[seat]

    def party(self, index: int, kind: Callable[..., ReshareParty] = ReshareParty) -> ReshareParty:
        return kind(self.context, index, self.share(index))

    def keys(self, own: int) -> MessageKeys:
        return message_keys(own, len(self.context.names))

    def mesh(self) -> list[LocalExchange]:
        return local_mesh(self.context.participants)

    def run(self) -> dict[int, KeyShare | PublicKeyMaterial]:
        meshes = self.mesh()
        made = run_parties(meshes, lambda e: drive_reshare(e, self.party(e.own), self.keys(e.own)))
        return {mesh.own: result for mesh, result in zip(meshes, made, strict=True)}

    def new_shares(self) -> tuple[KeyShare, ...]:
        """The new epoch's shares, by new seat."""
        results = self.run()
        return tuple(results[index] for index in self.context.receivers)


def move(
    old: Sequence[KeyShare], new: Sequence[int], threshold: int, absent: Sequence[int] = (), **changes: object
) -> Move:
    """A resharing to the members `new` (cast indices, in the order of the new file)."""
    cast = range(max(len(old), *(index + 1 for index in new)))
    participants = tuple(index for index in cast if index not in absent)
    roster = hashlib.sha256(b"a new roster" + old[0].roster_hash + bytes(new)).digest()
    context = ReshareContext(
        consortium_hash=CONSORTIUM_HASH,
        old=PublicKeyMaterial.of(old[0]),
        roster_hash=roster,
        epoch=old[0].epoch + 1,
        threshold=threshold,
        names=names(len(cast)),
        old_seats=tuple(index if index < len(old) else None for index in cast),
        new_seats=tuple(list(new).index(index) if index in new else None for index in cast),
        participants=participants,
        dealers=participants[: old[0].threshold + 1],
        ceremony=CEREMONY,
    )
    return Move(tuple(old), replace(context, **changes))


# name: old (n, t), new members by cast index, new t, absent
SHAPES: dict[str, tuple[tuple[int, int], tuple[int, ...], int, tuple[int, ...]]] = {
    "3/1 -> 5/2, two join": ((3, 1), (0, 1, 2, 3, 4), 2, ()),
    "5/2 -> 3/1, two leave": ((5, 2), (0, 2, 4), 1, ()),
    "4/1 -> 4/1, one replaced": ((4, 1), (0, 1, 2, 4), 1, ()),
    "3/1 -> 3/1, refresh": ((3, 1), (0, 1, 2), 1, ()),
    "7/3 -> 7/3, refresh": ((7, 3), tuple(range(7)), 3, ()),
    "3/1 -> 3/1, an absent one replaced": ((3, 1), (0, 2, 3), 1, (1,)),
    "3/1 -> 3/1, nobody stays": ((3, 1), (3, 4, 5), 1, ()),
    "5/1 -> 4/1, in another order": ((5, 1), (4, 1, 0, 5), 1, (2,)),
    "3/1 -> 7/3, many join": ((3, 1), tuple(range(7)), 3, ()),
}


def shaped(name: str) -> Move:
    (members, threshold), new, new_threshold, absent = SHAPES[name]
    return move(key_shares(members, threshold), new, new_threshold, absent)
