"""Signature shares of a signer that cheats: nothing wrong is released, and the nonce is spent."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.signing import SigningError
from mpc_party.signing.field import GROUP_ORDER, encode_scalar
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties
from tests.support.signing_cheats import D, E, redealing
from tests.support.signing_forger import Forger, altered
from tests.support.signing_runs import CHEAT, presign, run_with_tampering, sign


@pytest.mark.parametrize("position", [D, E], ids=["d", "e"])
@pytest.mark.parametrize(("members", "threshold"), [(3, 1), (5, 2)])
def test_a_mask_that_is_no_sharing_of_zero_spoils_only_the_signature(make_team, position, members, threshold):
    team = make_team(members, threshold)
    meshes = local_mesh(range(members))
    presignatures = presign(team, team.promise(1), meshes, redealing(position, 2, 1))
    outcomes = party_outcomes(meshes, lambda e: sign(team, presignatures, e))
    for outcome in outcomes.values():
        assert isinstance(outcome, SigningError)
        assert outcome.reason in {Reason.SIGNATURE_INVALID, Reason.DISPUTED}
    assert {outcomes[m].culprit for m in outcomes if m != CHEAT} == {f"desk-{CHEAT}"}


def wrong_share(data):
    fields = msgspec.msgpack.decode(data)
    fields[3] = encode_scalar((int.from_bytes(fields[3], "big") + 1) % GROUP_ORDER)
    return msgspec.msgpack.encode(fields)


def test_a_wrong_share_is_not_released_and_the_round_is_over(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    outcomes = run_with_tampering(
        team,
        meshes,
        presignatures,
        Forger(
            team.approvers[CHEAT],
            presignatures[CHEAT].case.session,
            CHEAT,
            lambda tag, _, body: wrong_share(body) if tag == "signature-share" else body,
        ),
    )
    for member in (0, 1):
        assert isinstance(outcomes[member], SigningError)
        assert outcomes[member].reason in {Reason.SIGNATURE_INVALID, Reason.DISPUTED}
        assert outcomes[member].culprit == "desk-2"
        with pytest.raises(RoundError) as raised:
            team.journals[member].spend_nonce(1, b"\x55" * 32)
        assert raised.value.reason is Reason.NONCE_SPENT
    # A new round with a fresh nonce works.
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(2), meshes)
    assert len(set(run_parties(meshes, lambda e: sign(team, presignatures, e)))) == 1


@pytest.mark.parametrize("value", [GROUP_ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 31])
def test_a_malformed_share_names_its_sender(make_team, value):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)

    def malform(tag, _, body):
        return altered(body, {3: value}) if tag == "signature-share" else body

    tamper = Forger(team.approvers[CHEAT], presignatures[CHEAT].case.session, CHEAT, malform)
    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    for member in (0, 1):
        assert outcomes[member].reason in {Reason.SIGNATURE_INVALID, Reason.DISPUTED}
        assert outcomes[member].culprit == "desk-2"


def test_a_share_of_another_round_does_not_replay(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    first = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    recorded, _ = [
        data for peer, kind, data in meshes[0].received if kind is FrameKind.SIGNATURE and peer == CHEAT
    ]
    second = presign(team, team.promise(2), meshes)
    outcomes = run_with_tampering(
        team, meshes, second, lambda _, kind, data: recorded if kind is FrameKind.SIGNATURE else data
    )
    assert outcomes[0].reason is Reason.MESSAGE_FORGED
    assert outcomes[0].culprit == "desk-2"
