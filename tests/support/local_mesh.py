"""An in-memory mesh between threads, for tests of what runs over it; and the recorder of all that a party receives."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from mpc_party.mesh.errors import PeerDisputes
from mpc_party.mesh.exchange import FrameKind

T = TypeVar("T")
DEADLINE = 30.0


class PeerClosedError(queue.Empty):
    """A peer's program has failed, so nothing more comes from it: do not wait for the deadline."""


@dataclass
class LocalExchange:
    """One party's end of an in-memory mesh. `received` keeps every payload, for tests that attack privacy."""

    own: int
    peers: tuple[int, ...]
    inboxes: dict[tuple[int, int], queue.Queue[tuple[FrameKind | None, bytes]]]
    rounds: int = 0
    sent_bytes: int = 0
    received: list[tuple[int, FrameKind, bytes]] = field(default_factory=list)
    tamper: Callable[[int, FrameKind, bytes], bytes] | None = None
    early: dict[int, bytes] = field(default_factory=dict)  # disputes that came in place of something else
    lost: set[int] = field(default_factory=set)  # peers that did not answer in a dispute

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        self.rounds += 1
        for peer, payload in outgoing.items():
            data = bytes(payload)
            if self.tamper is not None:
                data = self.tamper(peer, kind, data)
            self.sent_bytes += len(data)
            self.inboxes[self.own, peer].put((kind, data))
        result = {}
        for peer in expect:
            got, data = self.inboxes[peer, self.own].get(timeout=DEADLINE)
            if got is None:
                raise PeerClosedError(f"party {peer} is gone")
            if got is FrameKind.DISPUTE:
                self.early[peer] = data
                raise PeerDisputes(f"party {peer}", peer, data)
            assert got == kind, f"party {self.own} expected {kind!r} from {peer}, got {got!r}"
            self.received.append((peer, kind, data))
            result[peer] = data
        return result

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        for peer in self.peers:
            data = payload if self.tamper is None else self.tamper(peer, FrameKind.DISPUTE, payload)
            self.inboxes[self.own, peer].put((FrameKind.DISPUTE, data))
        heard, self.early = self.early, {}
        end = time.monotonic() + seconds
        for peer in self.peers:
            while peer not in heard and peer not in self.lost:
                try:
                    got, data = self.inboxes[peer, self.own].get(timeout=max(0.0, end - time.monotonic()))
                except queue.Empty:
                    got, data = None, b""
                if got is None:
                    self.lost.add(peer)
                elif got is FrameKind.DISPUTE:
                    heard[peer] = data
        return heard

    def close(self) -> None:
        for peer in self.peers:
            self.inboxes[self.own, peer].put((None, b""))


def local_mesh(members: Sequence[int]) -> list[LocalExchange]:
    inboxes = {(a, b): queue.Queue() for a in members for b in members if a != b}
    return [LocalExchange(m, tuple(sorted(set(members) - {m})), inboxes) for m in members]


def party_outcomes(
    exchanges: Sequence[LocalExchange], program: Callable[[LocalExchange], T], deadline: float = 60.0
) -> dict[int, T | BaseException]:
    """Run `program` once per party, each in a thread of its own; what each returned or raised, by member."""
    outcomes: dict[int, T | BaseException] = {}

    def work(exchange: LocalExchange) -> None:
        try:
            outcomes[exchange.own] = program(exchange)
        except BaseException as failure:  # noqa: BLE001 - handed to the caller
            outcomes[exchange.own] = failure
            exchange.close()

    threads = [threading.Thread(target=work, args=(e,), daemon=True) for e in exchanges]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline)
    assert not any(t.is_alive() for t in threads), "a party hangs"
    return outcomes


def run_parties(
    exchanges: Sequence[LocalExchange], program: Callable[[LocalExchange], T], deadline: float = 60.0
) -> list[T]:
    """Run `program` once per party, each in a thread of its own; raise the first failure."""
    outcomes = party_outcomes(exchanges, program, deadline)
    failures = [o for o in outcomes.values() if isinstance(o, BaseException)]
    if failures:
        real = [f for f in failures if not isinstance(f, queue.Empty)]
        raise (real or failures)[0]
    return [outcomes[e.own] for e in exchanges]
