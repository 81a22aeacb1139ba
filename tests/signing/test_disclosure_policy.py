"""What a dispute gives away: never a dealing of a nonce that a share may have been released for, nor anything else that leads to a key.

The attack: with t = 1, a cheat approves to one signer, which then releases its share, and disputes with the other. What that one was dealt, and what it
dealt, beside the released share, is the first one's share of the key; and with its own, the cheat has the key.
"""

from __future__ import annotations

import pytest

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing import SigningError, presignature
from mpc_party.signing.docket import Docket
from mpc_party.signing.evidence import (
    DISCLOSURE,
    Claim,
    Disclosure,
    Opening,
    decode_answer,
    decode_disclosure,
)
from mpc_party.signing.field import GROUP_ORDER, decode_scalar
from mpc_party.signing.judge_nonce import NonceJudge
from mpc_party.signing.nonce_rules import APPROVAL, DEAL, SHARE
from mpc_party.signing.signing_case import KINDS
from mpc_party.signing.wire import Approval, SignatureShare, encode, read
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_cheats import plus_one
from tests.support.signing_forger import EVERYBODY, Forger, Frames, altered
from tests.support.signing_parties import key_shares, message_keys
from tests.support.signing_runs import presign_bare
from tests.support.signing_trials import CHEAT, DIGEST, keygen_trial, signing_trial


def shown_in(frames):
    """All signed messages inside all disclosures and answers of these frames."""
    for frame in frames:
        for statement in Frames.decode(frame):
            disclosure = decode_disclosure(statement.body) if statement.step == DISCLOSURE else None
            yield from () if disclosure is None else disclosure.messages


def key_of(case, threshold, messages, shares, victim):
    """The victim's share of the key, from all messages that an adversary holds and the victim's signature share; None if it does not follow."""
    docket = Docket(
        case.session, case.signers, threshold, message_keys(len(case.public_shares))[0].keys, KINDS, ()
    )
    docket.put_view(CHEAT, list(messages))
    judge = NonceJudge(docket, case.signers, threshold)
    for member in case.signers:
        judge._read_dealings(member)
    for member in case.signers:
        judge._judge_degrees(member)
    dealt, nonce = judge._shares(victim), judge.nonce()
    if dealt is None or nonce is None or victim not in shares:
        return None
    _, a, _, d, e = dealt
    point, product = nonce
    c = a * pow(product, -1, GROUP_ORDER) % GROUP_ORDER
    h = int.from_bytes(DIGEST, "big") % GROUP_ORDER
    return (shares[victim] - h * (c + d) - e) * pow(point.x * c, -1, GROUP_ORDER) % GROUP_ORDER


def split_attack(size=(3, 1), approve_to=1):
    """Cheats take part in the nonce phase, approve to one signer, and dispute with the rest. All that they hold afterwards."""
    members, threshold = size
    cheats = {CHEAT} if threshold == 1 else {CHEAT, 4}
    held, shares = [], {}

    def attack(exchange, made):
        own, case = exchange.own, made.case
        messages = list(made._nonce.take().messages)
        forger = Forger(message_keys(members)[own], case.session, own)
        approval = forger.sign(
            APPROVAL, EVERYBODY, encode(Approval(case.session, own, DIGEST, made.transcript))
        )
        frame = approval.signature + approval.body
        exchange.inboxes[own, approve_to].put((FrameKind.APPROVAL, frame))
        told = []
        for _ in range(3):
            told += _dispute(exchange, approve_to, shares)
        held.extend(messages)
        held.extend(shown_in(told))

    ran = signing_trial(between=dict.fromkeys(cheats, attack), size=size)
    return ran, held, shares


def _dispute(exchange, approved, shares):
    """One exchange of the dispute, begun with all but the one that was sent an approval; that one's share is waited for first."""
    for peer in exchange.peers:
        if peer != approved:
            exchange.inboxes[exchange.own, peer].put((FrameKind.DISPUTE, b"\x90"))
    told = []
    while approved not in shares:
        kind, data = exchange.inboxes[approved, exchange.own].get(timeout=10)
        if kind is FrameKind.SIGNATURE:
            shares[approved] = decode_scalar(read(SignatureShare, data[64:]).share)
    exchange.inboxes[exchange.own, approved].put((FrameKind.DISPUTE, b"\x90"))
    for peer in exchange.peers:
        kind = FrameKind.APPROVAL
        while kind not in {FrameKind.DISPUTE, None}:
            kind, data = exchange.inboxes[peer, exchange.own].get(timeout=10)
        told.append(data or b"\x90")
    return told


@pytest.mark.parametrize("size", [(3, 1), pytest.param((5, 2), marks=pytest.mark.slow)])
def test_an_approval_to_one_and_a_dispute_to_the_others_yield_no_share_of_the_key(size):
    ran, held, shares = split_attack(size)
    ran.assert_no_honest_member_is_named()
    honest = set(ran.honest)
    assert 1 in shares
    assert not [m for m in held if m.step == DEAL and m.sender in honest and m.receiver in honest]
    for victim in honest:
        assert key_of(ran.case, size[1], held, shares, victim) is None


