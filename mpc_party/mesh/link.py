"""One authenticated link: frames over TLS over a non-blocking socket, with everything counted.

TLS runs on memory buffers (`ssl.MemoryBIO`) rather than on the socket: one `send` then carries several TLS records, one
`recv` fetches many, a partial write never holds a lock on the plaintext, and every wait is our own `poll` with a
deadline. A link belongs to one thread at a time; only `interrupt` may be called from others.
"""

import socket
import ssl
import threading
from typing import Final, cast

from mpc_party.mesh.errors import MeshError, PeerDisputes
from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.frames import CONTROL_LIMIT, HEADER_SIZE, Frame, FrameDecoder, FrameEncoder, FrameError
from mpc_party.mesh.refusal import Refusal
from mpc_party.mesh.stats import PeerStats
from mpc_party.mesh.waiting import READ, WRITE, Waker, wait_for
from mpc_party.protocol.errors import Reason

# Measured on loopback (tests/benchmarks/bench_mesh.py): encrypting 128 KiB ahead of each send beats
# 16 KiB by a quarter at 64 KiB payloads and is not slower at 4 MiB; larger gains nothing.
_ENCRYPT_AHEAD: Final = 128 * 1024
_RECEIVE_SIZE: Final = 128 * 1024
_RECORD: Final = 16 * 1024  # most plaintext in one TLS record
_FIRST: Final = _RECORD - HEADER_SIZE
_EMPTY: Final = memoryview(b"")
_URGENT: Final = frozenset({FrameKind.REFUSAL, FrameKind.DISPUTE})  # may come in place of any other


