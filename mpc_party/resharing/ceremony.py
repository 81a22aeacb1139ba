"""The change of an epoch in two phases: one member's side, as a state machine without sockets and files.

    old         nothing of this ceremony binds this member. The old epoch signs. Killed here: as if it had not begun.
    stored      its new shares lie on its disk beside the old ones. Nothing is promised, the old epoch could go on.
    prepared    its journal says `attested`, so its signature over the transcript may be out: others may have completed the
                new epoch. It signs in neither. Only all together know how it ended: the same command again, or the
                completed file and its transcript from a member that has them (`mpc-party join FILE --transcript FILE`).
    decided     it holds the certificate, the signatures of all, on its disk. The new epoch is the one that counts; files may
                be half moved. Any command finishes the move; no other member is needed.
    new         files are in place, the old shares are erased, the journal is in the new epoch.
    given up    somebody that took part has said, for ever, that it did not sign and never will. So no certificate can come
                into being. The old epoch goes on; a new ceremony may begin.

Why never a mixture. A member that is prepared or further does not sign in the old epoch; one that is not decided does not sign in
the new one. Somebody is decided only where all are prepared, for it has the signatures of all: so as soon as one can sign in the new
epoch, none of those that took part can sign in the old one, and those that did not take part are too few (`fewest_old`).
Why no share is lost. Old shares are erased by who is decided, when all are prepared, with their new shares on their disks.

What performs the actions must perform them in the order given, each durably before it reports the event that says so.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from mpc_party.protocol.errors import ConsortiumError, Reason


class Phase(StrEnum):
    """See the top of the file."""

    OLD = "old"
    STORED = "stored"
    PREPARED = "prepared"
    DECIDED = "decided"
    NEW = "new"
    GIVEN_UP = "given-up"


class Action(StrEnum):
    """What the machine asks for. Each is answered by the event of the same line in `EVENT_AFTER`."""

    STORE = "store"  # write the new shares and the transcript into the pending folder
    COMPARE = "compare"  # exchange hashes of the transcript, before anybody promises anything
    ATTEST = "attest"  # journal: attested
    SIGN = "sign"  # send the signature over the transcript to all; theirs come as `signed`
    RECORD = "record"  # write the certificate and the completed file into the pending folder
    MOVE = "move"  # files into place, old shares erased, journal into the new epoch
    GIVE_UP = "give-up"  # journal: aborted


class Event(StrEnum):
    """What has happened."""

    COMPUTED = "computed"
    STORED = "stored"
    AGREED = "agreed"
    ATTESTED = "attested"
    RECORDED = "recorded"
    MOVED = "moved"
    REFUSED = "refused"  # somebody that took part has never signed, and never will
    ABORTED = "aborted"  # the journal says so


EVENT_AFTER: Final = {
    Action.STORE: Event.STORED,
    Action.COMPARE: Event.AGREED,
    Action.ATTEST: Event.ATTESTED,
    Action.RECORD: Event.RECORDED,
    Action.MOVE: Event.MOVED,
    Action.GIVE_UP: Event.ABORTED,
}

_STEPS: Final[dict[tuple[Phase, Event], tuple[Phase, tuple[Action, ...]]]] = {
    (Phase.OLD, Event.COMPUTED): (Phase.OLD, (Action.STORE,)),
    (Phase.OLD, Event.STORED): (Phase.STORED, (Action.COMPARE,)),
    (Phase.STORED, Event.AGREED): (Phase.STORED, (Action.ATTEST,)),
    (Phase.STORED, Event.ATTESTED): (Phase.PREPARED, (Action.SIGN,)),
    (Phase.PREPARED, Event.RECORDED): (Phase.DECIDED, (Action.MOVE,)),
    (Phase.DECIDED, Event.MOVED): (Phase.NEW, ()),
    # Who has promised nothing refuses for ever, so that those who have can go back.
    (Phase.OLD, Event.REFUSED): (Phase.OLD, (Action.GIVE_UP,)),
    (Phase.STORED, Event.REFUSED): (Phase.STORED, (Action.GIVE_UP,)),
    (Phase.PREPARED, Event.REFUSED): (Phase.PREPARED, (Action.GIVE_UP,)),
    (Phase.OLD, Event.ABORTED): (Phase.GIVEN_UP, ()),
    (Phase.STORED, Event.ABORTED): (Phase.GIVEN_UP, ()),
    (Phase.PREPARED, Event.ABORTED): (Phase.GIVEN_UP, ()),
    (Phase.GIVEN_UP, Event.REFUSED): (Phase.GIVEN_UP, ()),
}


@dataclass(frozen=True)
class Handover:
    """One member in one ceremony. Immutable: each event gives the next one, and what to do.

    Args:
        seats: of all that take part.
        own: this member's.
        phase: where it stands.
        signed: whose valid signatures over this member's transcript are here.
    """

    seats: tuple[int, ...]
    own: int
    phase: Phase = Phase.OLD
    signed: frozenset[int] = field(default_factory=frozenset)

    def after(self, event: Event) -> tuple["Handover", tuple[Action, ...]]:
        """The state after an event, and the actions that it asks for.

        Raises:
            ConsortiumError: INTERNAL, the event has no place in this state.
        """
        step = _STEPS.get((self.phase, event))
        if step is None or (event is Event.RECORDED and not self.complete):
            raise ConsortiumError(
                f"a ceremony in state {self.phase} has no place for {event}", reason=Reason.INTERNAL
            )
        phase, actions = step
        signed = self.signed | {self.own} if event is Event.ATTESTED else self.signed
        after = replace(self, phase=phase, signed=signed)
        return after, (*actions, *after.due(event))

    def with_signatures(self, seats: Collection[int]) -> tuple["Handover", tuple[Action, ...]]:
        """Take note of valid signatures over this member's own transcript. With the last one, it is decided.

        Raises:
            ConsortiumError: INTERNAL, a signature of this member's is used that it has not promised.
        """
        if self.phase in {Phase.DECIDED, Phase.NEW}:
            return self, ()
        if self.phase is Phase.GIVEN_UP:
            return self, ()
        if self.own in seats and self.phase is not Phase.PREPARED:
            raise ConsortiumError(
                f"a certificate with this member's signature, which in state {self.phase} it has not given",
                reason=Reason.INTERNAL,
                remedy="its journal or its pending folder is lost: do not go on here, `mpc-party recover` it",
            )
        was = self.complete
        after = replace(self, signed=self.signed | (frozenset(seats) & frozenset(self.seats)))
        return after, () if was else after.due(None)

    @property
    def complete(self) -> bool:
        """Whether the signatures of all are here, this member's too."""
        return self.signed == frozenset(self.seats)

    @property
    def may_sign_old(self) -> bool:
        """Whether this member may take part in rounds of the old epoch."""
        return self.phase in {Phase.OLD, Phase.STORED, Phase.GIVEN_UP}

    @property
    def may_sign_new(self) -> bool:
        """Whether this member may take part in rounds of the new epoch."""
        return self.phase is Phase.NEW

    def due(self, event: Event | None) -> tuple[Action, ...]:
        """What the state itself asks for after an event, or after a signature (None): the record, when all have signed."""
        ready = self.phase is Phase.PREPARED and self.complete
        return (Action.RECORD,) if ready and event in {None, Event.ATTESTED} else ()


def resumed(
    seats: tuple[int, ...], own: int, *, attested: bool, aborted: bool, recorded: bool, moved: bool
) -> tuple[Handover, tuple[Action, ...]]:
    """A member's state out of what its disk says, after a restart; and what to do at once.

    Args:
        seats: of all that take part.
        own: this member's.
        attested: the journal says so, and not how it ended.
        aborted: the journal says so.
        recorded: the certificate and the completed file are in the pending folder.
        moved: the journal is in the new epoch, and the pending folder is gone.
    """
    everybody = frozenset(seats)
    if moved:
        return Handover(seats, own, Phase.NEW, everybody), ()
    if recorded:
        return Handover(seats, own, Phase.DECIDED, everybody), (Action.MOVE,)
    if aborted:
        return Handover(seats, own, Phase.GIVEN_UP), ()
    if attested:
        return Handover(seats, own, Phase.PREPARED, frozenset({own})), ()
    return Handover(seats, own, Phase.OLD), ()  # what was stored and not attested is as good as not there


__all__ = ["EVENT_AFTER", "Action", "Event", "Handover", "Phase", "resumed"]
