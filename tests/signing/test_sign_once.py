"""One nonce, one digest, one share: what signs twice is refused, and the journal is written first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mpc_party.journal import JournalError
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.signing import SigningError, run_approval, run_sign, run_signature
from tests.support.local_mesh import PeerClosedError, local_mesh, party_outcomes, run_parties
from tests.support.signing_parties import key_shares
from tests.support.signing_runs import DIGEST, OTHER, assert_no_share_left, presign, sign


def test_a_presignature_signs_once(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    run_parties(meshes, lambda e: sign(team, presignatures, e))
    for digest in (DIGEST, OTHER):
        with pytest.raises(SigningError) as raised:
            sign(team, presignatures, meshes[0], digest)
        assert raised.value.reason is Reason.NONCE_SPENT


def test_an_approved_digest_releases_one_share(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)

    def program(exchange):
        own = exchange.own
        approved = run_approval(
            exchange, team.keys[own], presignatures[own], DIGEST, team.approvers[own], team.journals[own]
        )
        signature = run_signature(exchange, approved)
        sent = exchange.sent_bytes
        with pytest.raises(SigningError, match="approval of round 1 has been used") as raised:
            run_signature(exchange, approved)
        assert raised.value.reason is Reason.NONCE_SPENT
        assert exchange.sent_bytes == sent
        return signature

    assert len(set(run_parties(meshes, program))) == 1


def test_a_second_nonce_in_the_same_round_is_refused_by_the_journal(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    context = team.promise(1)
    first, second = presign(team, context, meshes), presign(team, context, meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    outcomes = party_outcomes(meshes, lambda e: sign(team, second, e))
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.NONCE_SPENT}


def test_another_digest_in_the_same_round_is_refused_by_the_journal(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    context = team.promise(1)
    first, second = presign(team, context, meshes), presign(team, context, meshes)
    run_parties(meshes, lambda e: sign(team, first, e))
    outcomes = party_outcomes(meshes, lambda e: sign(team, second, e, OTHER))
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.APPROVAL_MISMATCH}


def test_a_round_that_was_not_promised_is_not_signed(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    team.promise(1)
    presignatures = presign(team, replace(team.promise(2), round=7), meshes)
    rounds = meshes[0].rounds
    with pytest.raises(RoundError, match="has not been promised"):
        sign(team, presignatures, meshes[0])
    assert meshes[0].rounds == rounds


class Watching:
    """An exchange that looks into the journal at the moment a frame leaves."""

    def __init__(self, exchange, journal, seen):
        self.exchange_inside, self.journal, self.seen = exchange, journal, seen
        self.own, self.peers = exchange.own, exchange.peers

    def exchange(self, kind, outgoing, expect):
        (record,) = self.journal.rounds(1)
        self.seen.append((kind, record.digest, record.nonce_spent))
        return self.exchange_inside.exchange(kind, outgoing, expect)


def test_the_journal_is_written_before_anything_leaves(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    seen = {member: [] for member in range(3)}
    run_parties(meshes, lambda e: sign(team, presignatures, Watching(e, team.journals[e.own], seen[e.own])))
    share, parting = [(FrameKind.SIGNATURE, DIGEST, True)] * 2
    expected = [(FrameKind.APPROVAL, DIGEST, True), share, parting]
    assert seen == dict.fromkeys(range(3), expected)


def test_what_the_journal_cannot_write_is_not_done(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    team.journals[0]._connection.execute("PRAGMA query_only = ON")
    outcomes = party_outcomes(meshes, lambda e: sign(team, presignatures, e))
    assert isinstance(outcomes[0], JournalError)
    for member in (1, 2):
        assert isinstance(outcomes[member], PeerClosedError)
        assert not [
            kind for peer, kind, _ in meshes[member].received if peer == 0 and kind is FrameKind.APPROVAL
        ]
    assert_no_share_left(meshes)


@pytest.mark.parametrize("change", ["signers", "key", "member"])
def test_a_presignature_of_other_signers_or_another_key_is_refused(make_team, change):
    team = make_team(4)
    meshes = local_mesh((0, 1, 2))
    presignatures = presign(team, team.promise(1), meshes)
    exchange = local_mesh((0, 1, 3))[0] if change == "signers" else meshes[0]
    key = {"signers": team.keys[0], "key": key_shares(3, 1)[0], "member": team.keys[1]}[change]
    with pytest.raises(SigningError, match="other signers or for another key"):
        run_sign(exchange, key, presignatures[0], DIGEST, team.approvers[0], team.journals[0])
