"""Making sure of links, and beginning a session on them: all peers at once, each in a thread of its own.

A session begins with one SESSION frame each way, carrying its 32-byte identifier and its members; both frames must be
equal. A link on which that fails (because the peer had closed it, or is in another session) is closed and
made anew, until the deadline: so no byte of an older session is ever read in a newer one, and a peer that is late in
leaving an aborted session is waited for.
"""

import queue
import struct
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from mpc_party.mesh.attempt import Attempt
from mpc_party.mesh.config import MeshConfig
from mpc_party.mesh.dialler import Dialler
from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.link import Link
from mpc_party.mesh.refusal import Cause, Refusal
from mpc_party.mesh.registry import Registry
from mpc_party.mesh.waiting import deadline_in
from mpc_party.protocol.errors import Reason

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25  # seconds between two tries at one peer
_GRACE = 0.5  # for helpers to notice the deadline themselves; only a stuck name resolution takes longer
_RETRY = frozenset({Reason.PEER_UNREACHABLE, Reason.PEER_TIMEOUT, Reason.PEER_CLOSED})


def encode_session(session_id: bytes, members: Collection[int]) -> bytes:
    """Return the payload of a SESSION frame: identifier (32), number of members (u16), their indices (u16), ascending."""
    ordered = sorted(members)
    return session_id + struct.pack(f"<H{len(ordered)}H", len(ordered), *ordered)


