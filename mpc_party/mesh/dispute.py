"""The last exchange of a session in which somebody's check failed: everybody tells everybody what it holds.

A DISPUTE frame comes in place of any other. Who receives one answers with its own, so that all honest members enter the
dispute, at most a message later than the first; frames that were sent before are passed over. A peer that is silent, gone,
or says no more than it had said, is left out and costs the others no more than the deadline.
"""

import select
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from mpc_party.mesh.attempt import Attempt
from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.link import Link
from mpc_party.mesh.waiting import READ, WRITE, milliseconds_until

# Seconds that are left to an exchange once a peer has said elsewhere that it gives the session up. All honest members hear that at about the same time:
# who is in the dispute answers now, or not at all.
_LEFT: Final = 1.0
_AT_ONCE: Final = 256  # frames of one peer that are passed over before the others have their turn


class Dispute:
    """The dispute of one session: who takes part, and what came before this member asked."""

    def __init__(self, links: Mapping[int, Link], attempt: Attempt) -> None:
        self._links = dict(links)  # of those that still answer
        self._attempt = attempt
        self._early: dict[int, bytes] = {}
        self._behind = False  # a peer has sent more than was read: there is nothing to wait for

    def note(self, early: PeerDisputes) -> None:
        """Keep what brought this member into the dispute."""
        self._early[early.peer] = early.payload

    def exchange(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        """Send to all that still answer, and take one DISPUTE frame from each, until the deadline or `Mesh.abort`."""
        end = time.monotonic() + seconds
        aborted = False
        heard, self._early = self._early, {}
        unsent = dict.fromkeys(self._links, False)  # False: this frame has not been started
        missing = set(self._links) - set(heard)
        while (unsent or missing) and time.monotonic() < end and not self._attempt.final:
            if self._attempt.waker.is_set and not aborted:
                aborted, end = True, min(end, time.monotonic() + _LEFT)
            self._behind = False
            for peer in list(unsent):
                self._guarded(peer, unsent, missing, partial(self._send, peer, payload, unsent))
            for peer in sorted(missing):
                self._guarded(peer, unsent, missing, partial(self._receive, peer))
                if peer in self._early:
                    heard[peer] = self._early.pop(peer)
                    missing.discard(peer)
            if not self._behind:
                self._wait(unsent, missing, end)
        for peer in set(self._links) - set(heard):
            del self._links[peer]
        return heard

    def _guarded(
        self, peer: int, unsent: dict[int, bool], missing: set[int], step: Callable[[], None]
    ) -> None:
        """Run a step; a peer whose link breaks is not waited for any more."""
        try:
            step()
        except PeerDisputes as told:
            self._early[peer] = told.payload
        except MeshError:
            unsent.pop(peer, None)
            missing.discard(peer)

    def _send(self, peer: int, payload: bytes, unsent: dict[int, bool]) -> None:
        link = self._links[peer]
        done = link.continue_send()  # first what had been begun: nothing can be sent inside a frame
        if done and not unsent[peer]:
            unsent[peer] = True
            done = link.send(FrameKind.DISPUTE, payload)
        if done:
            del unsent[peer]

    def _receive(self, peer: int) -> None:
        """Pass over what has come, so much at a time: a flood holds up neither the other peers nor the deadline."""
        link = self._links[peer]
        for _ in range(_AT_ONCE):
            if not link.receive(once=True):
                return
            link.pass_over()
        self._behind = True

    def _wait(self, unsent: Collection[int], missing: Collection[int], end: float) -> None:
        events = dict.fromkeys(missing, READ)
        for peer in unsent:
            events[peer] = events.get(peer, 0) | WRITE
        if not events:
            return
        poll = select.poll()
        if not self._attempt.waker.is_set:
            poll.register(self._attempt.waker.fileno(), READ)
        for peer, mask in events.items():
            poll.register(self._links[peer].sock.fileno(), mask)
        poll.poll(milliseconds_until(end))
