"""A consortium made up on the spot, with everybody's private keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import msgspec
from coincurve import PrivateKey

from mpc_party.protocol.consortium import Consortium, GroupKey, Settlement
from mpc_party.protocol.group_key import ORDER, group_key_statement
from mpc_party.protocol.identity import CoordinatorIdentity, Identity

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
CONTRACT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # from EIP-55


@dataclass(frozen=True)
class Cast:
    """The consortium, and the identities behind it."""

    consortium: Consortium
    members: tuple[Identity, ...]
    coordinator: CoordinatorIdentity


def make_cast(n: int = 3, broker: str = "mqtt://127.0.0.1:1883") -> Cast:
    members = tuple(Identity.generate(name, f"127.0.0.1:{7000 + i}") for i, name in enumerate(NAMES[:n]))
    coordinator = CoordinatorIdentity.generate()
    consortium = Consortium(
        version=2,
        name="test consortium",
        id=secrets.token_hex(32),
        epoch=1,
        threshold=1,
        broker=broker,
        coordinator=coordinator.signing_key,
        members=tuple(member.member for member in members),
    )
    return Cast(consortium, members, coordinator)


def public_points(coefficients: list[int], n: int) -> tuple[bytes, list[bytes]]:
    """Y and X_1..X_n of the polynomial f(x) = sum of coefficients[k] x^k, compressed."""

    def point(x: int) -> bytes:
        scalar = sum(c * pow(x, k, ORDER) for k, c in enumerate(coefficients)) % ORDER
        return PrivateKey.from_int(scalar).public_key.format()

    return point(0), [point(j) for j in range(1, n + 1)]


def key_section(cast: Cast, coefficients: list[int]) -> GroupKey:
    public_key, shares = public_points(coefficients, len(cast.members))
    statement = group_key_statement(cast.consortium.roster_hash, public_key, shares)
    return GroupKey(
        public_key=public_key.hex(),
        public_shares=tuple(share.hex() for share in shares),
        attestations=tuple(member.sign(statement).hex() for member in cast.members),
    )


def complete(cast: Cast) -> Consortium:
    """The file with all its sections: a group key that nobody would use, a model, a contract."""
    return msgspec.structs.replace(
        cast.consortium,
        key=key_section(cast, [123456789, 987654321]),
        model="5a" * 32,
        settlement=Settlement(31337, CONTRACT),
    )
