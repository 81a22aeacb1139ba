"""Who is at fault where key generation failed: the checks of every member, on what it has signed.

Disclosed are all broadcasts, and, by who has not confirmed yet, the deals that it complains about: without its confirmation this key
comes to life nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import Consortium
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.curve import Point
from mpc_party.signing.docket import Docket, Kinds, Place
from mpc_party.signing.keygen_rules import (
    COMMIT,
    CONFIRM,
    DEAL,
    OPEN,
    RuleError,
    check_opening,
    combine,
    hash_of_result,
    share_fits,
)
from mpc_party.signing.verdict import Fault, Verdict
from mpc_party.signing.wire import Bytes32, KeygenCommit, KeygenConfirm, KeygenDeal, KeygenOpen, bind

STAGE = "keygen"
KINDS: Kinds = {COMMIT: KeygenCommit, OPEN: KeygenOpen, DEAL: KeygenDeal, CONFIRM: KeygenConfirm}


class KeygenCase(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="keygen-case"):
    """Which key generation: what its session is bound to."""

    protocol: ClassVar[str] = "keygen"

    roster_hash: Bytes32
    epoch: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    threshold: Annotated[int, Meta(ge=1, lt=128)]
    count: Annotated[int, Meta(ge=3, lt=255)]
    ceremony: Bytes32

    @property
    def members(self) -> tuple[int, ...]:
        """All member indices."""
        return tuple(range(self.count))

    @property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        return bind(
            b"mpc-hedge/keygen/v1", self.roster_hash, self.epoch, self.threshold, self.count, self.ceremony
        )

    def misfit(self, consortium: Consortium) -> str | None:
        """Why it is not of this consortium file; None if it is."""
        theirs = (consortium.roster_hash, consortium.epoch, consortium.threshold, len(consortium.members))
        mine = (self.roster_hash, self.epoch, self.threshold, self.count)
        return None if mine == theirs else "it is of a key generation under another consortium file"

    def describe(self) -> str:
        """In one line, for people."""
        return f"key generation {self.ceremony.hex()[:8]} of epoch {self.epoch}"

    @property
    def label(self) -> str:
        """For a file's name."""
        return f"{self.epoch}-{self.ceremony.hex()[:8]}"

    def judge(self, statements: Iterable[SignedMessage], keys: Mapping[int, bytes]) -> Verdict:
        """Pure, bounded, and never raises on what the statements hold."""
        docket = Docket(self.session, self.members, self.threshold, keys, KINDS, statements)
        return _Judge(self, docket).verdict()


def complaints(
    case: KeygenCase, own: int, messages: Iterable[SignedMessage], keys: Mapping[int, bytes]
) -> tuple[SignedMessage, ...]:
    """The deals to `own` among these messages that break a rule, as the judge will see it."""
    docket = Docket(case.session, case.members, case.threshold, keys, KINDS, ())
    return docket.complaints(own, messages, _Judge(case, docket).complains)


