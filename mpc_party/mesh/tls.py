"""TLS contexts: version 1.3 only, both ends authenticated, certificates pinned, no tickets.

The trust anchors are exactly the members' self-signed certificates. OpenSSL verifies the chain (so the peer
has proved possession of the key, and the certificate is within its validity), and `member_of` then compares the
whole certificate, byte for byte, with the pinned ones: a certificate that a member issued with its own key is
not that member. Names inside certificates mean nothing here, so no host name is checked.

*The private key.* Python's `ssl` loads keys from files only. The key is encrypted under a random one-time
password, written to an anonymous memory file (`memfd_create`: no name, no disk, closed on exec) and
loaded through `/proc/self/fd`; where the system has no such thing, to a file of mode 0600 in a new directory of
mode 0700, both removed at once. What could be left behind on a disk is then a ciphertext whose password lived
for a millisecond in this process.
"""

import os
import secrets
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from mpc_party.mesh.config import MeshConfig
from mpc_party.protocol.errors import ConfigError

_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVE_PROBES = 10, 5, 3  # a dead machine is noticed within 25 s
_FALLBACK_NAME = "key.pem"


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
        ConfigError: the key does not load or does not belong to the certificate.
    """
    anchors = "".join(ssl.DER_cert_to_PEM_cert(der) for der in config.certificates)
    own = ssl.DER_cert_to_PEM_cert(config.certificates[config.own]).encode()
    password = secrets.token_urlsafe(32).encode()
    try:
        key = serialization.load_pem_private_key(config.private_key_pem, None)
        sealed = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password),
        )
        contexts = []
        for protocol in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
            context = ssl.SSLContext(protocol)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_REQUIRED
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3
            context.load_verify_locations(cadata=anchors)
            with _readable_path(own + sealed) as path:
                context.load_cert_chain(path, password=password)
            contexts.append(context)
    except (ssl.SSLError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The cause is chained for the debugger; its text never quotes key material.
        raise ConfigError(
            "the TLS key does not load, or does not belong to this member's certificate in the consortium file",
            remedy="check that identity and consortium file belong together",
        ) from error
    server, client = contexts
    server.num_tickets = 0  # no resumption: every link proves the key afresh
    return TlsContexts(server, client, {der: index for index, der in enumerate(config.certificates)})


@contextmanager
def _readable_path(content: bytes) -> Iterator[str]:
    """Yield a path under which OpenSSL can read this content, for as long as the block lasts."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
        try:
            _write_all(descriptor, content)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    with tempfile.TemporaryDirectory() as folder:  # mode 0700
        path = Path(folder, _FALLBACK_NAME)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _write_all(descriptor, content)
        finally:
            os.close(descriptor)
        yield str(path)


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


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
