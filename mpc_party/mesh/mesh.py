"""A member's end of the mesh: listener, live links, and the sessions that run on them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection
from types import TracebackType
from typing import Self

import structlog
from structlog.typing import FilteringBoundLogger

from mpc_party.mesh.attempt import Attempt
from mpc_party.mesh.config import Address, MeshConfig
from mpc_party.mesh.dialler import Dialler
from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.handshake import Handshake
from mpc_party.mesh.listener import Listener
from mpc_party.mesh.registry import Registry
from mpc_party.mesh.rendezvous import Rendezvous, encode_session
from mpc_party.mesh.session import MeshSession
from mpc_party.mesh.stats import MeshStats
from mpc_party.mesh.tls import tls_contexts
from mpc_party.protocol.errors import Reason

_REMEMBERED_ABORTS = 64


class Mesh:
    """All links of one party. A context manager; entering starts it.

    One worker thread calls `connect`, `session` and the session's methods; `abort`, `close` and `stats` are for any
    thread. Between two members the one with the lower index dials and the other accepts, so there is never more
    than one link and no tie to break; a member that is down is re-dialled by those below it and awaited by
    those above.
    """

    def __init__(self, config: MeshConfig, *, logger: FilteringBoundLogger | None = None) -> None:
        """Load keys and certificates; nothing listens yet.

        Raises:
            ConfigError: a certificate or the private key does not load.
        """
        self._config = config
        self._logger: FilteringBoundLogger = logger or structlog.get_logger("mesh")
        self._handshake = Handshake(config, tls_contexts(config), self._logger)
        self._registry = Registry()
        self._dialler = Dialler(self._handshake)
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._attempt: Attempt | None = None
        self._aborted: deque[tuple[bytes, MeshError]] = deque(maxlen=_REMEMBERED_ABORTS)
        self._past_rounds = 0
        self._session: MeshSession | None = None
        self._closed = False

    @property
    def address(self) -> Address:
        """Where this party listens; the actual port where the configured one is 0."""
        if self._listener is None:
            raise RuntimeError("the mesh has not started")
        return self._listener.address

    @property
    def stats(self) -> MeshStats:
        """Traffic since the mesh was made: all sessions, handshakes and session starts included."""
        session = self._session
        rounds = self._past_rounds + (session.stats.rounds if session is not None else 0)
        return MeshStats(rounds, self._registry.stats())

    def start(self) -> None:
        """Listen for peers.

        Raises:
            ConfigError: the address cannot be bound.
        """
        if self._listener is None:
            self._listener = Listener(self._config, self._handshake, self._registry, self._logger)

    def connect(self, members: Collection[int], deadline: float) -> None:
        """Make sure of a live link to each of these members (own index is ignored), re-dialling broken ones.

        Args:
            members: member indices.
            deadline: `time.monotonic()` value, see `deadline_in`.

        Raises:
            MeshError: PEER_UNREACHABLE, with all unreachable members in `peers`; PEER_REFUSED at once when
                either end refuses the other; what `abort` was given.
        """
        attempt = self._begin(None, deadline)
        try:
            links = self._rendezvous(attempt).reach_all(sorted(set(members) - {self._config.own}))
            for link in links.values():
                self._registry.release(link, keep=True)
        finally:
            self._end(attempt)

    def session(self, session_id: bytes, members: Collection[int], deadline: float) -> MeshSession:
        """Begin a session with these members. Collective: each of them calls it with equal arguments.

        Costs one SESSION frame each way per peer, and a handshake (about 5 ms) per link that has to be
        made. Peers that are still in another session, or gone, are waited for until the deadline.

        Args:
            session_id: 32 bytes that name this session once and for ever.
            members: member indices, own one included.
            deadline: `time.monotonic()` value; holds for this call and every wait of the session.

        Raises:
            MeshError: as `connect`, and PEER_TIMEOUT for a member that is connected but does not join.
            ValueError: the arguments make no sense.
        """
        if len(session_id) != 32:
            raise ValueError("a session identifier has 32 bytes")
        if self._config.own not in members or not set(members) <= set(range(len(self._config.names))):
            raise ValueError("the members of a session are known members, this party among them")
        attempt = self._begin(session_id, deadline)
        try:
            links = self._rendezvous(attempt).begin_all(
                sorted(set(members) - {self._config.own}), encode_session(session_id, set(members))
            )
        except BaseException:
            self._end(attempt)
            raise
        session = MeshSession(
            self._config.own,
            self._config.names,
            links,
            attempt,
            self._registry,
            self._config.limits.max_payload,
        )
        with self._lock:
            self._session = session
        return session

    def abort(
        self,
        session_id: bytes | None = None,
        *,
        reason: Reason = Reason.PARTY_STOPPED,
        message: str = "this party gives the session up",
        culprit: str | None = None,
        final: bool = True,
    ) -> None:
        """Make a blocked `connect`, `session` or `exchange` raise `MeshError` with this reason at once.

        From any thread. With an identifier, only that session is aborted, also if it has not begun yet; so
        there is no race between a worker that is about to begin and a message that says not to. Without
        one, whatever is under way. Sessions that are over are not affected. Where a peer has only said that it gives up,
        `final` is false: a dispute that is under way then goes on for a moment, or whoever has cheated would end it so.
        """
        cause = MeshError(message, reason=reason, culprit=culprit)
        with self._lock:
            attempt = self._attempt
            if session_id is not None:
                self._aborted.append((session_id, cause))
            if attempt is not None and session_id in (None, attempt.session_id):
                attempt.abort(cause, final=final)
        self._registry.notify()

    def close(self) -> None:
        """Stop listening, abort what is under way, close all links. May be called twice."""
        with self._lock:
            self._closed = True
        self.abort(message="this party is stopping")
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._registry.close()

    def _begin(self, session_id: bytes | None, deadline: float) -> Attempt:
        attempt = Attempt(session_id, deadline)
        with self._lock:
            if self._session is not None and self._session.over:
                self._past_rounds += self._session.stats.rounds
                self._session = self._attempt = None
            refusal = next((cause for aborted, cause in self._aborted if aborted == session_id), None)
            if self._closed:
                refusal = MeshError("this party is stopping", reason=Reason.PARTY_STOPPED)
            if refusal is None and self._attempt is None:
                self._attempt = attempt
                return attempt
        attempt.finish()
        if refusal is not None:
            raise refusal
        raise RuntimeError("one session at a time: the previous one has not been closed")

    def _end(self, attempt: Attempt) -> None:
        with self._lock:
            self._attempt = None
        attempt.finish()
        self._registry.notify()

    def _rendezvous(self, attempt: Attempt) -> Rendezvous:
        return Rendezvous(self._config, self._registry, self._dialler, attempt)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
