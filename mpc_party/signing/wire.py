"""The messages of the signing protocols, and their one encoding.

MessagePack arrays in field order behind a tag that names protocol and step. Every message carries `session`, a
hash of all that the session is bound to (see `bind`), and its sender; a private message carries its receiver
too. What is not canonical, has a wrong length, or belongs to another session, step or sender is refused, and the
member it came from is the culprit: the mesh has authenticated it.

Private messages carry shares in the clear. They travel over the mesh's TLS links from the dealer to the receiver
and nowhere else, so they are not encrypted a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from mpc_party.protocol.errors import Reason
from mpc_party.signing.errors import SigningError

Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
PointBytes = Annotated[bytes, Meta(min_length=33, max_length=33)]
ScalarBytes = Annotated[bytes, Meta(min_length=32, max_length=32)]
MemberIndex = Annotated[int, Meta(ge=0, lt=256)]
Hashes = Annotated[tuple[Bytes32, ...], Meta(max_length=256)]


class _Message(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    session: Bytes32
    sender: MemberIndex


class _PrivateMessage(_Message, frozen=True, array_like=True, forbid_unknown_fields=True):
    """To one receiver, and hidden from logs and pickle as `protocol.secret.Secret` is."""

    receiver: MemberIndex

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds secrets and is not serialised")


class KeygenCommit(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="keygen-commit"):
    """Step 1, to all: hash of the Feldman vector."""

    commitment: Bytes32


class KeygenOpen(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="keygen-open"):
    """Step 2, to all: the Feldman vector and a proof that its constant term's logarithm is known."""

    coefficients: Annotated[tuple[PointBytes, ...], Meta(min_length=1, max_length=256)]
    proof_commitment: PointBytes
    proof_response: ScalarBytes


class KeygenDeal(
    _PrivateMessage, frozen=True, array_like=True, forbid_unknown_fields=True, tag="keygen-deal"
):
    """Step 3, to one: its share, and the echo of steps 1 and 2 (a hash per member, ascending)."""

    share: ScalarBytes
    echo: Hashes


class KeygenConfirm(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="keygen-confirm"):
    """Step 4, to all: my share fits, and this is the hash of all that was said and of what came out."""

    result: Bytes32


class NonceDeal(_PrivateMessage, frozen=True, array_like=True, forbid_unknown_fields=True, tag="nonce-deal"):
    """Step 1, to one: its shares of the dealer's k and a (degree t) and b, d, e (degree 2t, of zero)."""

    k: ScalarBytes
    a: ScalarBytes
    b: ScalarBytes
    d: ScalarBytes
    e: ScalarBytes


class NonceOpen(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="nonce-open"):
    """Step 2, to all: R_i = k_i G and w_i = a_i k_i + b_i, and what binds its sender in a dispute.

    `received` acknowledges the deals it got (a hash, see `nonce_rules`): no dealer can show others later. `committed` is the hash of
    the points that it opens should a signature fail.
    """

    nonce_point: PointBytes
    masked_product: ScalarBytes
    received: Bytes32
    committed: Bytes32


class NonceCheck(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="nonce-check"):
    """Step 3, to all: W_i = a_i R, and the echo of step 2 (a hash per signer, ascending)."""

    check_point: PointBytes
    echo: Hashes


class Approval(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="approval"):
    """To all: I computed this digest, and saw this nonce phase. The channel signs it."""

    digest: Bytes32
    transcript: Bytes32


class SignatureShare(
    _Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="signature-share"
):
    """To all: s_i = h alpha_i + r beta_i + e_i. `session` binds the digest and the nonce."""

    share: ScalarBytes


