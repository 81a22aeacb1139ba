"""Meshes for tests: members with throw-away certificates on reserved ports, and a peer that speaks by hand."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mpc_party.mesh import FrameKind, MeshConfig, MeshLimits
from mpc_party.mesh.frames import HEADER, HEADER_SIZE
from mpc_party.mesh.handshake import encode_hello
from mpc_party.mesh.rendezvous import encode_session
from mpc_party.protocol.tls_identity import load_into

T = TypeVar("T")
DEADLINE = 20.0
HASH = bytes(range(32))
NAMES = ("anna", "bert", "carl", "dora", "emil", "fred", "gina")


@dataclass(frozen=True)
class Credentials:
    """A key and a certificate of its own."""

    key: ec.EllipticCurvePrivateKey
    pem: str

    @property
    def der(self) -> bytes:
        return ssl.PEM_cert_to_DER_cert(self.pem)

    def load(self, context: ssl.SSLContext) -> None:
        load_into(context, self.key, self.pem)


def make_credentials(
    issuer: Credentials | None = None, *, authority: bool = False, valid_days: int = 10
) -> Credentials:
    """A certificate. All members' have the same subject name on purpose: names must not matter."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, issuing = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        for text in ("authority" if authority else "member", "authority")
    )
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else issuing)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=20))
        .not_valid_after(now + dt.timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    certificate = builder.sign(key if issuer is None else issuer.key, hashes.SHA256())
    return Credentials(key, certificate.public_bytes(Encoding.PEM).decode())


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody else is given meanwhile: bound, not listening, so that a listener may share them."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
        yield [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


@dataclass
class Members:
    """A consortium as the mesh sees it. `config(i, ...)` is member i's view, with changes for hostile tests."""

    credentials: list[Credentials]
    ports: list[int]

    @property
    def count(self) -> int:
        return len(self.ports)

    def config(self, own: int, credentials: Credentials | None = None, **changes: Any) -> MeshConfig:
        config = MeshConfig(
            own=own,
            names=NAMES[: self.count],
            addresses=tuple(("127.0.0.1", port) for port in self.ports),
            certificates=tuple(c.der for c in self.credentials),
            consortium_hash=HASH,
            load_credentials=(credentials or self.credentials[own]).load,
            limits=MeshLimits(handshake_seconds=10.0),
        )
        return replace(config, **changes)


@contextmanager
def members(count: int, credentials: Sequence[Credentials] | None = None) -> Iterator[Members]:
    with reserved_ports(count) as ports:
        yield Members(list(credentials or [make_credentials() for _ in range(count)]), ports)


def in_threads(*programs: Callable[[], T], deadline: float = DEADLINE) -> list[T]:
    """Run all at once; return their results in order, or raise the first failure."""
    results: dict[int, T] = {}
    failures: list[BaseException] = []

    def work(index: int, program: Callable[[], T]) -> None:
        try:
            results[index] = program()
        except BaseException as failure:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in enumerate(programs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline)
    if failures:
        raise failures[0]
    assert not any(thread.is_alive() for thread in threads), "a party hangs"
    return [results[index] for index in range(len(programs))]


class ManualPeer:
    """A member whose every byte the test decides. Dials as a lower index, or accepts as a higher one."""

    def __init__(self, sock: ssl.SSLSocket, own: int) -> None:
        self.sock = sock
        self.own = own
        self.buffer = b""

    @classmethod
    def context(cls, credentials: Credentials | None, *, server: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if credentials is not None:
            credentials.load(context)
        return context

    @classmethod
    def dial(
        cls, everyone: Members, own: int, peer: int, credentials: Credentials | None = None
    ) -> ManualPeer:
        raw = socket.create_connection(("127.0.0.1", everyone.ports[peer]), timeout=DEADLINE)
        try:
            context = cls.context(credentials or everyone.credentials[own])
            return cls(context.wrap_socket(raw), own)
        except BaseException:
            raw.close()
            raise

    @classmethod
    def greet(cls, everyone: Members, own: int, peer: int) -> ManualPeer:
        """Dial and go through the handshake."""
        manual = cls.dial(everyone, own, peer)
        manual.send(FrameKind.HELLO, 0, encode_hello(own, HASH))
        assert manual.receive() == (FrameKind.HELLO, 0, encode_hello(peer, HASH))
        return manual

    def begin(self, session_id: bytes, participants: Sequence[int]) -> None:
        """Both SESSION frames."""
        greeting = encode_session(session_id, participants)
        self.send(FrameKind.SESSION, 0, greeting)
        assert self.receive() == (FrameKind.SESSION, 0, greeting)

    def send(self, kind: int, sequence: int, payload: bytes, *, length: int | None = None) -> None:
        self.sock.sendall(HEADER.pack(len(payload) if length is None else length, kind, sequence) + payload)

    def receive(self) -> tuple[int, int, bytes]:
        header = self._exactly(HEADER_SIZE)
        length, kind, sequence = HEADER.unpack(header)
        return kind, sequence, self._exactly(length)

    def refusal(self) -> int:
        """The cause in the REFUSAL frame that comes next."""
        kind, _, payload = self.receive()
        assert kind == FrameKind.REFUSAL
        cause, _blamed = struct.unpack("<BH", payload)
        return cause

    def at_end(self) -> bool:
        """Whether the other side has closed."""
        try:
            return not self.buffer and self.sock.recv(1) == b""
        except (ConnectionError, ssl.SSLError):
            return True

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError("the mesh has closed the link")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
