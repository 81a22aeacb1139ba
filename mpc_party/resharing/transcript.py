"""The transcript of a ceremony: what was said to all and what came out, under the signatures of all that took part.

File, canonical MessagePack (one encoding only, structs as arrays): ["transcript", body, signatures, attestations].

    hash       = SHA-256("mpc-hedge/transcript/v1" || msgpack(body))
    signatures   of each that took part, ascending by seat: Ed25519 over "mpc-hedge/transcript-signature/v1" || hash
    attestations of each member of the new epoch, by index: Ed25519 over the group key (`protocol.group_key`)

A transcript with all signatures is the *certificate* of its ceremony: each signer has its new share on its disk, and no other
result of this ceremony can be signed by all. With the next consortium file it gives the completed one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from mpc_party.protocol.consortium import GroupKey
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import read_limited
from mpc_party.protocol.group_key import group_key_statement
from mpc_party.protocol.messages import MemberName
from mpc_party.resharing.fingerprint import fingerprint
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from mpc_party.signing.wire import Bytes32, MemberIndex, PointBytes

VERSION: Final = 1
MAX_FILE: Final = 1 << 20
_HASH: Final = b"mpc-hedge/transcript/v1"
_SIGNATURE: Final = b"mpc-hedge/transcript-signature/v1"
_WHAT: Final = "transcript"

Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
CeremonyKind = Literal["keygen", "reshare", "refresh", "recover"]
Epoch = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class TranscriptError(ConsortiumError):
    """A transcript is damaged, or does not hold together, or is of something else."""

    default_reason = Reason.TRANSCRIPT_INVALID


class CastMember(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who sat at one seat. Indices are those of the old and of the new file."""

    name: MemberName
    signing_key: Bytes32
    old_index: MemberIndex | None
    new_index: MemberIndex | None


class TranscriptBody(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is signed. Everything in it is public.

    `old_hash` and `old_epoch` are those of the file before, and absent for a first key. `broadcasts` are the protocol's
    messages to all, ordered by step and sender. `threshold`: of the new epoch, as
    are the key's shares. `floor`: its rounds begin above it. `participants` and `dealers`
    are seats, places in the cast, ascending; who is in the cast and not among the participants was absent.
    """

    version: Literal[1]
    kind: CeremonyKind
    consortium: Bytes32
    ceremony: Bytes32
    old_hash: Bytes32 | None
    old_epoch: Epoch | None
    new_roster: Bytes32
    new_epoch: Epoch
    cast: Annotated[tuple[CastMember, ...], Meta(min_length=2, max_length=14)]
    participants: Annotated[tuple[MemberIndex, ...], Meta(min_length=2, max_length=14)]
    dealers: Annotated[tuple[MemberIndex, ...], Meta(min_length=1, max_length=14)]
    broadcasts: Annotated[tuple[SignedMessage, ...], Meta(max_length=512)]
    threshold: Annotated[int, Meta(ge=1, le=3)]
    public_key: PointBytes
    public_shares: Annotated[tuple[PointBytes, ...], Meta(min_length=3, max_length=7)]
    old_model: Bytes32 | None
    new_model: Bytes32 | None
    floor: Annotated[int, Meta(ge=0, lt=2**48)]

    @property
    def hash(self) -> bytes:
        """The 32 bytes that all sign."""
        return hashlib.sha256(_HASH + _encoder.encode(self)).digest()

    @property
    def statement(self) -> bytes:
        """What each member signs with its Ed25519 key."""
        return _SIGNATURE + self.hash

    @property
    def fingerprint(self) -> str:
        """What members read to each other."""
        return fingerprint(self.hash)

    @property
    def names(self) -> tuple[str, ...]:
        """By seat."""
        return tuple(member.name for member in self.cast)

    @property
    def new_seats(self) -> tuple[int, ...]:
        """The seats of the new members, by their index in the new file."""
        found = {m.new_index: seat for seat, m in enumerate(self.cast) if m.new_index is not None}
        return tuple(found[index] for index in sorted(found))

    @property
    def attesting(self) -> tuple[int, ...]:
        """The seats of those who attest to the group key: the new members, but where no key section is written."""
        return () if self.kind == "recover" else self.new_seats

    @property
    def key_statement(self) -> bytes:
        """What each new member attests to in the consortium file."""
        return group_key_statement(self.new_roster, self.public_key, self.public_shares)


class Transcript(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="transcript"):
    """A body with the signatures of all: a certificate. See `certificate` and `decode`, which check it."""

    body: TranscriptBody
    signatures: tuple[Signature, ...]
    attestations: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The file."""
        return _encoder.encode(self)

    @property
    def group_key(self) -> GroupKey:
        """The key section of the completed consortium file."""
        return GroupKey(
            public_key=self.body.public_key.hex(),
            public_shares=tuple(point.hex() for point in self.body.public_shares),
            attestations=tuple(signature.hex() for signature in self.attestations),
        )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Transcript)


def ordered_broadcasts(messages: Sequence[SignedMessage]) -> tuple[SignedMessage, ...]:
    """Those of a member's messages that went to all, in the one order that all members give them."""
    public = [message for message in messages if message.receiver == EVERYBODY]
    return tuple(sorted(public, key=lambda m: (m.session, m.step, m.sender)))


