"""The signed envelope around every message of the control plane.

Encoding: the MessagePack array [version, sender, topic, sequence, expiry, payload, signature], at most 64 KiB,
accepted in its one canonical form only. The Ed25519 signature is over::

    "mpc-hedge/envelope/v1" || consortium hash (32 bytes) || msgpack([version, sender, topic, sequence, expiry, payload])

so that a message of one consortium, epoch, version of the file, topic or purpose is none of another. What an
envelope may contain follows from the sender: the coordinator proposes and settles, members do the rest.
"""

import functools
from typing import Annotated, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from mpc_party.protocol.consortium import COORDINATOR, Consortium
from mpc_party.protocol.errors import MessageError, Reason
from mpc_party.protocol.files import one_line
from mpc_party.protocol.identity import Signer
from mpc_party.protocol.messages import (
    MemberName,
    Message,
    Proposal,
    Settled,
    Status,
    Uint64,
    decode_message,
    encode_message,
)
from mpc_party.protocol.topics import topic_of

PREFIX: Final = b"mpc-hedge/envelope/v1"
VERSION: Final = 1
MAX_ENVELOPE: Final = 64 * 1024
NEVER: Final = 2**63 - 1  # expiry of a status: it stays retained, and a will fires whenever it does

CLOCK_TOLERANCE_MS: Final = 10_000  # how far two members' clocks may differ
MAX_LIFE_MS: Final = 24 * 3600 * 1000  # of anything but a status: what is signed today is waste tomorrow
LIFE_MS: Final = 600_000  # unless the message itself says less or more


class _Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    sender: MemberName
    topic: Annotated[str, Meta(max_length=128)]
    sequence: Uint64
    expiry: Uint64  # Unix milliseconds
    payload: bytes
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Sealed(NamedTuple):
    """A signed message: the topic to publish it on, the envelope's bytes, its expiry in Unix milliseconds."""

    topic: str
    raw: bytes
    expiry: int


class Opened(NamedTuple):
    """A verified message: who signed it, its place among the sender's messages, its expiry, and itself."""

    sender: str
    sequence: int
    expiry: int
    message: Message
    signature: bytes


_decoder: Final = msgspec.msgpack.Decoder(_Envelope)
_encoder: Final = msgspec.msgpack.Encoder()


def life_of(message: Message) -> int | None:
    """How long a message is worth delivering, in milliseconds; None for ever (a status)."""
    match message:
        case Status():
            return None
        case Proposal():  # nobody can start a round after its deadline
            return message.deadline_ms
        case Settled():
            return 6 * LIFE_MS
        case _:
            return LIFE_MS


def seal_envelope(
    message: Message, signer: Signer, consortium: Consortium, *, sequence: int, now_ms: int
) -> Sealed:
    """Sign a message.

    Args:
        message: what to say; the sender must be allowed to, see `topics`.
        signer: a member's identity or the coordinator's.
        consortium: its hash is signed along.
        sequence: above all earlier ones of this sender, see `sequence.Sequencer`.
        now_ms: Unix milliseconds; the expiry follows from it and the message.

    Returns:
        topic, bytes and expiry.

    Raises:
        MessageError: the sender may not say this, a field is out of bounds, or it is too large.
    """
    topic = topic_of(consortium, signer.name, type(message))
    if topic is None:
        raise MessageError(f"{signer.name} may not publish a {type(message).__name__}")
    life = life_of(message)
    expiry = NEVER if life is None else now_ms + life
    payload = encode_message(message)
    fields = (VERSION, signer.name, topic, sequence, expiry, payload)
    signature = signer.sign(_statement(consortium, fields))
    raw = _encoder.encode((*fields, signature))
    if len(raw) > MAX_ENVELOPE:
        raise MessageError(f"a message of {len(raw)} bytes, more than {MAX_ENVELOPE}")
    return Sealed(topic, raw, expiry)


def open_envelope(raw: bytes, topic: str, consortium: Consortium, now_ms: int) -> Opened:
    """Verify an envelope that came from the broker. Whether it is new is `sequence.ReplayGuard`'s to say.

    Args:
        raw: the MQTT payload.
        topic: the MQTT topic it came by.
        consortium: whose members may speak.
        now_ms: Unix milliseconds.

    Raises:
        MessageError: MESSAGE_MALFORMED if it is too large, does not decode, or is not canonical;
            MESSAGE_FORGED if the topic, the sender, the sender's right to say it or the signature does not fit
            (the sender is not named as culprit: anybody can write a name); MESSAGE_EXPIRED.
    """
    if len(raw) > MAX_ENVELOPE:
        raise MessageError(f"an envelope of {len(raw)} bytes, more than {MAX_ENVELOPE}")
    try:
        envelope = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not an envelope: {one_line(str(error))}") from None
    if _encoder.encode(envelope) != raw:
        raise MessageError("an envelope that is not in its canonical encoding")
    if envelope.version != VERSION:
        raise MessageError(f"an envelope of version {envelope.version}, not {VERSION}")
    key = sender_key(consortium, envelope.sender)
    if key is None:
        raise _forged(f"{envelope.sender} is no member")
    if envelope.topic != topic:
        raise _forged("the envelope was signed for another topic")
    fields = msgspec.structs.astuple(envelope)[:-1]
    try:
        key.verify(envelope.signature, _statement(consortium, fields))
    except InvalidSignature:
        raise _forged(
            f"the signature is not that of {envelope.sender} over this message and this consortium file"
        ) from None
    message = decode_message(envelope.payload)
    if topic_of(consortium, envelope.sender, type(message)) != topic:
        raise _forged(f"{envelope.sender} may not publish a {type(message).__name__} on this topic")
    _check_expiry(envelope, message, now_ms)
    return Opened(envelope.sender, envelope.sequence, envelope.expiry, message, envelope.signature)


def _check_expiry(envelope: _Envelope, message: Message, now_ms: int) -> None:
    if isinstance(message, Status):
        return
    if envelope.expiry + CLOCK_TOLERANCE_MS < now_ms:
        late = (now_ms - envelope.expiry) / 1000
        raise MessageError(
            f"expired {late:.1f} s ago", reason=Reason.MESSAGE_EXPIRED, culprit=envelope.sender
        )
    if envelope.expiry > now_ms + MAX_LIFE_MS:
        raise MessageError("expires more than a day from now")


def sender_key(consortium: Consortium, sender: str) -> Ed25519PublicKey | None:
    """The key that a sender's signatures verify under; None if there is no such sender."""
    if sender == COORDINATOR:
        return _public_key(consortium.coordinator)
    for member in consortium.members:
        if member.name == sender:
            return _public_key(member.signing_key)
    return None


@functools.lru_cache(maxsize=64)
def _public_key(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))


def _statement(consortium: Consortium, fields: tuple[object, ...]) -> bytes:
    return PREFIX + consortium.hash + _encoder.encode(fields)


def _forged(message: str) -> MessageError:
    return MessageError(message, reason=Reason.MESSAGE_FORGED)
