"""What follows a failed check: all members tell all what they hold, and each judges alike.

Three exchanges of DISPUTE frames, each a MessagePack array of signed messages:

1. disclose - to all: this member's `Disclosure`, signed.
2. relay    - to all: every disclosure that came. A member that tells only some is heard by all who hear these.
3. answer   - to all: this member's `Answer`, signed: whose disclosures it has, and what it complains about.

A disclosure counts if it came from its author in 1 or through somebody else in 2; so with one cheat all honest members end with the
same disclosures, and with several, a cheat can only add to the evidence against cheats. Then `case.judge` says who is at fault.
It needs these statements, the case and the members' public keys, so anybody can repeat it: see `evidence`.

What a member may disclose is decided where its secrets are (`keygen`, `presign`, `presignature`, `sign`), never here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, ClassVar, Final, NoReturn, Protocol

import msgspec
from msgspec import Meta

from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason
from mpc_party.signing.channel import EVERYBODY, Channel, SignedMessage
from mpc_party.signing.errors import SigningError
from mpc_party.signing.evidence import (
    ANSWER,
    BYTES_PER_MEMBER,
    DISCLOSURE,
    Answer,
    Claim,
    Disclosure,
    Evidence,
    decode_disclosure,
    encode_statement,
    statement_hash,
)
from mpc_party.signing.verdict import Finding, Proof, Verdict

SECONDS: Final = 5.0  # per exchange, for who does not answer; an honest member is at most a message and a computation behind
MAX_FRAME: Final = 8 * 1024 * 1024
# Reasons that say that somebody cheated. Others (a spent nonce, a refused proposal) are this member's own affair.
_DISPUTABLE: Final = frozenset(
    {
        Reason.KEYGEN_FAILED,
        Reason.RESHARE_FAILED,
        Reason.RECOVERY_FAILED,
        Reason.NONCE_INVALID,
        Reason.ECHO_MISMATCH,
        Reason.MESSAGE_FORGED,
        Reason.APPROVAL_MISMATCH,
        Reason.SIGNATURE_INVALID,
    }
)

_encoder = msgspec.msgpack.Encoder()
_frame = msgspec.msgpack.Decoder(Annotated[tuple[SignedMessage, ...], Meta(max_length=2 * 256)])


class Case(Protocol):
    """What a dispute is about: a msgspec struct, public, of which the judge and the evidence file are told all."""

    protocol: ClassVar[str]

    @property
    def members(self) -> tuple[int, ...]:
        """Who took part, ascending."""

    @property
    def session(self) -> bytes:
        """What every message is bound to."""

    @property
    def label(self) -> str:
        """For a file's name: epoch, and round or ceremony."""

    def describe(self) -> str:
        """In one line, for people."""

    def misfit(self, consortium: Consortium) -> str | None:
        """Why the case is not of this consortium file; None if it is."""

    def judge(self, statements: Iterable[SignedMessage], keys: Mapping[int, bytes]) -> Verdict:
        """Who is at fault. Pure; never raises on what the statements hold; bounded work."""


Disclose = Callable[[Claim], Disclosure]
# By author, all that were heard: whoever tells two stories is answered on both, or a file that leaves one out would show this member
# silent about the other.
Heard = Sequence[tuple[int, Disclosure]]
Complain = Callable[[Heard], Sequence[SignedMessage]]


def no_complaints(_: Heard) -> Sequence[SignedMessage]:
    """For protocols whose disclosures say all."""
    return ()


def is_disputable(error: Exception) -> bool:
    """Whether an error calls for a dispute: a peer disputes, or a check says that somebody cheated."""
    return isinstance(error, PeerDisputes) or (
        isinstance(error, SigningError) and error.reason in _DISPUTABLE and error.evidence is None
    )


def settle(
    channel: Channel,
    case: Case,
    cause: SigningError | PeerDisputes,
    disclose: Disclose,
    complain: Complain = no_complaints,
) -> NoReturn:
    """Hold the dispute, judge, and raise what comes of it. Collective: all honest members of the session come here.

    Rounds: 3 exchanges of DISPUTE frames, of `SECONDS` each at most; who is silent in one is not waited for in the next.

    Args:
        channel: of the session, with the record of its messages.
        case: what it is about.
        cause: the failed check, or what brought this member in.
        disclose: makes this member's disclosure, as far as it may.
        complain: private messages that contradict others' disclosures.

    Raises:
        SigningError: always. `culprit` is who is proven at fault, else whom t+1 members accuse, else whom this member saw at fault
            with its own eyes; the message says which. `evidence` holds the dispute.
    """
    disclosure = disclose(_claim(channel, cause))
    statements = _exchange(channel, case, disclosure, complain)
    evidence = Evidence(1, case.protocol, _encoder.encode(case), channel.links.own, statements)
    error = _conclude(channel, cause, case.judge(statements, channel.keys.keys))
    error.evidence = evidence
    raise error from cause


