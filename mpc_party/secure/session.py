"""One party's end of a computation on shares: who computes, the shared seeds, the exchange of words, and the counts."""

import hashlib
import secrets
import struct
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.secure.errors import SecureError
from mpc_party.secure.randomness import SEED_BYTES, WORD_BYTES, Purpose, SeedRing, Words, derive_key

PARTIES = 3  # 2t + 1 with t = 1
DEFAULT_FRACTION_BITS = 16
MAX_FRACTION_BITS = 30  # a product has twice as many, and needs room above them
_HASH_BYTES = 32
_CONTEXT_DOMAIN = b"mpc-hedge/secure/context/v1"

_current: ContextVar["SecureSession"] = ContextVar("secure session")


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What the seeds of a session are bound to. A (consortium, epoch, round) is used for one session only."""

    consortium: bytes  # 32 bytes: the consortium file's hash
    epoch: int
    round: int

    def __post_init__(self) -> None:
        if len(self.consortium) != _HASH_BYTES:
            raise ValueError(f"the consortium hash has {len(self.consortium)} bytes, not {_HASH_BYTES}")
        if not (0 <= self.epoch < 2**64 and 0 <= self.round < 2**64):
            raise ValueError("epoch and round are unsigned 64-bit numbers")

    def digest(self, committee: Sequence[int], fraction_bits: int) -> bytes:
        """SHA-256 over all that the parties must agree on before anything secret is shared."""
        fixed = struct.pack(">QQB", self.epoch, self.round, fraction_bits)
        members = struct.pack(f">B{len(committee)}H", len(committee), *committee)
        return hashlib.sha256(_CONTEXT_DOMAIN + self.consortium + fixed + members).digest()


@dataclass(frozen=True, slots=True)
class Messages:
    """What one operation sends and awaits in one communication round. Positions are 0..2 in the committee.

    Arrays are contiguous int64; received words are written into those of `receive`. Every party yields the
    same kind and operation in the same round, also where it has nothing to send or to await itself.
    """

    session: "SecureSession"
    kind: FrameKind
    operation: str
    send: Sequence[tuple[int, Words]] = ()
    receive: Sequence[tuple[int, Words]] = ()


@dataclass(slots=True)
class OperationTraffic:
    """What one kind of operation has cost so far. Merged operations each count the round they share."""

    rounds: int = 0
    bytes_sent: int = 0


@dataclass(slots=True)
class Traffic:
    """Communication of this party in this session: payload bytes without framing, seeds included."""

    rounds: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    by_operation: dict[str, OperationTraffic] = field(default_factory=dict)

    def count(self, operation: str, sent: int) -> None:
        """Add one round of `operation` in which this party sent so many bytes."""
        entry = self.by_operation.setdefault(operation, OperationTraffic())
        entry.rounds += 1
        entry.bytes_sent += sent


class SecureSession:
    """The computation of one round on replicated shares, t = 1, by a committee of three.

    All three parties run the same program on sessions with the same committee, context and fraction bits.
    Not for use by several threads at once. After any error the session refuses to go on: the parties' streams
    may no longer be in step.

    Args:
        exchange: the mesh between the three; every wait in it has a deadline.
        committee: the member indices of the three parties, ascending. `position` is this party's place in it.
        context: consortium, epoch and round that the seeds are bound to.
        fraction_bits: f of the fixed-point encoding that `reduce` returns to.
        names: the consortium's member names by member index, for error messages.
        entropy: source of this party's private randomness; tests pass a repeatable one.

    Raises:
        SecureError: PROPOSAL_REFUSED if the committee is not three ascending members with this one among them.
    """

    def __init__(
        self,
        exchange: Exchange,
        committee: Sequence[int],
        context: SessionContext,
        *,
        fraction_bits: int = DEFAULT_FRACTION_BITS,
        names: Sequence[str] | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        members = tuple(committee)
        if len(members) != PARTIES or sorted(set(members)) != list(members):
            raise SecureError(
                f"a committee is {PARTIES} different member indices, ascending, not {list(members)}",
                reason=Reason.PROPOSAL_REFUSED,
                remedy="only threshold t = 1 is supported",
            )
        if exchange.own not in members or not set(members) <= {exchange.own, *exchange.peers}:
            raise SecureError(
                f"the links join members {sorted({exchange.own, *exchange.peers})}, not committee {list(members)}",
                reason=Reason.PROPOSAL_REFUSED,
            )
        if not 0 <= fraction_bits <= MAX_FRACTION_BITS:
            raise ValueError(f"fraction_bits is {fraction_bits}, not within 0..{MAX_FRACTION_BITS}")
        self.committee = members
        self.position = members.index(exchange.own)
        self.next = (self.position + 1) % PARTIES
        self.previous = (self.position - 1) % PARTIES
        self.fraction_bits = fraction_bits
        self.traffic = Traffic()
        self._exchange = exchange
        self._names = names
        self._entropy = entropy
        self._digest = context.digest(members, fraction_bits)
        self._seeds: SeedRing | None = None
        self._failed = False
        self._tokens: list[Token[SecureSession]] = []

    def setup(self) -> Self:
        """Agree on the seeds of this session. Collective; one round, 64 bytes to each of the two others.

        Each holder of a seed contributes 32 bytes that the third party does not see.

        Raises:
            SecureError: PROGRAM_MISMATCH if another party has another context, committee or fraction bits,
                naming it; FRAME_MALFORMED for a frame of the wrong length.
            MeshError: a peer is silent or gone.
        """
        if self._seeds is not None:
            raise SecureError("the session has its seeds already", reason=Reason.INTERNAL)
        # Component i is shared with party i-1, component i+1 with party i+1.
        holders = (self.previous, self.next)
        mine = [self._entropy(SEED_BYTES) for _ in holders]
        outgoing = {self.committee[p]: self._digest + c for p, c in zip(holders, mine, strict=True)}
        answers = self._transmit(FrameKind.SEEDS, outgoing, list(outgoing))
        self.traffic.count("setup", sum(len(frame) for frame in outgoing.values()))
        seeds = []
        for slot, peer in enumerate(holders):
            frame = answers[self.committee[peer]]
            self._require_length(peer, frame, _HASH_BYTES + SEED_BYTES)
            if frame[:_HASH_BYTES] != self._digest:
                self._failed = True
                raise SecureError(
                    f"{self.name_of(peer)} starts another computation: consortium, round, committee or precision differ",
                    reason=Reason.PROGRAM_MISMATCH,
                    culprit=self.name_of(peer),
                )
            theirs = frame[_HASH_BYTES:]
            ordered = mine[slot] + theirs if self.position < peer else theirs + mine[slot]
            seeds.append(derive_key(ordered, self._digest, "seed", (self._excluded(slot),)))
        self._seeds = SeedRing((seeds[0], seeds[1]), (self._excluded(0), self._excluded(1)), self._digest)
        return self

    def _excluded(self, slot: int) -> int:
        # The member that holds neither component `position + slot` nor its seed: the one two places on.
        return self.committee[(self.position + slot + 1) % PARTIES]

    @property
    def seeds(self) -> SeedRing:
        """The streams that this party shares with its neighbours (slot 0: component i, slot 1: i+1)."""
        if self._seeds is None:
            raise SecureError(
                "call setup() before computing: the session has no seeds yet", reason=Reason.INTERNAL
            )
        return self._seeds

    def words(self, component: int, purpose: Purpose, shape: Sequence[int]) -> Words:
        """Words of the seed of `component` (0..2), which must be one that this party holds."""
        return self.seeds.words((component - self.position) % PARTIES, purpose, shape)

    def name_of(self, position: int) -> str:
        """The member's name, or its index where no names were given."""
        member = self.committee[position]
        return self._names[member] if self._names is not None else f"member {member}"

    def exchange(self, batch: Sequence[Messages]) -> None:
        """One communication round for all of `batch`: one frame to each peer that any of them addresses.

        Raises:
            SecureError: FRAME_MALFORMED with the sender as culprit, if a frame has another length than expected.
            MeshError: a peer is silent past the deadline, or gone.
        """
        outgoing: dict[int, list[memoryview]] = {}
        awaited: dict[int, list[Words]] = {}
        kind = FrameKind.BITS
        for messages in batch:
            if messages.session is not self:
                raise SecureError("shares of different sessions cannot meet", reason=Reason.INTERNAL)
            if messages.kind is not FrameKind.BITS:
                kind = messages.kind
            sent = 0
            for position, words in messages.send:
                outgoing.setdefault(position, []).append(words.reshape(-1).view(np.uint8).data)
                sent += words.nbytes
            for position, words in messages.receive:
                awaited.setdefault(position, []).append(words)
            self.traffic.count(messages.operation, sent)
        frames = {
            self.committee[position]: views[0] if len(views) == 1 else b"".join(views)
            for position, views in outgoing.items()
        }
        answers = self._transmit(kind, frames, [self.committee[position] for position in awaited])
        for position, targets in awaited.items():
            self._scatter(position, answers[self.committee[position]], targets)

    def _transmit(
        self, kind: FrameKind, frames: dict[int, bytes | memoryview] | dict[int, bytes], expect: list[int]
    ) -> dict[int, bytes]:
        if self._failed:
            raise SecureError("the session has failed before; start another round", reason=Reason.INTERNAL)
        self.traffic.rounds += 1
        if not frames and not expect:
            return {}  # the two others exchange something in this round
        self._failed = True  # unless all goes well
        answers = self._exchange.exchange(kind, dict(frames), expect)
        self._failed = False
        self.traffic.bytes_sent += sum(len(frame) for frame in frames.values())
        self.traffic.bytes_received += sum(len(answer) for answer in answers.values())
        return answers

    def _scatter(self, position: int, frame: bytes, targets: list[Words]) -> None:
        self._require_length(position, frame, sum(words.nbytes for words in targets))
        offset = 0
        for words in targets:
            flat = words.reshape(-1)
            flat[:] = np.frombuffer(frame, dtype="<i8", count=flat.size, offset=offset)
            offset += flat.size * WORD_BYTES

    def _require_length(self, position: int, frame: bytes, expected: int) -> None:
        if len(frame) != expected:
            self._failed = True
            raise SecureError(
                f"{self.name_of(position)} sent {len(frame)} bytes where the program has {expected}",
                reason=Reason.FRAME_MALFORMED,
                culprit=self.name_of(position),
            )

    def __enter__(self) -> Self:
        """Make this the current session of the running thread or task."""
        self._tokens.append(_current.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())

    def __repr__(self) -> str:
        return f"SecureSession(committee={self.committee}, position={self.position})"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a session holds secret seeds and is not serialised")


def current_session() -> SecureSession:
    """The session that a `with session:` around this code has made current.

    Raises:
        SecureError: INTERNAL, outside of any such block.
    """
    session = _current.get(None)
    if session is None:
        raise SecureError("no current session: wrap the program in `with session:`", reason=Reason.INTERNAL)
    return session
