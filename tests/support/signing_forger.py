"""A member whose messages are changed and signed again on their way out, and what it says in the dispute that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from mpc_party.mesh.exchange import FrameKind
from mpc_party.signing.channel import EVERYBODY, SIGNATURE_BYTES, MessageKeys, SignedMessage, _statement
from mpc_party.signing.evidence import (
    ANSWER,
    DISCLOSURE,
    Answer,
    Disclosure,
    decode_answer,
    decode_disclosure,
    encode_statement,
)

# Tags of bodies, their steps, and whether they go to one receiver.
STEPS = {
    "keygen-commit": ("commit", False),
    "keygen-open": ("open", False),
    "keygen-deal": ("deal", True),
    "keygen-confirm": ("confirm", False),
    "nonce-deal": ("nonce-deal", True),
    "nonce-open": ("nonce-open", False),
    "nonce-check": ("nonce-check", False),
    "approval": ("approval", False),
    "signature-share": ("signature-share", False),
}
Frames = msgspec.msgpack.Decoder(tuple[SignedMessage, ...])


@dataclass
class Frame:
    """A frame as it is, whatever its signature."""

    data: bytes


Change = Callable[[str, int, bytes], "bytes | Frame"]  # tag, peer, body


def signed(
    keys: MessageKeys, session: bytes, step: str, sender: int, receiver: int, body: bytes
) -> SignedMessage:
    signature = keys.sign(_statement(session, step, sender, receiver, body))
    return SignedMessage(session, step, sender, receiver, body, signature)


@dataclass
class Forger:
    """The `tamper` of a cheat's exchange.

    `change` makes other bodies, which are signed like the ones they replace. In the dispute the cheat tells a story that fits what it
    sent (to its first peer), and then `disclosing` and `answering` change what it says; `mute` says nothing.
    """

    keys: MessageKeys
    session: bytes
    own: int
    change: Change = lambda _tag, _peer, body: body
    mute: bool = False
    disclosing: Callable[[Disclosure, int], Disclosure] = lambda disclosure, _peer: disclosure
    answering: Callable[[Answer, int], Answer] = lambda answer, _peer: answer
    sent: dict[tuple[str, int], SignedMessage] = field(default_factory=dict)
    frames: list[bytes] = field(default_factory=list)  # what honest code would have sent

    def __call__(self, peer: int, kind: FrameKind, data: bytes) -> bytes:
        if kind is FrameKind.DISPUTE:
            return b"" if self.mute else self._in_dispute(peer, data)
        if not data:  # where members part
            return data
        body = data[SIGNATURE_BYTES:]
        tag = msgspec.msgpack.decode(body)[0]
        step, private = STEPS[tag]
        receiver = peer if private else EVERYBODY
        self.frames.append(data)
        new = self.change(tag, peer, body)
        if isinstance(new, Frame):
            return new.data
        message = self.sign(step, receiver, new)
        self.sent.setdefault((step, receiver), message)
        return message.signature + message.body

    def sign(self, step: str, receiver: int, body: bytes) -> SignedMessage:
        return signed(self.keys, self.session, step, self.own, receiver, body)

    def _in_dispute(self, peer: int, data: bytes) -> bytes:
        told = []
        for statement in Frames.decode(data):
            if statement.sender != self.own:
                told.append(statement)
            elif statement.step == DISCLOSURE:
                told.append(self._disclosure(statement, peer))
            else:
                answer = decode_answer(statement.body)
                assert answer is not None
                told.append(self.sign(ANSWER, EVERYBODY, encode_statement(self.answering(answer, peer))))
        return msgspec.msgpack.encode(tuple(told))

    def _disclosure(self, statement: SignedMessage, peer: int) -> SignedMessage:
        disclosure = decode_disclosure(statement.body)
        assert disclosure is not None
        messages = tuple(
            self.sent.get((m.step, m.receiver), m) if m.sender == self.own else m for m in disclosure.messages
        )
        disclosure = msgspec.structs.replace(disclosure, messages=messages)
        body = encode_statement(self.disclosing(disclosure, peer))
        return self.sign(DISCLOSURE, EVERYBODY, body)


def fields(body: bytes) -> list:
    return msgspec.msgpack.decode(body)


def altered(body: bytes, changes: Mapping[int, object]) -> bytes:
    parts = fields(body)
    for position, value in changes.items():
        parts[position] = value(parts[position]) if callable(value) else value
    return msgspec.msgpack.encode(parts)
