"""Cheats in the nonce phase and in the signature that are more than one changed message: who is named, and by what."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import FrameKind
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.evidence import Claim
from mpc_party.signing.nonce_rules import DealtPoints
from mpc_party.signing.verdict import Fault, Proof
from tests.support.signing_cheats import A, B, D, E, K, plus_one, redealing, shifted_point
from tests.support.signing_forger import Forger, altered
from tests.support.signing_parties import message_keys
from tests.support.signing_trials import CHEAT, signing_trial

pytestmark = pytest.mark.usefixtures("quick_signatures")

SIZES = [(3, 1), pytest.param((5, 2), marks=pytest.mark.slow)]
OTHER = bytes(31) + b"\x07"


def forging(change=None, **options):
    def prepare(forger: Forger) -> None:
        if change is not None:
            forger.change = change
        for name, value in options.items():
            setattr(forger, name, value)

    return prepare


def only(tag, changes, receivers=None):
    def change(told, peer, body):
        hit = told == tag and (receivers is None or peer in receivers)
        return altered(body, changes) if hit else body

    return change


# Dealings


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("position", "factor", "constant"),
    [(K, 2, 99), (A, 2, 99), (B, 2, 1), (D, 2, 1), (E, 2, 1), (D, 2, 12345), (K, 3, 5)],
    ids=[
        "k of degree 2t",
        "a of degree 2t",
        "b not of zero",
        "d not of zero",
        "e not of zero",
        "d far off",
        "k of degree 3t",
    ],
)
def test_dealings_of_another_degree_or_constant_convict_the_dealer(position, factor, constant, size):
    signing_trial(parties={CHEAT: redealing(position, factor, constant)}, size=size).assert_named(
        Proof.SIGNED
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("position", [K, A, B, D, E], ids="kabde")
def test_one_bad_share_to_one_signer_convicts_the_dealer(position, size):
    """Of k, a and b all see that something is wrong, but not what; of d and e only the signature tells."""
    signing_trial({CHEAT: forging(only("nonce-deal", {position: plus_one}, {0}))}, size=size).assert_named(
        Proof.SIGNED
    )


class SpoilingWithForm(redealing(E, 2, 1)):
    """Commits to points that fit what it dealt to the others: by their form they are a sharing of zero, and its own share is not."""

    def deal(self):
        dealt = super().deal()
        shares = {peer: msgspec.msgpack.decode(body)[E] for peer, body in dealt.items()}
        shares[self.own] = self._own_deal[4].reveal()
        points = tuple(multiply_base(int.from_bytes(shares[m], "big")) for m in self.signers[:-1])
        self._points = DealtPoints(self.signers, self._points.a, self._points.d, points)
        return dealt


@pytest.mark.parametrize("size", SIZES)
def test_points_that_fit_a_spoilt_dealing_leave_the_dealers_own_share_wrong(size):
    ran = signing_trial(parties={CHEAT: SpoilingWithForm}, size=size)
    ran.assert_stopped()
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert verdict.proven == (CHEAT,)


# The dispute about a signature


WRONG_SHARE = only("signature-share", {3: plus_one})


def opening(**changes):
    def disclosing(disclosure, _peer):
        old = disclosure.opening
        new = {name: value(getattr(old, name)) for name, value in changes.items()}
        return msgspec.structs.replace(disclosure, opening=msgspec.structs.replace(old, **new))

    return disclosing


def first_shifted(points):
    return (shifted_point(points[0]), *points[1:])


OPENINGS = {
    "other points of a": (opening(a=first_shifted), Fault.WRONG_OPENING),
    "other points of d": (opening(d=first_shifted), Fault.WRONG_OPENING),
    "a point more": (opening(e=lambda e: (*e, e[0])), Fault.MALFORMED),
    "a point less": (opening(e=lambda e: e[1:]), Fault.MALFORMED),
    "no point": (opening(a=lambda a: (b"\x05" * 33, *a[1:])), Fault.MALFORMED),
    "another B": (opening(masked_key=shifted_point), Fault.WRONG_PROOF),
    "no B": (opening(masked_key=lambda _: b"\x05" * 33), Fault.WRONG_PROOF),
    "another proof": (opening(response=plus_one), Fault.WRONG_PROOF),
    "proof zero": (opening(response=lambda _: bytes(32)), Fault.WRONG_PROOF),
    "another commitment": (opening(commitment=shifted_point), Fault.WRONG_PROOF),
    "no opening": (lambda disclosure, _: msgspec.structs.replace(disclosure, opening=None), Fault.WITHHOLDS),
    "an earlier stage": (
        lambda disclosure, _: msgspec.structs.replace(disclosure, stage="approval", opening=None),
        Fault.WITHHOLDS,
    ),
    "the nonce's stage": (
        lambda disclosure, _: msgspec.structs.replace(disclosure, stage="nonce", opening=None),
        Fault.WITHHOLDS,
    ),
    "no messages": (lambda disclosure, _: msgspec.structs.replace(disclosure, messages=()), Fault.WITHHOLDS),
    "true": (lambda disclosure, _: disclosure, Fault.WRONG_SHARE),
}


QUICK = {"other points of a", "another B", "no opening", "true"}


@pytest.mark.parametrize(
    "how", [how if how in QUICK else pytest.param(how, marks=pytest.mark.slow) for how in OPENINGS]
)
def test_whatever_a_signer_with_a_wrong_share_opens_it_is_convicted(how):
    disclosing, fault = OPENINGS[how]
    ran = signing_trial({CHEAT: forging(WRONG_SHARE, disclosing=disclosing)})
    ran.assert_named(Proof.SIGNED)
    for verdict in ran.verdicts.values():
        assert fault in {finding.fault for finding in verdict.findings}, verdict


def test_a_wrong_share_among_five_is_told_from_right_ones():
    ran = signing_trial({CHEAT: forging(WRONG_SHARE)}, size=(5, 2))
    ran.assert_named(Proof.SIGNED)
    assert ran.verdicts[0].findings[0].fault is Fault.WRONG_SHARE


@pytest.mark.slow
def test_who_says_nothing_about_its_wrong_share_has_refused():
    ran = signing_trial({CHEAT: forging(WRONG_SHARE, mute=True)}, size=(5, 2))
    ran.assert_named(Proof.ATTESTED)
    assert ran.verdicts[0].findings[0].fault is Fault.REFUSES


def test_a_false_complaint_convicts_who_makes_it(monkeypatch):
    from mpc_party.signing import presignature  # noqa: PLC0415

    real = presignature.ApprovedNonce.complaints

    def complain(self, own, session, signers, heard):
        if own == CHEAT:
            return tuple(m for m in self._deals._Deals__messages if (m.sender, m.receiver) == (0, CHEAT))
        return real(self, own, session, signers, heard)

    monkeypatch.setattr(presignature.ApprovedNonce, "complaints", complain)
    ran = signing_trial({CHEAT: forging(WRONG_SHARE)})
    ran.assert_named(Proof.SIGNED)
    assert Fault.FALSE_COMPLAINT in {finding.fault for finding in ran.verdicts[0].findings}


def test_not_having_heard_is_no_way_out_of_a_wrong_share():
    """Who has not heard an opening could not complain about it, and is not judged by it: but all have heard it."""

    def deaf(answer, _peer):
        return msgspec.structs.replace(answer, direct=answer.direct[:1])

    ran = signing_trial({CHEAT: forging(WRONG_SHARE, answering=deaf)})
    ran.assert_named(Proof.ATTESTED)


def test_an_opening_told_to_one_signer_only_convicts_no_honest_one():
    """The others hear it through that one, in time to complain."""

    def prepare(forger):
        original = forger._in_dispute
        forger.change = only("nonce-deal", {E: plus_one}, {1})
        forger._in_dispute = lambda peer, data: original(peer, data) if peer == 0 else b""

    signing_trial({CHEAT: prepare}).assert_named(Proof.SIGNED)


@pytest.mark.slow
def test_a_later_deal_for_a_colluder_frames_no_honest_dealer():
    """Members 2 and 4 agree on another deal between them after the fact: what 4 has acknowledged binds it."""

    def prepare(forger):
        forger.change = only("nonce-open", {4: plus_one})  # member 4 opens a wrong w

        def disclosing(disclosure, _peer):
            messages = list(disclosure.messages)
            for number, message in enumerate(messages):
                if (message.step, message.sender, message.receiver) == ("nonce-deal", 2, 4):
                    colluder = Forger(message_keys(5)[2], forger.session, 2)
                    messages[number] = colluder.sign("nonce-deal", 4, altered(message.body, {6: plus_one}))
            return msgspec.structs.replace(disclosure, messages=tuple(messages))

        forger.disclosing = disclosing

    ran = signing_trial({4: prepare, 2: forging()}, size=(5, 2), cheats=(2, 4))
    ran.assert_stopped()
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert set(verdict.proven) >= {4}


@pytest.mark.slow
def test_two_of_five_with_wrong_shares_are_both_named():
    ran = signing_trial({2: forging(WRONG_SHARE), 4: forging(WRONG_SHARE)}, size=(5, 2))
    ran.assert_stopped()
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert verdict.proven == (2, 4)


# Approvals


@pytest.mark.parametrize("mute", [False, True])
def test_a_split_approval_convicts_though_the_honest_digests_differ(mute):
    """The attack that the approval step is for, and now it has a price."""
    split = forging(
        lambda tag, peer, body: altered(body, {3: OTHER}) if tag == "approval" and peer == 1 else body,
        mute=mute,
    )
    ran = signing_trial({CHEAT: split}, digests={1: OTHER})
    ran.assert_named(Proof.SIGNED)
    assert not any(kind is FrameKind.SIGNATURE for mesh in ran.meshes[:2] for _, kind, _ in mesh.received)


# Disputes out of the blue


def test_a_dispute_without_cause_before_the_approval_names_who_began_it():
    def begin(exchange, presignature):
        presignature.dispute(exchange, message_keys(3)[CHEAT], PeerDisputes("nobody", CHEAT, b""))

    ran = signing_trial(between={CHEAT: begin})
    ran.assert_named(Proof.SIGNED)
    assert ran.verdicts[0].findings[0].fault is Fault.FALSE_ALARM


def test_a_dispute_that_says_a_check_failed_and_shows_none_names_its_author():
    def prepare(forger):
        forger.disclosing = lambda d, _: msgspec.structs.replace(d, claim=Claim("failed", "nonce-check", 0))

    def begin(exchange, presignature):
        presignature.dispute(exchange, message_keys(3)[CHEAT], PeerDisputes("nobody", 0, b""))

    ran = signing_trial({CHEAT: prepare}, between={CHEAT: begin})
    ran.assert_named(Proof.SIGNED)
    assert ran.verdicts[0].findings[0].fault is Fault.FALSE_ALARM


@pytest.mark.parametrize("noise", [b"", b"noise", b"\xdd\xff\xff\xff\xff", bytes(100_000), b"\x91" * 5000])
def test_noise_in_place_of_an_approval_ends_in_the_same_verdict_at_all(noise):
    def begin(exchange, presignature):
        for _ in range(3):
            exchange.dispute(noise, 5.0)

    ran = signing_trial(between={CHEAT: begin})
    ran.assert_named(Proof.ATTESTED)
    assert ran.verdicts[0].findings[0].fault is Fault.REFUSES


def test_honest_signers_need_no_dispute():
    ran = signing_trial(size=(5, 2))
    assert len({outcome.signature for outcome in ran.outcomes.values()}) == 1
    assert [mesh.rounds for mesh in ran.meshes] == [6] * 5
