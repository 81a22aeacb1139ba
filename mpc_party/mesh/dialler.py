"""The dialling end: one attempt to reach one peer."""

import os
import socket
from dataclasses import dataclass

from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.handshake import Handshake
from mpc_party.mesh.link import Link
from mpc_party.mesh.tls import tune
from mpc_party.mesh.waiting import WRITE, Waker, deadline_in, wait_for
from mpc_party.protocol.errors import Reason

_LINGER_SECONDS = 0.2


@dataclass(frozen=True)
class Dialler:
    """Makes links to peers with a higher index."""

    handshake: Handshake

    def dial(self, peer: int, deadline: float, waker: Waker) -> Link:
        """Connect to a peer and authenticate both ways.

        Raises:
            MeshError: PEER_UNREACHABLE or PEER_TIMEOUT (worth another try), PEER_REFUSED or FRAME_MALFORMED.
        """
        config = self.handshake.config
        name, (host, port) = config.names[peer], config.addresses[peer]
        deadline = min(deadline, deadline_in(config.limits.handshake_seconds))
        sock = self._connect(name, host, port, deadline, waker)
        link = Link(sock, self.handshake.contexts.client, server_side=False, address=f"{host}:{port}")
        try:
            self.handshake.dial(link, peer, deadline, waker)
        except MeshError as error:
            if error.reason in (Reason.PEER_REFUSED, Reason.FRAME_MALFORMED):
                link.linger(deadline_in(_LINGER_SECONDS), waker)
            link.close()
            raise
        except BaseException:
            link.close()
            raise
        return link

    @staticmethod
    def _connect(name: str, host: str, port: int, deadline: float, waker: Waker) -> socket.socket:
        try:
            candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise _unreachable(name, host, port, error.strerror or "unknown host") from error
        failure = "no address"
        for family, kind, protocol, _, address in candidates:
            sock = socket.socket(family, kind, protocol)
            try:
                tune(sock)
                code = sock.connect_ex(address)
                ready = wait_for(sock.fileno(), WRITE, deadline, waker)
                if ready:
                    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    if code == 0:
                        return sock
                    failure = os.strerror(code).lower()
                else:
                    failure = "no answer" if ready == 0 else "this party is stopping"
            except OSError as error:
                failure = (error.strerror or type(error).__name__).lower()
            sock.close()
        raise _unreachable(name, host, port, failure)


def _unreachable(name: str, host: str, port: int, detail: str) -> MeshError:
    return MeshError(
        f"{name} cannot be reached at {host}:{port} ({detail})",
        reason=Reason.PEER_UNREACHABLE,
        peers=(name,),
        remedy="check that it runs, and its mesh address in the consortium file",
    )
