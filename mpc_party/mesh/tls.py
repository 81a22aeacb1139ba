"""TLS contexts: version 1.3 only, both ends authenticated, certificates pinned, no tickets.

The trust anchors are exactly the members' self-signed certificates. OpenSSL verifies the chain (so the peer
has proved possession of the key, and the certificate is within its validity), and `member_of` then compares the
whole certificate, byte for byte, with the pinned ones: a certificate that a member issued with its own key is
not that member. Names inside certificates mean nothing here, so no host name is checked.

The private key never passes through here: whoever holds it loads it into the contexts (see
`mpc_party.protocol.tls_identity` for how that is done without leaving it on a disk).
"""

import socket
import ssl
from dataclasses import dataclass

from mpc_party.mesh.config import MeshConfig
from mpc_party.protocol.errors import ConfigError

_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_PROBES = 10, 5, 3  # a dead machine is noticed within 25 s


@dataclass(frozen=True)
class TlsContexts:
    """The two contexts of one party: `server` for links it accepts, `client` for links it dials."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    members: dict[bytes, int]  # DER certificate -> member index

    def member_of(self, certificate: bytes | None) -> int | None:
        """Return whose pinned certificate this is, or None. Equality of the whole DER encoding decides."""
        return None if certificate is None else self.members.get(certificate)


def tls_contexts(config: MeshConfig) -> TlsContexts:
    """Build both contexts.

    Raises:
        ConfigError: a certificate or the key does not load.
    """
    anchors = "".join(ssl.DER_cert_to_PEM_cert(der) for der in config.certificates)
    contexts = []
    for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        # An anchor is trusted as it stands, even if OpenSSL finds another one with the same subject name first.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(cadata=anchors)
            config.load_credentials(context)
        except ssl.SSLError as error:
            raise ConfigError(
                "a certificate in the consortium file, or this party's TLS key, does not load",
                remedy="check that identity and consortium file belong together",
            ) from error
        contexts.append(context)
    server, client = contexts
    server.num_tickets = 0  # no resumption: every link proves the key afresh
    return TlsContexts(server, client, {der: index for index, der in enumerate(config.certificates)})


def tune(sock: socket.socket) -> None:
    """Set a link's socket up: non-blocking, no Nagle delay, keepalive so that a vanished machine is noticed."""
    sock.settimeout(0)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE),
        ("TCP_KEEPINTVL", _KEEPALIVE_INTERVAL),
        ("TCP_KEEPCNT", _KEEPALIVE_PROBES),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