def _claim(channel: Channel, cause: SigningError | PeerDisputes) -> Claim:
    if isinstance(cause, PeerDisputes):
        return Claim("joined", channel.step, cause.peer)
    accused = channel.names.index(cause.culprit) if cause.culprit in channel.names else EVERYBODY
    kind: Any = "unsigned" if cause.reason is Reason.MESSAGE_FORGED else "failed"
    return Claim(kind, channel.step, accused)


def _exchange(
    channel: Channel, case: Case, disclosure: Disclosure, complain: Complain
) -> tuple[SignedMessage, ...]:
    links = channel.links
    mine = channel.state(DISCLOSURE, encode_statement(disclosure))
    direct: dict[int, SignedMessage] = {}
    relayed: set[SignedMessage] = set()
    answers: dict[int, SignedMessage] = {}

    def told(frames: Mapping[int, bytes], step: str) -> list[tuple[int, SignedMessage]]:
        return [
            (peer, message)
            for peer, frame in sorted(frames.items())
            for message in _read(frame, 2 * len(case.members))
            if message.session == case.session
            and message.step == step
            and message.receiver == EVERYBODY
            and message.sender in case.members
            and message.sender != links.own
            and len(message.body) <= BYTES_PER_MEMBER * len(case.members)
            and message.is_signed(channel.keys.keys)
        ]

    with suppress(MeshError):  # the session is over then: what came so far is the evidence
        for peer, message in told(links.dispute(_write([mine]), SECONDS), DISCLOSURE):
            if message.sender == peer:
                direct.setdefault(peer, message)
        passed_on = _write([direct[peer] for peer in sorted(direct)])
        for peer, message in told(links.dispute(passed_on, SECONDS), DISCLOSURE):
            # Two prove that their author tells different things; more prove no more.
            few = sum(m.sender == message.sender for m in relayed) < 2
            if message.sender != peer and few and direct.get(message.sender) != message:
                relayed.add(message)
        heard = _disclosures([*relayed, *direct.values()])
        answer = Answer(
            direct=tuple(sorted(statement_hash(m.body) for m in direct.values())),
            relayed=tuple(sorted(statement_hash(m.body) for m in relayed)),
            messages=tuple(complain(heard)),
        )
        own_answer = channel.state(ANSWER, encode_statement(answer))
        answers[links.own] = own_answer
        for peer, message in told(links.dispute(_write([own_answer]), SECONDS), ANSWER):
            if message.sender == peer:
                answers.setdefault(peer, message)
    found = {mine, *direct.values(), *relayed, *answers.values()}
    return tuple(sorted(found, key=lambda m: (m.step, m.sender, m.body)))


def _disclosures(messages: Iterable[SignedMessage]) -> Heard:
    decoded = ((message.sender, decode_disclosure(message.body)) for message in messages)
    return [(sender, disclosure) for sender, disclosure in decoded if disclosure is not None]


def _write(messages: Sequence[SignedMessage]) -> bytes:
    return _encoder.encode(tuple(messages))


def _read(frame: bytes, most: int) -> tuple[SignedMessage, ...]:
    """The messages of a frame; what is no frame of this kind, or too long, is none."""
    if len(frame) > MAX_FRAME:
        return ()
    try:
        messages = _frame.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return messages if len(messages) <= most else ()


def _conclude(channel: Channel, cause: SigningError | PeerDisputes, verdict: Verdict) -> SigningError:
    """The error to end with."""
    names = channel.names
    findings = [
        finding for finding in verdict.findings if finding.culprit != channel.links.own
    ]  # that is known here
    named: Finding | None = Verdict(tuple(findings)).strongest
    text = cause.message
    culprit = None
    if named is not None:
        culprit = names[named.culprit]
        for finding in findings:
            if finding.proof is named.proof:
                text += f"; {names[finding.culprit]} {finding.text} ({finding.proof})"
    elif isinstance(cause, SigningError) and cause.culprit is not None:
        culprit = cause.culprit
        text += "; seen by this member, and not proven to others (claimed)"
    for finding in findings:
        if finding.proof is Proof.CLAIMED:
            text += f"; it is claimed that {names[finding.culprit]} {finding.text}"
    return SigningError(text, reason=cause.reason, culprit=culprit, remedy=cause.remedy)
