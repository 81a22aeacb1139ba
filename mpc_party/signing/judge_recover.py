"""Who is at fault where a recovery failed: the checks of every member, on what it has signed.

Disclosed are all broadcasts, and the pieces and sums that do not fit the commitments they belong to.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import Consortium
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from mpc_party.signing.docket import Docket, Place
from mpc_party.signing.echo import hash_broadcasts
from mpc_party.signing.errors import SigningError
from mpc_party.signing.keygen_rules import RuleError
from mpc_party.signing.recover_context import RecoverContext
from mpc_party.signing.recover_rules import (
    DONE,
    ECHO,
    PIECE,
    SPLIT,
    SUM,
    Row,
    check_split,
    hash_of_transcript,
    is_logarithm,
    sum_of,
)
from mpc_party.signing.reshare_public import PublicKeyMaterial
from mpc_party.signing.verdict import Fault, Verdict
from mpc_party.signing.wire import (
    AnyMessage,
    Bytes32,
    MemberIndex,
    PointBytes,
    RecoverDone,
    RecoverEcho,
    RecoverPiece,
    RecoverSplit,
    RecoverSum,
)

STAGE = "recover"
KINDS: dict[str, type[AnyMessage]] = {
    SPLIT: RecoverSplit,
    PIECE: RecoverPiece,
    ECHO: RecoverEcho,
    SUM: RecoverSum,
    DONE: RecoverDone,
}
Indices = Annotated[tuple[MemberIndex, ...], Meta(max_length=255)]


class RecoverCase(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, dict=True, tag="recover-case"
):
    """Which recovery: what its session is bound to, as in `RecoverContext`."""

    protocol: ClassVar[str] = "recover"

    consortium_hash: Bytes32
    roster_hash: Bytes32
    epoch: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    threshold: Annotated[int, Meta(ge=1, lt=128)]
    public_key: PointBytes
    public_shares: Annotated[tuple[PointBytes, ...], Meta(min_length=3, max_length=255)]
    recovering: MemberIndex
    helpers: Indices
    witnesses: Indices
    ceremony: Bytes32

    @classmethod
    def of(cls, context: RecoverContext) -> RecoverCase:
        """The case of a context."""
        key = context.key
        return cls(
            context.consortium_hash,
            key.roster_hash,
            key.epoch,
            key.threshold,
            key.public_key,
            key.public_shares,
            context.recovering,
            context.helpers,
            context.witnesses,
            context.ceremony,
        )

    def __post_init__(self) -> None:
        """Refuse what no recovery could be about.

        Raises:
            ValueError: the parts do not belong together.
        """
        try:
            _ = self.context
        except SigningError as failure:
            raise ValueError(failure.message) from None

    @functools.cached_property
    def context(self) -> RecoverContext:
        """The context, with numbers for names: a verdict names members by index."""
        return RecoverContext(
            self.consortium_hash,
            PublicKeyMaterial(
                self.threshold, self.epoch, self.roster_hash, self.public_key, self.public_shares
            ),
            tuple(map(str, range(len(self.public_shares)))),
            self.recovering,
            self.helpers,
            self.witnesses,
            self.ceremony,
        )

    @property
    def members(self) -> tuple[int, ...]:
        """Who took part."""
        return self.context.participants

    @functools.cached_property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return self.context.session

    def misfit(self, consortium: Consortium) -> str | None:
        """Why it is not of this consortium file; None if it is."""
        if consortium.key is None or consortium.hash != self.consortium_hash:
            return "it is of a recovery under another consortium file"
        if self.context.key != PublicKeyMaterial.of_consortium(consortium):
            return "it is of a recovery of another key's share"
        return None

    def describe(self) -> str:
        """In one line, for people."""
        return f"recovery {self.ceremony.hex()[:8]} of member {self.recovering}'s share of epoch {self.epoch}"

    @property
    def label(self) -> str:
        """For a file's name."""
        return f"{self.epoch}-{self.ceremony.hex()[:8]}-recover"

    def judge(self, statements: Iterable[SignedMessage], keys: Mapping[int, bytes]) -> Verdict:
        """Pure, bounded, and never raises on what the statements hold."""
        context = self.context
        docket = Docket(context.session, context.participants, self.threshold, keys, KINDS, statements)
        return _Judge(context, docket).verdict()


def complaints(
    case: RecoverCase, own: int, messages: Iterable[SignedMessage], keys: Mapping[int, bytes]
) -> tuple[SignedMessage, ...]:
    """The pieces and sums to `own` among these messages that do not fit, as the judge will see it."""
    context = case.context
    docket = Docket(context.session, context.participants, case.threshold, keys, KINDS, ())
    return docket.complaints(own, messages, _Judge(context, docket).complains)