@dataclass
class Rendezvous:
    """The beginning of one session (or one `connect`)."""

    config: MeshConfig
    registry: Registry
    dialler: Dialler
    attempt: Attempt
    _outcomes: queue.SimpleQueue[tuple[int, Link | BaseException]] = field(
        default_factory=queue.SimpleQueue, init=False
    )
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _over: bool = field(default=False, init=False)

    def reach_all(self, peers: Collection[int]) -> dict[int, Link]:
        """Return held, live links to all these peers; on failure none is held. Raises `MeshError`."""
        return self._all(peers, self._reach)

    def begin_all(self, peers: Collection[int], greeting: bytes) -> dict[int, Link]:
        """Return held links on which both ends have begun the session; on failure all are closed. Raises `MeshError`."""
        return self._all(peers, lambda peer: self._begin(peer, greeting))

    def _all(self, peers: Collection[int], work: Callable[[int], Link]) -> dict[int, Link]:
        for peer in peers:
            threading.Thread(
                target=self._run, args=(peer, work), name=f"mesh-reach-{self.config.names[peer]}", daemon=True
            ).start()
        links: dict[int, Link] = {}
        failures: dict[int, MeshError] = {}
        unexpected: BaseException | None = None
        try:
            while len(links) + len(failures) < len(peers):
                peer, outcome = self._next_outcome(set(peers) - set(links) - set(failures))
                if isinstance(outcome, Link):
                    links[peer] = outcome
                elif isinstance(outcome, MeshError):
                    failures[peer] = outcome
                    if outcome.reason not in _RETRY:
                        self.attempt.abort(outcome)  # it will not get better: free the others
                        self.registry.notify()
                else:
                    unexpected = outcome
                    break
        finally:
            complete = len(links) == len(peers)
            with self._lock:
                self._over = True  # who comes later closes its link itself
            if not complete:
                self._discard(links, min(failures, default=None))
        if unexpected is not None:
            raise unexpected
        if failures:
            raise self.attempt.cause or _combined(failures)
        return links

    def _next_outcome(self, waiting: Collection[int]) -> tuple[int, Link | BaseException]:
        """Return the next helper's outcome; a helper that misses the deadline (or a wake-up) counts as failed."""
        limit = max(0.0, self.attempt.deadline - time.monotonic()) + _GRACE
        end = deadline_in(limit)
        while (left := end - time.monotonic()) > 0:
            if self.attempt.waker.is_set:
                left = min(left, _GRACE)
                end = min(end, deadline_in(left))
            try:
                return self._outcomes.get(timeout=min(left, _GRACE))
            except queue.Empty:
                continue
        peer = min(waiting)
        return peer, self._unreachable(peer, None)

    def _run(self, peer: int, work: Callable[[int], Link]) -> None:
        outcome: Link | BaseException
        try:
            outcome = work(peer)
        except BaseException as failure:  # noqa: BLE001 - raised by the session's own thread
            outcome = failure
        with self._lock:
            if not self._over:
                self._outcomes.put((peer, outcome))
                return
        if isinstance(outcome, Link):
            self.registry.release(outcome, keep=False)

    def _discard(self, links: dict[int, Link], blamed: int | None) -> None:
        """Close what was begun, late helpers' outcomes included."""
        while not self._outcomes.empty():
            peer, outcome = self._outcomes.get()
            if isinstance(outcome, Link):
                links[peer] = outcome
        for link in links.values():
            link.refuse(Refusal(Cause.SESSION_ABORTED, blamed))
            self.registry.release(link, keep=False)

    # One peer

    def _reach(self, peer: int, last: MeshError | None = None) -> Link:
        """Return a held link to this peer that is not known to be broken. `last` is what went wrong before."""
        pause = _FIRST_PAUSE
        while True:
            link, broken = self._idle_link(peer)
            if link is not None:
                return link
            last = broken or last
            if self.config.own < peer:
                failure = self._dial(peer)
                if failure is None:
                    continue
                if last is None or time.monotonic() < self.attempt.deadline:
                    last = failure  # unless only the deadline cut this try short
                self._pause(peer, pause, last)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                refusal = self.registry.wait(peer, self.attempt.deadline, self.attempt.waker)
                if refusal is not None:
                    raise refusal
                self._pause(peer, 0.0, last)

    def _idle_link(self, peer: int) -> tuple[Link | None, MeshError | None]:
        """Take hold of the link that is there, if it still lives; say how it broke if it does not."""
        link = self.registry.acquire(peer)
        if link is None:
            return None, None
        try:
            link.receive()  # a link that broke while it lay idle says so now
        except MeshError as error:
            self.registry.release(link, keep=False)
            return None, link.error(f"is gone ({error.message})", Reason.PEER_UNREACHABLE)
        return link, None

    def _dial(self, peer: int) -> MeshError | None:
        """Try once to make a link; return what went wrong if another try may help, raise what will not get better."""
        try:
            link = self.dialler.dial(peer, self.attempt.deadline, self.attempt.waker)
        except MeshError as error:
            if error.reason not in _RETRY:
                raise
            # A handshake that fell silent or broke is, to whoever waits for the link, a peer out of reach.
            return MeshError(
                error.message, reason=Reason.PEER_UNREACHABLE, peers=error.peers, remedy=error.remedy
            )
        self.registry.put(link, time.monotonic_ns())
        return None

    def _begin(self, peer: int, greeting: bytes) -> Link:
        """Return a held link to this peer on which both ends have sent the same SESSION frame."""
        pause, last = _FIRST_PAUSE, None
        deadline, waker = self.attempt.deadline, self.attempt.waker
        while True:
            link = self._reach(peer, last)
            try:
                link.send(FrameKind.SESSION, greeting)
                link.finish_sending(deadline, waker)
                link.wait_frame(deadline, waker)
                theirs = link.take(FrameKind.SESSION)
                if theirs == greeting:
                    return link
                link.refuse(Refusal(Cause.OTHER_SESSION))
                last = link.error("is in another session", Reason.PEER_TIMEOUT)
            except MeshError as error:
                self.registry.release(link, keep=False)
                if error.reason is not Reason.PEER_CLOSED:
                    raise
                last = link.error("has not joined the session", Reason.PEER_TIMEOUT)
            else:
                self.registry.release(link, keep=False)
            self._pause(peer, pause, last)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _pause(self, peer: int, seconds: float, last: MeshError | None) -> None:
        """Wait before the next try; raise at the deadline and when woken."""
        if seconds:
            self.attempt.waker.wait(min(self.attempt.deadline, deadline_in(seconds)))
        if self.attempt.waker.is_set or time.monotonic() >= self.attempt.deadline:
            self.attempt.check()
            raise self._unreachable(peer, last)

    def _unreachable(self, peer: int, last: MeshError | None) -> MeshError:
        name = self.config.names[peer]
        last = last or self.registry.last_refusal(peer)
        if last is None:
            return MeshError(
                f"{name} has not connected before the deadline",
                reason=Reason.PEER_UNREACHABLE,
                peers=(name,),
                remedy="check that it runs and reaches this party's mesh address",
            )
        return MeshError(
            f"{last.message}; tried until the deadline", reason=last.reason, peers=(name,), remedy=last.remedy
        )


def _combined(failures: dict[int, MeshError]) -> MeshError:
    """Make one error of all peers' failures; the first peer's reason and remedy stand for it."""
    ordered = [failures[peer] for peer in sorted(failures)]
    return MeshError(
        "; ".join(error.message for error in ordered),
        reason=ordered[0].reason,
        peers=[name for error in ordered for name in error.peers],
        culprit=ordered[0].culprit,
        remedy=ordered[0].remedy,
    )
