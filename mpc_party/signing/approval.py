"""The approval step: no share leaves before all signers have signed that they would sign the same digest.

Different digests signed with one nonce give the key away. Each signer therefore states, under its identity key,
the digest that it built from its own copy of the result, and goes on only if all 2t+1 statements agree. Two
honest signers with different digests always see each other's statement and both stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_party.journal import Journal
from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.channel import MessageKeys
from mpc_party.signing.errors import SigningError
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.one_use import OneUse
from mpc_party.signing.presignature import NonceShares, Presignature
from mpc_party.signing.wire import Approval, bind, decode_all, encode

_DOMAIN = b"mpc-hedge/approval/v1"


@dataclass(frozen=True, repr=False, eq=False)
class Approved(Secret):
    """A digest that all signers have approved, and the nonce shares that will sign it, once."""

    presignature: Presignature
    digest: bytes
    shares: OneUse[NonceShares]


def approval_statement(presignature: Presignature, sender: int, digest: bytes) -> bytes:
    """The bytes that `sender` signs: domain, then canonical MessagePack of all that the approval is for."""
    context = presignature.context
    return _DOMAIN + msgspec.msgpack.encode(
        (
            context.consortium_hash,
            context.epoch,
            context.round,
            presignature.signers,
            sender,
            digest,
            presignature.transcript,
        )
    )


def run_approval(
    exchange: Exchange,
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

    Rounds: 1 exchange of kind APPROVAL. Bytes sent to each peer: 179. For three signers in processes
    of their own on two cores: p50 2.0 ms, mostly the journal's fsync and two Ed25519 verifications. Reveals: the digest, to the signers.

    Args:
        exchange: the mesh among the signers.
        key: this member's key share, of the key that the presignature is for.
        presignature: made in this round by `run_presign`.
        digest: 32 bytes, built by the caller from its own copy of what is signed.
        approver: identity signer and public keys.
        journal: of this member and epoch; must have promised the round.

    Raises:
        SigningError: APPROVAL_MISMATCH - with a culprit if an approval is malformed or its signature is wrong, and
            without if somebody validly approves another digest, because either side may have been misled in the
            computation; ECHO_MISMATCH - a signer reports another transcript of the nonce phase; NONCE_SPENT;
            PROPOSAL_REFUSED - a digest of zero, or a presignature for other signers or another key.
        RoundError: the journal refuses (not promised, another digest approved, or a nonce spent).
        MeshError: a signer is silent or gone.
    """
    shares = presignature.take()
    _require_fitting(exchange, key, presignature, digest)
    context, names = presignature.context, presignature.context.names
    # The protocol: "mark it spent in the journal before a share leaves"
    journal.approve_and_spend(context.round, digest, presignature.nonce_id)

    own = presignature.own
    peers = tuple(member for member in presignature.signers if member != own)
    session = bind(_DOMAIN, context.session(presignature.signers, presignature.public_key))
    signature = approver.sign(approval_statement(presignature, own, digest))
    message = encode(Approval(session, own, digest, presignature.transcript, signature))
    received = exchange.exchange(FrameKind.APPROVAL, dict.fromkeys(peers, message), peers)

    approvals = decode_all(
        Approval,
        received,
        session=session,
        own=own,
        peers=peers,
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
        # The statement is rebuilt, not received: only this round, these signers and this transcript verify.
        statement = approval_statement(presignature, peer, approval.digest)
        try:
            Ed25519PublicKey.from_public_bytes(approver.keys[peer]).verify(approval.signature, statement)
        except InvalidSignature:
            raise SigningError(
                "the signature of an approval is wrong", reason=Reason.APPROVAL_MISMATCH, culprit=names[peer]
            ) from None
    for peer, approval in approvals.items():
        if approval.digest != digest:
            raise SigningError(
                f"{names[peer]} computed the digest {approval.digest.hex()}, and this party {digest.hex()}",
                reason=Reason.APPROVAL_MISMATCH,
                remedy="the round is retried; if it happens again, compare the parties' logs",
            )
    return Approved(presignature, digest, OneUse(shares, f"the approval of round {context.round}"))


def _require_fitting(exchange: Exchange, key: KeyShare, presignature: Presignature, digest: bytes) -> None:
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
