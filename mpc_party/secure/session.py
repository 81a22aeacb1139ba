"""One party's end of a computation on shares: who computes, the shared seeds, the exchange of words, and the counts."""

import hashlib
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import NoReturn, Self

import numpy as np

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.secure.errors import SecureError
from mpc_party.secure.layout import MAX_THRESHOLD, Layout, layout_of
from mpc_party.secure.randomness import SEED_BYTES, Purpose, SeedSet, Words, derive_key

DEFAULT_FRACTION_BITS = 16
MAX_FRACTION_BITS = 30  # a product has twice as many, and needs room above them
_HASH_BYTES = 32
_FRAME_BYTES = 16 * 1024 * 1024  # larger messages travel in pieces, far below the limit of the mesh
_CONTEXT_DOMAIN = (
    b"mpc-hedge/secure/context/v2"  # 2: position 0 deals; parties of both do not compute together
)

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


@dataclass(slots=True, repr=False)
class Messages:
    """What one operation sends and awaits in one communication step. Positions are 0..2t in the committee.

    Arrays are contiguous int64; received words are written into those of `receive`. Every party yields the
    same kind and operation in the same step, also where it has nothing to send or to await itself.

    A step is `ahead` if its sender has waited for nobody since the last opening: what it carries is on its way
    before its receiver asks for it, and the step is no round.
    """

    session: "SecureSession"
    kind: FrameKind
    operation: str
    send: Sequence[tuple[int, Words]] = ()
    receive: Sequence[tuple[int, Words]] = ()
    ahead: bool = False


@dataclass(slots=True)
class OperationTraffic:
    """What one kind of operation has cost so far. Merged operations each count the round they share."""

    rounds: int = 0
    bytes_sent: int = 0


@dataclass(slots=True)
class Traffic:
    """Communication of this party in this session: payload bytes without framing, seeds included.

    Rounds are those in which somebody waits for an answer; what is dealt ahead of time is counted apart, as steps.
    """

    rounds: int = 0
    ahead: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    repeats: int = 0  # of programs whose results were out of range: `until_in_range`
    by_operation: dict[str, OperationTraffic] = field(default_factory=dict)

    def count(self, operation: str, sent: int, *, rounds: int = 1) -> None:
        """Add one step of `operation` in which this party sent so many bytes."""
        entry = self.by_operation.get(operation)
        if entry is None:
            entry = self.by_operation[operation] = OperationTraffic()
        entry.rounds += rounds
        entry.bytes_sent += sent


