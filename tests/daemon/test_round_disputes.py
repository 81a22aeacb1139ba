"""Rounds over a real mesh in which a party cheats in signing: who is named, and the evidence that is left."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from mpc_party.daemon import round_job
from mpc_party.mesh import FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.signing import Evidence, SigningError
from mpc_party.signing.judges import judge
from mpc_party.signing.verdict import Proof
from tests.daemon.test_round_job import ALL, journal, run
from tests.support.signing_cheats import plus_one
from tests.support.signing_forger import Forger, altered

CHEAT = 2


def is_cheat():
    return threading.current_thread().name == f"party {CHEAT}"


@pytest.fixture
def kept(parties):
    """What each party keeps as evidence."""
    found = {member: [] for member in ALL}
    for member in ALL:
        context = parties.contexts[member]
        parties.contexts[member] = replace(context, keep_evidence=found[member].append)
    return found


class Tampering:
    """A session whose frames pass through a forger."""

    def __init__(self, links, forger):
        self._links, self._forger = links, forger

    def __getattr__(self, name):
        return getattr(self._links, name)

    def exchange(self, kind, outgoing, expect):
        return self._links.exchange(
            kind, {p: self._forger(p, kind, bytes(d)) for p, d in outgoing.items()}, expect
        )

    def dispute(self, payload, seconds):
        return self._links.dispute(self._forger(0, FrameKind.DISPUTE, payload), seconds)


def named(parties, kept, honest=(0, 1)):
    consortium = parties.world.consortium
    name = consortium.names[CHEAT]
    for member in honest:
        (evidence,) = kept[member]
        verdict = judge(Evidence.decode(evidence.encode()), consortium)
        assert {consortium.names[c] for c in verdict.culprits(Proof.SIGNED)} <= {name}
        yield member, evidence, verdict


@pytest.mark.parametrize("tag", ["nonce-deal", "nonce-open", "signature-share"])
def test_a_party_that_cheats_in_signing_is_named_with_evidence(parties, numbered, monkeypatch, kept, tag):
    def signing(name):
        real = getattr(round_job, name)

        def call(links, *given):
            if not is_cheat():
                return real(links, *given)
            party = parties.contexts[CHEAT]
            forger = Forger(party.approver, case.session, CHEAT, change)
            return real(Tampering(links, forger), *given)

        monkeypatch.setattr(round_job, name, call)

    proposal = numbered(3)
    party = parties.contexts[CHEAT]
    consortium = parties.world.consortium
    context = round_job.SigningContext(consortium.hash, consortium.epoch, proposal.round, consortium.names)
    case = context.case(ALL, party.key)
    position = {"nonce-deal": 8, "nonce-open": 4, "signature-share": 3}[tag]

    def change(told, peer, body):
        # A share to one of them: the same shift to members 0 and 1 is another sharing of zero, and no harm.
        hit = told == tag and (peer == 0 or tag != "nonce-deal")
        return altered(body, {position: plus_one}) if hit else body

    for name in ("run_presign", "run_approval", "run_signature", "close_signature"):
        signing(name)
    outcomes = run(parties, parties.prepare(proposal))
    for member, evidence, verdict in named(parties, kept):
        assert isinstance(outcomes[member], SigningError)
        assert outcomes[member].culprit == consortium.names[CHEAT]
        assert outcomes[member].evidence is evidence
        assert verdict.proven == (CHEAT,)
        assert evidence.stage == ("nonce" if tag == "nonce-open" else "signature")


def test_a_dispute_in_the_middle_of_the_computation_gives_the_nonce_up(parties, numbered, monkeypatch, kept):
    real_compute, real_presign, made = round_job._compute, round_job.run_presign, []

    def compute(party, ready, links):
        if party.own != CHEAT:
            return real_compute(party, ready, links)
        for _ in range(3):
            links.dispute(b"\x90", 5.0)
        raise ConsortiumError("the cheat ends here")

    def presign(*given):
        made.append(real_presign(*given))
        return made[-1]

    monkeypatch.setattr(round_job, "_compute", compute)
    monkeypatch.setattr(round_job, "run_presign", presign)
    outcomes = run(parties, parties.prepare(numbered(3)))
    for member, evidence, verdict in named(parties, kept):
        assert outcomes[member].reason is Reason.DISPUTED
        assert outcomes[member].culprit == parties.world.consortium.names[CHEAT]
        assert verdict.culprits(Proof.ATTESTED) == (CHEAT,)
        assert evidence.stage == "nonce"
        assert not journal(parties, member).nonce_spent  # it approved nothing, and cannot any more
    for presignature in made:
        with pytest.raises(SigningError):
            presignature.approve()


def test_a_wrong_share_to_one_party_leaves_the_other_its_result_and_both_the_evidence(
    parties, numbered, monkeypatch, kept
):
    proposal, party, consortium = numbered(3), parties.contexts[CHEAT], parties.world.consortium
    context = round_job.SigningContext(consortium.hash, consortium.epoch, proposal.round, consortium.names)
    case, real = context.case(ALL, party.key), round_job.run_signature

    def change(_, peer, body):
        return altered(body, {3: plus_one}) if peer == 0 else body

    def sign(links, approved):
        if not is_cheat():
            return real(links, approved)
        return real(Tampering(links, Forger(party.approver, case.session, CHEAT, change)), approved)

    monkeypatch.setattr(round_job, "run_signature", sign)
    outcomes = run(parties, parties.prepare(proposal))
    assert isinstance(outcomes[0], SigningError)
    assert outcomes[0].culprit == consortium.names[CHEAT]
    assert len(outcomes[1].signature) == 65
    for _, _, verdict in named(parties, kept):
        assert verdict.proven == (CHEAT,)


def test_a_party_that_leaves_before_the_others_part_costs_nobody_the_signature(
    parties, numbered, monkeypatch, kept
):
    real = round_job.close_signature

    def close(links, approved):
        if is_cheat():
            raise ConsortiumError("the cheat ends here")
        return real(links, approved)

    monkeypatch.setattr(round_job, "close_signature", close)
    outcomes = run(parties, parties.prepare(numbered(3)))
    assert len(outcomes[0].signature) == 65
    assert outcomes[0].signature == outcomes[1].signature
    assert not any(kept.values())
