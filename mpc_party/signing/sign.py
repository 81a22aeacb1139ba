"""The online phase of threshold ECDSA: one message after the approval step."""

from __future__ import annotations

from mpc_party.journal import Journal
from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing.approval import Approved, run_approval
from mpc_party.signing.channel import MessageKeys
from mpc_party.signing.errors import SigningError
from mpc_party.signing.field import GROUP_ORDER, coordinate, decode_scalar, encode_scalar, interpolate
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.presignature import Presignature
from mpc_party.signing.signature import assemble_signature, verify_signature
from mpc_party.signing.wire import SignatureShare, bind, decode_all, encode


def run_signature(exchange: Exchange, approved: Approved) -> bytes:
    """Sign the approved digest. Collective: the signers that approved it call it.

    The journal has had the nonce as spent since `run_approval`. The approval is consumed by this call, whatever
    comes of it: a second one is refused.

    Rounds: 1 exchange of kind SIGNATURE. Bytes sent to each peer: 86. For three signers in processes of their own
    on two cores, TLS on loopback: p50 0.75 ms, 0.3 ms of it CPU. Reveals: the signature, to the signers.

    Returns:
        65 bytes r || s || v: low s, v 27 or 28, verified under the group's key.

    Raises:
        SigningError: NONCE_SPENT; SIGNATURE_INVALID - with a culprit if its share is malformed, without if the
            shares combine to a signature that does not verify (who is at fault then is not known here).
        MeshError: a signer is silent or gone. Others may have the signature nonetheless.
    """
    presignature, digest, shares = approved.presignature, approved.digest, approved.shares.take()
    context, own, signers = presignature.context, presignature.own, presignature.signers

    # The protocol: "s_i = h*alpha_i + r*beta_i + e_i"
    h = int.from_bytes(digest, "big") % GROUP_ORDER
    share = (h * shares.alpha + presignature.r * shares.beta + shares.e).publish()
    peers = tuple(member for member in signers if member != own)
    session = bind(
        b"mpc-hedge/signature-share/v1",
        context.session(signers, presignature.public_key),
        presignature.transcript,
        digest,
    )
    message = encode(SignatureShare(session, own, encode_scalar(share)))
    received = exchange.exchange(FrameKind.SIGNATURE, dict.fromkeys(peers, message), peers)

    all_shares = {own: share}
    decoded = decode_all(
        SignatureShare,
        received,
        session=session,
        own=own,
        peers=peers,
        names=context.names,
        reason=Reason.SIGNATURE_INVALID,
    )
    for peer, reply in decoded.items():
        try:
            all_shares[peer] = decode_scalar(reply.share)
        except ValueError:
            raise SigningError(
                "a signature share is no scalar", reason=Reason.SIGNATURE_INVALID, culprit=context.names[peer]
            ) from None

    # The protocol: "interpolated over 2t+1"
    s = interpolate(tuple(map(coordinate, signers)), [all_shares[member] for member in signers])
    return _assemble_verified(presignature, digest, s)


def _assemble_verified(presignature: Presignature, digest: bytes, s: int) -> bytes:
    """The protocol: "Low s; v from R.y's parity, flipped with s; [...] verify before release"."""
    if s != 0:
        signature = assemble_signature(presignature.r, s, nonce_y_is_odd=presignature.nonce_y_is_odd)
        if verify_signature(presignature.public_key, digest, signature):
            return signature
    raise SigningError(
        "the combined signature does not verify: some signer's share is wrong",
        reason=Reason.SIGNATURE_INVALID,
        remedy="the round is retried under a new number, with a fresh nonce",
    )


def run_sign(
    exchange: Exchange,
    key: KeyShare,
    presignature: Presignature,
    digest: bytes,
    approver: MessageKeys,
    journal: Journal,
) -> bytes:
    """Approve and sign: `run_approval`, then `run_signature`, whose docstrings hold for it. 2 exchanges in all."""
    return run_signature(exchange, run_approval(exchange, key, presignature, digest, approver, journal))
