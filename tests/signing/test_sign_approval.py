"""The approval, against signers that disagree or cheat: no share leaves before all approve one digest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing import MessageKeys
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_forger import Forger, altered, fields
from tests.support.signing_runs import (
    CHEAT,
    DIGEST,
    OTHER,
    assert_no_share_left,
    presign,
    run_with_tampering,
    sign,
)


def approving(team, digest, *, transcript=None):
    """Prepare the cheat to approve another digest or transcript, with its own signature."""

    def make(presignature, data):
        forger = Forger(team.approvers[CHEAT], presignature.case.session, CHEAT)
        changes = {3: digest} if transcript is None else {3: digest, 4: transcript}
        message = forger.sign("approval", EVERYBODY, altered(data[64:], changes))
        return message.signature + message.body

    return make


def test_an_approval_carries_all_that_it_is_for(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, presignatures, e))
    (frame,) = [data for peer, kind, data in meshes[0].received if (peer, kind) == (1, FrameKind.APPROVAL)]
    made = presignatures[1]
    session = made.context.session((0, 1, 2), team.keys[0].public_key)
    assert fields(frame[64:]) == ["approval", session, 1, DIGEST, made.transcript]
    message = SignedMessage(session, "approval", 1, EVERYBODY, frame[64:], frame[:64])
    assert message.is_signed(team.approvers[0].keys)


def test_honest_signers_with_different_digests_stop_whatever_a_cheat_tells_each(make_team):
    """The attack that the approval step is for: two digests under one nonce would give the key away."""
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    digests = {0: DIGEST, 1: OTHER, 2: DIGEST}

    def tamper(peer, kind, data):
        if kind is not FrameKind.APPROVAL:
            return data
        return approving(team, digests[peer])(presignatures[CHEAT], data)

    outcomes = run_with_tampering(team, meshes, presignatures, tamper, digests)
    for member in (0, 1):
        assert outcomes[member].reason in {Reason.APPROVAL_MISMATCH, Reason.DISPUTED}
        # It approved two digests, and has signed both.
        assert outcomes[member].culprit == "desk-2"
    said = " ".join(outcomes[member].message for member in (0, 1))
    assert any(f"desk-{1 - m} computed the digest {digests[1 - m].hex()}" in said for m in (0, 1))
    assert_no_share_left(meshes[:2])


def test_one_signer_with_another_digest_stops_all(make_team):
    team = make_team(5, 2)
    meshes = local_mesh(range(5))
    presignatures = presign(team, team.promise(1), meshes)
    outcomes = run_with_tampering(team, meshes, presignatures, None, {3: OTHER})
    reasons = {outcome.reason for outcome in outcomes.values()}
    assert Reason.APPROVAL_MISMATCH in reasons
    assert reasons <= {Reason.APPROVAL_MISMATCH, Reason.DISPUTED}
    assert {outcome.culprit for outcome in outcomes.values()} == {None}
    assert_no_share_left(meshes)


@pytest.mark.parametrize("attack", ["stranger's key", "noise", "signature of another"])
def test_an_approval_that_is_not_signed_by_its_sender_names_it(make_team, attack):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    session = presignatures[CHEAT].case.session

    def make(data):
        if attack == "noise":
            return bytes([0x11]) * 64 + data[64:]
        own = MessageKeys(Ed25519PrivateKey.generate().sign, {})
        keys = own if attack == "stranger's key" else team.approvers[1]
        return Forger(keys, session, CHEAT).sign("approval", EVERYBODY, data[64:]).signature + data[64:]

    def tamper(peer, kind, data):
        return make(data) if kind is FrameKind.APPROVAL and peer == 0 else data

    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    assert outcomes[0].reason is Reason.MESSAGE_FORGED
    assert outcomes[0].culprit == "desk-2"
    assert "does not carry its sender's signature" in outcomes[0].message


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
    assert outcomes[0].reason is Reason.MESSAGE_FORGED
    assert outcomes[0].culprit == "desk-2"


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
        return recorded[:64] + data[64:] if kind is FrameKind.APPROVAL else data

    outcomes = run_with_tampering(team, meshes, second, transplant)
    assert outcomes[0].reason is Reason.MESSAGE_FORGED


def test_another_transcript_is_refused(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)

    def tamper(peer, kind, data):
        if kind is not FrameKind.APPROVAL:
            return data
        return approving(team, DIGEST, transcript=b"\x01" * 32)(presignatures[CHEAT], data)

    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    for member in (0, 1):
        assert outcomes[member].reason in {Reason.ECHO_MISMATCH, Reason.DISPUTED}
        assert outcomes[member].culprit == "desk-2"
    assert_no_share_left(meshes[:2])