class _Judge:
    def __init__(self, context: RecoverContext, docket: Docket) -> None:
        self.context = context
        self.docket = docket

    def verdict(self) -> Verdict:
        docket, context = self.docket, self.context
        for member in context.others:
            self._judge_split(member)
        for helper in context.helpers:
            for receiver in context.helpers:
                self._judge_piece(helper, receiver)
            self._judge_sum(helper)
        for member in context.participants:
            self._judge_echo(member)
        self._judge_done()
        docket.judge_absence()
        docket.judge_claims(self.passes)
        return docket.verdict()

    def _row(self, member: int, split: RecoverSplit | None) -> Row | None:
        try:
            return None if split is None else check_split(self.context, member, split)
        except RuleError:
            return None

    def _row_shown(self, helper: int) -> Row | None:
        return self._row(helper, self.docket.one(RecoverSplit, SPLIT, helper))

    def _row_seen(self, viewer: int, helper: int) -> Row | None:
        return self._row(helper, self.docket.seen(viewer, RecoverSplit, SPLIT, helper))

    def _rows_seen(self, viewer: int) -> dict[int, Row] | None:
        """All helpers' rows as `viewer` shows them; None where one is missing or breaks a rule."""
        rows = {helper: self._row_seen(viewer, helper) for helper in self.context.helpers}
        known = {helper: row for helper, row in rows.items() if row is not None}
        return known if len(known) == len(rows) else None

    def _judge_split(self, member: int) -> None:
        split = self.docket.one(RecoverSplit, SPLIT, member)
        try:
            if split is not None:
                check_split(self.context, member, split)
        except RuleError as broken:
            self.docket.find(member, broken.fault, f"broke a rule in its split: {broken}")

    def _judge_piece(self, helper: int, receiver: int) -> None:
        piece = self.docket.one(RecoverPiece, PIECE, helper, receiver)
        row = self._row_shown(helper)
        if piece is not None and row is not None and not is_logarithm(piece.piece, row[receiver]):
            self.docket.find(helper, Fault.WRONG_DEAL, "dealt a piece that does not fit its commitment")

    def _judge_sum(self, helper: int) -> None:
        """A sum is held against the splits that its sender has echoed, whoever shows them: the echo's hashes fix them."""
        docket = self.docket
        total = docket.one(RecoverSum, SUM, helper, self.context.recovering)
        echoed = docket.one(RecoverEcho, ECHO, helper)
        if total is None or echoed is None:
            return
        for viewer in docket.views:
            rows = self._rows_seen(viewer)
            if rows is not None and self._echo(viewer) == tuple(echoed.echo):
                if not is_logarithm(total.total, sum_of(rows, helper)):
                    docket.find(helper, Fault.WRONG_SUM, "sent a sum that does not fit the commitments")
                return

    def _echo(self, viewer: int) -> tuple[bytes, ...] | None:
        """The hashes of the splits that `viewer` shows; None where it does not show all."""
        view = self.docket.views[viewer]
        heard = {
            member: [view[place].body]
            for member in self.context.others
            if (place := Place(SPLIT, member, EVERYBODY)) in view
        }
        return hash_broadcasts(heard) if len(heard) == len(self.context.others) else None

    def _judge_echo(self, member: int) -> None:
        docket, others = self.docket, self.context.others
        echoed = docket.one(RecoverEcho, ECHO, member)
        if echoed is None:
            return
        if len(echoed.echo) != len(others):
            docket.find(member, Fault.MALFORMED, "echoes another number of splits")
            return
        if member in others and docket.one(RecoverSplit, SPLIT, member) is not None:
            body = docket.shown[Place(SPLIT, member, EVERYBODY)].body
            if echoed.echo[others.index(member)] != hash_broadcasts({member: [body]})[0]:
                docket.find(member, Fault.WRONG_ECHO, "echoes something else than it has broadcast itself")
        if member not in docket.disclosures:
            return
        # An honest member shows every message that it has echoed.
        fits = docket.require_echo(member, tuple(echoed.echo), self._echo(member), "the splits")
        if fits and not self._splits_pass(member):
            docket.find(member, Fault.GOES_ON, "went on although a split breaks a rule")

    def _splits_pass(self, viewer: int) -> bool:
        seen = {m: self.docket.seen(viewer, RecoverSplit, SPLIT, m) for m in self.context.others}
        return all(split is None or self._row(m, split) is not None for m, split in seen.items())

    def _judge_done(self) -> None:
        """What r confirms follows from its own echo."""
        member, docket = self.context.recovering, self.docket
        done, echoed = docket.one(RecoverDone, DONE, member), docket.one(RecoverEcho, ECHO, member)
        if done is None or echoed is None:
            return
        if done.transcript != hash_of_transcript(docket.session, echoed.echo):
            docket.find(member, Fault.WRONG_RESULT, "confirms another transcript than it has echoed")

    def passes(self, viewer: int) -> bool:
        """Whether what a member shows passes every check that it makes."""
        docket = self.docket
        echo = self._echo(viewer)
        for member in self.context.participants:
            if docket.broken(viewer, member, (SPLIT, ECHO, DONE)):
                return False
            echoed = docket.seen(viewer, RecoverEcho, ECHO, member)
            if echoed is not None and tuple(echoed.echo) != echo:
                return False
            if any(self.complains(viewer, Place(step, member, viewer)) for step in (PIECE, SUM)):
                return False
        done = docket.seen(viewer, RecoverDone, DONE, self.context.recovering)
        if done is not None and (echo is None or done.transcript != hash_of_transcript(docket.session, echo)):
            return False
        return self._splits_pass(viewer)

    def complains(self, viewer: int, place: Place) -> bool:
        """Whether what is in that place is a piece or a sum for `viewer` that does not fit, and may be shown."""
        docket, helper = self.docket, place.sender
        if (
            place.receiver != viewer
            or place not in docket.views[viewer]
            or helper not in self.context.helpers
        ):
            return False
        if place.step == PIECE and viewer in self.context.helpers:
            piece = docket.seen(viewer, RecoverPiece, PIECE, helper, viewer)
            row = self._row_seen(viewer, helper)
            if piece is None:
                return True  # signed, and no message of this step
            return row is not None and not is_logarithm(piece.piece, row[viewer])
        if place.step == SUM and viewer == self.context.recovering:
            total = docket.seen(viewer, RecoverSum, SUM, helper, viewer)
            rows, echoed = self._rows_seen(viewer), docket.seen(viewer, RecoverEcho, ECHO, helper)
            if total is None:
                return True
            # Else an honest helper may have summed by other rows, and its sum is not for all to see.
            agreed = echoed is not None and tuple(echoed.echo) == self._echo(viewer)
            return agreed and rows is not None and not is_logarithm(total.total, sum_of(rows, helper))
        return False