def signed_by(body: TranscriptBody, seat: int, signature: bytes) -> bool:
    """Whether the member at this seat has signed the transcript."""
    return _verifies(body.cast[seat].signing_key, signature, body.statement)


def attested_by(body: TranscriptBody, seat: int, attestation: bytes) -> bool:
    """Whether the member at this seat attests to the group key."""
    return _verifies(body.cast[seat].signing_key, attestation, body.key_statement)


def certificate(
    body: TranscriptBody, signatures: Mapping[int, bytes], attestations: Mapping[int, bytes]
) -> Transcript:
    """The certificate, out of the signatures of all and the attestations of the new members, both by seat; checked.

    Raises:
        TranscriptError: somebody's is missing or does not verify; names it.
    """
    transcript = Transcript(
        body,
        tuple(signatures.get(seat, b"") for seat in body.participants),
        tuple(attestations.get(seat, b"") for seat in body.attesting),
    )
    check_certificate(transcript)
    return transcript


def check_certificate(transcript: Transcript) -> None:
    """Check what can be checked without a consortium file: all signatures and attestations, and all broadcasts.

    Raises:
        TranscriptError: naming the first thing that is wrong, and whose it is.
    """
    body = transcript.body
    check_cast(body)
    if len(transcript.signatures) != len(body.participants):
        raise TranscriptError(f"{len(transcript.signatures)} signatures of {len(body.participants)} members")
    if len(transcript.attestations) != len(body.attesting):
        raise TranscriptError(
            f"{len(transcript.attestations)} attestations for {len(body.attesting)} members"
        )
    for seat, signature in zip(body.participants, transcript.signatures, strict=True):
        if not signed_by(body, seat, signature):
            raise TranscriptError(
                "a signature does not verify over this transcript", culprit=body.names[seat]
            )
    for seat, attestation in zip(body.attesting, transcript.attestations, strict=True):
        if not attested_by(body, seat, attestation):
            raise TranscriptError(
                "an attestation does not verify over this roster and this key", culprit=body.names[seat]
            )
    keys = {seat: member.signing_key for seat, member in enumerate(body.cast)}
    for message in body.broadcasts:
        if message.sender not in keys or message.receiver != EVERYBODY or not message.is_signed(keys):
            raise TranscriptError(f"a message {message.step!r} does not carry its sender's signature")


def check_cast(body: TranscriptBody) -> None:
    """Check that the lists of a body fit each other.

    Raises:
        TranscriptError: they do not.
    """
    new = [member.new_index for member in body.cast if member.new_index is not None]
    old = [member.old_index for member in body.cast if member.old_index is not None]
    present = body.participants
    whole = sorted(new) == list(range(len(body.public_shares))) and len(set(old)) == len(old)
    seated = _ascending(present, len(body.cast)) and _ascending(body.dealers, len(body.cast))
    # In a recovery, nobody joins or leaves, and not all need be there.
    complete = body.kind == "recover" or set(body.new_seats) <= set(present)
    if not (whole and seated and complete and set(body.dealers) <= set(present)):
        raise TranscriptError("the lists of those who took part do not fit each other")
    if len(set(body.names)) < len(body.cast) or body.broadcasts != ordered_broadcasts(body.broadcasts):
        raise TranscriptError("a name stands there twice, or the messages are out of order")
    if (body.kind == "keygen") != (body.old_hash is None) or (body.old_hash is None) != (
        body.old_epoch is None
    ):
        raise TranscriptError("a first key has no epoch before it, and any other ceremony has one")


def _ascending(seats: tuple[int, ...], count: int) -> bool:
    return seats == tuple(sorted(set(seats))) and all(seat < count for seat in seats)


def decode_transcript(data: bytes, what: str = _WHAT) -> Transcript:
    """Read and check a certificate.

    Raises:
        TranscriptError: malformed, in a second encoding, or not signed by all.
    """
    try:
        transcript = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise TranscriptError(
            f"{what}: not a transcript of version {VERSION}, or damaged",
            remedy="ask another member for its copy",
        ) from failure
    if _encoder.encode(transcript) != data:
        raise TranscriptError(f"{what}: in a second encoding", remedy="ask another member for its copy")
    try:
        check_certificate(transcript)
    except TranscriptError as error:
        raise TranscriptError(
            f"{what}: {error.message}", culprit=error.culprit, remedy=error.remedy
        ) from None
    return transcript


def load_transcript(path: Path | str) -> Transcript:
    """Read and check a certificate's file.

    Raises:
        ConfigError: there is no such file.
        TranscriptError: as `decode_transcript`.
    """
    return decode_transcript(read_limited(path, MAX_FILE, _WHAT), f"{_WHAT} {path}")


def encode_body(body: TranscriptBody) -> bytes:
    """A transcript that is not signed yet, for the pending folder."""
    return _encoder.encode(body)


def decode_body(data: bytes, what: str = _WHAT) -> TranscriptBody:
    """Inverse of `encode_body`.

    Raises:
        ConfigError: damaged.
    """
    try:
        body = msgspec.msgpack.decode(data, type=TranscriptBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{what}: damaged") from None
    return body


def _verifies(key: bytes, signature: bytes, statement: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True
