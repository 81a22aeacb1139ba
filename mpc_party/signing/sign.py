"""The online phase of threshold ECDSA: one message after the approval step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mpc_party.journal import Journal
from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing.approval import Approved, public_record, run_approval
from mpc_party.signing.channel import Channel, MessageKeys
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.dispute import is_disputable, settle
from mpc_party.signing.equality import EqualityStatement, prove_equality
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import DONE, Claim, Disclosure, Evidence, Opening
from mpc_party.signing.field import GROUP_ORDER, coordinate, decode_scalar, encode_scalar, interpolate
from mpc_party.signing.judge_signature import SIGNED
from mpc_party.signing.keyshare import KeyShare
from mpc_party.signing.nonce_rules import SHARE, session_of_shares
from mpc_party.signing.presignature import ApprovedNonce, Presignature
from mpc_party.signing.signature import assemble_signature, verify_signature
from mpc_party.signing.wire import SignatureShare, decode_all, encode


def run_signature(exchange: DisputableExchange, approved: Approved) -> bytes:
    """Sign the approved digest. Collective: the signers that approved it call it.

    The journal has had the nonce as spent since `run_approval`. The approval is consumed by this call, whatever
    comes of it: a second one is refused.

    Rounds: 1 exchange of kind SIGNATURE. Bytes sent to each peer: 150. Shares go signed, but these signatures are verified only
    where the combined one is not valid. Then 3 exchanges of kind DISPUTE follow (see `dispute.settle`). Measured as key generation is: p50 0.5, 1.0,
    1.6 ms, p95 1.2, 2.0, 2.7; where signers do not wait for each other before it, 0.7, 1.9, 3.2 and 1.3, 3.6, 5.8.
    Reveals: the signature, to the signers. In a dispute points only, C_i = c_i G, B_i = x_i C_i and those of d and e: what these
    say of x stays hidden as far as discrete logarithms do (generic group model); the nonce signs nothing else.

    Returns:
        65 bytes r || s || v: low s, v 27 or 28, verified under the group's key.

    Raises:
        SigningError: NONCE_SPENT; SIGNATURE_INVALID, MESSAGE_FORGED or DISPUTED, with a culprit where one is proven, attested or
            seen here (the message says which), and with `evidence`.
        MeshError: a signer is silent or gone. Others may have the signature nonetheless.
    """
    presignature, digest, nonce = approved.presignature, approved.digest, approved.nonce.take()
    own, shares = presignature.own, nonce.shares
    channel = replace(approved.channel, links=exchange)

    # The protocol: "s_i = h*alpha_i + r*beta_i + e_i"
    h = int.from_bytes(digest, "big") % GROUP_ORDER
    share = (h * shares.alpha + presignature.r * shares.beta + shares.e).publish()
    session = session_of_shares(presignature.case.session, presignature.transcript, digest)
    message = encode(SignatureShare(session, own, encode_scalar(share)))
    try:
        received = channel.to_all(SHARE, message, kind=FrameKind.SIGNATURE, check=False)
        all_shares = _decoded(presignature, session, received) | {own: share}
        # The protocol: "interpolated over 2t+1"
        coordinates = tuple(map(coordinate, presignature.signers))
        s = interpolate(coordinates, [all_shares[member] for member in presignature.signers])
        return _assemble_verified(presignature, digest, s)
    except (SigningError, PeerDisputes) as cause:
        approved.rest.discard()  # one story is told, once
        if not is_disputable(cause):
            raise
        case = presignature.case
        settle(
            channel,
            case,
            _unsigned(channel) or cause,
            lambda claim: _disclosure(SIGNED, channel, approved, nonce, claim),
            lambda heard: nonce.complaints(own, case.session, case.signers, heard),
        )


def _decoded(presignature: Presignature, session: bytes, received: Mapping[int, bytes]) -> dict[int, int]:
    """The peers' shares, by signer."""
    own, names = presignature.own, presignature.context.names
    decoded = decode_all(
        SignatureShare,
        received,
        session=session,
        own=own,
        peers=tuple(member for member in presignature.signers if member != own),
        names=names,
        reason=Reason.SIGNATURE_INVALID,
    )
    shares = {}
    for peer, reply in decoded.items():
        try:
            shares[peer] = decode_scalar(reply.share)
        except ValueError:
            raise SigningError(
                "a signature share is no scalar", reason=Reason.SIGNATURE_INVALID, culprit=names[peer]
            ) from None
    return shares


def _unsigned(channel: Channel) -> SigningError | None:
    """What is wrong first, where a share does not carry its sender's signature: nothing can be shown of it."""
    for message in channel.messages:
        if message.step == SHARE and not message.is_signed(channel.keys.keys):
            return SigningError(
                "a signature share does not carry its sender's signature",
                reason=Reason.MESSAGE_FORGED,
                culprit=channel.names[message.sender],
            )
    return None


def close_signature(exchange: DisputableExchange, approved: Approved) -> Evidence | None:
    """Part from the other signers. Collective: every signer that `run_signature` gave the signature calls it, before it leaves.

    Whoever leaves at once cannot be told from a cheat that will not say what it holds. So signers wait until all have the signature, or
    answer the dispute of one that was sent something else.

    Rounds: 1 exchange of kind SIGNATURE, empty; 3 of kind DISPUTE if another signer disputes. Reveals: as `run_signature`.

    Returns:
        The evidence of a dispute, of which nothing follows for the signature that this member has; None where there was none, or
        where the others have just left.
    """
    nonce, case = approved.rest.take(), approved.presignature.case
    channel = replace(approved.channel, links=exchange)
    try:
        exchange.exchange(FrameKind.SIGNATURE, dict.fromkeys(exchange.peers, b""), exchange.peers)
    except PeerDisputes as told:
        try:
            settle(
                channel,
                case,
                told,
                lambda claim: _disclosure(DONE, channel, approved, nonce, claim),
                lambda heard: nonce.complaints(exchange.own, case.session, case.signers, heard),
            )
        except SigningError as error:
            return error.evidence
    except MeshError:
        return None  # silence after a good signature harms nobody
    return None


def _disclosure(
    stage: str, channel: Channel, approved: Approved, nonce: ApprovedNonce, claim: Claim
) -> Disclosure:
    """Broadcasts, and the points that this signer has committed to, with B_i = x_i C_i and the proof that it is that."""
    presignature, key, shares = approved.presignature, approved.key, nonce.shares
    statement = EqualityStatement(
        presignature.case.session,
        presignature.own,
        Point.decode(key.public_shares[presignature.own]),
        nonce.base,
        multiply_base(shares.beta),
    )
    proof = prove_equality(key.secret, statement)
    opening = Opening(
        *nonce.points.encoded(),
        statement.product.encode(),
        proof.commitment.encode(),
        proof.commitment_here.encode(),
        encode_scalar(proof.response),
    )
    return Disclosure(stage, claim, public_record(channel), opening)


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
    exchange: DisputableExchange,
    key: KeyShare,
    presignature: Presignature,
    digest: bytes,
    approver: MessageKeys,
    journal: Journal,
) -> bytes:
    """Approve, sign and part: `run_approval`, `run_signature` and `close_signature`, whose docstrings hold for it. 3 exchanges."""
    approved = run_approval(exchange, key, presignature, digest, approver, journal)
    signature = run_signature(exchange, approved)
    close_signature(exchange, approved)
    return signature