class _Judge:
    def __init__(self, case: KeygenCase, docket: Docket) -> None:
        self.case = case
        self.docket = docket

    def verdict(self) -> Verdict:
        docket = self.docket
        for member in self.case.members:
            self._judge_opening(member)
            for receiver in self.case.members:
                self._judge_deal(member, receiver)
            self._judge_confirmation(member)
        docket.judge_absence()
        docket.judge_claims(self.passes)
        return docket.verdict()

    def _vector(
        self, member: int, opening: KeygenOpen | None, commit: KeygenCommit | None
    ) -> list[Point] | None:
        if opening is None:
            return None
        try:
            return check_opening(
                self.case.session,
                member,
                opening,
                commitment=None if commit is None else commit.commitment,
                threshold=self.case.threshold,
            )
        except RuleError:
            return None

    def _judge_opening(self, member: int) -> None:
        opening = self.docket.one(KeygenOpen, OPEN, member)
        commit = self.docket.one(KeygenCommit, COMMIT, member)
        if opening is None:
            return
        try:
            check_opening(
                self.case.session,
                member,
                opening,
                commitment=None if commit is None else commit.commitment,
                threshold=self.case.threshold,
            )
        except RuleError as broken:
            self.docket.find(member, broken.fault, f"broke a rule in its opening: {broken}")

    def _judge_deal(self, dealer: int, receiver: int) -> None:
        docket = self.docket
        deal = docket.one(KeygenDeal, DEAL, dealer, receiver)
        if deal is None:
            return
        vector = self._vector(
            dealer, docket.one(KeygenOpen, OPEN, dealer), docket.one(KeygenCommit, COMMIT, dealer)
        )
        if vector is not None and not share_fits(vector, receiver, deal.share):
            docket.find(dealer, Fault.WRONG_DEAL, "dealt a share that does not lie on its polynomial")
        if len(deal.echo) != self.case.count:
            docket.find(dealer, Fault.MALFORMED, "echoes another number of messages")
            return
        if docket.contradicts_itself(dealer, deal.echo, (COMMIT, OPEN)):
            docket.find(dealer, Fault.WRONG_ECHO, "echoes something else than it has broadcast itself")
        # An honest dealer shows every message that it has echoed.
        docket.require_echo(
            dealer, tuple(deal.echo), docket.echo_of(dealer, (COMMIT, OPEN)), "the broadcasts"
        )

    def _expected(self, viewer: int) -> bytes | None:
        """The confirmation that follows from what `viewer` shows."""
        docket, echo = self.docket, self.docket.echo_of(viewer, (COMMIT, OPEN))
        vectors = [
            self._vector(
                member,
                docket.seen(viewer, KeygenOpen, OPEN, member),
                docket.seen(viewer, KeygenCommit, COMMIT, member),
            )
            for member in self.case.members
        ]
        known = [vector for vector in vectors if vector is not None]
        result = combine(known, self.case.members) if len(known) == self.case.count else None
        if echo is None or result is None:
            return None
        return hash_of_result(self.case.session, echo, *result)

    def _judge_confirmation(self, member: int) -> None:
        docket = self.docket
        confirmed = docket.one(KeygenConfirm, CONFIRM, member)
        if confirmed is None or member not in docket.disclosures:
            return
        expected = self._expected(member)
        if expected is None and docket.echo_of(member, (COMMIT, OPEN)) is not None:
            docket.find(member, Fault.GOES_ON, "confirmed a key although an opening breaks a rule")
            return
        complete = docket.require_echo(member, b"", None if expected is None else b"", "the broadcasts")
        if complete and expected != confirmed.result:
            docket.find(member, Fault.WRONG_RESULT, "confirms another result than the broadcasts give")

    def passes(self, viewer: int) -> bool:
        """Whether what a member shows passes every check that it makes."""
        docket = self.docket
        for member in self.case.members:
            commit = docket.seen(viewer, KeygenCommit, COMMIT, member)
            opening = docket.seen(viewer, KeygenOpen, OPEN, member)
            if docket.broken(viewer, member, (COMMIT, OPEN, CONFIRM)):
                return False
            vector = self._vector(member, opening, commit)
            if opening is not None and vector is None:
                return False
            if docket.broken(viewer, member, (DEAL,), viewer):
                return False
            deal = docket.seen(viewer, KeygenDeal, DEAL, member, viewer)
            if deal is not None and not self._deal_passes(viewer, deal, vector):
                return False
            confirmed = docket.seen(viewer, KeygenConfirm, CONFIRM, member)
            if confirmed is not None and confirmed.result != self._expected(viewer):
                return False
        return True

    def complains(self, viewer: int, place: Place) -> bool:
        """Whether what is in that place is a deal to `viewer` that breaks a rule."""
        if place.step != DEAL or place.receiver != viewer:
            return False
        docket, dealer = self.docket, place.sender
        deal = docket.seen(viewer, KeygenDeal, DEAL, dealer, viewer)
        opening, commit = (
            docket.seen(viewer, KeygenOpen, OPEN, dealer),
            docket.seen(viewer, KeygenCommit, COMMIT, dealer),
        )
        return deal is None or not self._deal_passes(viewer, deal, self._vector(dealer, opening, commit))

    def _deal_passes(self, viewer: int, deal: KeygenDeal, vector: list[Point] | None) -> bool:
        heard = self.docket.echo_of(viewer, (COMMIT, OPEN))
        return vector is not None and share_fits(vector, viewer, deal.share) and tuple(deal.echo) == heard
