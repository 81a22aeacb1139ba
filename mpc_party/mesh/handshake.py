"""Who is at the other end, and does it hold the same consortium file: TLS, then one HELLO each way.

The lower index dials, the higher accepts. After TLS 1.3 with certificates both ways, each end compares the
peer's certificate with the pinned ones; that is its identity. Then the dialler sends HELLO and the acceptor
answers with its own, or with a REFUSAL that says why:

    offset  size  field
    0       4     b"MPCH"
    4       2     protocol version, little-endian
    6       2     sender's member index, little-endian: must be the owner of the certificate
    8       32    consortium hash

Every refusal is one log line, `mesh.refused`, with `cause` "wrong certificate", "wrong consortium hash",
"malformed frames", ... and `peer`, where the certificate says who that is.
"""

import ssl
import struct
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from mpc_party.mesh.config import MeshConfig
from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.exchange import FrameKind
from mpc_party.mesh.link import Link, describe
from mpc_party.mesh.refusal import Cause, Refusal
from mpc_party.mesh.tls import TlsContexts
from mpc_party.mesh.waiting import Waker
from mpc_party.protocol.errors import Reason

PROTOCOL_VERSION: Final = 1
_MAGIC: Final = b"MPCH"
_HELLO: Final = struct.Struct("<4sHH32s")
_REASONS: Final = {Cause.MALFORMED_FRAMES: Reason.FRAME_MALFORMED, Cause.TOO_SLOW: Reason.PEER_TIMEOUT}


def encode_hello(member: int, consortium_hash: bytes) -> bytes:
    """Return the 40 bytes of a HELLO payload."""
    return _HELLO.pack(_MAGIC, PROTOCOL_VERSION, member, consortium_hash)


@dataclass(frozen=True)
class Handshake:
    """One party's side of every handshake. Stateless: safe to run in many threads at once."""

    config: MeshConfig
    contexts: TlsContexts
    logger: FilteringBoundLogger

    def accept(self, link: Link, deadline: float, waker: Waker) -> int:
        """Authenticate a connection that came in; return the member index.

        Raises:
            MeshError: refused; logged, and said to the peer where it has proved to be a member.
        """
        self._tls(link, deadline, waker)
        peer = self.contexts.member_of(link.peer_certificate())
        if peer is None or peer == self.config.own:
            raise self._refuse(link, Cause.WRONG_CERTIFICATE, "it is no other member's")
        link.name = self.config.names[peer]
        if peer > self.config.own:
            raise self._refuse(link, Cause.WRONG_DIRECTION, "the lower index dials")
        self._expect_hello(link, peer, deadline, waker)
        self._say_hello(link, deadline, waker)
        return peer

    def dial(self, link: Link, peer: int, deadline: float, waker: Waker) -> None:
        """Authenticate a connection that this party made to the address of member `peer`.

        Raises:
            MeshError: refused by either end; what this end refuses is logged.
        """
        link.name = self.config.names[peer]
        self._tls(link, deadline, waker)
        found = self.contexts.member_of(link.peer_certificate())
        if found != peer:
            whose = "no member's" if found is None else f"that of {self.config.names[found]}"
            raise self._refuse(link, Cause.WRONG_CERTIFICATE, f"it is {whose}")
        self._say_hello(link, deadline, waker)
        self._expect_hello(link, peer, deadline, waker)

    def _tls(self, link: Link, deadline: float, waker: Waker) -> None:
        try:
            link.handshake(deadline, waker)
        except ssl.SSLCertVerificationError as error:
            raise self._refuse(link, Cause.WRONG_CERTIFICATE, error.verify_message) from error
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                refusal = link.error(f"refuses this link in TLS ({describe(error)})", Reason.PEER_REFUSED)
                self._log_silence(link, refusal)
                raise refusal from error
            raise self._refuse(link, _tls_cause(error), describe(error)) from error
        except MeshError as error:
            self._log_silence(link, error)
            raise

    def _say_hello(self, link: Link, deadline: float, waker: Waker) -> None:
        link.send(FrameKind.HELLO, encode_hello(self.config.own, self.config.consortium_hash))
        link.finish_sending(deadline, waker)

    def _expect_hello(self, link: Link, peer: int, deadline: float, waker: Waker) -> None:
        try:
            link.wait_frame(deadline, waker)
            payload = link.take(FrameKind.HELLO)
        except MeshError as error:
            if error.reason is Reason.FRAME_MALFORMED:
                raise self._refuse(link, Cause.MALFORMED_FRAMES, error.message) from error
            self._log_silence(link, error)
            raise
        if len(payload) != _HELLO.size or not payload.startswith(_MAGIC):
            raise self._refuse(link, Cause.MALFORMED_FRAMES, "no HELLO")
        _, version, member, consortium_hash = _HELLO.unpack(payload)
        if version != PROTOCOL_VERSION:
            detail = f"it speaks {version}, this party {PROTOCOL_VERSION}"
            raise self._refuse(link, Cause.WRONG_PROTOCOL_VERSION, detail)
        if member != peer:
            raise self._refuse(link, Cause.WRONG_CERTIFICATE, f"it claims to be member {member}")
        if consortium_hash != self.config.consortium_hash:
            detail = f"{consortium_hash.hex()[:16]} instead of {self.config.consortium_hash.hex()[:16]}"
            raise self._refuse(link, Cause.WRONG_CONSORTIUM_HASH, detail)
        link.identify(peer, self.config.names, self.config.limits.max_payload)

    def _refuse(self, link: Link, cause: Cause, detail: str) -> MeshError:
        """Log, tell the peer, and return the error to raise. The caller closes the link."""
        self.logger.warning(
            "mesh.refused", cause=cause.text, detail=detail, peer=link.name, address=link.address
        )
        if cause not in (Cause.NO_TLS, Cause.TOO_SLOW):
            link.refuse(Refusal(cause))
        reason = _REASONS.get(cause, Reason.PEER_REFUSED)
        return link.error(f"is refused: {cause.text} ({detail})", reason)

    def _log_silence(self, link: Link, error: MeshError) -> None:
        """Log a handshake that ended without a verdict of ours: too slow, closed, or refused by the peer."""
        if error.reason is Reason.PEER_TIMEOUT:
            self.logger.warning(
                "mesh.refused", cause=Cause.TOO_SLOW.text, detail="", peer=link.name, address=link.address
            )
        elif error.reason is Reason.PEER_REFUSED:
            self.logger.warning("mesh.refused_by_peer", detail=error.message, peer=link.name)
        else:
            self.logger.info(
                "mesh.handshake_broken", detail=error.message, peer=link.name, address=link.address
            )


def _tls_cause(error: ssl.SSLError) -> Cause:
    """Tell a missing certificate from a peer that does not speak TLS 1.3 at all."""
    return Cause.WRONG_CERTIFICATE if "CERTIFICATE" in (error.reason or "") else Cause.NO_TLS
