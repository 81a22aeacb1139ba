"""The mesh's last word on a link: why it closes, in a code that the other end turns into a clear error."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from mpc_party.protocol.errors import Reason

if TYPE_CHECKING:
    from mpc_party.mesh.errors import MeshError
    from mpc_party.mesh.link import Link

_LAYOUT = struct.Struct("<BH")
_NOBODY = 0xFFFF


class Cause(IntEnum):
    """Why a link is refused or closed. Codes are part of the wire format: added, never reused."""

    WRONG_CERTIFICATE = 1
    WRONG_CONSORTIUM_HASH = 2
    MALFORMED_FRAMES = 3
    WRONG_PROTOCOL_VERSION = 4
    WRONG_DIRECTION = 5  # the higher index dialled
    OTHER_SESSION = 6  # the two ends began different sessions
    SESSION_ABORTED = 7  # the sender gives the session up
    NO_TLS = 8  # no TLS 1.3 handshake (never on the wire: there is no channel to say it on)
    TOO_SLOW = 9  # handshake not finished in time, or dropped for newer ones

    @property
    def text(self) -> str:
        """The cause in words, as the log gives it."""
        return "no TLS 1.3" if self is Cause.NO_TLS else self.name.replace("_", " ").lower()


_REMEDY = {
    Cause.WRONG_CERTIFICATE: "compare this member's certificate with the one in the peer's consortium file",
    Cause.WRONG_CONSORTIUM_HASH: "compare consortium files: both members must hold the same one",
    Cause.WRONG_PROTOCOL_VERSION: "run the same version of the software",
}


@dataclass(frozen=True)
class Refusal:
    """The payload of a REFUSAL frame: cause (u8) and the member blamed (u16 index, 0xFFFF for nobody)."""

    cause: int
    blamed: int | None = None

    def encode(self) -> bytes:
        """Return the 3 bytes."""
        return _LAYOUT.pack(self.cause, _NOBODY if self.blamed is None else self.blamed)

    @staticmethod
    def decode(payload: bytes) -> Refusal:
        """Read a payload; one of another length counts as malformed frames of unknown cause."""
        if len(payload) != _LAYOUT.size:
            return Refusal(0)
        cause, blamed = _LAYOUT.unpack(payload)
        return Refusal(cause, None if blamed == _NOBODY else blamed)

    def error(self, link: Link) -> MeshError:
        """Say what the peer said, as an error on this side."""
        try:
            cause = Cause(self.cause)
        except ValueError:
            return link.error(f"refuses this link with unknown code {self.cause}", Reason.PEER_REFUSED)
        if cause is Cause.SESSION_ABORTED:
            names = link.member_names
            blamed = names[self.blamed] if self.blamed is not None and self.blamed < len(names) else None
            suffix = "" if blamed is None else f", blaming {blamed}"
            return link.error(f"gave the session up{suffix}", Reason.PEER_CLOSED, hearsay=blamed)
        if cause is Cause.OTHER_SESSION:
            return link.error("is in another session", Reason.PEER_CLOSED)
        if cause is Cause.MALFORMED_FRAMES:
            reason = Reason.PEER_REFUSED if link.peer is None else Reason.FRAME_MALFORMED
            return link.error("says that our frames are malformed", reason)
        return link.error(f"refuses this link: {cause.text}", Reason.PEER_REFUSED, remedy=_REMEDY.get(cause))
