"""Members that meet again: what they find open, and how it ends, whoever lies."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
import pytest

from mpc_party.mesh import FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing import meeting as module
from mpc_party.resharing.cast import cast_of
from mpc_party.resharing.meeting import Meeting, Memory, meet
from mpc_party.resharing.standing import (
    Check,
    Decision,
    Relay,
    Seen,
    encode,
    in_time,
    relay_statement,
    verdict,
)
from tests.support.ceremonies import body_of, founded, identity_of, next_of, transcript
from tests.support.local_mesh import local_mesh, party_outcomes

AFTER = ("alice", "bob", "carol", "dave")


@dataclass
class Group:
    """A meeting of a change from three members to four; `open` and `certified` by name; others know of nothing."""

    open: dict[str, object] = field(default_factory=dict)
    certified: dict[str, object] = field(default_factory=dict)
    refused: dict[str, list[bytes]] = field(default_factory=dict)
    old: object = field(default_factory=founded)
    without: tuple[str, ...] = ()
    after: tuple[str, ...] = AFTER
    away: bool = False

    @property
    def cast(self):
        return cast_of(self.old, self.new, self.without)

    @property
    def new(self):
        return next_of(self.old, self.after)

    def memory(self, name):
        def refuse(ceremony):
            self.refused.setdefault(name, []).append(ceremony)

        signed = self.certified.get(name)
        return Memory(
            open=self.open.get(name) if signed is None else signed.body,
            certificate=signed,
            last_round=None if name not in self.old.names else 10 + self.old.names.index(name),
            sign=identity_of(name).sign,
            refuse=refuse,
        )

    def meet(self, **programs):
        cast = self.cast
        meeting = Meeting(cast, cast.meeting(self.old, self.new), self.old, 2, lambda *_: self.away)
        meshes = local_mesh(cast.participants)

        def run(links):
            name = cast.names[links.own]
            own = programs.get(name)
            return own(links, meeting) if own else meet(links, meeting, self.memory(name))

        return {cast.names[seat]: found for seat, found in party_outcomes(meshes, run).items()}


def say(links, message):
    return links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, message), links.peers)


def heard_nonces(links):
    """Bob's own is zero; the others' stand in what he has just received."""
    said = {peer: module.decode_standing(data, "").nonce for peer, _, data in links.received[-3:]}
    return tuple({1: bytes(32), **said}[seat] for seat in range(4))


@pytest.fixture
def body():
    old = founded()
    return body_of("reshare", old, next_of(old, AFTER))


def decisions(outcomes, *names):
    found = {name: outcomes[name].ended for name in names or outcomes}
    assert all(len(ended) == 1 for ended in found.values())
    return {name: ended[0].verdict.decision for name, ended in found.items()}


def test_where_nothing_is_open_only_rounds_are_told():
    outcomes = Group().meet()
    for met in outcomes.values():
        assert met.ended == ()
        assert met.last_rounds == {0: 10, 1: 11, 2: 12}


def test_all_that_have_signed_complete_it(body):
    outcomes = Group(open=dict.fromkeys(AFTER, body)).meet()
    assert set(decisions(outcomes).values()) == {Decision.COMMIT}
    assert len({met.ended[0].certificate.encode() for met in outcomes.values()}) == 1


def test_one_that_never_signed_ends_it_and_writes_that_down_first(body):
    group = Group(open=dict.fromkeys(("alice", "carol", "dave"), body))
    outcomes = group.meet()
    assert set(decisions(outcomes).values()) == {Decision.GIVE_UP}
    assert group.refused == {"bob": [body.ceremony]}
    assert "bob never signed it" in outcomes["alice"].ended[0].verdict.because


def test_a_certificate_brings_all_along(body):
    group = Group(open=dict.fromkeys(AFTER, body), certified={"carol": transcript(body)})
    outcomes = group.meet()
    assert set(decisions(outcomes).values()) == {Decision.COMMIT}


def test_one_that_is_away_leaves_it_undecided_unless_it_may_stay_away(body):
    """Alice left the next file since, so that this meeting is without her: she may have the certificate."""
    after = ("bob", "carol", "dave")
    group = Group(open=dict.fromkeys(after, body), without=("alice",), after=after)
    outcomes = group.meet()
    assert set(decisions(outcomes).values()) == {Decision.UNDECIDED}
    assert "alice" in outcomes["bob"].ended[0].verdict.because
    group.away = True
    assert set(decisions(group.meet()).values()) == {Decision.GIVE_UP}


def test_a_transcript_of_another_change_is_nobodys_business(body):
    stray = msgspec.structs.replace(body, old_hash=bytes(32))
    group = Group(open={"alice": stray})
    for met in group.meet().values():
        assert met.ended == ()
    assert not group.refused


def test_a_false_transcript_of_the_same_name_does_not_make_a_member_refuse_its_own(body):
    """Bob names the ceremony that the others have signed, with another content."""
    other = msgspec.structs.replace(body, floor=77)
    group = Group(open=dict.fromkeys(("alice", "carol", "dave"), body) | {"bob": other})
    outcomes = group.meet()
    assert not group.refused
    for name in ("alice", "carol", "dave"):
        found = {ended.body.hash: ended.verdict.decision for ended in outcomes[name].ended}
        assert found == {body.hash: Decision.GIVE_UP, other.hash: Decision.GIVE_UP}


def test_a_liar_cannot_keep_honest_members_apart(body, monkeypatch):
    """Bob has the certificate. He refuses to carol and dave, and shows it to alice alone, in each of the exchanges."""
    real = module._to_all
    signed = transcript(body)
    for shown in (1, 2, 3):
        group = Group(open=dict.fromkeys(AFTER, body))

        def lie(links, meeting, shown=shown, group=group):
            cast, sign = meeting.cast, identity_of("bob").sign
            refusing = encode(module._answers(1, cast, (body,), Group().memory("bob")))
            say(links, encode(module.Standing(bytes(32), None, 5)))
            nonces = heard_nonces(links)
            say(links, refusing)
            signature = sign(relay_statement(meeting.name, body.hash, nonces))
            certificate = encode((Relay(signed.encode(), (Seen(1, nonces, signature),)),))
            for count in (1, 2, 3):
                outgoing = dict.fromkeys(links.peers, encode(()))
                if count == shown:
                    outgoing[0] = certificate
                links.exchange(FrameKind.CEREMONY, outgoing, links.peers)

        outcomes = group.meet(bob=lie)
        found = decisions(outcomes, "alice", "carol", "dave")
        expected = Decision.COMMIT if shown == 1 else Decision.GIVE_UP
        assert set(found.values()) == {expected}, shown
    assert module._to_all is real


def test_a_late_certificate_needs_as_many_who_have_had_it(body):
    public = cast_of(founded(), next_of(founded(), AFTER)).keys
    nonces = tuple(bytes([seat]) * 32 for seat in range(4))
    check = Check(bytes(32), public, 0, nonces[0])

    def relay(*seats, wrong=None, heard=nonces):
        def seen(seat):
            signature = identity_of(AFTER[seat]).sign(relay_statement(bytes(32), body.hash, heard))
            return Seen(seat, heard, bytes(64) if seat == wrong else signature)

        return Relay(b"", tuple(map(seen, seats)))

    def counts(found, exchange, sender):
        return in_time(found, exchange, sender, body.hash, check)

    assert counts(relay(1), 1, 1)
    assert counts(relay(1, 2), 2, 2)
    assert counts(relay(3, 1, 2), 2, 2)
    for wrong in (relay(1), relay(2, 2), relay(2, 1), relay(1, 2, wrong=1), relay()):
        assert not counts(wrong, 2, 2)
    # Of an earlier meeting, in which this member had another nonce; what others had does not matter.
    assert not counts(relay(1, 2, heard=(bytes(32)[::-1], *nonces[2:], nonces[1])[1:]), 2, 2)
    assert counts(relay(1, 2, heard=(nonces[0], *nonces[2:], nonces[1])), 2, 2)
    assert not counts(relay(1, 2, heard=()), 2, 2)


@pytest.mark.parametrize("exchange", range(4))
def test_a_malformed_message_names_its_sender(body, exchange):
    def babble(links, _meeting):
        for count in range(5):
            real = [encode(module.Standing(bytes(32), None, 5)), *[encode(())] * 4]
            message = b"\xff" if count == exchange else real[count]
            links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, message), links.peers)

    outcomes = Group(open=dict.fromkeys(("alice", "carol", "dave"), body)).meet(bob=babble)
    error = outcomes["alice"]
    assert isinstance(error, ConsortiumError)
    assert (error.reason, error.culprit) == (Reason.CEREMONY_FAILED, "bob")


def test_verdicts():
    def found(*, certified=False, refused=(), gone_back=False, away=(), may_stay_away=False):
        return verdict(
            ("a", "b", "c"),
            away,
            certified=certified,
            refused=refused,
            gone_back=gone_back,
            may_stay_away=may_stay_away,
        ).decision

    assert found(certified=True, refused=[0], away=[1]) is Decision.COMMIT
    assert found(certified=True, refused=[0, 1], gone_back=True) is Decision.GIVE_UP
    assert found() is Decision.GIVE_UP
    assert found(refused=[0, 1], gone_back=True, away=[2]) is Decision.UNDECIDED
    assert found(away=[2], may_stay_away=True) is Decision.GIVE_UP


def test_a_certificate_that_was_held_back_does_not_undo_a_meeting_that_gave_up(body):
    """Alice and carol have gone back when nobody had it; dave was killed before it heard that, and bob shows it now."""
    group = Group(open={"dave": body}, certified={"bob": transcript(body)})
    assert set(decisions(group.meet()).values()) == {Decision.GIVE_UP}
    # One that says it has gone back may be a liar.
    group = Group(open=dict.fromkeys(("carol", "dave"), body), certified={"bob": transcript(body)})
    assert set(decisions(group.meet()).values()) == {Decision.COMMIT}


@pytest.mark.parametrize("told", ["refusal", "nothing"])
def test_a_liar_that_answers_members_differently_does_not_part_them(body, told):
    """All have signed. Bob says so again to alice and carol, and to dave that it never has, or nothing: all decide alike."""

    def lie(links, _meeting):
        cast = cast_of(founded(), next_of(founded(), AFTER))
        honest, refusing = Group(open={"bob": body}).memory("bob"), Group().memory("bob")
        say(links, encode(module.Standing(bytes(32), None, 5)))
        outgoing = dict.fromkeys(links.peers, encode(module._answers(1, cast, (body,), honest)))
        outgoing[3] = encode(module._answers(1, cast, (body,), refusing)) if told == "refusal" else encode(())
        links.exchange(FrameKind.CEREMONY, outgoing, links.peers)
        for _ in range(3):
            say(links, encode(()))

    outcomes = Group(open=dict.fromkeys(AFTER, body)).meet(bob=lie)
    assert set(decisions(outcomes, "alice", "carol", "dave").values()) == {Decision.COMMIT}


def test_a_liar_that_is_silent_to_one_does_not_leave_it_undecided_while_others_go_back(body):
    """Bob never signed: it says so to alice, and nothing to carol and dave. Nobody has the certificate, and all go back."""

    def lie(links, _meeting):
        cast = cast_of(founded(), next_of(founded(), AFTER))
        say(links, encode(module.Standing(bytes(32), None, 5)))
        outgoing = dict.fromkeys(links.peers, encode(()))
        outgoing[0] = encode(module._answers(1, cast, (body,), Group().memory("bob")))
        links.exchange(FrameKind.CEREMONY, outgoing, links.peers)
        for _ in range(3):
            say(links, encode(()))

    outcomes = Group(open=dict.fromkeys(("alice", "carol", "dave"), body)).meet(bob=lie)
    assert set(decisions(outcomes, "alice", "carol", "dave").values()) == {Decision.GIVE_UP}


def test_a_refusal_does_not_undo_what_members_that_are_away_may_have_completed(body):
    """Dave is away and may have the certificate; bob refuses, and may be lying."""
    after = ("alice", "bob", "carol")
    group = Group(open=dict.fromkeys(("alice", "carol"), body), after=after)
    assert set(decisions(group.meet()).values()) == {Decision.UNDECIDED}


@pytest.mark.parametrize(
    "wrong",
    [
        {"participants": (0, 1, 2, 9)},
        {"participants": (0, 2, 3)},
        {"cast": "strangers"},
        {"consortium": bytes(32)},
        {},
    ],
    ids=["seat", "not its own", "strangers", "consortium", "not signed"],
)
def test_who_names_a_transcript_that_cannot_be_is_at_fault(body, wrong):
    """A transcript with strangers in the old members' places needs nobody else to be certified."""
    if wrong.get("cast") == "strangers":
        strangers = (msgspec.structs.replace(body.cast[0], signing_key=bytes(32)), *body.cast[1:])
        wrong = {"cast": strangers}
    made_up = msgspec.structs.replace(body, ceremony=bytes(32), **wrong)

    def lie(links, _meeting):
        say(links, encode(module.Standing(bytes(32), module.encode_body(made_up), 5)))
        for _ in range(4):
            say(links, encode(()))

    outcomes = Group().meet(bob=lie)
    for name in ("alice", "carol", "dave"):
        error = outcomes[name]
        assert isinstance(error, ConsortiumError), error
        assert error.culprit == "bob"
