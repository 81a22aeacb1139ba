"""What a dispute's statements hold, sorted and checked as far as that is the same in every protocol.

A judge is a pure function of statements, of the case they are about, and of the members' public keys. It never raises on what a
member wrote, and its work is bounded: two statements of a kind per member, `BYTES_PER_MEMBER`
and `MESSAGES_PER_MEMBER` times the members in each.

What is held against a member is what it has signed itself. Its disclosure is its *view*: an honest member shows all that it acknowledges, and
nothing that is not signed, so that a statement about what it saw which its own view does not bear out is its own contradiction,
whatever others say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from mpc_party.protocol.errors import Reason
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from mpc_party.signing.echo import hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import (
    ANSWER,
    BYTES_PER_MEMBER,
    DISCLOSURE,
    DONE,
    MESSAGES_PER_MEMBER,
    Answer,
    Disclosure,
    decode_answer,
    decode_disclosure,
    statement_hash,
)
from mpc_party.signing.verdict import Fault, Finding, Proof, Verdict
from mpc_party.signing.wire import AnyMessage, Hashes, M, decode, is_message

_NAMES: Final = tuple(map(str, range(256)))  # texts name nobody: a finding has the index


class Place(NamedTuple):
    """Where one sender may say one thing, within the session."""

    step: str
    sender: int
    receiver: int


View = dict[Place, SignedMessage]
Kinds = Mapping[str, type[AnyMessage]]


class Docket:
    """The statements of one dispute.

    Args:
        session: of the case.
        members: who took part, ascending.
        threshold: t.
        keys: Ed25519 public keys by member.
        kinds: the type of each step's body.
        statements: anything; what is no statement of this session is left out.
        late: steps whose bodies carry a session that follows from other messages; their judge reads them.

    Attributes:
        disclosures, answers: by member.
        views: what each discloser shows, by place.
        shown: everything that anybody shows, by place; without what was said in two ways.
    """

    def __init__(
        self,
        session: bytes,
        members: Sequence[int],
        threshold: int,
        keys: Mapping[int, bytes],
        kinds: Kinds,
        statements: Iterable[SignedMessage],
        *,
        late: frozenset[str] = frozenset(),
    ) -> None:
        self.late = late
        self.session = session
        self.members = tuple(members)
        self.threshold = threshold
        self.disclosures: dict[int, Disclosure] = {}
        self.answers: dict[int, Answer] = {}
        self.views: dict[int, View] = {member: {} for member in self.members}
        self.shown: View = {}
        self._keys = {member: keys[member] for member in self.members if member in keys}
        self._kinds = dict(kinds)
        self._findings: list[Finding] = []
        self._hashes: dict[int, set[bytes]] = {member: set() for member in self.members}
        self._signed: dict[SignedMessage, bool] = {}
        self._bodies: dict[tuple[Place, bytes, bytes], AnyMessage | None] = {}
        self._twice: set[Place] = set()
        self._take(statements)

    def find(self, culprit: int, fault: Fault, text: str, proof: Proof = Proof.SIGNED) -> None:
        """Note a finding."""
        self._findings.append(Finding(culprit, fault, proof, text))

    def accused(self, *faults: Fault) -> set[int]:
        """Who is found at fault for one of these so far, by its own signature; for any where none is given."""
        return {
            f.culprit for f in self._findings if f.proof is Proof.SIGNED and (not faults or f.fault in faults)
        }

    def verdict(self) -> Verdict:
        """All findings so far."""
        return Verdict.of(self._findings)

    # Statements

    def _take(self, statements: Iterable[SignedMessage]) -> None:
        kept: dict[tuple[int, str], list[SignedMessage]] = {}
        for statement in sorted(set(statements), key=lambda s: (s.sender, s.step, s.body, s.signature)):
            mine = kept.setdefault((statement.sender, statement.step), [])
            fits = (
                statement.session == self.session
                and statement.step in {DISCLOSURE, ANSWER}
                and statement.sender in self._keys
                and statement.receiver == EVERYBODY
                and len(statement.body) <= BYTES_PER_MEMBER * len(self.members)
            )
            new = fits and len(mine) < 2 and all(s.body != statement.body for s in mine)
            if new and statement.is_signed(self._keys):
                mine.append(statement)
        for (sender, step), mine in sorted(kept.items()):
            if len(mine) > 1:
                self.find(
                    sender, Fault.EQUIVOCATES, "tells different members different things in the dispute"
                )
            for statement in reversed(mine):  # the first one's view counts; both have been signed
                if step == DISCLOSURE:
                    self._take_disclosure(sender, statement.body)
                else:
                    self._take_answer(sender, statement.body)

    def _take_disclosure(self, sender: int, body: bytes) -> None:
        disclosure = decode_disclosure(body)
        self._hashes[sender].add(statement_hash(body))
        if disclosure is None or not self._few(disclosure.messages):
            self.find(sender, Fault.MALFORMED, "discloses something that is no disclosure")
            return
        self.disclosures[sender] = disclosure
        self.views[sender] = self._messages_of(sender, disclosure.messages)

    def _take_answer(self, sender: int, body: bytes) -> None:
        answer = decode_answer(body)
        if answer is None or not self._few(answer.messages):
            self.find(sender, Fault.MALFORMED, "answers something that is no answer")
            return
        self.answers[sender] = answer
        self._messages_of(sender, answer.messages)

    def _few(self, messages: Sequence[SignedMessage]) -> bool:
        return len(messages) <= MESSAGES_PER_MEMBER * len(self.members)

    def _messages_of(self, shower: int, messages: Sequence[SignedMessage]) -> View:
        """Check the signatures of what a member shows; what two members show differently was said in two ways."""
        view: View = {}
        for message in messages:
            if (
                message.session != self.session
                or message.sender not in self._keys
                or message.step not in self._kinds
            ):
                continue  # of no concern here
            if not self._is_signed(message):
                self.find(shower, Fault.SHOWS_FORGERY, "shows a message that its sender has not signed")
                continue
            place = Place(message.step, message.sender, message.receiver)
            other = self.shown.setdefault(place, message)
            if other.body != message.body:
                self._twice.add(place)
                self.find(
                    message.sender, Fault.EQUIVOCATES, f"has signed two messages for one place ({place.step})"
                )
            view.setdefault(place, message)
            self.read(place, message)
        return view

    def _is_signed(self, message: SignedMessage) -> bool:
        known = self._signed.get(message)
        if known is None:
            known = self._signed[message] = message.is_signed(self._keys)
        return known

    # Messages

    def read(
        self, place: Place, message: SignedMessage, *, session: bytes | None = None
    ) -> AnyMessage | None:
        """The decoded body; None, and a finding, where it is none of its place.

        `session` is what the body must carry, if not the dispute's own; a step whose bodies carry another one is read by its judge.
        """
        wanted = self.body_session(place) if session is None else session
        if wanted is None:
            return None
        key = (place, message.body, wanted)
        if key not in self._bodies:
            self._bodies[key] = self._decode(place, message.body, wanted)
        return self._bodies[key]

    def body_session(self, place: Place) -> bytes | None:
        """The session that bodies of this place carry; None where that is not known yet."""
        return None if place.step in self.late else self.session

    def _decode(self, place: Place, body: bytes, session: bytes) -> AnyMessage | None:
        try:
            return decode(
                self._kinds[place.step],
                body,
                session=session,
                sender=place.sender,
                receiver=place.receiver,
                names=_NAMES,
                reason=Reason.MESSAGE_MALFORMED,
            )
        except SigningError as refused:
            fault = Fault.REPLAYS if is_message(body) else Fault.MALFORMED
            self.find(place.sender, fault, f"has signed a {refused.message} ({place.step})")
            return None

    def one(self, kind: type[M], step: str, sender: int, receiver: int = EVERYBODY) -> M | None:
        """What `sender` said in that place, if somebody shows it, it is well-formed, and it was said in one way."""
        place = Place(step, sender, receiver)
        if place in self._twice:
            return None
        return self._typed(kind, place, self.shown.get(place))

    def seen(self, viewer: int, kind: type[M], step: str, sender: int, receiver: int = EVERYBODY) -> M | None:
        """The same, as `viewer` shows it."""
        place = Place(step, sender, receiver)
        return self._typed(kind, place, self.views[viewer].get(place))

    def _typed(self, kind: type[M], place: Place, message: SignedMessage | None) -> M | None:
        found = None if message is None else self.read(place, message)
        return found if isinstance(found, kind) else None

    def broken(self, viewer: int, sender: int, steps: Sequence[str], receiver: int = EVERYBODY) -> bool:
        """Whether `viewer` shows something of `sender` that is no message of its step."""
        places = [Place(step, sender, receiver) for step in steps]
        shown = [(place, self.views[viewer][place]) for place in places if place in self.views[viewer]]
        return any(self.body_session(place) and self.read(place, message) is None for place, message in shown)

    def put_view(self, viewer: int, messages: Sequence[SignedMessage]) -> None:
        """Take messages as shown by a member that makes up its mind on its own."""
        self.views[viewer] = self._messages_of(viewer, messages)

    def complaints(
        self, own: int, messages: Iterable[SignedMessage], complains: Callable[[int, Place], bool]
    ) -> tuple[SignedMessage, ...]:
        """Those of a member's own messages that it complains about, as the judge will see them: in a docket without statements.

        Args:
            own: whose messages they are.
            messages: all that it holds; what is not signed cannot be shown, and is left out.
            complains: the judge's rule, of this docket, for a viewer and a place.
        """
        self.put_view(own, [message for message in messages if message.is_signed(self._keys)])
        return tuple(message for place, message in self.views[own].items() if complains(own, place))

    def is_contested(self, place: Place) -> bool:
        """Whether two messages were signed for one place."""
        return place in self._twice

    def echo_of(self, viewer: int, steps: Sequence[str]) -> tuple[bytes, ...] | None:
        """`hash_broadcasts` over what `viewer` shows of these steps; None where it does not show all."""
        view = self.views[viewer]
        heard: dict[int, list[bytes]] = {}
        for member in self.members:
            messages = [view.get(Place(step, member, EVERYBODY)) for step in steps]
            heard[member] = [message.body for message in messages if message is not None]
            if len(heard[member]) < len(steps):
                return None
        return hash_broadcasts(heard)

    def contradicts_itself(self, member: int, echo: Sequence[bytes], steps: Sequence[str]) -> bool:
        """Whether an echo of these steps says something else of its own author than its author has signed."""
        places = [Place(step, member, EVERYBODY) for step in steps]
        if len(echo) != len(self.members) or any(p not in self.shown or p in self._twice for p in places):
            return False
        (said,) = hash_broadcasts({member: [self.shown[place].body for place in places]})
        return echo[self.members.index(member)] != said

    def require_echo(
        self, member: int, said: Hashes | bytes, shown: Hashes | bytes | None, what: str
    ) -> bool:
        """Compare what a member has signed about its view with the view it shows; whether they fit."""
        if member not in self.disclosures:
            return False  # has refused, or is cut off: see `absent`
        if shown is None:
            self.find(member, Fault.WITHHOLDS, f"does not show {what}, which it has acknowledged")
            return False
        if said != shown:
            self.find(member, Fault.WRONG_ECHO, f"acknowledges something else than {what} that it shows")
            return False
        return True

    # Who takes part in the dispute, and what only they say

    def heard_by(self, member: int) -> bool:
        """Whether every honest member that answers must have this member's disclosure.

        t+1 members have it at first hand (its author is one), so one of these is honest, and has passed it on, or is its author.
        """
        mine = self._hashes[member]
        direct = {m for m, answer in self.answers.items() if mine & set(answer.direct)}
        return bool(mine) and len(direct | {member}) > self.threshold

    def knows(self, member: int, other: int) -> bool:
        """Whether `member` has answered that it has `other`'s disclosure."""
        answer = self.answers.get(member)
        if answer is None:
            return False
        return member == other or bool(self._hashes[other] & {*answer.direct, *answer.relayed})

    def knows_all(self, member: int, other: int) -> bool:
        """Whether `member` has answered that it has all that `other` has disclosed, should that be two things."""
        answer = self.answers.get(member)
        if answer is None:
            return False
        return member == other or self._hashes[other] <= {*answer.direct, *answer.relayed}

    def judge_absence(self) -> None:
        """Find who does not answer, as far as t+1 members say so.

        Who is done leaves once all have said that they are. So only members that are not done can tell that somebody else has no
        reason to be gone: one of t+1 of these is honest. And only who has had something of it can tell that it was there at all:
        a cheat can begin with one and dispute before another has come.
        """
        for member in self.members:
            witnesses = {m for m, answer in self.answers.items() if m != member and not self.knows(m, member)}
            waiting = {
                m
                for m in witnesses & set(self.disclosures)
                if self.disclosures[m].stage != DONE and any(p.sender == member for p in self.views[m])
            }
            if not self._hashes[member] and witnesses:
                attested = len(waiting) > self.threshold
                self.find(
                    member,
                    Fault.REFUSES,
                    f"has not told {len(witnesses)} members what it holds",
                    Proof.ATTESTED if attested else Proof.CLAIMED,
                )
            elif member in self.answers:
                ignored = [m for m in self.members if self.heard_by(m) and not self.knows(member, m)]
                if ignored:
                    self.find(
                        member,
                        Fault.REFUSES,
                        "says that it has not heard what all have heard",
                        Proof.ATTESTED,
                    )

    def judge_claims(self, passes: Callable[[int], bool]) -> None:
        """Weigh what each says went wrong. `passes` tells whether a member's view passes all checks."""
        unsigned: dict[tuple[int, str], set[int]] = {}
        for member, disclosure in sorted(self.disclosures.items()):
            claim = disclosure.claim
            if claim.kind == "failed" and passes(member):
                self.find(member, Fault.FALSE_ALARM, "says that a check failed, and shows messages that pass")
            if claim.kind != "failed" and (claim.accused not in self.members or claim.accused == member):
                self.find(member, Fault.FALSE_ALARM, "disputes without saying why")
            elif claim.kind == "unsigned":
                unsigned.setdefault((claim.accused, claim.step), set()).add(member)
        for (accused, step), claimants in sorted(unsigned.items()):
            attested = len(claimants) > self.threshold
            self.find(
                accused,
                Fault.UNSIGNED,
                f"has sent {len(claimants)} members a message without its signature ({step})",
                Proof.ATTESTED if attested else Proof.CLAIMED,
            )
