"""Consortium files, casts and transcripts for tests of ceremonies, without folders and without a mesh."""

from __future__ import annotations

import secrets
from functools import cache

import msgspec

from mpc_party.protocol.consortium import Consortium, Settlement
from mpc_party.protocol.identity import CoordinatorIdentity, Identity
from mpc_party.resharing.cast import cast_of
from mpc_party.resharing.moving import cast_members
from mpc_party.resharing.successor import completed, successor
from mpc_party.resharing.transcript import (
    CastMember,
    Transcript,
    TranscriptBody,
    certificate,
    ordered_broadcasts,
)
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.scalar import SecretScalar, evaluate
from tests.support.local_mesh import local_mesh
from tests.support.world import NAMES

KEY = [SecretScalar(bytes(31) + bytes([value])) for value in (7, 11, 13)]


@cache
def identities(count: int = 5) -> tuple[Identity, ...]:
    return tuple(
        Identity.generate(name, f"127.0.0.1:{7001 + place}") for place, name in enumerate(NAMES[:count])
    )


def points(count: int, threshold: int) -> tuple[bytes, tuple[bytes, ...]]:
    """Y, and X_j for so many members, of a fixed key."""
    polynomial = KEY[: threshold + 1]
    shares = [multiply_base(evaluate(polynomial, at)).encode() for at in range(1, count + 1)]
    return multiply_base(polynomial[0]).encode(), tuple(shares)


@cache
def founded(count: int = 3) -> Consortium:
    """Epoch 1 of so many members, threshold 1, complete."""
    members = identities()[:count]
    consortium = Consortium(
        version=2,
        name="desks",
        id=secrets.token_hex(32),
        epoch=1,
        threshold=1,
        broker="mqtt://127.0.0.1:9",
        coordinator=CoordinatorIdentity.generate().signing_key,
        members=tuple(identity.member for identity in members),
        settlement=Settlement(1337, "0x" + "00" * 19 + "01"),
    )
    signed = transcript(body_of("keygen", None, consortium))
    return completed(consortium, signed.group_key, "ab" * 32)


def next_of(old: Consortium, names: tuple[str, ...], threshold: int = 1) -> Consortium:
    joining = [one.member for one in identities() if one.name in names and one.name not in old.names]
    keep = [name for name in old.names if name in names]
    return successor(old, keep=keep, joining=joining, threshold=threshold)


def body_of(
    kind: str, old: Consortium | None, new: Consortium, without: tuple[str, ...] = (), **changes
) -> TranscriptBody:
    """A transcript of a ceremony that never was, with one message to all from everybody."""
    key, shares = points(len(new.members), new.threshold)
    if old is None:
        members, participants = _all_new(new), tuple(range(len(new.members)))
    else:
        cast = cast_of(old, new, without)
        members, participants = cast_members(cast), cast.participants
    session = bytes(range(32))
    messages = []
    for seat in participants:
        signer = identity_of(members[seat].name)
        channel = Channel(local_mesh(range(2))[0], session, MessageKeys(signer.sign, {}), ())
        channel.links.own = seat
        channel._seal("commit", EVERYBODY, bytes([seat]))
        messages += channel.messages
    body = TranscriptBody(
        version=1,
        kind=kind,
        consortium=new.id_bytes,
        ceremony=secrets.token_bytes(32),
        old_hash=None if old is None else old.hash,
        old_epoch=None if old is None else old.epoch,
        new_roster=new.roster_hash,
        new_epoch=new.epoch,
        cast=members,
        participants=participants,
        dealers=participants[:2],
        broadcasts=ordered_broadcasts(messages),
        threshold=new.threshold,
        public_key=key,
        public_shares=shares,
        old_model=None if old is None or old.model is None else bytes.fromhex(old.model),
        new_model=None if old is None else bytes(32),
        floor=0,
    )
    return msgspec.structs.replace(body, **changes)


def _all_new(new: Consortium):
    return tuple(
        CastMember(member.name, bytes.fromhex(member.signing_key), None, index)
        for index, member in enumerate(new.members)
    )


def identity_of(name: str) -> Identity:
    return next(one for one in identities() if one.name == name)


def signatures(body: TranscriptBody) -> tuple[dict[int, bytes], dict[int, bytes]]:
    signers = [identity_of(name) for name in body.names]
    return (
        {seat: one.sign(body.statement) for seat, one in enumerate(signers) if seat in body.participants},
        {seat: signers[seat].sign(body.key_statement) for seat in body.attesting},
    )


def transcript(body: TranscriptBody) -> Transcript:
    return certificate(body, *signatures(body))
