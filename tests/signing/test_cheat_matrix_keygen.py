"""Cheats in key generation that are more than one changed message: who is named, and by what."""

from __future__ import annotations

import msgspec
import pytest

from mpc_party.signing.channel import EVERYBODY
from mpc_party.signing.curve import add, multiply_base
from mpc_party.signing.evidence import Claim
from mpc_party.signing.keygen import KeygenParty
from mpc_party.signing.proof import prove
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.verdict import Fault, Proof
from mpc_party.signing.wire import KeygenCommit, KeygenOpen, encode
from tests.support.signing_cheats import plus_one
from tests.support.signing_forger import Forger, altered, fields
from tests.support.signing_trials import CHEAT, keygen_trial

pytestmark = pytest.mark.usefixtures("quick_signatures")

SIZES = [(3, 1), pytest.param((5, 2), marks=pytest.mark.slow)]


def recommit(cheat: KeygenParty) -> bytes:
    cheat._broadcasts[cheat.own].clear()
    vector = [point.encode() for point in cheat._vectors[cheat.own]]
    return cheat._broadcast(
        encode(KeygenCommit(cheat._session, cheat.own, cheat._hash_of_vector(cheat.own, vector)))
    )


class OtherLength(KeygenParty):
    """Commits to a polynomial of another length, consistently."""

    terms = 4

    def commit(self):
        super().commit()
        self._polynomial = [SecretScalar.random() for _ in range(self.terms)]
        self._vectors[self.own] = [multiply_base(coefficient) for coefficient in self._polynomial]
        return recommit(self)


class Short(OtherLength):
    terms = 1


class Rogue(KeygenParty):
    """Commits to a constant term whose logarithm it does not know."""

    def commit(self):
        super().commit()
        rogue = add([multiply_base(7), -multiply_base(SecretScalar.random())])
        self._vectors[self.own][0] = rogue
        return recommit(self)


class Reopening(KeygenParty):
    """Sees the others' openings, then opens another vector than it committed to."""

    def open(self, commits):
        super().open(commits)
        self._polynomial = [SecretScalar.random() for _ in self._polynomial]
        vector = self._vectors[self.own] = [multiply_base(c) for c in self._polynomial]
        proof = prove(self._polynomial[0], vector[0], session=self._session, sender=self.own)
        self._broadcasts[self.own].pop()
        points = tuple(point.encode() for point in vector)
        response = proof.response.to_bytes(32, "big")
        return self._broadcast(
            encode(KeygenOpen(self._session, self.own, points, proof.commitment.encode(), response))
        )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("party", "fault"),
    [
        (OtherLength, Fault.WRONG_LENGTH),
        (Short, Fault.WRONG_LENGTH),
        (Rogue, Fault.WRONG_PROOF),
        (Reopening, Fault.WRONG_OPENING),
    ],
)
def test_what_is_opened_convicts_who_opened_it(party, fault, size):
    ran = keygen_trial(parties={CHEAT: party}, size=size)
    ran.assert_named(Proof.SIGNED)
    assert {verdict.findings[0].fault for verdict in ran.verdicts.values()} == {fault}


def forging(change=None, **options):
    def prepare(forger: Forger) -> None:
        if change is not None:
            forger.change = change
        for name, value in options.items():
            setattr(forger, name, value)

    return prepare


def bad_share(*receivers):
    def change(tag, peer, body):
        return altered(body, {4: plus_one}) if tag == "keygen-deal" and peer in receivers else body

    return change


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mute", [False, True])
def test_a_bad_share_to_one_member_convicts_the_dealer_at_all(size, mute):
    keygen_trial({CHEAT: forging(bad_share(0), mute=mute)}, size=size).assert_named(Proof.SIGNED)


def lying_echo(about):
    def change(tag, peer, body):
        if tag != "keygen-deal" or peer != 0:
            return body
        return altered(
            body, {5: lambda echo: [b"\x44" * 32 if m == about else e for m, e in enumerate(echo)]}
        )

    return change


@pytest.mark.parametrize("about", [0, 1, CHEAT])
def test_a_lying_echo_convicts_the_liar_by_what_it_shows_itself(about):
    keygen_trial({CHEAT: forging(lying_echo(about))}).assert_named(Proof.SIGNED)


def without(*steps):
    """A disclosure that lacks these steps of member 1."""

    def disclosing(disclosure, _peer):
        kept = tuple(m for m in disclosure.messages if not (m.step in steps and m.sender == 1))
        return msgspec.structs.replace(disclosure, messages=kept)

    return disclosing


def test_showing_less_than_was_acknowledged_convicts():
    ran = keygen_trial({CHEAT: forging(lying_echo(1), disclosing=without("commit", "open"))})
    ran.assert_named(Proof.SIGNED)
    assert ran.verdicts[0].findings[0].fault is Fault.WITHHOLDS


