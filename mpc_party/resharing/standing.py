"""How a ceremony that broke off is brought to its end: what members say when they meet again, and what follows.

When members meet, each first says what it has open (`Standing`): a ceremony that it has signed, or one of which it holds the certificate.
About each ceremony that anybody names, each that took part in it then answers, once: with the certificate; or with its signature
over the transcript again; or that it has never signed this ceremony, which it writes into its journal before it says so, for ever.

    somebody has the certificate     all commit. Whoever hears the signatures of all has it, too
    all that took part are here      and nobody has it: somebody signs nothing, so all go back to the old epoch
    otherwise                        undecided: somebody that took part is not here, and may have the certificate

A member that has gone back refuses this ceremony ever after. Where more old members than may lie have refused, an honest one of
them has gone back, after all had met and no honest one had the certificate: a certificate that turns up later was held back by a
liar, to part those who had seen the end of that meeting from those who had not. It counts for nothing then.

What decides must be the same at all honest members, whatever the others tell whom. Who is here is (the meeting's cast). Certificates
and refusals are told on: after the answers everybody passes on what it has heard of, for as many exchanges as members may cheat,
and one more; a proof counts in the k-th exchange only where k members have signed for having had it (Dolev and Strong 1983).
A refusal alone decides nothing while somebody is away: its signer may have signed before, and lie.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Meta

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.transcript import MAX_FILE, Signature
from mpc_party.signing.wire import Bytes32, MemberIndex

T = TypeVar("T")
_REFUSAL: Final = b"mpc-hedge/never-signed/v1"
_RELAY: Final = b"mpc-hedge/certificate-seen/v1"
_REFUSED: Final = b"mpc-hedge/refused/v1"


class Standing(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="standing"):
    """What one member has open when members meet: a ceremony's transcript, signed or certified; or nothing.

    `last_round`: its journal's last round in the old epoch; None for who was no member of it. `nonce`: fresh for each meeting.
    """

    nonce: Bytes32
    body: Annotated[bytes, Meta(max_length=MAX_FILE)] | None
    last_round: Annotated[int, Meta(ge=0, lt=2**48)] | None


class Answer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="answer"):
    """One member's answer about one ceremony: its signature and attestation (b"" for a leaver) again, or its refusal."""

    ceremony: Bytes32
    signature: Signature | None
    attestation: Signature | None
    refusal: Signature | None


