"""One member's share of a change of epoch, from the first message to the last file: what `resharing.ceremony` asks for, done.

Whatever is durable is done here, and reported to the state machine only when it is; see there for why the order matters.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from mpc_party.journal import HandoverState, Journal
from mpc_party.member.epoch_switch import Pending, move, pending_folders
from mpc_party.member.home import PartyHome
from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.cast import Cast
from mpc_party.resharing.ceremony import EVENT_AFTER, Action, Event, Handover, Phase, resumed
from mpc_party.resharing.transcript import (
    Transcript,
    TranscriptBody,
    attested_by,
    certificate,
    signed_by,
)

_SIGNATURE: Final = 64
REMEDY_UNDECIDED: Final = (
    "run the same command again, all together: it ends this ceremony, one way or the other; if another member has completed"
    " it, `mpc-party join` its consortium file with `--transcript`"
)


@dataclass(frozen=True)
class NewShares:
    """What this member will have in the next epoch, sealed; None where it has none. Not yet in force."""

    key_share: bytes | None = field(repr=False)
    model_share: bytes | None = field(repr=False)


@dataclass
class HandingOver:
    """One ceremony at one member.

    Args:
        folder: the member's.
        journal: open in the old epoch.
        old: the file in force.
        new: the next one.
        cast: of the ceremony.
        own: this member's seat.
        sign: its Ed25519 signature.
        say: told each state as it is entered.
    """

    folder: PartyHome
    journal: Journal
    old: Consortium
    new: Consortium
    cast: Cast
    own: int
    sign: Callable[[bytes], bytes]
    say: Callable[[str], None]
    body: TranscriptBody | None = None
    shares: NewShares | None = field(default=None, repr=False)
    certificate: Transcript | None = None
    completed: Consortium | None = None
    links: Exchange | None = field(default=None, repr=False)
    phase: Phase = Phase.OLD

    def hand_over(self, links: Exchange, body: TranscriptBody, shares: NewShares) -> Consortium:
        """From computed shares to the new epoch. Collective: all participants, with equal bodies.

        Rounds: 2 exchanges of kind CEREMONY, 32 and at most 128 bytes to each.

        Raises:
            ConsortiumError: another member has another transcript, or is gone. Where it says that the change is undecided,
                see `REMEDY_UNDECIDED`; else nothing binds this member.
        """
        self.body, self.shares, self.links = body, shares, links
        machine = Handover(self.cast.participants, self.own)
        with self._undecided():
            self._run(*machine.after(Event.COMPUTED))
        return self._result()

    def commit(self, found: Transcript) -> Consortium:
        """End a ceremony that this member had prepared by its certificate.

        Raises:
            ConsortiumError: it had not, or has given it up.
        """
        self.body, self.certificate = found.body, found
        machine, actions = self._resumed(found.body)
        if machine.phase is Phase.GIVEN_UP:
            raise ConsortiumError(
                f"the ceremony {found.body.ceremony.hex()[:8]} is complete, and was given up here because a member that signed"
                " it said that it had not",
                reason=Reason.CEREMONY_FAILED,
                remedy="`mpc-party recover` brings this member into the new epoch, with t+1 others that are in it",
            )
        self._run(machine, actions)
        machine, actions = machine.with_signatures(found.body.participants)
        self._run(machine, actions)
        return self._result()

    def give_up(self, body: TranscriptBody) -> None:
        """Go back to the old epoch, where somebody never signed. The pending folder stays until a later ceremony commits."""
        self.body = body
        machine, _ = self._resumed(body)
        self._run(*machine.after(Event.REFUSED))

    def _resumed(self, body: TranscriptBody) -> tuple[Handover, tuple[Action, ...]]:
        said = self.journal.handover(body.ceremony)
        state = None if said is None else said.state
        return resumed(
            body.participants,
            self._place(body),
            attested=state is HandoverState.ATTESTED,
            aborted=state is HandoverState.ABORTED,
            recorded=Pending.of(self.folder, body.ceremony).is_recorded,
            moved=state is HandoverState.COMMITTED,
        )

    def _place(self, body: TranscriptBody) -> int:
        """This member's seat in an earlier ceremony, which may have had another cast."""
        me = self.cast.names[self.own], self.cast.keys[self.own]
        for place in body.participants:
            if (body.cast[place].name, body.cast[place].signing_key) == me:
                return place
        raise ConsortiumError(
            f"this member took no part in the ceremony {body.ceremony.hex()[:8]}", reason=Reason.KEY_UNKNOWN
        )

    def _run(self, machine: Handover, actions: Iterable[Action]) -> None:
        todo = list(actions)
        while todo:
            self.phase = machine.phase
            action = todo.pop(0)
            if action is Action.SIGN:
                machine, more = machine.with_signatures(self._exchange_signatures())
            else:
                self._do(action)
                machine, more = machine.after(EVENT_AFTER[action])
            todo += more
        self.phase = machine.phase

    def _do(self, action: Action) -> None:
        body = self._body()
        pending = Pending.of(self.folder, body.ceremony)
        if action is Action.STORE and self.shares is not None:
            pending.store(
                self.old,
                self.new,
                body,
                key_share=self.shares.key_share,
                model_share=self.shares.model_share,
            )
        elif action is Action.COMPARE:
            self._compare()
        elif action is Action.ATTEST:
            self.say("attesting")
            self.journal.attest_handover(body.ceremony, body.hash, body.new_epoch)
        elif action is Action.RECORD and self.certificate is not None:
            pending.record(self.certificate)
        elif action is Action.MOVE:
            self.say("switching")
            self.completed = move(self.folder, pending, self.journal)
        elif action is Action.GIVE_UP:
            self.journal.abort_handover(body.ceremony)
        else:
            raise ConsortiumError(f"nothing to {action} with", reason=Reason.INTERNAL)

    def _compare(self) -> None:
        """Hashes to all, before anybody promises anything: a difference costs no more than this attempt."""
        body, links = self._body(), self._links()
        said = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, body.hash), links.peers)
        for peer, digest in said.items():
            if digest != body.hash:
                raise ConsortiumError(
                    f"{self.cast.names[peer]} has another transcript of this ceremony: one of the two gave another command, or somebody"
                    " told them different things",
                    reason=Reason.ECHO_MISMATCH,
                    remedy="nothing has changed; run the command again, all the same one",
                )

    def _exchange_signatures(self) -> tuple[int, ...]:
        """Signatures to all, and of new members their attestations; keeps the certificate. Whose signatures are here."""
        body, links = self._body(), self._links()
        mine = self.sign(body.statement), self.sign(body.key_statement) if self.own in body.attesting else b""
        sent = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, b"".join(mine)), links.peers)
        signatures, attestations = {self.own: mine[0]}, {self.own: mine[1]}
        for peer, data in sent.items():
            signature, attestation = data[:_SIGNATURE], data[_SIGNATURE:]
            if not signed_by(body, peer, signature) or not (
                attested_by(body, peer, attestation) if peer in body.attesting else attestation == b""
            ):
                raise ConsortiumError(
                    "a signature does not verify over the transcript that its signer agreed to",
                    reason=Reason.CEREMONY_FAILED,
                    culprit=self.cast.names[peer],
                )
            signatures[peer], attestations[peer] = signature, attestation
        self.certificate = certificate(body, signatures, attestations)
        return tuple(signatures)

    @contextmanager
    def _undecided(self) -> Iterator[None]:
        """What to do where the ceremony breaks off after this member's promise."""
        try:
            yield
        except ConsortiumError as error:
            if self.phase not in {Phase.PREPARED, Phase.DECIDED}:
                raise
            decided = self.phase is Phase.DECIDED
            raise ConsortiumError(
                f"{error.message}; the change to epoch {self.new.epoch} is {'decided' if decided else 'undecided here'}",
                reason=error.reason,
                culprit=error.culprit,
                remedy="any command of this member finishes it" if decided else REMEDY_UNDECIDED,
            ) from None

    def _body(self) -> TranscriptBody:
        if self.body is None:
            raise ConsortiumError("a ceremony without a transcript", reason=Reason.INTERNAL)
        return self.body

    def _links(self) -> Exchange:
        if self.links is None:
            raise ConsortiumError("a ceremony without links", reason=Reason.INTERNAL)
        return self.links

    def _result(self) -> Consortium:
        if self.completed is None:
            raise ConsortiumError("the change of epoch has no result", reason=Reason.INTERNAL)
        return self.completed


def open_transcript(folder: PartyHome, journal: Journal) -> TranscriptBody | None:
    """The transcript that this member has signed and whose end it has not seen; None where there is none.

    Raises:
        ConsortiumError: the journal says that there is one, and its pending folder is not there.
    """
    undecided = journal.undecided()
    if undecided is None:
        return None
    for pending in pending_folders(folder):
        if pending.is_complete:
            body = pending.body()
            if (body.ceremony, body.hash) == (undecided.ceremony, undecided.plan):
                return body
    raise ConsortiumError(
        f"the journal says that the ceremony {undecided.ceremony.hex()[:8]} is undecided, and its pending folder is gone",
        reason=Reason.JOURNAL_UNUSABLE,
        remedy="restore the folder, or `mpc-party recover` this member when the others have decided",
    )


__all__ = ["REMEDY_UNDECIDED", "HandingOver", "NewShares", "open_transcript"]
