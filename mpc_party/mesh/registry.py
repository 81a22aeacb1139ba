"""The live links, at most one per peer that is offered to the next session. Shared between threads."""

import threading
import time

from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.link import Link
from mpc_party.mesh.stats import PeerStats
from mpc_party.mesh.waiting import Waker, milliseconds_until

# A dialler that is refused gives up at once. Its counterpart may begin to wait only after that.
_RECENT = 2.0


class Registry:
    """Links by peer. A link is *held* while a session (or its beginning) uses it; only the holder touches it then."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._current: dict[int, tuple[int, Link]] = {}  # peer -> (order of arrival, link)
        self._held: set[Link] = set()
        self._open: set[Link] = set()
        self._past: dict[int, PeerStats] = {}  # traffic of links that are closed
        self._refused: dict[int, tuple[float, MeshError]] = {}  # when, why
        self._closed = False

    def put(self, link: Link, order: int) -> bool:
        """Offer a fresh link; it replaces an older one to the same peer, which that peer has given up.

        Handshakes run side by side, so links may finish in another order than they arrived in: `order`
        decides which is the newer. Returns whether the link was taken; if not, it has been closed.
        """
        peer = _peer(link)
        with self._condition:
            previous_order, previous = self._current.get(peer, (-1, None))
            if self._closed or order < previous_order:
                link.close()
                return False
            self._current[peer] = (order, link)
            self._open.add(link)
            self._refused.pop(peer, None)
            if previous is not None:
                if previous in self._held:
                    previous.interrupt()  # its holder sees it closed, and closes it
                else:
                    self._drop(previous)
            self._condition.notify_all()
        return True

    def acquire(self, peer: int) -> Link | None:
        """Take hold of the link to this peer, or return None if there is none."""
        with self._condition:
            _, link = self._current.get(peer, (-1, None))
            if link is not None:
                self._held.add(link)
            return link

    def release(self, link: Link, *, keep: bool) -> None:
        """Let go of a link; unless `keep`, or if a newer one has replaced it, it is closed."""
        peer = _peer(link)
        with self._condition:
            self._held.discard(link)
            _, current = self._current.get(peer, (-1, None))
            if current is link and (self._closed or not keep):
                del self._current[peer]
            if current is not link or self._closed or not keep:
                self._drop(link)

    def wait(self, peer: int, deadline: float, waker: Waker) -> MeshError | None:
        """Block until a link to this peer is there, the deadline, a wake-up, or a refusal of this peer.

        Returns:
            The refusal, if one happened during the wait or just before: the peer came and was turned away.
        """
        since = time.monotonic() - _RECENT
        with self._condition:
            while peer not in self._current and not waker.is_set:
                when, refusal = self._refused.get(peer, (-1.0, None))
                if when >= since:
                    return refusal
                remaining = milliseconds_until(deadline)
                if remaining == 0:
                    break
                self._condition.wait(remaining / 1000)
        return None

    def last_refusal(self, peer: int) -> MeshError | None:
        """Return why this member was last turned away, if it has not made a link since."""
        with self._condition:
            return self._refused.get(peer, (0.0, None))[1]

    def refused(self, peer: int, error: MeshError) -> None:
        """Note that this member, proved by its certificate, came in and was refused for good."""
        with self._condition:
            self._refused[peer] = (time.monotonic(), error)
            self._condition.notify_all()

    def notify(self) -> None:
        """Let every `wait` look at its waker."""
        with self._condition:
            self._condition.notify_all()

    def stats(self) -> dict[int, PeerStats]:
        """Return the traffic with every peer so far, closed links included."""
        with self._condition:
            total = {peer: past + PeerStats() for peer, past in self._past.items()}
            for link in self._open:
                peer = _peer(link)
                total[peer] = total.get(peer, PeerStats()) + link.stats
        return total

    def close(self) -> None:
        """Close every link that is not held, refuse new ones, and make holders see theirs closed."""
        with self._condition:
            self._closed = True
            for link in list(self._open):
                if link in self._held:
                    link.interrupt()
                else:
                    self._drop(link)
            self._current = {p: (o, link) for p, (o, link) in self._current.items() if link in self._held}
            self._condition.notify_all()

    def _drop(self, link: Link) -> None:
        link.close()
        if link in self._open:
            self._open.discard(link)
            peer = _peer(link)
            self._past[peer] = self._past.get(peer, PeerStats()) + link.stats


def _peer(link: Link) -> int:
    if link.peer is None:
        raise ValueError("only authenticated links are registered")
    return link.peer
