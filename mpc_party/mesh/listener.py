"""The listening end: accepts connections, authenticates each in a thread of its own, registers links.

A stranger can hold one of `max_handshakes` places for `handshake_seconds`, no longer, and never keeps another out:
when all places are taken the oldest unfinished handshake is dropped for the newcomer.
"""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf

from structlog.typing import FilteringBoundLogger

from mpc_party.mesh.config import Address, MeshConfig
from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.handshake import Handshake
from mpc_party.mesh.link import Link
from mpc_party.mesh.refusal import Cause
from mpc_party.mesh.registry import Registry
from mpc_party.mesh.tls import tune
from mpc_party.mesh.waiting import READ, Waker, deadline_in, wait_for
from mpc_party.protocol.errors import ConfigError, Reason

_BACKLOG = 128
_LINGER_SECONDS = 1.0
_EXHAUSTED_PAUSE = 0.1  # out of descriptors: let some be given back
_JOIN_SECONDS = 5.0


class Listener:
    """Owns the listening socket, its thread, and the handshakes in progress."""

    def __init__(
        self, config: MeshConfig, handshake: Handshake, registry: Registry, logger: FilteringBoundLogger
    ) -> None:
        self._config = config
        self._handshake = handshake
        self._registry = registry
        self._logger = logger
        self._waker = Waker()
        self._lock = threading.Lock()
        self._pending: dict[int, Link] = {}
        self._workers: set[threading.Thread] = set()
        self._orders = itertools.count()
        host, port = config.listen or config.addresses[config.own]
        self._socket = _listening_socket(host, port)
        self.address: Address = self._socket.getsockname()[:2]
        self._thread = threading.Thread(
            target=self._serve, name=f"mesh-listen-{config.names[config.own]}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening and drop handshakes in progress."""
        self._waker.set()
        self._thread.join(_JOIN_SECONDS)
        self._socket.close()
        with self._lock:
            workers = list(self._workers)
        for worker in workers:
            worker.join(_JOIN_SECONDS)
        self._waker.close()

    def _serve(self) -> None:
        while wait_for(self._socket.fileno(), READ, inf, self._waker) is not None:
            try:
                sock, address = self._socket.accept()
            except (BlockingIOError, ConnectionError):
                continue  # it went away between poll and accept
            except OSError as error:
                self._logger.warning("mesh.accept_failed", detail=error.strerror)
                self._waker.wait(deadline_in(_EXHAUSTED_PAUSE))
                continue
            self._begin(sock, f"{address[0]}:{address[1]}")

    def _begin(self, sock: socket.socket, address: str) -> None:
        try:
            tune(sock)
        except OSError:
            sock.close()  # reset before it said a word
            return
        link = Link(sock, self._handshake.contexts.server, server_side=True, address=address)
        order = next(self._orders)
        with self._lock:
            if len(self._pending) >= self._config.limits.max_handshakes:
                oldest = self._pending.pop(next(iter(self._pending)))
                self._logger.warning(
                    "mesh.refused",
                    cause=Cause.TOO_SLOW.text,
                    detail="dropped for a newer connection",
                    peer=oldest.name,
                    address=oldest.address,
                )
                oldest.interrupt()
            self._pending[order] = link
            worker = threading.Thread(
                target=self._welcome, args=(link, order), name=f"mesh-handshake-{order}", daemon=True
            )
            self._workers.add(worker)
        worker.start()

    def _welcome(self, link: Link, order: int) -> None:
        """Run one handshake to its end; whatever comes in, this thread ends quietly and in time."""
        with self._tracked(link, order):
            try:
                peer = self._handshake.accept(
                    link, deadline_in(self._config.limits.handshake_seconds), self._waker
                )
            except MeshError as error:
                if link.name is not None and error.reason in (Reason.PEER_REFUSED, Reason.FRAME_MALFORMED):
                    self._registry.refused(self._config.names.index(link.name), error)
                link.linger(deadline_in(_LINGER_SECONDS), self._waker)
                link.close()
            else:
                if self._registry.put(link, order):
                    self._logger.info("mesh.link_up", peer=self._config.names[peer], address=link.address)

    @contextmanager
    def _tracked(self, link: Link, order: int) -> Iterator[None]:
        """Forget the handshake when it is over; a bug met by a stranger's bytes is logged and leaks no socket."""
        try:
            yield
        except Exception:
            self._logger.exception("mesh.handshake_failed", address=link.address)
            link.close()
        finally:
            with self._lock:
                self._pending.pop(order, None)
                self._workers.discard(threading.current_thread())


def _listening_socket(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.settimeout(0)
    except OSError as error:
        sock.close()
        raise _cannot_listen(host, port, error) from error
    return sock


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(
        f"cannot listen on {host}:{port}: {error.strerror or error}",
        remedy="free the port, or set another address to listen on",
    )