class Link:
    """One end of a link. Until `peer` is set by the handshake nothing but control frames is accepted."""

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, address: str
    ) -> None:
        self.sock = sock
        self.address = address  # for the log, until there is a name
        self.peer: int | None = None
        self.name: str | None = None
        self.member_names: tuple[str, ...] = ()
        self.stats = PeerStats()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=server_side)
        self._encoder = FrameEncoder(CONTROL_LIMIT)
        self._decoder = FrameDecoder(CONTROL_LIMIT)
        self._buffer = bytearray(_RECEIVE_SIZE)
        self._view = memoryview(self._buffer)
        self._plain = _EMPTY  # not yet encrypted
        self._cipher = _EMPTY  # encrypted, not yet in the kernel
        self._lock = threading.Lock()
        self._established = False  # TLS has verified the peer's certificate
        self._closed = False

    # Identity

    def identify(self, peer: int, names: tuple[str, ...], max_payload: int) -> None:
        """Bind the link to the member whose certificate it has shown, and admit the computation's frames."""
        self.peer = peer
        self.name = names[peer]
        self.member_names = names
        self._encoder.max_payload = self._decoder.max_payload = max_payload

    def peer_certificate(self) -> bytes | None:
        """Return the certificate, DER, that the peer has proved to own."""
        return self._tls.getpeercert(binary_form=True)

    def error(self, message: str, reason: Reason, **details: str | None) -> MeshError:
        """Make a `MeshError` that names this link's peer."""
        return MeshError(
            f"{self.name or self.address} {message}",
            reason=reason,
            peers=() if self.name is None else (self.name,),
            **details,
        )

    # Blocking steps, for handshakes

    def handshake(self, deadline: float, waker: Waker) -> None:
        """Run the TLS handshake.

        Raises:
            ssl.SSLError: it failed; the alert that says why has been sent to the peer if it fitted.
            MeshError: deadline, wake-up or closed connection.
        """
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self.finish_sending(deadline, waker)
                self._wait(READ, deadline, waker)  # every time: a slow trickle must meet the deadline
                self._fill()
            except ssl.SSLError:
                self._flush_quietly()
                raise
            else:
                self._established = True
                self.finish_sending(deadline, waker)
                return

    def finish_sending(self, deadline: float, waker: Waker) -> None:
        """Block until all that was started is in the kernel."""
        while not self.continue_send():
            self._wait(WRITE, deadline, waker)

    def wait_frame(self, deadline: float, waker: Waker) -> None:
        """Block until a frame is there for `take`."""
        while not self.receive():
            self._wait(READ, deadline, waker)

    def _wait(self, events: int, deadline: float, waker: Waker) -> None:
        ready = wait_for(self.sock.fileno(), events, deadline, waker)
        if ready is None:
            raise self.error("is no longer waited for", Reason.PARTY_STOPPED)
        if not ready:
            raise self.error("is silent past the deadline", Reason.PEER_TIMEOUT)

    # Sending

    def send(self, kind: FrameKind, payload: bytes | memoryview) -> bool:
        """Start sending one frame; return whether all of it is in the kernel. Else go on with `continue_send`."""
        view = memoryview(payload)
        length = view.nbytes
        try:
            header = self._encoder.header(kind, length)
        except FrameError as error:
            raise MeshError(f"cannot send to {self.name}: {error}", reason=Reason.FRAME_MALFORMED) from error
        stats = self.stats
        stats.frames_sent += 1
        stats.payload_sent += length
        stats.framed_sent += length + HEADER_SIZE
        # The header shares a record with the payload's beginning: a small frame is one record, one system call.
        if length <= _FIRST:
            first = payload if type(payload) is bytes else view.tobytes()
        else:
            view = view.cast("B")
            first = view[:_FIRST].tobytes()
            self._plain = view[_FIRST:]
        try:
            self._tls.write(header + first)
            if self._plain:  # in the same system call: the peer is not woken for the first record alone
                self._encrypt()
        except ssl.SSLError as error:
            raise self._broken(error) from error
        return self.continue_send()

    def _encrypt(self) -> None:
        # A memory buffer takes all it is given, so TLS never asks to wait here.
        taken = self._tls.write(self._plain[:_ENCRYPT_AHEAD])
        self._plain = self._plain[taken:]

    def continue_send(self) -> bool:
        """Encrypt and send until the kernel takes no more; return whether nothing is left."""
        while True:
            if not self._cipher and self._outgoing.pending:
                self._cipher = memoryview(self._outgoing.read())
            while self._cipher:
                try:
                    sent = self.sock.send(self._cipher)
                except BlockingIOError:
                    return False
                except OSError as error:
                    raise self._broken(error) from error
                self.stats.wire_sent += sent
                self._cipher = self._cipher[sent:]
            if self._plain:
                try:
                    self._encrypt()
                except ssl.SSLError as error:
                    raise self._broken(error) from error
            elif not self._outgoing.pending:
                return True

    @property
    def unsent(self) -> bool:
        """Part of a frame is still here: nothing else can be sent in between."""
        return bool(self._cipher or self._plain)

    # Receiving

    def receive(self, *, once: bool = False) -> bool:
        """Take in what has arrived, without blocking, until a whole frame is there; return whether one is.

        Args:
            once: stop after one system call, to alternate with sending.

        Raises:
            MeshError: PEER_CLOSED, FRAME_MALFORMED, or what the peer says in a REFUSAL frame.
        """
        ready = self._decoder.ready
        if ready:
            return True
        if self._incoming.pending and self._decrypt():
            return True
        while self._fill():
            if self._decrypt():
                return True
            if once:
                break
        return False

    def read_ahead(self, limit: int) -> None:
        """Take in what has arrived, at most about `limit` bytes, even though no frame is expected yet."""
        if self._decoder.queued < limit and self._fill():
            self._decrypt(everything=True)

    def _fill(self) -> bool:
        """Move bytes from the kernel to TLS; return whether there were any."""
        try:
            count = self.sock.recv_into(self._buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._broken(error) from error
        if not count:
            raise self.error("has closed its link", Reason.PEER_CLOSED)
        self.stats.wire_received += count
        self._incoming.write(self._view[:count])
        return True

    def _decrypt_some(self) -> int:
        """Decrypt one record's worth; return how many bytes that were."""
        room = self._decoder.room
        if room:
            count = cast("int", self._tls.read(len(room), room))  # into a buffer: how many
            self._decoder.wrote(count)
            return count
        data = self._tls.read(_RECORD)
        self._decoder.feed(data)
        return len(data)

    def _decrypt(self, *, everything: bool = False) -> bool:
        """Decrypt what TLS has, up to the first whole frame or to its end; return whether there is a frame."""
        decoder = self._decoder
        try:
            while everything or not decoder.ready:
                if self._decrypt_some():
                    continue
                # TLS is over (close_notify), whatever becomes of the socket: what came before it is still good
                if decoder.ready:
                    break
                raise self.error("has closed its link", Reason.PEER_CLOSED)
        except ssl.SSLWantReadError:
            pass  # the rest of the record is still under way: the caller waits for it
        except FrameError as error:
            raise self.error(f"sent a malformed frame: {error}", Reason.FRAME_MALFORMED) from error
        except ssl.SSLError as error:
            raise self._broken(error) from error
        if self._outgoing.pending and not self.unsent:
            self.continue_send()  # TLS's own answers, such as to a key update
        if decoder.ready and decoder.ready[0].kind in _URGENT:  # not waiting for the other peers' frames
            raise self._told(decoder.ready.popleft())
        return bool(decoder.ready)

    def _told(self, frame: Frame) -> MeshError:
        """What a REFUSAL or a DISPUTE says, as an error on this side."""
        if frame.kind is FrameKind.REFUSAL:
            return Refusal.decode(frame.payload).error(self)
        if self.peer is None or self.name is None:
            return self.error("disputes before it is known", Reason.FRAME_MALFORMED)
        return PeerDisputes(self.name, self.peer, frame.payload)

    def take(self, kind: FrameKind) -> bytes:
        """Return the payload of the frame that `receive` has announced.

        Raises:
            MeshError: it is of another kind (FRAME_MALFORMED; PEER_CLOSED where the peer has begun another session).
        """
        frame = self._decoder.ready.popleft()
        if frame.kind is not kind:
            if frame.kind in _URGENT:
                raise self._told(frame)
            if frame.kind is FrameKind.SESSION:
                raise self.error("has left this session for another", Reason.PEER_CLOSED)
            raise self.error(f"sent {frame.kind.name} where {kind.name} is due", Reason.FRAME_MALFORMED)
        length = len(frame.payload)
        stats = self.stats
        stats.frames_received += 1
        stats.payload_received += length
        stats.framed_received += length + HEADER_SIZE
        return frame.payload

    def pass_over(self) -> None:
        """Drop the frame that `receive` has announced, or raise what it says if it is a DISPUTE or REFUSAL."""
        frame = self._decoder.ready.popleft()
        if frame.kind in _URGENT:
            raise self._told(frame)

    @property
    def ahead(self) -> int:
        """Bytes of frames that have come but that nobody has taken."""
        return self._decoder.queued

    @property
    def clean(self) -> bool:
        """Nothing of a session is left on this link, as far as this end knows; the next session may have begun."""
        ready = self._decoder.ready
        return not self._closed and not self.unsent and (not ready or ready[0].kind is FrameKind.SESSION)

    # Ending

    def refuse(self, refusal: Refusal) -> None:
        """Tell the peer why this link is about to close, if it can be told without waiting."""
        if self.unsent or self._closed:
            return
        try:
            self.send(FrameKind.REFUSAL, refusal.encode())
        except MeshError:
            return  # it is gone already; the reason is in our own log

    def _flush_quietly(self) -> None:
        try:
            self.continue_send()
        except MeshError:
            return  # the peer does not hear why; our log says it

    def _broken(self, error: OSError) -> MeshError:
        """Turn a transport failure into the peer's own explanation, if one is waiting to be read, or PEER_CLOSED."""
        if isinstance(error, ssl.SSLError):
            # In TLS 1.3 the server judges the client's certificate after the client is through.
            if self.peer is None and "ALERT" in (error.reason or ""):
                return self.error(
                    f"refuses this link in the TLS handshake ({describe(error)})",
                    Reason.PEER_REFUSED,
                    remedy="compare this member's certificate with the one in the peer's consortium file",
                )
        elif self._established:
            try:
                while (count := self.sock.recv_into(self._buffer)) > 0:
                    self._incoming.write(self._view[:count])
                    if self._explains():
                        break
            except OSError:
                pass  # nothing more to read: the transport's own words must do
            except MeshError as explanation:
                return explanation
        return self.error(f"has dropped its link ({describe(error)})", Reason.PEER_CLOSED)

    def _explains(self) -> bool:
        """Decrypt all that is left and raise the last frame if it is a refusal."""
        try:
            while self._decrypt_some():
                pass
        except ssl.SSLWantReadError:
            pass
        except (FrameError, ssl.SSLError):
            return True
        for frame in self._decoder.ready:
            if frame.kind is FrameKind.REFUSAL:
                raise Refusal.decode(frame.payload).error(self)
        return False

    def linger(self, deadline: float, waker: Waker) -> None:
        """After a refusal: let the peer read it. A close with unread input would reset the connection instead."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            budget = 64 * 1024
            while budget > 0 and wait_for(self.sock.fileno(), READ, deadline, waker):
                count = len(self.sock.recv(budget))
                if not count:
                    return
                budget -= count
        except OSError:
            return  # the peer has closed: nothing to wait for

    def interrupt(self) -> None:
        """Make the thread that uses this link see it closed. From any thread."""
        with self._lock:
            if not self._closed:
                try:
                    self.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # the peer was faster

    def close(self) -> None:
        """Close the socket."""
        with self._lock:
            self._closed = True
            self.sock.close()


def describe(error: OSError) -> str:
    """Return a transport error in a few words, without addresses of source files."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS failure").replace("_", " ").lower()
    return (error.strerror or type(error).__name__).lower()
