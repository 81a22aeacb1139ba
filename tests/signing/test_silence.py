"""Who says nothing, over a real mesh with a short deadline: the mesh names it, and there is no evidence, for nothing is signed."""

from __future__ import annotations

import pytest

from mpc_party.mesh import FrameKind, MeshError
from mpc_party.protocol.errors import Reason
from mpc_party.signing import SigningError, dispute, run_presign
from mpc_party.signing.presign import NonceParty
from tests.mesh.test_session import parties, together
from tests.support.signing_forger import Forger
from tests.support.signing_parties import key_shares, message_keys, signing_context

CHEAT = 2


def honest(session):
    own = session.own
    return run_presign(session, key_shares(3, 1)[own], signing_context(3), message_keys(3)[own])


def test_a_silent_signer_is_named_by_the_deadline():
    names = []

    def program(session):
        names[:] = session._names
        if session.own != CHEAT:
            return honest(session)
        session._attempt.waker.wait(session._attempt.deadline)
        return None

    with parties(3) as meshes:
        outcomes = together(meshes, program, deadline=0.3)
    for outcome in outcomes[:2]:
        assert isinstance(outcome, MeshError)
        assert outcome.reason in {Reason.PEER_TIMEOUT, Reason.PEER_CLOSED}
        assert not hasattr(outcome, "evidence")
    # Whoever was a moment slower may only have seen the other one leave.
    assert names[CHEAT] in {outcome.culprit for outcome in outcomes[:2]}


def test_a_cheat_that_falls_silent_in_the_dispute_costs_its_deadline_once(monkeypatch):
    monkeypatch.setattr(dispute, "SECONDS", 0.3)
    failures = {}

    def program(session):
        if session.own != CHEAT:
            with pytest.raises(SigningError) as raised:
                honest(session)
            failures[session.own] = raised.value
            return
        party = NonceParty(signing_context(3), key_shares(3, 1)[CHEAT], range(3))
        forger = Forger(message_keys(3)[CHEAT], party.case.session, CHEAT)
        bad = dict.fromkeys(party.deal(), b"noise")
        messages = {peer: forger.sign("nonce-deal", peer, body) for peer, body in bad.items()}
        frames = {peer: message.signature + message.body for peer, message in messages.items()}
        session.exchange(FrameKind.CEREMONY, frames, session.peers)
        session._attempt.waker.wait(session._attempt.deadline)
        return

    with parties(3) as meshes:
        together(meshes, program, deadline=1.0)
    assert set(failures) == {0, 1}
    for error in failures.values():
        assert error.culprit == f"desk-{CHEAT}"
        assert "(signed)" in error.message
