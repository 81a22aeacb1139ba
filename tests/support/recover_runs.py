"""Recoveries in one process: honest runs of the protocol over an in-memory mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mpc_party.signing import KeyShare, MessageKeys, PublicKeyMaterial, RecoverContext, Recovered
from mpc_party.signing.recover import RecoverParty, drive_recover
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties
from tests.support.reshare_runs import CEREMONY, message_keys
from tests.support.signing_parties import CONSORTIUM_HASH, key_shares, names


@dataclass(frozen=True)
class Loss:
    """One member without its share, and who helps."""

    shares: tuple[KeyShare, ...]
    context: RecoverContext

    def party(self, own: int, kind: Callable[..., RecoverParty] = RecoverParty) -> RecoverParty:
        """Member i has promised round 100 + i."""
        if own == self.context.recovering:
            return kind(self.context, own, None, None)
        return kind(self.context, own, self.shares[own] if own in self.context.helpers else None, 100 + own)

    def keys(self, own: int) -> MessageKeys:
        return message_keys(own, len(self.shares))

    def mesh(self) -> list[LocalExchange]:
        return local_mesh(self.context.participants)

    def run(self, meshes: Sequence[LocalExchange] | None = None) -> dict[int, Recovered | None]:
        meshes = self.mesh() if meshes is None else meshes
        made = run_parties(meshes, lambda e: drive_recover(e, self.party(e.own), self.keys(e.own)))
        return {mesh.own: result for mesh, result in zip(meshes, made, strict=True)}


def loss(
    members: int,
    threshold: int,
    recovering: int,
    helpers: Sequence[int],
    witnesses: Sequence[int] = (),
    **changes: object,
) -> Loss:
    shares = key_shares(members, threshold)
    context = RecoverContext(
        CONSORTIUM_HASH,
        PublicKeyMaterial.of(shares[0]),
        names(members),
        recovering,
        tuple(helpers),
        tuple(witnesses),
        CEREMONY,
    )
    return Loss(shares, replace(context, **changes))