def test_the_attack_works_on_a_signer_that_shows_its_dealings_after_its_approval(monkeypatch):
    """What the policy is for: this is the same attack, with the policy broken in one line."""
    real = presignature.UnspentNonce.approve

    def loose(self):
        approved = real(self)
        return presignature.ApprovedNonce(
            approved.shares, approved.points, approved.base, self.messages, approved._deals
        )

    monkeypatch.setattr(presignature.UnspentNonce, "approve", loose)
    ran, held, shares = split_attack()
    stolen = key_of(ran.case, 1, held, shares, 1)
    assert stolen is not None
    assert stolen.to_bytes(32, "big") == key_shares(3, 1)[1].secret.reveal()


def presignatures():
    meshes = local_mesh(range(3))
    return meshes, run_parties(meshes, lambda e: presign_bare(e, 3, 1))


def told(links):
    return [links.inboxes[links.own, peer].qsize() for peer in links.peers]


@pytest.mark.parametrize("use", ["approve", "discard"])
def test_a_nonce_that_was_used_is_not_shown_to_who_asks(use):
    meshes, made = presignatures()
    getattr(made[0], use)()
    before = told(meshes[0])
    with pytest.raises(SigningError) as raised:
        made[0].dispute(meshes[0], message_keys(3)[0], PeerDisputes("desk-2", 2, b""))
    assert raised.value.reason is Reason.NONCE_SPENT
    assert raised.value.evidence is None
    assert told(meshes[0]) == before


def test_a_nonce_that_was_given_up_approves_nothing():
    meshes, made = presignatures()
    meshes[0].lost = set(meshes[0].peers)
    with pytest.raises(SigningError) as raised:
        made[0].dispute(meshes[0], message_keys(3)[0], PeerDisputes("desk-2", 2, b""))
    assert raised.value.evidence is not None
    with pytest.raises(SigningError) as raised:
        made[0].approve()
    assert raised.value.reason is Reason.NONCE_SPENT


def test_an_approved_nonce_shows_a_deal_only_against_what_its_own_dealer_had_committed_to():
    _, made = presignatures()
    nonces = [presignature._nonce.take() for presignature in made]
    approved = nonces[0].approve()
    case = made[0].case

    def asked(dealer, points):
        spare = (b"\x02" * 33, b"\x02" * 33, b"\x02" * 33, bytes(32))
        claim = Claim("failed", "approval", 0)
        told = Disclosure("signature", claim, (), Opening(*points.encoded(), *spare))
        return approved.complaints(0, case.session, case.signers, [(dealer, told)])

    assert asked(1, nonces[1].points) == ()  # what it dealt
    assert asked(1, nonces[2].points) == ()  # another's: contradicts the deal, and is not what 1 committed to
    assert asked(2, nonces[1].points) == ()


@pytest.mark.parametrize("size", [(3, 1), pytest.param((5, 2), marks=pytest.mark.slow)])
def test_a_failed_signature_shows_points_broadcasts_and_no_dealing(size):
    def wrong(forger):
        forger.change = lambda tag, _, b: altered(b, {3: plus_one}) if tag == "signature-share" else b

    ran = signing_trial({CHEAT: wrong}, size=size)
    for error in ran.honest.values():
        for statement in error.evidence.statements:
            disclosure = decode_disclosure(statement.body)
            messages = disclosure.messages if disclosure is not None else ()
            assert DEAL not in {message.step for message in messages}
            assert {message.receiver for message in messages} <= {EVERYBODY}
        data = error.evidence.encode()
        assert SHARE.encode() in data
        for share in key_shares(*size):
            assert share.secret.reveal() not in data


def test_the_one_dealing_shown_after_a_failed_signature_is_of_the_dealer_at_fault():
    def spoil(forger):
        forger.change = lambda tag, peer, b: (
            altered(b, {8: plus_one}) if tag == "nonce-deal" and peer == 0 else b
        )

    ran = signing_trial({CHEAT: spoil})
    ran.assert_stopped()
    for error in ran.honest.values():
        dealings = {
            (m.sender, m.receiver)
            for statement in error.evidence.statements
            for m in _all_messages(statement)
            if m.step == DEAL
        }
        assert dealings == {(CHEAT, 0)}


def _all_messages(statement):
    found = decode_disclosure(statement.body) or decode_answer(statement.body)
    return () if found is None else found.messages


@pytest.mark.parametrize("wrong", [{3: b"\x44" * 32}], ids=["result"])
def test_a_key_that_others_may_have_is_not_shown_a_share_of(wrong):
    """After its confirmation has left, a member shows no deal of key generation, not even one that it was sent by a cheat."""

    def prepare(forger):
        forger.change = lambda tag, _, body: altered(body, wrong) if tag == "keygen-confirm" else body

    ran = keygen_trial({CHEAT: prepare})
    ran.assert_stopped()
    for error in ran.honest.values():
        for statement in error.evidence.statements:
            assert "deal" not in {message.step for message in _all_messages(statement)}
