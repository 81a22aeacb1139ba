"""The approval, against signers that disagree or cheat: no share leaves before all approve one digest."""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing.approval import approval_statement
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_runs import (
    CHEAT,
    DIGEST,
    OTHER,
    assert_no_share_left,
    presign,
    run_with_tampering,
    sign,
)


def test_an_approval_states_everything_that_it_is_for(make_team):
    team = make_team()
    presignature = presign(team, team.promise(1), local_mesh(range(3)))[0]
    context = presignature.context
    statement = approval_statement(presignature, 1, DIGEST)
    prefix = b"mpc-hedge/approval/v1"
    assert statement.startswith(prefix)
    assert msgspec.msgpack.decode(statement[len(prefix) :]) == [
        context.consortium_hash,
        context.epoch,
        1,
        [0, 1, 2],
        1,
        DIGEST,
        presignature.transcript,
    ]


def approval_of(team, presignature, digest, *, transcript=None, sender=CHEAT, identity=None):
    """An approval that the cheat makes, with its own key unless told otherwise."""

    def make(data):
        fields = msgspec.msgpack.decode(data)
        if transcript is not None:
            fields[4] = transcript
        fields[3] = digest
        statement = approval_statement(presignature, sender, digest)
        fields[5] = (identity or team.identities[CHEAT]).sign(statement)
        return msgspec.msgpack.encode(fields)

    return make


def test_honest_signers_with_different_digests_stop_whatever_a_cheat_tells_each(make_team):
    """The attack that the approval step is for: two digests under one nonce would give the key away."""
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    digests = {0: DIGEST, 1: OTHER, 2: DIGEST}

    def tamper(peer, kind, data):
        if kind is not FrameKind.APPROVAL:
            return data
        return approval_of(team, presignatures[CHEAT], digests[peer])(data)

    outcomes = run_with_tampering(team, meshes, presignatures, tamper, digests)
    for member in (0, 1):
        assert outcomes[member].reason is Reason.APPROVAL_MISMATCH
        assert outcomes[member].culprit is None
        assert (
            f"desk-{1 - member} computed the digest {digests[1 - member].hex()}" in outcomes[member].message
        )
    assert_no_share_left(meshes[:2])


def test_one_signer_with_another_digest_stops_all(make_team):
    team = make_team(5, 2)
    meshes = local_mesh(range(5))
    presignatures = presign(team, team.promise(1), meshes)
    outcomes = run_with_tampering(team, meshes, presignatures, None, {3: OTHER})
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.APPROVAL_MISMATCH}
    assert_no_share_left(meshes)


@pytest.mark.parametrize(
    "attack", ["stranger's key", "other member's statement", "noise", "signature of another"]
)
def test_an_approval_that_is_not_signed_by_its_sender_names_it(make_team, attack):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    make = {
        "stranger's key": approval_of(
            team, presignatures[CHEAT], DIGEST, identity=Ed25519PrivateKey.generate()
        ),
        "other member's statement": approval_of(team, presignatures[CHEAT], DIGEST, sender=1),
        "noise": lambda data: data[:-64] + b"\x11" * 64,
        "signature of another": approval_of(
            team, presignatures[CHEAT], DIGEST, sender=1, identity=team.identities[1]
        ),
    }[attack]

    def tamper(peer, kind, data):
        return make(data) if kind is FrameKind.APPROVAL and peer == 0 else data

    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    assert outcomes[0].reason is Reason.APPROVAL_MISMATCH
    assert outcomes[0].culprit == "desk-2"
    assert "signature of an approval" in outcomes[0].message


def test_an_approval_of_another_round_does_not_replay(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    first = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    recorded = [
        data for peer, kind, data in meshes[0].received if kind is FrameKind.APPROVAL and peer == CHEAT
    ]
    second = presign(team, team.promise(2), meshes)

    def whole(peer, kind, data):
        return recorded[0] if kind is FrameKind.APPROVAL else data

    outcomes = run_with_tampering(team, meshes, second, whole)
    assert outcomes[0].reason is Reason.APPROVAL_MISMATCH
    assert outcomes[0].culprit == "desk-2"
    assert "another session" in outcomes[0].message


def test_the_signature_of_an_approval_of_another_round_does_not_replay(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    first = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    (recorded,) = [
        data for peer, kind, data in meshes[0].received if kind is FrameKind.APPROVAL and peer == CHEAT
    ]
    second = presign(team, team.promise(2), meshes)

    def transplant(peer, kind, data):
        return data[:-64] + recorded[-64:] if kind is FrameKind.APPROVAL else data

    outcomes = run_with_tampering(team, meshes, second, transplant)
    assert "signature of an approval" in outcomes[0].message


def test_another_transcript_is_refused(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)

    def tamper(peer, kind, data):
        if kind is not FrameKind.APPROVAL:
            return data
        return approval_of(team, presignatures[CHEAT], DIGEST, transcript=b"\x01" * 32)(data)

    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    for member in (0, 1):
        assert outcomes[member].reason is Reason.ECHO_MISMATCH
        assert outcomes[member].culprit == "desk-2"
    assert_no_share_left(meshes[:2])
