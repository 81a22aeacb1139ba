"""One nonce phase and signature, as a judge is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from mpc_party.protocol.consortium import Consortium
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.curve import Point
from mpc_party.signing.docket import Docket, Kinds
from mpc_party.signing.judge_nonce import NonceJudge
from mpc_party.signing.judge_signature import SignatureJudge
from mpc_party.signing.nonce_rules import APPROVAL, CHECK, DEAL, OPEN, SHARE
from mpc_party.signing.verdict import Verdict
from mpc_party.signing.wire import (
    Approval,
    Bytes32,
    MemberIndex,
    NonceCheck,
    NonceDeal,
    NonceOpen,
    PointBytes,
    SignatureShare,
    bind,
)

KINDS: Kinds = {
    DEAL: NonceDeal,
    OPEN: NonceOpen,
    CHECK: NonceCheck,
    APPROVAL: Approval,
    SHARE: SignatureShare,
}


def signing_session(
    consortium_hash: bytes, epoch: int, number: int, signers: tuple[int, ...], count: int, public_key: bytes
) -> bytes:
    """32 bytes that the messages of one nonce phase and signature are bound to."""
    return bind(b"mpc-hedge/presign/v1", consortium_hash, epoch, number, signers, count, public_key)


class SigningCase(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="signing-case"
):
    """Which round, signers and key."""

    protocol: ClassVar[str] = "signing"

    consortium_hash: Bytes32
    epoch: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    round: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    signers: Annotated[tuple[MemberIndex, ...], Meta(min_length=3, max_length=255)]
    public_key: PointBytes
    public_shares: Annotated[tuple[PointBytes, ...], Meta(min_length=3, max_length=255)]

    @property
    def members(self) -> tuple[int, ...]:
        """The signers."""
        return self.signers

    @property
    def session(self) -> bytes:
        """32 bytes that every message carries."""
        count = len(self.public_shares)
        return signing_session(
            self.consortium_hash, self.epoch, self.round, self.signers, count, self.public_key
        )

    def misfit(self, consortium: Consortium) -> str | None:
        """Why it is not of this consortium file; None if it is."""
        key = consortium.key
        theirs = (consortium.hash, consortium.epoch)
        if key is None or (self.consortium_hash, self.epoch) != theirs:
            return "it is of a round under another consortium file"
        points = (self.public_key.hex(), tuple(point.hex() for point in self.public_shares))
        if points != (key.public_key, key.public_shares):
            return "it is of another group key"
        ordered = tuple(sorted(set(self.signers)))
        if self.signers != ordered or len(ordered) != 2 * consortium.threshold + 1:
            return "its signers are not 2t+1 members"
        return None if ordered[-1] < len(consortium.members) else "one of its signers is no member"

    def describe(self) -> str:
        """In one line, for people."""
        return f"nonce and signature of round {self.round} of epoch {self.epoch}"

    @property
    def label(self) -> str:
        """For a file's name."""
        return f"{self.epoch}-{self.round}"

    def judge(self, statements: Iterable[SignedMessage], keys: Mapping[int, bytes]) -> Verdict:
        """Pure, bounded, and never raises on what the statements hold.

        Raises:
            ValueError: the case itself is none: a public share is no point, or the signers are not members.
        """
        threshold = (len(self.signers) - 1) // 2
        shares = {member: Point.decode(self.public_shares[member]) for member in self.signers}
        docket = Docket(
            self.session, self.signers, threshold, keys, KINDS, statements, late=frozenset({SHARE})
        )
        nonce = NonceJudge(docket, self.signers, threshold)
        signature = SignatureJudge(docket, nonce, self.public_key, shares)
        nonce.judge()
        signature.read_shares()
        signature.judge()
        # Who has sent its share may have the signature, and be gone.
        docket.judge_absence(signature.may_be_done)
        docket.judge_claims(lambda member: nonce.passes(member) and signature.passes(member))
        return docket.verdict()
