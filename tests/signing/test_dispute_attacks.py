"""Lies in the dispute itself: a cheat that tells different things, or that says it had come somewhere else."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.evidence import ANSWER, DISCLOSURE, Claim, encode_statement
from mpc_party.signing.field import decode_scalar
from mpc_party.signing.nonce_rules import DealtPoints
from mpc_party.signing.presign import NonceParty
from mpc_party.signing.verdict import Proof
from tests.support.signing_cheats import E, plus_one, shifted_point
from tests.support.signing_forger import EVERYBODY, altered
from tests.support.signing_trials import CHEAT, signing_trial

pytestmark = pytest.mark.usefixtures("quick_signatures")


def only(tag, changes, receivers=None):
    def change(told, peer, body):
        hit = told == tag and (receivers is None or peer in receivers)
        return altered(body, changes) if hit else body

    return change


def test_an_opening_kept_from_who_would_complain_frames_nobody():
    """The cheat deals member 0 a wrong share, opens its points to member 1 only, and tells member 0 something else.

    Member 0 hears the opening through member 1, beside what it was told itself. It must complain about it: in a file that leaves out
    what member 0 was told, its share would not be the one that follows from the opened points.
    """

    def prepare(forger):
        forger.change = only("nonce-deal", {E: plus_one}, {0})
        forger.disclosing = lambda disclosure, peer: (
            disclosure if peer == 1 else msgspec.structs.replace(disclosure, stage="zzz", opening=None)
        )

    ran = signing_trial({CHEAT: prepare})
    ran.assert_named(Proof.SIGNED)
    for error in ran.honest.values():
        evidence = error.evidence
        told = [s for s in evidence.statements if (s.sender, s.step) == (CHEAT, DISCLOSURE)]
        for left_out in (None, *told):
            kept = tuple(s for s in evidence.statements if s != left_out)
            verdict = ran.case.judge(kept, ran.keys)
            assert set(verdict.proven) <= {CHEAT}, verdict


def test_an_opening_told_to_nobody_frames_nobody_afterwards():
    """As above, but the cheat opens its points only when all is over, in a disclosure that it adds to the file."""
    forgers, opened = [], []

    def prepare(forger):
        def disclosing(disclosure, _peer):
            opened.append(disclosure)
            return msgspec.structs.replace(disclosure, stage="signature", opening=None)

        forger.change, forger.disclosing = only("nonce-deal", {E: plus_one}, {0}), disclosing
        forgers.append(forger)

    ran = signing_trial({CHEAT: prepare})
    ran.assert_named(Proof.SIGNED)
    late = forgers[0].sign(DISCLOSURE, EVERYBODY, encode_statement(opened[0]))
    for error in ran.honest.values():
        verdict = ran.case.judge((*error.evidence.statements, late), ran.keys)
        assert verdict.proven == (CHEAT,), verdict


def test_another_commitment_made_afterwards_turns_no_complaint_into_a_false_one():
    """The cheat is caught by member 0's complaint, and makes a file of that alone and of an opening that fits what it had dealt."""
    forgers, opened = [], []

    def prepare(forger):
        forger.change = only("nonce-deal", {E: plus_one}, {0})
        forger.disclosing = lambda disclosure, _: opened.append(disclosure) or disclosure
        forgers.append(forger)

    ran = signing_trial({CHEAT: prepare})
    ran.assert_named(Proof.SIGNED)
    statements = ran.honest[1].evidence.statements
    (complaint,) = (s for s in statements if (s.sender, s.step) == (0, ANSWER))
    told, deal = opened[0], forgers[0].sent["nonce-deal", 0]
    e = multiply_base(decode_scalar(deal.body[-32:]))
    other = msgspec.structs.replace(told.opening, e=(e.encode(), *told.opening.e[1:]))
    committed = DealtPoints.decode(ran.case.signers, other).hash(ran.case.session, CHEAT)
    (opening,) = (m for m in told.messages if (m.step, m.sender) == ("nonce-open", CHEAT))
    late = forgers[0].sign("nonce-open", EVERYBODY, altered(opening.body, {6: committed}))
    story = msgspec.structs.replace(told, messages=(late,), opening=other)
    disclosure = forgers[0].sign(DISCLOSURE, EVERYBODY, encode_statement(story))
    verdict = ran.case.judge((disclosure, complaint), ran.keys)
    assert 0 not in verdict.proven, verdict


@pytest.mark.parametrize("size", [600, 2_000, 20_000, 60_000])
@pytest.mark.parametrize("tag", ["nonce-deal", "nonce-check", "approval"])
def test_a_message_too_long_to_be_shown_costs_no_honest_member_its_say(tag, size):
    """Signed noise goes into the disclosures of those that got it, which others take up to a length only."""

    def prepare(forger):
        forger.change = lambda told, _peer, body: bytes(size) if told == tag else body

    ran = signing_trial({CHEAT: prepare})
    ran.assert_stopped()
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert verdict.strongest is not None
        assert verdict.strongest.culprit == CHEAT


@pytest.mark.parametrize("stage", ["zzz", "keygen", "nonce", "approval", "signature", "done"])
def test_no_stage_that_a_cheat_claims_hides_what_it_must_show(stage):
    """A wrong R, and an acknowledgement of other deals than it got, so that R cannot be computed again; and it shows nothing else."""

    def prepare(forger):
        forger.change = only("nonce-open", {3: shifted_point, 5: bytes(32)})
        forger.disclosing = lambda disclosure, _: msgspec.structs.replace(
            disclosure,
            stage=stage,
            claim=Claim("joined", "nonce-check", 0),
            messages=tuple(m for m in disclosure.messages if m.step == "nonce-open"),
        )

    # It stays behind with its own check, which its opening would contradict.
    class Silent(NonceParty):
        def check(self, _):
            raise PeerDisputes("desk-0", 0, b"")

    signing_trial({CHEAT: prepare}, {CHEAT: Silent}).assert_named(Proof.SIGNED)


def test_a_dispute_before_a_third_member_is_there_does_not_name_it():
    """The cheat lets member 0 begin, keeps member 2 waiting outside, and disputes: member 2 cannot answer."""

    class Disputing(NonceParty):
        def deal(self):
            raise PeerDisputes("desk-2", 2, b"")

    class Waiting(NonceParty):
        def deal(self):
            raise RuntimeError("not there yet")

    ran = signing_trial(parties={1: Disputing, 2: Waiting}, cheats=(1,))
    ran.assert_no_honest_member_is_named()
    assert set(ran.verdicts) == {0}
