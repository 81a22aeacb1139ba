"""Signing rounds in one process: nonce phase and signature among honest signers, or with a member that cheats."""

from __future__ import annotations

import hashlib

from mpc_party.mesh.exchange import FrameKind
from mpc_party.signing import run_sign
from mpc_party.signing.presign import NonceParty, drive_presign
from tests.support.local_mesh import party_outcomes, run_parties
from tests.support.signing_parties import key_shares, message_keys, signing_context

DIGEST = hashlib.sha256(b"a report").digest()
OTHER = hashlib.sha256(b"another report").digest()
CHEAT = 2


def presign(team, context, meshes, cheat=NonceParty):
    signers = sorted(mesh.own for mesh in meshes)
    made = run_parties(
        meshes,
        lambda e: drive_presign(
            e,
            (cheat if e.own == CHEAT else NonceParty)(context, team.keys[e.own], signers),
            team.approvers[e.own],
        ),
    )
    return {presignature.own: presignature for presignature in made}


def presign_bare(exchange, members, threshold):
    """One honest signer's nonce phase, without a team."""
    party = NonceParty(
        signing_context(members), key_shares(members, threshold)[exchange.own], range(2 * threshold + 1)
    )
    return drive_presign(exchange, party, message_keys(members)[exchange.own])


def sign(team, presignatures, exchange, digest=DIGEST):
    own = exchange.own
    return run_sign(
        exchange, team.keys[own], presignatures[own], digest, team.approvers[own], team.journals[own]
    )


def run_with_tampering(team, meshes, presignatures, tamper, digests=None):
    meshes[CHEAT].tamper = tamper
    digests = digests or {}
    return party_outcomes(meshes, lambda e: sign(team, presignatures, e, digests.get(e.own, DIGEST)))


def assert_no_share_left(meshes):
    for mesh in meshes:
        assert FrameKind.SIGNATURE not in {kind for _, kind, _ in mesh.received}
