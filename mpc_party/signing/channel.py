"""Signed messages between the members of one protocol run, and the record of them that a dispute draws on.

TLS tells this member who speaks; it tells nobody else. So each message of signing carries an Ed25519 signature of its sender
over where it belongs: session, step, sender, receiver. Whoever cheats in a message has signed that it did. What carries no
valid signature is refused at once: nobody could be shown it later, and it counts as silence.

On the wire: 64 bytes of signature, then the body. The signature is over

    "mpc-hedge/signing-message/v1" || msgpack([session, step, sender, receiver, body])

with receiver 255 for a message to all. A member that sends different bodies for one such place has equivocated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NoReturn

import msgspec
from msgspec import Meta
from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from mpc_party.mesh.exchange import DisputableExchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.secret import Secret
from mpc_party.signing.errors import SigningError
from mpc_party.signing.wire import Bytes32, MemberIndex

DOMAIN: Final = b"mpc-hedge/signing-message/v1"
EVERYBODY: Final = 255
SIGNATURE_BYTES: Final = 64
MAX_STATEMENT: Final = 512 * 1024  # what a member says in a dispute holds many messages


@dataclass(frozen=True)
class MessageKeys:
    """How this member signs with its identity, and everybody's Ed25519 public keys (32 bytes) by member index."""

    sign: Callable[[bytes], bytes]
    keys: Mapping[int, bytes]


class SignedMessage(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One message as it was sent. It may be private: hidden from logs and pickle."""

    session: Bytes32
    step: Annotated[str, Meta(pattern=r"^[a-z-]{1,32}\Z")]
    sender: MemberIndex
    receiver: MemberIndex  # EVERYBODY for a broadcast
    body: Annotated[bytes, Meta(max_length=MAX_STATEMENT)]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]

    def __repr__(self) -> str:
        return f"<SignedMessage {self.step} of {self.sender} to {self.receiver}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []

    def __reduce__(self) -> NoReturn:
        raise TypeError("a message may hold secrets and is not pickled")

    @property
    def place(self) -> tuple[bytes, str, int, int]:
        """What one sender may say one thing for."""
        return self.session, self.step, self.sender, self.receiver

    def is_signed(self, keys: Mapping[int, bytes]) -> bool:
        """Whether its sender has signed it."""
        key = keys.get(self.sender)
        if key is None:
            return False
        try:
            # libsodium's: half the time of OpenSSL's, 54 against 104 us, and most of what key generation takes is this.
            crypto_sign_open(self.signature + _statement(*self.place, self.body), key)
        except BadSignatureError:
            return False
        return True


def longest_body(members: int) -> int:
    """Bytes of the longest body that is taken in a session of so many members; an honest one has 200, and 35 per member, at most.

    What a member has taken it may have to show, all at once, in a disclosure that the others take up to a length
    (`evidence.BYTES_PER_MEMBER`). A longer body could not be shown, so it is refused unread, as one without a signature is.
    """
    return 512 + 64 * members


def _statement(session: bytes, step: str, sender: int, receiver: int, body: bytes) -> bytes:
    return DOMAIN + msgspec.msgpack.encode((session, step, sender, receiver, body))


@dataclass(repr=False)
class Channel(Secret):
    """Carries the signed messages of one session over an exchange, and keeps them all. Not for several threads."""

    links: DisputableExchange
    session: bytes
    keys: MessageKeys
    names: tuple[str, ...]
    messages: list[SignedMessage] = field(default_factory=list)  # sent and received
    step: str = "none"  # that this member is at, whether it sends something in it or not

    def to_all(
        self,
        step: str,
        body: bytes | None,
        *,
        kind: FrameKind = FrameKind.CEREMONY,
        expect: Collection[int] | None = None,
        check: bool = True,
    ) -> dict[int, bytes]:
        """Send one body to all peers (None: send nothing), and take one from each of `expect` (all peers by default).

        One exchange. Sent to each peer: 64 bytes and the body.

        Args:
            step: the name of the step, the same at all.
            body: this member's message.
            kind: of the frames.
            expect: whose messages are due.
            check: verify the signatures now. False only where nothing is built on what comes but a result that is
                checked itself; a dispute checks them then.

        Raises:
            SigningError: MESSAGE_FORGED, with the sender whose signature is wrong, or whose message is longer than any.
            MeshError: a peer is silent, gone, or disputes (`PeerDisputes`).
        """
        sealed = None if body is None else self._seal(step, EVERYBODY, body)
        outgoing = {} if sealed is None else dict.fromkeys(self.links.peers, sealed)
        return self._exchange(step, outgoing, expect, kind, broadcast=True, check=check)

    def to_each(
        self,
        step: str,
        bodies: Mapping[int, bytes],
        *,
        kind: FrameKind = FrameKind.CEREMONY,
        expect: Collection[int] | None = None,
    ) -> dict[int, bytes]:
        """Send each peer a body of its own, and take one for this member from each of `expect`; else as `to_all`."""
        outgoing = {peer: self._seal(step, peer, body) for peer, body in bodies.items()}
        return self._exchange(step, outgoing, expect, kind, broadcast=False, check=True)

    def state(self, step: str, body: bytes) -> SignedMessage:
        """A signed message to all that is not sent here, and not kept: what a dispute carries itself."""
        own = self.links.own
        signature = self.keys.sign(_statement(self.session, step, own, EVERYBODY, body))
        return SignedMessage(self.session, step, own, EVERYBODY, body, signature)

    def _seal(self, step: str, receiver: int, body: bytes) -> bytes:
        own = self.links.own
        signature = self.keys.sign(_statement(self.session, step, own, receiver, body))
        self.messages.append(SignedMessage(self.session, step, own, receiver, body, signature))
        return signature + body

    def _exchange(
        self,
        step: str,
        outgoing: Mapping[int, bytes],
        expect: Collection[int] | None,
        kind: FrameKind,
        *,
        broadcast: bool,
        check: bool,
    ) -> dict[int, bytes]:
        self.step = step
        frames = self.links.exchange(kind, outgoing, self.links.peers if expect is None else expect)
        receiver = EVERYBODY if broadcast else self.links.own
        received = {}
        longest = longest_body(len(self.links.peers) + 1)
        for peer in sorted(frames):
            frame = frames[peer]
            signature, body = frame[:SIGNATURE_BYTES], frame[SIGNATURE_BYTES:]
            message = SignedMessage(self.session, step, peer, receiver, body, signature)
            if len(body) > longest or (check and not message.is_signed(self.keys.keys)):
                raise SigningError(
                    f"the message {step!r} does not carry its sender's signature",
                    reason=Reason.MESSAGE_FORGED,
                    culprit=self.names[peer],
                )
            self.messages.append(message)
            received[peer] = body
        return received