class SecureSession:
    """The computation of one round on replicated shares by a committee of 2t + 1 = 3, 5 or 7, of which at most t pry.

    All parties run the same program on sessions with the same committee, context and fraction bits.
    Not for use by several threads at once. After any error the session refuses to go on: the parties' streams
    may no longer be in step.

    Args:
        exchange: the mesh between them; every wait in it has a deadline.
        committee: the member indices of the parties, ascending. `position` is this party's place in it.
        context: consortium, epoch and round that the seeds are bound to.
        fraction_bits: f of the fixed-point encoding that `reduce` returns to.
        names: the consortium's member names by member index, for error messages.
        entropy: source of this party's private randomness; tests pass a repeatable one.

    Raises:
        SecureError: PROPOSAL_REFUSED if the committee is not 3, 5 or 7 ascending members with this one among them.
    """

    rehearsing = False  # whether there are no peers, and nothing is secret: `general.rehearse`

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
        threshold, even = divmod(len(members) - 1, 2)
        if even or not 1 <= threshold <= MAX_THRESHOLD or sorted(set(members)) != list(members):
            raise SecureError(
                f"a committee is 3, 5 or 7 different member indices, ascending, not {list(members)}",
                reason=Reason.PROPOSAL_REFUSED,
                remedy="a committee has 2t + 1 members, and t is 1, 2 or 3",
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
        self.threshold = threshold
        self.layout: Layout = layout_of(threshold)
        self.held = self.layout.held[self.position]
        self.terms = self.layout.products[self.position]
        self.carrier = self.layout.slot(self.position, 0)  # component 0 carries public values
        self.next = (self.position + 1) % len(members)
        self.previous = (self.position - 1) % len(members)
        self.fraction_bits = fraction_bits
        self.traffic = Traffic()
        self._exchange = exchange
        self._names = names
        self._entropy = entropy
        self._digest = context.digest(members, fraction_bits)
        self._seeds: SeedSet | None = None
        self._failed = False
        self._tokens: list[Token[SecureSession]] = []

    def setup(self) -> Self:
        """Agree on the seeds of this session. Collective; one round.

        Each holder of a component contributes 32 bytes to its seed, the same to all other holders: with 32 of a hash,
        64 bytes to each of the two others where t = 1, 128 to each of four where t = 2, 352 to each of six where t = 3.

        Raises:
            SecureError: PROGRAM_MISMATCH with the peer as culprit, if it starts another computation.
            MeshError: a peer is silent past the deadline, or gone.
        """
        if self._seeds is not None:
            raise SecureError("the session has its seeds already", reason=Reason.INTERNAL)
        own = {component: self._entropy(SEED_BYTES) for component in self.held}
        shared = {
            peer: [c for c in self.held if peer not in self.layout.subsets[c]]
            for peer in range(self.parties)
            if peer != self.position
        }
        outgoing = {
            self.committee[peer]: self._digest + b"".join(own[c] for c in sorted(components))
            for peer, components in shared.items()
        }
        answers = self._transmit(FrameKind.SEEDS, outgoing, list(outgoing))
        self.traffic.rounds += 1
        self.traffic.count("setup", sum(len(frame) for frame in outgoing.values()))
        parts = {component: {self.position: contribution} for component, contribution in own.items()}
        for peer, components in shared.items():
            frame = answers[self.committee[peer]]
            if len(frame) != (size := _HASH_BYTES + SEED_BYTES * len(components)):
                self._refuse_length(peer, frame, size)
            if frame[:_HASH_BYTES] != self._digest:
                self._failed = True
                raise SecureError(
                    f"{self.name_of(peer)} starts another computation: consortium, round, committee or precision differ",
                    reason=Reason.PROGRAM_MISMATCH,
                    culprit=self.name_of(peer),
                )
            for place, component in enumerate(sorted(components)):
                start = _HASH_BYTES + SEED_BYTES * place
                parts[component][peer] = frame[start : start + SEED_BYTES]
        lacking = {c: [self.committee[p] for p in self.layout.subsets[c]] for c in self.held}
        seeds = {
            c: derive_key(b"".join(by[p] for p in sorted(by)), self._digest, "seed", lacking[c])
            for c, by in parts.items()
        }
        self._seeds = SeedSet(seeds, lacking, self._digest)
        return self

    @property
    def parties(self) -> int:
        """How many parties compute: 2t + 1."""
        return len(self.committee)

    @property
    def seeds(self) -> SeedSet:
        """The streams that this party shares with the other holders of its components."""
        if self._seeds is None:
            raise SecureError(
                "call setup() before computing: the session has no seeds yet", reason=Reason.INTERNAL
            )
        return self._seeds

    def words(self, component: int, purpose: Purpose, shape: Sequence[int]) -> Words:
        """Words of the seed of a component, which must be one that this party holds."""
        return self.seeds.words(component, purpose, shape)

    def name_of(self, position: int) -> str:
        """The member's name, or its index where no names were given."""
        member = self.committee[position]
        return self._names[member] if self._names is not None else f"member {member}"

    def exchange(self, batch: Sequence[Messages]) -> None:
        """One communication step for all of `batch`: one frame to each peer that any of them addresses.

        Messages above 16 MiB travel in several frames, one after the other.

        Raises:
            SecureError: FRAME_MALFORMED with the sender as culprit, if a frame has another length than expected.
            MeshError: a peer is silent past the deadline, or gone.
        """
        outgoing: dict[int, list[memoryview]] = {}
        awaited: dict[int, list[Words]] = {}
        kind = FrameKind.BITS
        traffic = self.traffic
        rounds = 0 if batch[0].ahead else 1
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
            traffic.count(messages.operation, sent, rounds=rounds)
        traffic.rounds += rounds
        traffic.ahead += 1 - rounds
        if not outgoing and not awaited:
            self._require_working()  # the others exchange something in this step
            return
        committee = self.committee
        frames = {
            committee[position]: views[0] if len(views) == 1 else memoryview(b"".join(views))
            for position, views in outgoing.items()
        }
        sizes = {position: sum([words.nbytes for words in targets]) for position, targets in awaited.items()}
        if max([*map(len, frames.values()), *sizes.values()]) > _FRAME_BYTES:
            answers = self._in_pieces(kind, frames, sizes)
        else:
            answers = self._transmit(kind, frames, [committee[position] for position in sizes])
        for position, targets in awaited.items():
            frame = answers[committee[position]]
            if len(frame) != sizes[position]:
                self._refuse_length(position, frame, sizes[position])
            _scatter(frame, targets)

    def _in_pieces(
        self, kind: FrameKind, frames: dict[int, memoryview], sizes: dict[int, int]
    ) -> dict[int, bytes]:
        longest = max([*map(len, frames.values()), *sizes.values()])
        collected: dict[int, list[bytes]] = {self.committee[position]: [] for position in sizes}
        for start in range(0, longest, _FRAME_BYTES):
            # An empty message is one empty frame, as it is to a peer that has no reason to expect pieces.
            pieces = {
                m: f[start : start + _FRAME_BYTES] for m, f in frames.items() if len(f) > start or start == 0
            }
            expect = [position for position, size in sizes.items() if size > start or start == 0]
            answers = self._transmit(kind, pieces, [self.committee[position] for position in expect])
            for position in expect:
                piece, size = answers[self.committee[position]], min(sizes[position] - start, _FRAME_BYTES)
                if len(piece) != size:
                    self._refuse_length(position, piece, size)
                collected[self.committee[position]].append(piece)
        return {member: b"".join(parts) for member, parts in collected.items()}

    def give_up(self) -> None:
        """Refuse to go on: a protocol has stopped in the middle."""
        self._failed = True

    def _require_working(self) -> None:
        if self._failed:
            raise SecureError("the session has failed before; start another round", reason=Reason.INTERNAL)

    def _transmit(
        self, kind: FrameKind, frames: Mapping[int, bytes | memoryview], expect: list[int]
    ) -> dict[int, bytes]:
        self._require_working()
        self._failed = True  # unless all goes well
        answers = self._exchange.exchange(kind, frames, expect)
        self._failed = False
        traffic = self.traffic
        for frame in frames.values():
            traffic.bytes_sent += len(frame)
        for answer in answers.values():
            traffic.bytes_received += len(answer)
        return answers

    def _refuse_length(self, position: int, frame: bytes, expected: int) -> NoReturn:
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


def _scatter(frame: bytes, targets: Sequence[Words]) -> None:
    words = np.frombuffer(frame, dtype="<i8")
    start = 0
    for target in targets:
        flat = target.reshape(-1)
        flat[:] = words[start : start + flat.size]
        start += flat.size


def current_session() -> SecureSession:
    """The session that a `with session:` around this code has made current.

    Raises:
        SecureError: INTERNAL, outside of any such block.
    """
    session = _current.get(None)
    if session is None:
        raise SecureError("no current session: wrap the program in `with session:`", reason=Reason.INTERNAL)
    return session