class Refused(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refused"):
    """A member's refusal, as others pass it on. `place`: its seat in the ceremony that it refuses."""

    ceremony: Bytes32
    place: MemberIndex
    signature: Signature

    @property
    def digest(self) -> bytes:
        """32 bytes that name what is passed on; the same for any signature of this member."""
        return sha256(_REFUSED + self.ceremony + bytes([self.place])).digest()

    def encode(self) -> bytes:
        """What a relay carries."""
        return msgspec.msgpack.encode(self)


class Seen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """That a member has had a proof in this meeting: signed over the nonces that it has heard, by seat of participants.

    Whoever checks it looks for its own nonce there, so that nothing said in an earlier meeting counts in this one, and a member
    that gives different nonces to different members keeps nobody's signature from counting.
    """

    seat: MemberIndex
    nonces: Annotated[tuple[Bytes32, ...], Meta(max_length=14)]
    signature: Signature


class Relay(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="relay"):
    """A proof on its way, a certificate or a `Refused`: who has signed for having had it, in order."""

    proof: Annotated[bytes, Meta(max_length=MAX_FILE)]
    chain: Annotated[tuple[Seen, ...], Meta(max_length=14)]


class Decision(StrEnum):
    """How a ceremony ended."""

    COMMIT = "commit"
    GIVE_UP = "give-up"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """`because`: for people. `missing`: seats of those that took part and are not here."""

    decision: Decision
    because: str
    missing: tuple[int, ...] = ()


def verdict(
    names: tuple[str, ...],
    away: Collection[int],
    *,
    certified: bool,
    refused: Collection[int],
    gone_back: bool,
    may_stay_away: bool,
) -> Verdict:
    """What follows about one ceremony; all arguments are the same at all honest members that are here.

    Args:
        names: of its cast, by seat in it.
        away: the seats of those that took part and are not in this meeting.
        certified: a valid certificate was heard of, in time.
        refused: the seats of those whose refusal was heard of, in time.
        gone_back: these are so many that an honest one is among them.
        may_stay_away: those who are away may be so for ever, because the operators say that they are, and what the rest
            decides holds without them.
    """
    missing = tuple(sorted(away))
    first = names[min(refused)] if refused else None
    if certified and not gone_back:
        return Verdict(Decision.COMMIT, "its certificate is here")
    if certified:
        return Verdict(Decision.GIVE_UP, f"{first} and others had given it up before a certificate turned up")
    if not missing:
        return Verdict(
            Decision.GIVE_UP,
            "nobody has the signatures of all" if first is None else f"{first} never signed it",
        )
    gone = ", ".join(names[seat] for seat in missing)
    if may_stay_away:
        return Verdict(Decision.GIVE_UP, f"{gone} stays away, and nobody else has its certificate", missing)
    return Verdict(
        Decision.UNDECIDED, f"{gone} took part, is not here, and may have its certificate", missing
    )


def refusal_statement(ceremony: bytes) -> bytes:
    """What a member signs that has never signed this ceremony, and never will."""
    return _REFUSAL + ceremony


def relay_statement(meeting: bytes, digest: bytes, nonces: tuple[bytes, ...]) -> bytes:
    """What a member signs that has the proof with this digest, in this meeting: of a certificate, its transcript's hash."""
    return _RELAY + sha256(msgspec.msgpack.encode((meeting, digest, nonces))).digest()


def encode(message: Standing | tuple[Answer, ...] | tuple[Relay, ...]) -> bytes:
    """Canonical bytes."""
    return msgspec.msgpack.encode(message)


def decode_standing(data: bytes, name: str) -> Standing:
    """One member's standing.

    Raises:
        ConsortiumError: CEREMONY_FAILED, with the member as culprit.
    """
    return _decode(_standing, data, name)


def decode_answers(data: bytes, name: str) -> tuple[Answer, ...]:
    """One member's answers; raises as `decode_standing`."""
    return _decode(_answers, data, name)


def decode_relays(data: bytes, name: str) -> tuple[Relay, ...]:
    """One member's relays; raises as `decode_standing`."""
    return _decode(_relays, data, name)


def decode_refused(data: bytes) -> Refused | None:
    """What a relay carries, if it is a refusal; whether it is signed is not looked at."""
    try:
        return _refused.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


_standing = msgspec.msgpack.Decoder(Standing)
_answers = msgspec.msgpack.Decoder(tuple[Answer, ...])
_refused = msgspec.msgpack.Decoder(Refused)
_relays = msgspec.msgpack.Decoder(tuple[Relay, ...])


def _decode(decoder: "msgspec.msgpack.Decoder[T]", data: bytes, name: str) -> T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConsortiumError(
            "a malformed message where members say what they have open",
            reason=Reason.CEREMONY_FAILED,
            culprit=name,
        ) from None


@dataclass(frozen=True)
class Check:
    """By what a relay is checked: the meeting, everybody's keys by seat, and where this member's nonce stands."""

    meeting: bytes
    keys: Mapping[int, bytes]
    place: int
    nonce: bytes


def in_time(relay: Relay, exchange: int, sender: int, digest: bytes, check: Check) -> bool:
    """Whether a relayed proof counts in the k-th exchange: k different members, the sender the last, sign for it."""
    seats = [seen.seat for seen in relay.chain]
    if len(seats) < exchange or len(set(seats)) < len(seats) or seats[-1] != sender:
        return False
    return all(
        seen.seat in check.keys
        and seen.nonces[check.place : check.place + 1] == (check.nonce,)
        and verifies(
            check.keys[seen.seat], seen.signature, relay_statement(check.meeting, digest, seen.nonces)
        )
        for seen in relay.chain
    )


def verifies(key: bytes, signature: bytes, statement: bytes) -> bool:
    """Whether an Ed25519 signature is valid."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


__all__ = [
    "Answer",
    "Check",
    "Decision",
    "Refused",
    "Relay",
    "Seen",
    "Standing",
    "Verdict",
    "decode_answers",
    "decode_refused",
    "decode_relays",
    "decode_standing",
    "encode",
    "in_time",
    "refusal_statement",
    "relay_statement",
    "verdict",
    "verifies",
]
