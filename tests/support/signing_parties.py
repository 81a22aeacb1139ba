"""A consortium that signs, in one process: key shares, contexts, identities and journals for tests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.journal import Journal
from mpc_party.signing import KeygenContext, KeyShare, MessageKeys, SigningContext, run_keygen
from tests.support.local_mesh import local_mesh, run_parties

CONSORTIUM_ID = hashlib.sha256(b"a consortium for tests").digest()
ROSTER_HASH = hashlib.sha256(b"a roster for tests").digest()
CONSORTIUM_HASH = hashlib.sha256(b"a consortium file for tests").digest()
EPOCH = 3


def names(members: int) -> tuple[str, ...]:
    return tuple(f"desk-{number}" for number in range(members))


def keygen_context(members: int, threshold: int, ceremony: bytes = b"\x07" * 32) -> KeygenContext:
    return KeygenContext(ROSTER_HASH, EPOCH, threshold, names(members), ceremony)


def signing_context(members: int, round_number: int = 1) -> SigningContext:
    return SigningContext(CONSORTIUM_HASH, EPOCH, round_number, names(members))


@cache
def identities(members: int) -> tuple[Ed25519PrivateKey, ...]:
    """The members' signing identities, always the same: threads may ask for them at once."""
    seeds = [hashlib.sha256(b"identity %d" % member).digest() for member in range(members)]
    return tuple(Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds)


@cache
def message_keys(members: int) -> tuple[MessageKeys, ...]:
    """How each member signs its messages, and everybody's public keys."""
    keys = identities(members)
    public_keys = {member: key.public_key().public_bytes_raw() for member, key in enumerate(keys)}
    return tuple(MessageKeys(key.sign, public_keys) for key in keys)


_ONE_CEREMONY = threading.Lock()


def key_shares(members: int, threshold: int) -> tuple[KeyShare, ...]:
    """One key per (n, t), by a real ceremony, kept for the whole test run. Threads may ask for it at once."""
    with _ONE_CEREMONY:
        return _key_shares(members, threshold)


@cache
def _key_shares(members: int, threshold: int) -> tuple[KeyShare, ...]:
    context = keygen_context(members, threshold)
    return tuple(
        run_parties(
            local_mesh(range(members)), lambda e: run_keygen(e, context, message_keys(members)[e.own])
        )
    )


@dataclass
class SigningTeam:
    """n members with threshold t, and a journal and an identity for each."""

    members: int
    threshold: int
    directory: Path
    journals: dict[int, Journal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = key_shares(self.members, self.threshold)
        self.identities = identities(self.members)
        self.approvers = message_keys(self.members)
        for member in range(self.members):
            path = self.directory / f"journal-{member}.db"
            self.journals[member] = Journal.open(path, consortium=CONSORTIUM_ID, epoch=EPOCH)

    def promise(self, round_number: int, members: Sequence[int] | None = None) -> SigningContext:
        for member in range(self.members) if members is None else members:
            self.journals[member].promise_round(round_number, b"\x01" * 32)
        return signing_context(self.members, round_number)

    def close(self) -> None:
        for journal in self.journals.values():
            journal.close()