# Framing: the cheat disputes, and tries to lay it at an honest member's door.


def disputing(disclosing, claim, answering=lambda answer, _: answer):
    """Do all as an honest member, but get one share wrong so that there is a dispute, and tell lies in it."""

    def lie(disclosure, peer):
        return disclosing(msgspec.structs.replace(disclosure, claim=claim), peer)

    return forging(disclosing=lie, answering=answering, change=bad_share(0))


LIES = {
    "a false alarm": Claim("failed", "deal", 1),
    "an unsigned message": Claim("unsigned", "open", 1),
    "joined by nobody": Claim("joined", "deal", EVERYBODY),
    "unsigned by itself": Claim("unsigned", "deal", CHEAT),
}


@pytest.mark.parametrize("claim", LIES.values(), ids=LIES)
def test_claims_against_an_honest_member_name_nobody_but_the_liar(claim):
    ran = keygen_trial({CHEAT: disputing(lambda disclosure, _: disclosure, claim)})
    ran.assert_named(Proof.SIGNED)


def forged(member, step, receiver=EVERYBODY):
    """A message as if of `member`: the real one's signature over another body."""

    def disclosing(disclosure, _peer):
        messages = list(disclosure.messages)
        for number, message in enumerate(messages):
            if (message.sender, message.step) == (member, step):
                messages[number] = msgspec.structs.replace(message, body=message.body[:-1] + b"\x00")
        return msgspec.structs.replace(disclosure, messages=tuple(messages))

    return disclosing


@pytest.mark.parametrize("step", ["commit", "open"])
def test_a_forged_message_of_an_honest_member_convicts_who_shows_it(step):
    ran = keygen_trial({CHEAT: disputing(forged(1, step), Claim("joined", "deal", 0))})
    ran.assert_named(Proof.SIGNED)
    assert Fault.SHOWS_FORGERY in {finding.fault for finding in ran.verdicts[0].findings}


def test_two_stories_in_the_dispute_convict_the_teller():
    def disclosing(disclosure, peer):
        return msgspec.structs.replace(disclosure, messages=disclosure.messages[peer:])

    ran = keygen_trial({CHEAT: forging(bad_share(0), disclosing=disclosing)})
    ran.assert_named(Proof.SIGNED)
    assert Fault.EQUIVOCATES in {finding.fault for finding in ran.verdicts[1].findings}


def to_one_only(forger):
    """Tell only member 0 what it holds."""
    original = forger._in_dispute
    forger.change = lying_echo(1)
    forger._in_dispute = lambda peer, data: original(peer, data) if peer == 0 else b""


def test_a_disclosure_to_one_member_reaches_all():
    ran = keygen_trial({CHEAT: to_one_only})
    ran.assert_named(Proof.SIGNED)
    assert ran.verdicts[0].findings[0] == ran.verdicts[1].findings[0]


# Two of five


def test_two_colluders_cannot_frame_a_third_by_their_word():
    lies = Claim("unsigned", "deal", 0)

    def lie(disclosure, _peer):
        return msgspec.structs.replace(disclosure, claim=lies)

    ran = keygen_trial(
        {2: forging(bad_share(0), disclosing=lie), 4: forging(disclosing=lie)}, size=(5, 2), cheats=(2, 4)
    )
    ran.assert_named(Proof.SIGNED)
    for error in ran.honest.values():
        assert error.culprit == "desk-2"


def test_two_colluders_who_both_cheat_are_both_named():
    ran = keygen_trial(
        {2: forging(bad_share(0, 1)), 4: forging(bad_share(3), mute=True)}, size=(5, 2), cheats=(2, 4)
    )
    ran.assert_stopped()
    ran.assert_no_honest_member_is_named()
    for member, verdict in ran.verdicts.items():
        assert verdict.proven == (2, 4)
        assert "desk-4 dealt a share" in ran.honest[member].message


def test_colluders_that_do_not_hear_an_honest_member_accuse_themselves_of_that():
    def deaf(answer, _peer):
        return msgspec.structs.replace(answer, direct=(), relayed=())

    ran = keygen_trial(
        {2: forging(lying_echo(1), answering=deaf), 4: forging(answering=deaf)}, size=(5, 2), cheats=(2, 4)
    )
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert set(verdict.culprits(Proof.ATTESTED)) == {2, 4}


def test_honest_members_need_no_dispute():
    ran = keygen_trial(size=(5, 2))
    assert len({share.public_key for share in ran.outcomes.values()}) == 1
    assert [mesh.rounds for mesh in ran.meshes] == [5] * 5
    assert not any(
        fields(data[64:])[0] == "disclosure" for mesh in ran.meshes for *_, data in mesh.received if data
    )
