"""The approval step: no share leaves before all signers have signed that they would sign the same digest.

Different digests signed with one nonce give the key away. Each signer therefore states, under its identity key,
the digest that it built from its own copy of the result, and goes on only if all 2t+1 statements agree. Two
honest signers with different digests always see each other's statement and both stop. Who approves two digests has signed both.

From here on no signer shows what it was dealt, whatever it is asked (see `presignature.ApprovedNonce`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpc_party.journal import Journal
from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.channel import Channel, MessageKeys, SignedMessage
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import Disclosure
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.judge_signature import APPROVED
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.nonce_rules import APPROVAL
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.presignature import ApprovedNonce, Presignature
from mpc_party.signing.wire import Approval, decode_all, encode


@dataclass(frozen=True, repr=False, eq=False)
class Approved(Secret):
    """A digest that all signers have approved, and the nonce that will sign it, once. `channel` has the record so far.

    `rest` is the same nonce for a dispute of others, once this signer is done: see `sign.close_signature`.
    """

    presignature: Presignature
    digest: bytes
    nonce: OneUse[ApprovedNonce]
    rest: OneUse[ApprovedNonce]
    key: KeyShare
    channel: Channel


def run_approval(
    exchange: DisputableExchange,
    key: KeyShare,
    presignature: Presignature,
    digest: bytes,
    approver: MessageKeys,
    journal: Journal,
) -> Approved:
    """Approve a digest together. Collective: the signers of the presignature call it.

    The presignature is consumed by this call, whatever comes of it. Before the approval leaves, the journal has the
    digest, so that after a crash this member still approves no other in this round, and has the nonce as spent, in
    the same write, so that nothing is left to write between the approvals and the share.

    Rounds: 1 exchange of kind APPROVAL. Bytes sent to each peer: 177. After a failed check, 3 more of kind DISPUTE (see
    `dispute.settle`). Measured as key generation is: p50 1.5, 2.4, 3.5 ms, with the journal's write. Reveals: the digest, to the signers; in a dispute, what was broadcast.

    Args:
        exchange: the mesh among the signers.
        key: this member's key share, of the key that the presignature is for.
        presignature: made in this round by `run_presign`.
        digest: 32 bytes, built by the caller from its own copy of what is signed.
        approver: identity signer and public keys.
        journal: of this member and epoch; must have promised the round.

    Raises:
        SigningError: APPROVAL_MISMATCH - with a culprit if an approval is malformed or somebody approved two digests, and
            without if somebody validly approves another digest, because either side may have been misled in the
            computation; ECHO_MISMATCH - a signer reports another transcript of the nonce phase; MESSAGE_FORGED, DISPUTED; all
            these with `evidence`. NONCE_SPENT; PROPOSAL_REFUSED - a digest of zero, or a presignature for other signers or another
            key.
        RoundError: the journal refuses (not promised, another digest approved, or a nonce spent).
        MeshError: a signer is silent or gone.
    """
    nonce = presignature.approve()
    _require_fitting(exchange, key, presignature, digest)
    context, case = presignature.context, presignature.case
    # The protocol: "mark it spent in the journal before a share leaves"
    journal.approve_and_spend(context.round, digest, presignature.nonce_id)

    channel = Channel(exchange, case.session, approver, context.names, list(nonce.broadcasts))
    message = encode(Approval(case.session, presignature.own, digest, presignature.transcript))
    try:
        received = channel.to_all(APPROVAL, message, kind=FrameKind.APPROVAL)
        _require_agreement(presignature, digest, received)
    except (SigningError, PeerDisputes) as cause:
        if not is_disputable(cause):
            raise
        shown = public_record(channel)
        settle(channel, case, cause, lambda claim: Disclosure(APPROVED, claim, shown))
    what = f"the approval of round {context.round}"
    return Approved(presignature, digest, OneUse(nonce, what), OneUse(nonce, what), key, channel)


def public_record(channel: Channel) -> tuple[SignedMessage, ...]:
    """What a signer that has approved shows: broadcasts that are signed. The channel of an approval holds no others."""
    return tuple(message for message in channel.messages if message.is_signed(channel.keys.keys))


def _require_agreement(presignature: Presignature, digest: bytes, received: Mapping[int, bytes]) -> None:
    own, names = presignature.own, presignature.context.names
    approvals = decode_all(
        Approval,
        received,
        session=presignature.case.session,
        own=own,
        peers=tuple(member for member in presignature.signers if member != own),
        names=names,
        reason=Reason.APPROVAL_MISMATCH,
    )
    for peer, approval in approvals.items():
        if approval.transcript != presignature.transcript:
            # Every broadcast of the nonce phase was echoed, or is fixed by the honest signers' shares (see
            # `presign`): an honest signer that has come this far has this transcript.
            raise SigningError(
                "another transcript of the nonce phase is approved",
                reason=Reason.ECHO_MISMATCH,
                culprit=names[peer],
            )
    for peer, approval in approvals.items():
        if approval.digest != digest:
            raise SigningError(
                f"{names[peer]} computed the digest {approval.digest.hex()}, and this party {digest.hex()}",
                reason=Reason.APPROVAL_MISMATCH,
                remedy="the round is retried; if it happens again, compare the parties' logs",
            )


def _require_fitting(
    exchange: DisputableExchange, key: KeyShare, presignature: Presignature, digest: bytes
) -> None:
    if len(digest) != 32 or int.from_bytes(digest, "big") % GROUP_ORDER == 0:
        raise SigningError("a digest is 32 bytes and not zero", reason=Reason.PROPOSAL_REFUSED)
    if (
        key.public_key != presignature.public_key
        or key.index != presignature.own
        or tuple(sorted((exchange.own, *exchange.peers))) != presignature.signers
        or exchange.own != presignature.own
    ):
        raise SigningError(
            "the presignature was made by other signers or for another key", reason=Reason.PROPOSAL_REFUSED
        )
