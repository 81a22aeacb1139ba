"""Approval and signing: honest signers, and every check against a signer that cheats or a party that restarts."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace

import coincurve
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from eth_account import Account

from mpc_party.journal import JournalError
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.signing import (
    SigningError,
    run_approval,
    run_sign,
    run_signature,
    verify_signature,
)
from mpc_party.signing.approval import approval_statement
from mpc_party.signing.field import GROUP_ORDER, encode_scalar
from mpc_party.signing.presign import NonceParty, drive_presign
from tests.support.local_mesh import PeerClosedError, local_mesh, party_outcomes, run_parties
from tests.support.signing_cheats import D, E, redealing
from tests.support.signing_parties import SigningTeam, key_shares

DIGEST = hashlib.sha256(b"a report").digest()
OTHER = hashlib.sha256(b"another report").digest()
CHEAT = 2


@pytest.fixture
def make_team(tmp_path):
    teams = []

    def make(members: int = 3, threshold: int = 1) -> SigningTeam:
        directory = tmp_path / str(len(teams))
        directory.mkdir()
        teams.append(SigningTeam(members, threshold, directory))
        return teams[-1]

    yield make
    for team in teams:
        team.close()


def presign(team, context, meshes, cheat=NonceParty):
    signers = sorted(mesh.own for mesh in meshes)
    made = run_parties(
        meshes,
        lambda e: drive_presign(
            e, (cheat if e.own == CHEAT else NonceParty)(context, team.keys[e.own], signers)
        ),
    )
    return {presignature.own: presignature for presignature in made}


def sign(team, presignatures, exchange, digest=DIGEST):
    own = exchange.own
    return run_sign(
        exchange, team.keys[own], presignatures[own], digest, team.approvers[own], team.journals[own]
    )


@pytest.mark.parametrize(
    ("members", "threshold", "signers"),
    [
        (3, 1, (0, 1, 2)),
        *((4, 1, signers) for signers in itertools.combinations(range(4), 3)),
        (5, 1, (0, 2, 4)),
        (5, 1, (2, 3, 4)),
        (5, 2, (0, 1, 2, 3, 4)),
        (7, 2, (0, 2, 3, 5, 6)),
        (7, 3, (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_a_committee_signs_for_the_groups_address(make_team, members, threshold, signers):
    team = make_team(members, threshold)
    for number in (1, 2):
        digest = hashlib.sha256(bytes([number])).digest()
        context = team.promise(number, signers)
        meshes = local_mesh(signers)
        presignatures = presign(team, context, meshes)
        before = [mesh.rounds for mesh in meshes]
        signatures = run_parties(meshes, lambda e, p=presignatures, d=digest: sign(team, p, e, d))
        assert [mesh.rounds - rounds for mesh, rounds in zip(meshes, before, strict=True)] == [2] * len(
            signers
        )
        (signature,) = set(signatures)
        key = team.keys[0]
        assert verify_signature(key.public_key, digest, signature)
        # what `ecrecover` gives, by two other implementations
        assert Account._recover_hash(digest, signature=signature) == key.address
        recovered = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
        assert recovered.format() == key.public_key
        assert int.from_bytes(signature[32:64], "big") <= GROUP_ORDER // 2


def test_many_signatures_all_verify_whatever_the_parity_and_the_size_of_s(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    vs = set()
    for number in range(1, 17):
        digest = hashlib.sha256(bytes([number])).digest()
        presignatures = presign(team, team.promise(number), meshes)
        signature = run_parties(meshes, lambda e, p=presignatures, d=digest: sign(team, p, e, d))[0]
        assert verify_signature(team.keys[0].public_key, digest, signature)
        vs.add(signature[64])
    assert vs <= {27, 28}


@pytest.mark.parametrize(
    "digest", [bytes(32), GROUP_ORDER.to_bytes(32, "big"), b"", b"\x01" * 31, b"\x01" * 33]
)
def test_a_digest_of_zero_or_of_another_length_is_refused_before_anything_is_sent(make_team, digest):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    rounds = meshes[0].rounds
    with pytest.raises(SigningError, match="32 bytes and not zero"):
        sign(team, presignatures, meshes[0], digest)
    assert meshes[0].rounds == rounds


# One use


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
    expected = [(FrameKind.APPROVAL, DIGEST, True), (FrameKind.SIGNATURE, DIGEST, True)]
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


# Attacks on the approval


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


def run_with_tampering(team, meshes, presignatures, tamper, digests=None):
    meshes[CHEAT].tamper = tamper
    digests = digests or {}
    return party_outcomes(meshes, lambda e: sign(team, presignatures, e, digests.get(e.own, DIGEST)))


def assert_no_share_left(meshes):
    for mesh in meshes:
        assert FrameKind.SIGNATURE not in {kind for _, kind, _ in mesh.received}


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


# Attacks on the signature


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
