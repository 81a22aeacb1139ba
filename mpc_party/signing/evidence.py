"""What members say in a dispute, and the file that keeps it: for `judges`, and for anybody who has the consortium file.

A dispute has three exchanges (see `dispute`). In the first every member signs a `Disclosure`: the signed messages that it holds, as
far as it may show them. The second passes on what was heard. In the third every member signs an `Answer`: whose disclosures it has
seen, and which private messages contradict them. All of these are `SignedMessage`s of the disputed session; they are all that a
verdict rests on.

File, version 1: MessagePack array ["mpc-hedge/evidence", 1, protocol, case, assembled_by, statements], in this one encoding.
It is not secret, and holds nothing of a living key: no nonce share of a nonce that can still sign, no share of a key that came about.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing.channel import EVERYBODY, SignedMessage
from mpc_party.signing.wire import Bytes32, MemberIndex, PointBytes, ScalarBytes

DISCLOSURE: Final = "disclosure"
ANSWER: Final = "dispute-answer"
DONE: Final = "done"  # the stage of a member that has its result, and waits for the others to have theirs
MAX_EVIDENCE: Final = 16 * 1024 * 1024
BYTES_PER_MEMBER: Final = 8 * 1024  # of a statement; an honest one stays below 3 kB
MESSAGES_PER_MEMBER: Final = (
    8  # of a disclosure; an honest one has fewer: two deals and two broadcasts, at most five
)

Name = Annotated[str, Meta(pattern=r"^[a-z-]{1,32}\Z")]
Messages = Annotated[tuple[SignedMessage, ...], Meta(max_length=MESSAGES_PER_MEMBER * 256)]
Points = Annotated[tuple[PointBytes, ...], Meta(max_length=512)]
Hashes = Annotated[tuple[Bytes32, ...], Meta(max_length=512)]


class Claim(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Why a member disputes.

    `kind`: "joined" (it got `accused`'s dispute in place of something else), "unsigned" (a message on `accused`'s link does not carry its signature: nobody else
    can check that), "failed" (a check failed on what the disclosure shows). `accused` is 255 where nobody is.
    """

    kind: Literal["joined", "unsigned", "failed"]
    step: Name = "none"
    accused: MemberIndex = EVERYBODY


class Opening(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a signer opens once a signature has failed. All of it are points, and a proof; see `judge_signature`."""

    a: Points  # a_ij G at the first t+1 signers
    d: Points  # d_ij G at the first 2t signers
    e: Points
    masked_key: PointBytes  # B_i = x_i C_i
    commitment: PointBytes  # of the proof that B_i is: T
    commitment_here: PointBytes  # T'
    response: ScalarBytes


class Disclosure(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The first statement of a member. `stage` names how far it had come: what it may show, and must."""

    stage: Name
    claim: Claim
    messages: Messages
    opening: Opening | None = None


class Answer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The second statement: SHA-256 of the disclosures that came directly and through others, and complaints."""

    direct: Hashes
    relayed: Hashes
    messages: Messages = ()


class Evidence(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="mpc-hedge/evidence"
):
    """A dispute as one member saw it. `case` is the canonical encoding of the protocol's case (see `judges`)."""

    version: Literal[1]
    protocol: Name
    case: Annotated[bytes, Meta(max_length=64 * 1024)]
    assembled_by: MemberIndex
    statements: Annotated[tuple[SignedMessage, ...], Meta(max_length=4 * 256)]

    @property
    def stage(self) -> str:
        """How far the member that wrote it had come."""
        for statement in self.statements:
            if (statement.sender, statement.step) == (self.assembled_by, DISCLOSURE):
                disclosure = decode_disclosure(statement.body)
                return self.protocol if disclosure is None else disclosure.stage
        return self.protocol

    def encode(self) -> bytes:
        """The bytes of the file."""
        return _encoder.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Inverse of `encode`. Nothing of what it says is checked here.

        Raises:
            ConfigError: not such bytes.
        """
        try:
            evidence = _evidence.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            evidence = None
        if evidence is None or len(data) > MAX_EVIDENCE or _encoder.encode(evidence) != data:
            raise ConfigError("this is no evidence file, or it is damaged", reason=Reason.EVIDENCE_INVALID)
        return evidence


_encoder = msgspec.msgpack.Encoder()
_evidence = msgspec.msgpack.Decoder(Evidence)
_disclosure = msgspec.msgpack.Decoder(Disclosure)
_answer = msgspec.msgpack.Decoder(Answer)


def encode_statement(statement: Disclosure | Answer) -> bytes:
    """The body of the signed message that carries it."""
    return _encoder.encode(statement)


def decode_disclosure(body: bytes) -> Disclosure | None:
    """The disclosure, or None for anything else, a second encoding included."""
    try:
        found = _disclosure.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if _encoder.encode(found) == body else None


def decode_answer(body: bytes) -> Answer | None:
    """The answer, or None for anything else, a second encoding included."""
    try:
        found = _answer.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if _encoder.encode(found) == body else None


def statement_hash(body: bytes) -> bytes:
    """How an answer names a disclosure."""
    return hashlib.sha256(body).digest()
