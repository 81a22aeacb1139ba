"""Who is at fault where an approval or a signature failed.

A signature that does not verify has a share that does not follow from what its signer was dealt. Each signer opens the points a_ij G, d_ij G
and e_ij G of its dealings, whose hash it committed to in the nonce phase, and B_i = x_i C_i with a proof that x_i is that of X_i.
With A_i, D_i, E_i the sums over dealers, C_i = A_i / w, it must be that

    s_i G = h (C_i + D_i) + r B_i + E_i

and where the opened points are what the signer was dealt, an honest share fits. Where they are not, the signer shows the deal that
contradicts them: its dealer is at fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mpc_party.signing.channel import EVERYBODY
from mpc_party.signing.curve import Point, add, multiply_base, multiply_public
from mpc_party.signing.docket import Docket, Place
from mpc_party.signing.equality import EqualityProof, EqualityStatement, verify_equality
from mpc_party.signing.evidence import DONE, Opening
from mpc_party.signing.field import GROUP_ORDER, coordinate, decode_scalar, interpolate
from mpc_party.signing.judge_nonce import STAGE, NonceJudge
from mpc_party.signing.nonce_rules import (
    APPROVAL,
    CHECK,
    DEAL,
    OPEN,
    SHARE,
    DealtPoints,
    session_of_shares,
    sum_at,
    transcript_of,
)
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.signature import assemble_signature, verify_signature
from mpc_party.signing.verdict import Fault
from mpc_party.signing.wire import Approval, NonceDeal, NonceOpen, SignatureShare

APPROVED: Final = "approval"  # the stage of a signer that has approved a digest, and has sent no share
SIGNED: Final = "signature"  # of one that has sent its share
_STAGES: Final = frozenset({STAGE, APPROVED, SIGNED, DONE})


class SignatureJudge:
    """The part of a verdict that is about approvals and shares.

    Args:
        docket: of the dispute.
        nonce: the nonce phase's judge, on the same docket.
        public_key: the group's.
        public_shares: X_i by member index.
    """

    def __init__(
        self, docket: Docket, nonce: NonceJudge, public_key: bytes, public_shares: Mapping[int, Point]
    ) -> None:
        self.docket = docket
        self.nonce = nonce
        self.signers = nonce.signers
        self.public_key = public_key
        self.public_shares = public_shares
        self._dealt: dict[int, DealtPoints] = {}

    def judge(self) -> None:
        """Find all faults in approvals and shares."""
        for member in self.signers:
            if self._stage(member) not in {None, *_STAGES}:  # each obliges to show something
                self.docket.find(member, Fault.MALFORMED, "says that it is at a stage that there is not")
            self._judge_approval(member)
            self._judge_opening(member)
        for member in self.signers:
            self._judge_complaints(member)
        if len(self._dealt) == len(self.signers) and not self.docket.accused(Fault.WRONG_DEAL):
            for member in self.signers:
                self._judge_share(member)

    # Approvals

    def _judge_approval(self, member: int) -> None:
        docket, approval = self.docket, self.docket.one(Approval, APPROVAL, member)
        if approval is None:
            if (
                self._stage(member) in {APPROVED, SIGNED, DONE}
                and Place(APPROVAL, member, EVERYBODY) not in docket.shown
            ):
                docket.find(member, Fault.WITHHOLDS, "does not show the approval that it has given")
            return
        shown = self._transcript(member)
        fits = docket.require_echo(member, approval.transcript, shown, "the broadcasts of the nonce phase")
        if fits and not self.nonce.passes(member):
            docket.find(member, Fault.GOES_ON, "approved a nonce that fails a check")
        if not self._has_signed(member) or member not in docket.disclosures:
            return
        if self._digests(member) != {approval.digest} or not self._shows_all_approvals(member):
            docket.find(
                member, Fault.GOES_ON, "sent its share although the approvals that it shows are not all alike"
            )

    def _stage(self, member: int) -> str | None:
        disclosure = self.docket.disclosures.get(member)
        return None if disclosure is None else disclosure.stage

    def _transcript(self, viewer: int) -> bytes | None:
        echo = self.docket.echo_of(viewer, (OPEN, CHECK))
        return None if echo is None else transcript_of(self.docket.session, echo)

    def _approvals(self, viewer: int) -> list[Approval]:
        found = (self.docket.seen(viewer, Approval, APPROVAL, member) for member in self.signers)
        return [approval for approval in found if approval is not None]

    def _digests(self, viewer: int) -> set[bytes]:
        return {approval.digest for approval in self._approvals(viewer)}

    def _shows_all_approvals(self, viewer: int) -> bool:
        return len(self._approvals(viewer)) == len(self.signers)

    # Openings and complaints

    def _has_signed(self, member: int) -> bool:
        return Place(SHARE, member, EVERYBODY) in self.docket.shown

    def _judge_opening(self, member: int) -> None:
        docket, disclosure = self.docket, self.docket.disclosures.get(member)
        if disclosure is None:
            return
        if disclosure.opening is None:
            if self._has_signed(member) or disclosure.stage in {SIGNED, DONE}:
                docket.find(member, Fault.WITHHOLDS, "does not open the points that it has committed to")
            return
        commitment = docket.one(NonceOpen, OPEN, member)
        try:
            dealt = DealtPoints.decode(self.signers, disclosure.opening)
        except ValueError:
            docket.find(member, Fault.MALFORMED, "opens something that is no point, or too many or too few")
            return
        if commitment is None:
            if Place(OPEN, member, EVERYBODY) not in docket.views[member]:
                docket.find(member, Fault.WITHHOLDS, "does not show its own broadcast of the nonce phase")
        elif dealt.hash(docket.session, member) != commitment.committed:
            docket.find(member, Fault.WRONG_OPENING, "opens other points than it has committed to")
        else:
            self._dealt[member] = dealt

    def _judge_complaints(self, member: int) -> None:
        docket, answer = self.docket, self.docket.answers.get(member)
        for message in () if answer is None else answer.messages:
            dealt = self._dealt.get(message.sender)
            if message.step != DEAL or message.receiver != member or dealt is None:
                continue
            deal = docket.one(NonceDeal, DEAL, message.sender, member)
            if deal is None:
                continue
            if contradicts(deal, dealt, member):
                docket.find(
                    message.sender, Fault.WRONG_DEAL, "dealt shares that are not those of the points it opens"
                )
            elif Place(OPEN, message.sender, EVERYBODY) in docket.views[member]:
                # Else nobody shows which commitment it complained by: its dealer may have signed this one since.
                docket.find(
                    member, Fault.FALSE_COMPLAINT, "complains about a deal that fits the points opened"
                )

    # Shares

    def _share(self, member: int, message_of: int | None = None) -> int | None:
        """s_i as all have seen it, or as one member shows it. Its session follows from its sender's own approval."""
        docket, place = self.docket, Place(SHARE, member, EVERYBODY)
        message = (docket.shown if message_of is None else docket.views[message_of]).get(place)
        approval = docket.one(Approval, APPROVAL, member)
        if message is None or approval is None or (message_of is None and docket.is_contested(place)):
            return None
        session = session_of_shares(docket.session, approval.transcript, approval.digest)
        found = docket.read(place, message, session=session)
        if not isinstance(found, SignatureShare):
            return None
        try:
            return decode_scalar(found.share)
        except ValueError:
            docket.find(member, Fault.MALFORMED, "sent a signature share that is no scalar")
            return None

    def read_shares(self) -> None:
        """Find shares that are no messages of their step."""
        for member in self.signers:
            self._share(member)

    def _judge_share(self, member: int) -> None:
        docket, disclosure, nonce = self.docket, self.docket.disclosures[member], self.nonce.nonce()
        approval = docket.one(Approval, APPROVAL, member)
        # Who does not know an opening could not have complained.
        if (
            nonce is None
            or approval is None
            or not all(docket.knows_all(member, other) for other in self.signers)
        ):
            return
        point, masked = nonce
        a, d, e = sum_at([self._dealt[dealer] for dealer in self.signers], member)
        # The protocol: "c_i = a_i / w"
        c = None if a is None else multiply_public(pow(masked, -1, GROUP_ORDER), a)
        opening, share = disclosure.opening, self._share(member)
        if c is None or opening is None:
            return
        b = self._masked_key(member, opening, c)
        if b is None:
            docket.find(
                member, Fault.WRONG_PROOF, "does not prove that its masked key is of its share of the key"
            )
            return
        # The protocol: "alpha_i = c_i + d_i, beta_i = c_i x_i", "s_i = h*alpha_i + r*beta_i + e_i"
        h = int.from_bytes(approval.digest, "big") % GROUP_ORDER
        terms = ((h, c), (h, d), (point.x, b), (1, e))
        products = [multiply_public(scalar, base) for scalar, base in terms if base is not None]
        expected = add(each for each in products if each is not None)
        if share is not None and expected != (multiply_base(share) if share else None):
            docket.find(
                member, Fault.WRONG_SHARE, "sent a signature share that is not the one it was to compute"
            )

    def _masked_key(self, member: int, opening: Opening, base: Point) -> Point | None:
        """B_i, if it is proven."""
        try:
            masked = Point.decode(opening.masked_key)
            commitments = Point.decode(opening.commitment), Point.decode(opening.commitment_here)
            proof = EqualityProof(*commitments, decode_scalar(opening.response))
        except ValueError:
            return None
        statement = EqualityStatement(self.docket.session, member, self.public_shares[member], base, masked)
        return masked if verify_equality(proof, statement) else None

    def passes(self, viewer: int) -> bool:
        """Whether the approvals and shares that a signer shows pass all checks, as far as it shows them."""
        docket, approvals, transcript = self.docket, self._approvals(viewer), self._transcript(viewer)
        if any(docket.broken(viewer, member, (APPROVAL,)) for member in self.signers):
            return False
        if any(approval.transcript != transcript for approval in approvals) or len(self._digests(viewer)) > 1:
            return False
        places = [Place(SHARE, member, EVERYBODY) for member in self.signers]
        shown = [
            member
            for member, place in zip(self.signers, places, strict=True)
            if place in docket.views[viewer]
        ]
        shares = [self._share(member, viewer) for member in shown]
        if None in shares:
            return False
        nonce = self.nonce.nonce(viewer)
        if len(shown) < len(self.signers) or nonce is None or not approvals:
            return True
        s = interpolate(tuple(map(coordinate, shown)), [share or 0 for share in shares])
        return self._verifies(nonce[0], s, approvals[0].digest)

    def _verifies(self, nonce: Point, s: int, digest: bytes) -> bool:
        if s == 0:
            return False
        signature = assemble_signature(nonce.x, s, nonce_y_is_odd=nonce.y_is_odd)
        return verify_signature(self.public_key, digest, signature)


def contradicts(deal: NonceDeal, dealt: DealtPoints, receiver: int) -> bool:
    """Whether a deal's a, d and e are others than the points that its dealer has opened."""
    try:
        shown = tuple(multiply_base(SecretScalar(share)) for share in (deal.a, deal.d, deal.e))
    except ValueError:
        return True
    return dealt.at(receiver) != shown
