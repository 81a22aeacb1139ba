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
        assert outcome.reason is Reason.SIGNATURE_INVALID
        assert outcome.culprit is None


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
        lambda _, kind, data: wrong_share(data) if kind is FrameKind.SIGNATURE else data,
    )
    for member in (0, 1):
        assert isinstance(outcomes[member], SigningError)
        assert outcomes[member].reason is Reason.SIGNATURE_INVALID
        assert outcomes[member].culprit is None
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

    def tamper(_, kind, data):
        if kind is not FrameKind.SIGNATURE:
            return data
        return msgspec.msgpack.encode([*msgspec.msgpack.decode(data)[:3], value])

    outcomes = run_with_tampering(team, meshes, presignatures, tamper)
    for member in (0, 1):
        assert outcomes[member].reason is Reason.SIGNATURE_INVALID
        assert outcomes[member].culprit == "desk-2"


def test_a_share_of_another_round_does_not_replay(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    first = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    (recorded,) = [
        data for peer, kind, data in meshes[0].received if kind is FrameKind.SIGNATURE and peer == CHEAT
    ]
    second = presign(team, team.promise(2), meshes)
    outcomes = run_with_tampering(
        team, meshes, second, lambda _, kind, data: recorded if kind is FrameKind.SIGNATURE else data
    )
    assert "another session" in outcomes[0].message
    assert outcomes[0].culprit == "desk-2"
