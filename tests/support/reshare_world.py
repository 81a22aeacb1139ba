"""Two consortium files with real keys and identities, and a resharing or a recovery between them with a cheat in it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from mpc_party.protocol.consortium import Consortium, GroupKey
from mpc_party.protocol.identity import Identity
from mpc_party.signing import (
    KeygenContext,
    KeyShare,
    MessageKeys,
    RecoverContext,
    ReshareContext,
    run_keygen,
    run_recover,
    run_reshare,
)
from tests.support.consortium import Cast, make_cast
from tests.support.local_mesh import LocalExchange, local_mesh, party_outcomes, run_parties

CEREMONY = b"\x0c" * 32


def keys_of(own: Identity, everybody: list[Identity]) -> MessageKeys:
    public = {index: bytes.fromhex(member.member.signing_key) for index, member in enumerate(everybody)}
    return MessageKeys(own.sign, public)


def outcomes(meshes: list[LocalExchange], program: Callable[[LocalExchange], object]) -> dict[int, object]:
    """Who is done leaves, so that nobody waits for it in a dispute."""

    def leave(exchange: LocalExchange) -> object:
        result = program(exchange)
        exchange.close()
        return result

    return party_outcomes(meshes, leave)


class TwoEpochs:
    """alice, bob, carol with t = 1; then alice, carol and dave, who comes for bob."""

    def __init__(self) -> None:
        cast: Cast = make_cast(4)
        self.identities = list(cast.members)
        draft = msgspec.structs.replace(cast.consortium, members=cast.consortium.members[:3])
        context = KeygenContext(draft.roster_hash, 1, 1, draft.names, CEREMONY)
        three = self.identities[:3]
        self.shares: list[KeyShare] = run_parties(
            local_mesh(range(3)), lambda e: run_keygen(e, context, keys_of(three[e.own], three))
        )
        share = self.shares[0]
        key = GroupKey(
            share.public_key.hex(),
            tuple(point.hex() for point in share.public_shares),
            tuple(member.sign(share.attestation).hex() for member in three),
        )
        self.old: Consortium = msgspec.structs.replace(draft, key=key)
        members = (draft.members[0], draft.members[2], cast.consortium.members[3])
        self.new: Consortium = msgspec.structs.replace(draft, epoch=2, members=members)

    def reshare(self, cheat: int | None, tamper: Callable[..., bytes] | None) -> dict[int, object]:
        context = ReshareContext.between(self.old, self.new, CEREMONY)
        meshes = local_mesh(range(4))
        if cheat is not None:
            meshes[cheat].tamper = tamper
        return outcomes(
            meshes,
            lambda e: run_reshare(
                e,
                context,
                keys_of(self.identities[e.own], self.identities),
                self.shares[e.own] if e.own < 3 else None,
            ),
        )

    def recover(self, cheat: int, tamper: Callable[..., bytes]) -> dict[int, object]:
        context = RecoverContext.of_consortium(self.old, "bob", ["alice", "carol"], CEREMONY)
        meshes = local_mesh(range(3))
        meshes[cheat].tamper = tamper
        three = self.identities[:3]
        return outcomes(
            meshes,
            lambda e: run_recover(
                e,
                context,
                keys_of(three[e.own], three),
                None if e.own == 1 else self.shares[e.own],
                None if e.own == 1 else 7,
            ),
        )
