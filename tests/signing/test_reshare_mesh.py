"""Resharing over the real mesh, TLS and all: what is not awaited, and a dispute that a member that has nothing to send begins."""

from __future__ import annotations

from functools import partial

import pytest

from mpc_party.mesh import Mesh, deadline_in
from mpc_party.signing import SigningError, run_reshare
from mpc_party.signing.judges import case_of
from mpc_party.signing.verdict import Proof
from tests.support.mesh_parties import in_threads, members
from tests.support.reshare_cheats import Cheat
from tests.support.reshare_runs import message_keys, move, public_identity
from tests.support.signing_parties import key_shares

SECONDS = 10.0
KEYS = {member: public_identity(member) for member in range(4)}


class Tampering:
    """An exchange whose frames are changed before they leave."""

    def __init__(self, inner, tamper):
        self.inner, self.tamper = inner, tamper
        self.own, self.peers = inner.own, inner.peers

    def exchange(self, kind, outgoing, expect):
        changed = {peer: self.tamper(peer, kind, bytes(data)) for peer, data in outgoing.items()}
        return self.inner.exchange(kind, changed, expect)

    def dispute(self, payload, seconds):
        return self.inner.dispute(payload, seconds)


def run(moved, cheat=None):
    """Of 3 members with t = 1 to 3, one of them replaced; each its own mesh."""

    def party(everyone, own):
        with (
            Mesh(everyone.config(own)) as mesh,
            mesh.session(bytes(32), range(4), deadline_in(SECONDS)) as links,
        ):
            exchange = links if cheat is None or cheat.own != own else Tampering(links, cheat)
            try:
                return run_reshare(exchange, moved.context, message_keys(own, 4), moved.share(own))
            except SigningError as error:
                return error

    with members(4) as everyone:
        return in_threads(*(partial(party, everyone, own) for own in range(4)))


@pytest.fixture(scope="module")
def moved():
    return move(key_shares(3, 1), (0, 1, 3), 1)  # 2 leaves, 3 joins; 0 and 1 deal


def test_it_runs_over_the_mesh(moved):
    results = run(moved)
    assert {result.public_key for result in results} == {moved.old[0].public_key}
    assert [getattr(result, "index", None) for result in results] == [0, 1, None, 2]


def test_whom_nobody_waits_for_can_dispute(moved):
    # Only 2, who leaves and has sent nothing yet, is shown another vector; the dealers wait for each other, not for 2.
    cheat = Cheat(1, moved.context.session, message_keys(1, 4), "reshare-open", "another coefficient", 2)
    results = run(moved, cheat)
    for own in (0, 2, 3):
        assert isinstance(results[own], SigningError)
        assert results[own].culprit == "desk-1"
        evidence = results[own].evidence
        findings = case_of(evidence).judge(evidence.statements, KEYS).findings
        assert {(finding.culprit, finding.proof) for finding in findings} == {(1, Proof.SIGNED)}