class ReshareCommit(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reshare-commit"):
    """Step 1, of a dealer to all: hash of the Feldman vector."""

    commitment: Bytes32


class ReshareOpen(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reshare-open"):
    """Step 2, of a dealer to all: the Feldman vector. Its constant term is known to all: lambda_i X_i."""

    coefficients: Annotated[tuple[PointBytes, ...], Meta(min_length=1, max_length=256)]


class ReshareDeal(
    _PrivateMessage, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reshare-deal"
):
    """Step 3, of a dealer to one new member: its share of the dealer's polynomial."""

    share: ScalarBytes


class ReshareConfirm(
    _Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reshare-confirm"
):
    """Step 4, to all: the echo of steps 1 and 2 (a hash per dealer, ascending), and the hash of all and of the result."""

    echo: Hashes
    result: Bytes32


class RecoverSplit(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recover-split"):
    """Step 1, to all: a helper's commitments to its pieces, by helper, ascending (none of a witness), and its last round."""

    commitments: Annotated[tuple[PointBytes, ...], Meta(max_length=128)]
    last_round: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class RecoverPiece(
    _PrivateMessage, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recover-piece"
):
    """Step 2, of a helper to another: its piece."""

    piece: ScalarBytes


class RecoverEcho(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recover-echo"):
    """Step 3, to all: the echo of step 1 (a hash per helper and witness, ascending). Of a helper: and my pieces fit."""

    echo: Hashes


class RecoverSum(
    _PrivateMessage, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recover-sum"
):
    """Step 4, of a helper to the recovering member: the sum of its pieces."""

    total: ScalarBytes


class RecoverDone(_Message, frozen=True, array_like=True, forbid_unknown_fields=True, tag="recover-done"):
    """Step 5, of the recovering member to all: the share fits, and this is the hash of all that was broadcast."""

    transcript: Bytes32


AnyMessage = _Message
M = TypeVar("M", bound=_Message)

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[_Message], msgspec.msgpack.Decoder[_Message]] = {
    kind: msgspec.msgpack.Decoder(kind)
    for kind in (
        KeygenCommit, KeygenOpen, KeygenDeal, KeygenConfirm, NonceDeal, NonceOpen, NonceCheck, Approval, SignatureShare,
        ReshareCommit, ReshareOpen, ReshareDeal, ReshareConfirm, RecoverSplit, RecoverPiece, RecoverEcho, RecoverSum,
        RecoverDone,
    )
}  # fmt: skip

Field = bytes | int | str | tuple[int, ...] | tuple[bytes, ...]


def bind(domain: bytes, *fields: Field) -> bytes:
    """SHA-256 of a domain name, a zero byte, and the fields' canonical MessagePack: 32 bytes."""
    return hashlib.sha256(domain + b"\0" + _encoder.encode(fields)).digest()


def encode(message: _Message) -> bytes:
    """The canonical bytes of a message."""
    return _encoder.encode(message)


def is_message(data: bytes) -> bool:
    """Whether this is a well-formed message of some step of some session."""
    return any(read(kind, data) is not None for kind in _decoders)


def read(kind: type[M], data: bytes) -> M | None:
    """The message, whatever its session and sender; None if it is none of this kind."""
    try:
        message = _decoders[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return message if isinstance(message, kind) and _encoder.encode(message) == data else None


def decode(
    kind: type[M],
    data: bytes,
    *,
    session: bytes,
    sender: int,
    receiver: int,
    names: tuple[str, ...],
    reason: Reason,
) -> M:
    """The message of the given kind that `sender` sent to `receiver` in this session.

    Raises:
        SigningError: with `reason`, and the sender as culprit.
    """

    def refuse(what: str) -> SigningError:
        return SigningError(f"{what} in place of {kind.__name__}", reason=reason, culprit=names[sender])

    try:
        message = _decoders[kind].decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise refuse("malformed message") from failure
    if not isinstance(message, kind) or _encoder.encode(message) != data:
        raise refuse("message in a second encoding")
    if message.session != session:
        raise refuse("message from another session")
    if message.sender != sender:
        raise refuse("message that names another sender")
    if isinstance(message, _PrivateMessage) and message.receiver != receiver:
        raise refuse("message for another receiver")
    return message


def decode_all(
    kind: type[M],
    messages: Mapping[int, bytes],
    *,
    session: bytes,
    own: int,
    peers: tuple[int, ...],
    names: tuple[str, ...],
    reason: Reason,
) -> dict[int, M]:
    """One message from each peer, decoded as `decode` does."""
    if set(messages) != set(peers):
        raise SigningError("a step needs exactly one message from each peer", reason=reason)
    return {
        peer: decode(
            kind, messages[peer], session=session, sender=peer, receiver=own, names=names, reason=reason
        )
        for peer in peers
    }
