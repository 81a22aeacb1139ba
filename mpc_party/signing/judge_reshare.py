"""Who is at fault where a resharing failed: the checks of every member, on what it has signed.

Disclosed are all broadcasts, and by receivers the shares that lie off their dealer's polynomial. To judge takes both consortium files:
the old one for the key and the old members, the new one for the members that join. Its roster hash is in the session.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import Consortium
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from mpc_party.signing.curve import Point
from mpc_party.signing.docket import Docket, Place
from mpc_party.signing.echo import hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.reshare_context import ReshareContext, cast_of
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.reshare_rules import (
    COMMIT,
    CONFIRM,
    DEAL,
    OPEN,
    check_opening,
    combine,
    hash_of_result,
    share_fits,
)
from mpc_party.signing.verdict import Fault, Verdict
from mpc_party.signing.wire import (
    AnyMessage,
    Bytes32,
    MemberIndex,
    PointBytes,
    ReshareCommit,
    ReshareConfirm,
    ReshareDeal,
    ReshareOpen,
)

STAGE = "reshare"
KINDS: dict[str, type[AnyMessage]] = {
    COMMIT: ReshareCommit,
    OPEN: ReshareOpen,
    DEAL: ReshareDeal,
    CONFIRM: ReshareConfirm,
}

Epoch = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Threshold = Annotated[int, Meta(ge=1, lt=128)]
Indices = Annotated[tuple[MemberIndex, ...], Meta(max_length=255)]
MaybeSeats = Annotated[tuple[MemberIndex | None, ...], Meta(max_length=255)]


class ReshareCase(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, dict=True, tag="reshare-case"
):
    """Which resharing: what its session is bound to, as in `ReshareContext`."""

    protocol: ClassVar[str] = "reshare"

    consortium_hash: Bytes32
    old_roster_hash: Bytes32
    old_epoch: Epoch
    old_threshold: Threshold
    public_key: PointBytes
    public_shares: Annotated[tuple[PointBytes, ...], Meta(min_length=3, max_length=255)]
    roster_hash: Bytes32
    epoch: Epoch
    threshold: Threshold
    old_seats: MaybeSeats
    new_seats: MaybeSeats
    participants: Indices
    dealers: Indices
    ceremony: Bytes32

    @classmethod
    def of(cls, context: ReshareContext) -> ReshareCase:
        """The case of a context."""
        old = context.old
        return cls(
            context.consortium_hash,
            old.roster_hash,
            old.epoch,
            old.threshold,
            old.public_key,
            old.public_shares,
            context.roster_hash,
            context.epoch,
            context.threshold,
            context.old_seats,
            context.new_seats,
            context.participants,
            context.dealers,
            context.ceremony,
        )

    def __post_init__(self) -> None:
        """Refuse what no resharing could be about.

        Raises:
            ValueError: the parts do not belong together.
        """
        try:
            _ = self.context
        except SigningError as failure:
            raise ValueError(failure.message) from None

    @functools.cached_property
    def context(self) -> ReshareContext:
        """The context, with numbers for names: a verdict names members by index."""
        old = PublicKeyMaterial(
            self.old_threshold, self.old_epoch, self.old_roster_hash, self.public_key, self.public_shares
        )
        return ReshareContext(
            self.consortium_hash,
            old,
            self.roster_hash,
            self.epoch,
            self.threshold,
            tuple(map(str, range(len(self.old_seats)))),
            self.old_seats,
            self.new_seats,
            self.participants,
            self.dealers,
            self.ceremony,
        )

    @property
    def members(self) -> tuple[int, ...]:
        """Who took part, by cast index."""
        return self.participants

    @functools.cached_property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return self.context.session

    def misfit(self, consortium: Consortium) -> str | None:
        """Why it is not of this old consortium file; None if it is."""
        if consortium.key is None or consortium.hash != self.consortium_hash:
            return "it is of a resharing from another consortium file"
        if self.context.old != PublicKeyMaterial.of_consortium(consortium):
            return "it is of a resharing of another key"
        return None

    def misfit_of_successor(self, consortium: Consortium, successor: Consortium) -> str | None:
        """Why it is not of a resharing to this new consortium file, with or without its key; None if it is."""
        theirs = (successor.roster_hash, successor.epoch, successor.threshold)
        if theirs != (self.roster_hash, self.epoch, self.threshold):
            return "it is of a resharing to another consortium file"
        if cast_of(consortium, successor)[1:] != (self.old_seats, self.new_seats):
            return "it gives the members other seats than the two files do"
        return None

    def keys(self, consortium: Consortium, successor: Consortium) -> dict[int, bytes]:
        """Everybody's Ed25519 key by cast index, from both files."""
        found = {}
        for index, (old, new) in enumerate(zip(self.old_seats, self.new_seats, strict=True)):
            member = consortium.members[old] if old is not None else successor.members[new or 0]
            found[index] = bytes.fromhex(member.signing_key)
        return found

    def describe(self) -> str:
        """In one line, for people."""
        return f"resharing {self.ceremony.hex()[:8]} from epoch {self.old_epoch} to {self.epoch}"

    @property
    def label(self) -> str:
        """For a file's name."""
        return f"{self.epoch}-{self.ceremony.hex()[:8]}-reshare"

    def judge(self, statements: Iterable[SignedMessage], keys: Mapping[int, bytes]) -> Verdict:
        """Pure, bounded, and never raises on what the statements hold. `keys` by cast index."""
        context = self.context
        docket = Docket(context.session, self.members, context.most_corrupt, keys, KINDS, statements)
        return _Judge(context, docket).verdict()


