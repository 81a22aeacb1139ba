"""The messages of the control plane: small, typed, immutable, with one encoding each.

MessagePack arrays in field order, so that a message has exactly one encoding; a decoder that meets other
bytes for the same message refuses them. Field widths are bounded here, before anything is computed from them.
No message carries a secret.
"""

import hashlib
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mpc_party.protocol.errors import MessageError, Reason
from mpc_party.protocol.files import one_line

Uint64 = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # SQLite and msgpack both stop at 63 bits here
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
# \Z and not $: the latter also matches before a newline at the end.
MemberName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}\Z")]
# One line without control characters: others' terminals and logs show it.
Line = Annotated[str, Meta(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]
Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]


class Expiry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One expiry of the book: when, the forward that every party uses, and the reference vol.

    `expiry` in Unix seconds UTC; `forward` in 1e-8 of the quote currency; `reference_vol` in 1e-6 of annual
    vol (at the money, from the last published report; the expansion point, not a secret).
    """

    expiry: Annotated[int, Meta(ge=1, lt=2**40)]
    forward: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    reference_vol: Annotated[int, Meta(ge=10_000, le=5_000_000)]


class Instrument(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One option: index into the proposal's expiries, strike in 1e-8 of the quote currency, call or put."""

    expiry: Annotated[int, Meta(ge=0, lt=64)]
    strike: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    call: bool


class Proposal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="proposal"):
    """Coordinator to all: please compute this book in this round with this committee."""

    round: Uint64
    epoch: Uint64
    committee: Annotated[tuple[int, ...], Meta(min_length=3, max_length=7)]  # member indices, ascending
    observed_at: Uint64  # Unix seconds, the market's time
    valid_until: Uint64  # Unix seconds
    underlying: Annotated[str, Meta(pattern=r"^[A-Z0-9]{1,11}\Z")]
    expiries: Annotated[tuple[Expiry, ...], Meta(min_length=1, max_length=64)]
    instruments: Annotated[tuple[Instrument, ...], Meta(min_length=1, max_length=1024)]
    deadline_ms: Annotated[int, Meta(ge=100, le=600_000)]  # for the whole round, from receipt


class Commitment(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="commitment"):
    """Committee member to all: I take part, and this binds me to my snapshot (salted hash)."""

    round: Uint64
    proposal: Bytes32  # SHA-256 of the proposal's encoding
    snapshot: Bytes32


class PhaseTimes(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Milliseconds this party spent in each phase, and what it sent on the mesh."""

    commit: Milliseconds
    compute: Milliseconds
    nonce: Milliseconds
    approve: Milliseconds
    sign: Milliseconds
    total: Milliseconds
    mesh_bytes: Uint64
    mesh_rounds: Uint64


class Result(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="result"):
    """Committee member to all: the report and the group's signature over its EIP-712 digest."""

    round: Uint64
    digest: Bytes32
    report: Annotated[bytes, Meta(max_length=60_000)]  # canonical encoding of HedgeReport
    signature: Annotated[bytes, Meta(min_length=65, max_length=65)]  # r, s, v
    times: PhaseTimes


class Abort(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="abort"):
    """Member to all: I will not finish this round. Also the answer to a proposal that is refused."""

    round: Uint64
    reason: Reason
    culprit: MemberName | None
    detail: Line


class Status(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="status"):
    """Member or coordinator to all, retained; the last will says `online = False`.

    The will is signed when its sender connects, so that its `last_round` is what it was then.
    """

    online: bool
    consortium: Bytes32  # hash of the consortium file in force
    last_round: Uint64  # highest round that the journal has promised or closed


class Settled(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="settled"):
    """Coordinator to all: the contract has the report of this round."""

    round: Uint64
    transaction: Bytes32
    block: Uint64


Message = Proposal | Commitment | Result | Abort | Status | Settled

MAX_PAYLOAD: Final = 64 * 1024 - 512  # leaves the envelope's own fields room below its 64 KiB

_decoder: Final = msgspec.msgpack.Decoder(Message)
_encoder: Final = msgspec.msgpack.Encoder()


def encode_message(message: Message) -> bytes:
    """The message's one encoding.

    Raises:
        MessageError: a field is out of its bounds, or the whole longer than `MAX_PAYLOAD`. (Structs check their
            fields when decoded, not when made, so this checks what was made here.)
    """
    encoded = _encoder.encode(message)
    decode_message(encoded)
    return encoded


def decode_message(data: bytes) -> Message:
    """Decode and check every bound.

    Raises:
        MessageError: too long, not a message, a field out of its bounds, or not the message's one encoding.
    """
    if len(data) > MAX_PAYLOAD:
        raise MessageError(f"a message of {len(data)} bytes, more than {MAX_PAYLOAD}")
    try:
        message: Message = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a message: {one_line(str(error))}") from None
    if _encoder.encode(message) != data:
        raise MessageError("a message that is not in its canonical encoding")
    return message


def message_hash(message: Message) -> bytes:
    """SHA-256 of the message's encoding (32 bytes): how a commitment names its proposal."""
    return hashlib.sha256(encode_message(message)).digest()
