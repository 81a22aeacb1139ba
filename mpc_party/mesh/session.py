"""One session: the synchronous network that a round or a ceremony runs on."""

from __future__ import annotations

import select
import time
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Final, Self

from mpc_party.mesh.attempt import Attempt
from mpc_party.mesh.dispute import Dispute
from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.link import Link
from mpc_party.mesh.refusal import Cause, Refusal
from mpc_party.mesh.registry import Registry
from mpc_party.mesh.stats import MeshStats, PeerStats
from mpc_party.mesh.waiting import READ, WRITE, milliseconds_until
from mpc_party.protocol.errors import Reason

_LAST_WORDS: Final = (
    0.25  # seconds for an exchange of a dispute past the deadline: a round's is a tenth of its time later
)


class MeshSession:
    """A `DisputableExchange` over live links. Made by `Mesh.session`; used by one thread; a context manager.

    A clean end leaves the links for the next session. Leaving the block by any exception, or any `MeshError`
    inside `exchange`, tells the peers that this party gives the session up and closes the links, so that nothing
    of this session is read in the next.
    """

    def __init__(
        self,
        own: int,
        names: tuple[str, ...],
        links: dict[int, Link],
        attempt: Attempt,
        registry: Registry,
        max_ahead: int,
    ) -> None:
        self._own = own
        self._names = names
        self._links = links
        self._peers = tuple(sorted(links))
        self._attempt = attempt
        self._registry = registry
        self._max_ahead = (
            max_ahead  # bytes that a peer may send ahead of what is expected while we are sending
        )
        self._rounds = 0
        self._base = {peer: link.stats + PeerStats() for peer, link in links.items()}
        self._pollers: dict[tuple[tuple[int, int], ...], select.poll] = {}
        self._failure: BaseException | None = None
        self._dispute: Dispute | None = None
        self._open = True

    @property
    def own(self) -> int:
        """This party's member index."""
        return self._own

    @property
    def peers(self) -> tuple[int, ...]:
        """The other members of the session, ascending."""
        return self._peers

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members of the consortium, by index."""
        return self._names

    @property
    def session_id(self) -> bytes:
        """The 32 bytes that both ends of every link have agreed on."""
        return self._attempt.session_id or b""

    @property
    def deadline(self) -> float:
        """When every wait ends, in `time.monotonic()` seconds."""
        return self._attempt.deadline

    @property
    def over(self) -> bool:
        """Whether it has been closed or has failed."""
        return not self._open

    @property
    def stats(self) -> MeshStats:
        """Traffic of this session so far; its SESSION frames and handshakes are not counted."""
        return MeshStats(
            self._rounds, {peer: link.stats - self._base[peer] for peer, link in self._links.items()}
        )

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        """Send one frame to each peer in `outgoing`, then wait for one from each peer in `expect`.

        One communication round. Each frame costs 9 bytes, and 22 per started 16 KiB for TLS. Sending and
        receiving overlap; a frame that came ahead of time is kept for the call that expects it.

        Measured with tests/benchmarks/bench_mesh.py (three processes on two cores that had other work too, over
        loopback, each sending to the previous party and receiving from the next), p50 per call: 64 B 0.15 ms,
        64 KiB 0.16 ms, 4 MiB 24 ms. Of it, one send and one receive of 64 B take 14 us of processor time.

        Raises:
            PeerDisputes: a peer's check has failed; only `dispute` may follow.
            MeshError: PEER_TIMEOUT (the deadline; every silent peer is in `peers`), PEER_CLOSED,
                FRAME_MALFORMED, or what `Mesh.abort` was given. The session is over then.
            ValueError: a peer that is not in this session.
        """
        if not self._open or self._attempt.waker.is_set or self._dispute is not None:
            self._refuse_use()
        self._rounds += 1
        links = self._links
        try:
            unsent = [link for peer, data in outgoing.items() if not (link := links[peer]).send(kind, data)]
            missing = [link for peer in expect if not (link := links[peer]).receive(once=bool(unsent))]
            while unsent or missing:
                self._wait(unsent, missing)
                if unsent:
                    unsent = self._push(unsent, missing)
                missing = [link for link in missing if not link.receive(once=bool(unsent))]
            return {peer: links[peer].take(kind) for peer in expect}
        except PeerDisputes as told:
            self._enter_dispute().note(told)
            raise
        except MeshError as error:
            self._give_up(error)
            raise
        except KeyError as error:
            failure = ValueError(f"member {error.args[0]} is not a peer in this session")
            self._give_up(failure)
            raise failure from None

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        """See `DisputableExchange.dispute`. Each exchange takes half of what is left of the session at most, so that others fit in. Ends early where `Mesh.abort` ends the session, and soon where a peer has given up.

        Raises:
            MeshError: the session is over.
        """
        if not self._open:
            self._refuse_use()
        # A check may fail, or a signer part, just before the deadline: what a round ends with must not be lost over the rest.
        left = max(_LAST_WORDS, (self.deadline - time.monotonic()) / 2)
        return self._enter_dispute().exchange(payload, min(seconds, left))

    def _enter_dispute(self) -> Dispute:
        if self._dispute is None:
            self._dispute = Dispute(self._links, self._attempt)
        return self._dispute

    def _push(self, unsent: list[Link], missing: list[Link]) -> list[Link]:
        """Send on; also make room at peers that are stuck because we have not read what they sent ahead."""
        still = [link for link in unsent if not link.continue_send()]
        for link in still:
            if link not in missing:
                link.read_ahead(self._max_ahead)
        return still

    def _wait(self, unsent: list[Link], missing: list[Link]) -> None:
        """Block until one of these links can go on."""
        events = dict.fromkeys(missing, READ)
        for link in unsent:
            ahead = link in events or link.ahead < self._max_ahead
            events[link] = WRITE | READ if ahead else WRITE
        key = tuple((link.sock.fileno(), mask) for link, mask in events.items())
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = select.poll()
            poller.register(self._attempt.waker.fileno(), READ)
            for descriptor, mask in key:
                poller.register(descriptor, mask)
        poller.poll(milliseconds_until(self._attempt.deadline))
        self._attempt.check()
        if time.monotonic() >= self._attempt.deadline:
            raise self._silent(unsent, missing)

    def _silent(self, unsent: list[Link], missing: list[Link]) -> MeshError:
        silent = sorted({link.name or "" for link in missing})
        stuck = sorted({link.name or "" for link in unsent} - set(silent))
        parts = [f"nothing from {', '.join(silent)}"] if silent else []
        parts += [f"{', '.join(stuck)} does not read what it is sent"] if stuck else []
        return MeshError(
            f"past the deadline: {'; '.join(parts)}", reason=Reason.PEER_TIMEOUT, peers=silent + stuck
        )

    def _refuse_use(self) -> None:
        """Raise why this session cannot go on."""
        if self._open and self._dispute is not None and not self._attempt.waker.is_set:
            raise MeshError("the session has ended in a dispute", reason=Reason.INTERNAL)
        if self._open:
            error = self._attempt.cause or MeshError("the session is over", reason=Reason.PARTY_STOPPED)
            self._give_up(error)
            raise error
        if isinstance(self._failure, MeshError):
            raise self._failure
        raise MeshError("the session is over", reason=Reason.INTERNAL)

    def _give_up(self, failure: BaseException) -> None:
        """End dirty: tell the peers, naming who is at fault where that is known, and close all links."""
        if not self._open:
            return
        self._failure = failure
        culprit = failure.culprit if isinstance(failure, MeshError) else None
        blamed = self._names.index(culprit) if culprit in self._names else None
        malformed = isinstance(failure, MeshError) and failure.reason is Reason.FRAME_MALFORMED
        for link in self._links.values():
            told = malformed and link.name == culprit
            link.refuse(Refusal(Cause.MALFORMED_FRAMES if told else Cause.SESSION_ABORTED, blamed))
        self._end(keep=False)

    def close(self) -> None:
        """End cleanly: links on which nothing is left of this session stay for the next. May be called twice."""
        if self._open:
            self._end(keep=self._dispute is None)

    def _end(self, *, keep: bool) -> None:
        self._open = False
        for link in self._links.values():
            self._registry.release(link, keep=keep and link.clean)
        self._pollers.clear()
        self._attempt.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if failure is None:
            self.close()
        else:
            self._give_up(failure)