def complaints(
    case: ReshareCase, own: int, messages: Iterable[SignedMessage], keys: Mapping[int, bytes]
) -> tuple[SignedMessage, ...]:
    """The shares to `own` among these messages that lie off their polynomial, as the judge will see it."""
    context = case.context
    docket = Docket(context.session, case.members, context.most_corrupt, keys, KINDS, ())
    return docket.complaints(own, messages, _Judge(context, docket).complains)


class _Judge:
    def __init__(self, context: ReshareContext, docket: Docket) -> None:
        self.context = context
        self.docket = docket

    def verdict(self) -> Verdict:
        docket = self.docket
        for dealer in self.context.dealers:
            self._judge_opening(dealer)
            for receiver in self.context.receivers:
                self._judge_deal(dealer, receiver)
        for member in self.context.participants:
            self._judge_confirmation(member)
            self._judge_result(member)
        docket.judge_absence()
        docket.judge_claims(self.passes)
        return docket.verdict()

    def _check(self, dealer: int, opening: ReshareOpen, commit: ReshareCommit | None) -> list[Point]:
        commitment = None if commit is None else commit.commitment
        return check_opening(self.context, self.docket.session, dealer, opening, commitment)

    def _vector(
        self, dealer: int, opening: ReshareOpen | None, commit: ReshareCommit | None
    ) -> list[Point] | None:
        try:
            return None if opening is None else self._check(dealer, opening, commit)
        except RuleError:
            return None

    def _vector_seen(self, viewer: int, dealer: int) -> list[Point] | None:
        docket = self.docket
        return self._vector(
            dealer,
            docket.seen(viewer, ReshareOpen, OPEN, dealer),
            docket.seen(viewer, ReshareCommit, COMMIT, dealer),
        )

    def _judge_opening(self, dealer: int) -> None:
        opening = self.docket.one(ReshareOpen, OPEN, dealer)
        if opening is None:
            return
        try:
            self._check(dealer, opening, self.docket.one(ReshareCommit, COMMIT, dealer))
        except RuleError as broken:
            self.docket.find(dealer, broken.fault, f"broke a rule in its opening: {broken}")

    def _judge_deal(self, dealer: int, receiver: int) -> None:
        docket = self.docket
        deal = docket.one(ReshareDeal, DEAL, dealer, receiver)
        vector = self._vector(
            dealer, docket.one(ReshareOpen, OPEN, dealer), docket.one(ReshareCommit, COMMIT, dealer)
        )
        if deal is None or vector is None:
            return
        if not share_fits(vector, self.context.new_coordinate(receiver), deal.share):
            docket.find(dealer, Fault.WRONG_DEAL, "dealt a share that does not lie on its polynomial")

    def _echo(self, viewer: int) -> tuple[bytes, ...] | None:
        """The hashes of what `viewer` shows of the dealers' broadcasts; None where it does not show all."""
        view = self.docket.views[viewer]
        heard = {
            dealer: [
                view[place].body
                for step in (COMMIT, OPEN)
                if (place := Place(step, dealer, EVERYBODY)) in view
            ]
            for dealer in self.context.dealers
        }
        return hash_broadcasts(heard) if all(len(bodies) == 2 for bodies in heard.values()) else None

    def _expected(self, viewer: int, echo: tuple[bytes, ...]) -> bytes | None:
        """The result's hash that follows from what `viewer` shows; None where that breaks a rule."""
        vectors = [self._vector_seen(viewer, dealer) for dealer in self.context.dealers]
        known = [vector for vector in vectors if vector is not None]
        shares = combine(self.context, known) if len(known) == len(vectors) else None
        return None if shares is None else hash_of_result(self.context, self.docket.session, echo, shares)

    def _judge_confirmation(self, member: int) -> None:
        docket, dealers = self.docket, self.context.dealers
        confirmed = docket.one(ReshareConfirm, CONFIRM, member)
        if confirmed is None:
            return
        if len(confirmed.echo) != len(dealers):
            docket.find(member, Fault.MALFORMED, "echoes another number of dealers")
            return
        if member in dealers and self._own_echo(member) not in {None, confirmed.echo[dealers.index(member)]}:
            docket.find(member, Fault.WRONG_ECHO, "echoes something else than it has broadcast itself")
        if member in docket.disclosures:
            # An honest member shows every message that it has echoed.
            docket.require_echo(member, tuple(confirmed.echo), self._echo(member), "the broadcasts")

    def _own_echo(self, dealer: int) -> bytes | None:
        """The hash of what a dealer has broadcast, whoever shows it; None where it is not known, or was said in two ways."""
        docket = self.docket
        said = docket.one(ReshareCommit, COMMIT, dealer), docket.one(ReshareOpen, OPEN, dealer)
        if None in said:
            return None
        bodies = [docket.shown[Place(step, dealer, EVERYBODY)].body for step in (COMMIT, OPEN)]
        return hash_broadcasts({dealer: bodies})[0]

    def _judge_result(self, member: int) -> None:
        """The result follows from what is echoed: whoever shows these messages, the echo's hashes fix them."""
        docket = self.docket
        confirmed = docket.one(ReshareConfirm, CONFIRM, member)
        if confirmed is None:
            return
        echo = tuple(confirmed.echo)
        viewer = next((viewer for viewer in (member, *docket.views) if self._echo(viewer) == echo), None)
        if viewer is None:
            return
        expected = self._expected(viewer, echo)
        if expected is None:
            docket.find(member, Fault.GOES_ON, "confirmed a resharing although an opening breaks a rule")
        elif expected != confirmed.result:
            docket.find(member, Fault.WRONG_RESULT, "confirms another result than the broadcasts give")

    def passes(self, viewer: int) -> bool:
        """Whether what a member shows passes every check that it makes."""
        docket = self.docket
        for member in self.context.participants:
            if docket.broken(viewer, member, (COMMIT, OPEN, CONFIRM)):
                return False
            confirmed = docket.seen(viewer, ReshareConfirm, CONFIRM, member)
            if confirmed is not None and not self._confirms(viewer, confirmed):
                return False
        for dealer in self.context.dealers:
            opening = docket.seen(viewer, ReshareOpen, OPEN, dealer)
            if opening is not None and self._vector_seen(viewer, dealer) is None:
                return False
            if self.complains(viewer, Place(DEAL, dealer, viewer)):
                return False
        return True

    def _confirms(self, viewer: int, confirmed: ReshareConfirm) -> bool:
        echo = self._echo(viewer)
        return (
            echo is not None
            and tuple(confirmed.echo) == echo
            and confirmed.result == self._expected(viewer, echo)
        )

    def complains(self, viewer: int, place: Place) -> bool:
        """Whether what is in that place is a share for `viewer` that is none, or lies off its dealer's polynomial."""
        docket, dealer = self.docket, place.sender
        ours = place.step == DEAL and place.receiver == viewer and dealer in self.context.dealers
        if not ours or viewer not in self.context.receivers or place not in docket.views[viewer]:
            return False
        deal = docket.seen(viewer, ReshareDeal, DEAL, dealer, viewer)
        vector = self._vector_seen(viewer, dealer)
        if deal is None:
            return True  # signed, and no message of this step
        at = self.context.new_coordinate(viewer)
        return vector is not None and not share_fits(vector, at, deal.share)
