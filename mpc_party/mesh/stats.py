"""What the mesh has carried: bytes and frames per peer, and communication rounds."""

from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class PeerStats:
    """Traffic with one peer. All counts are exact.

    `payload_*` excludes framing; `framed_*` adds the 9-byte headers; `wire_*` is what went over TCP, TLS records
    included. Frames and payloads are counted when they are handed over (sent: when encrypted; received: when the
    program takes them), wire bytes when the kernel moves them.
    """

    frames_sent: int = 0
    frames_received: int = 0
    payload_sent: int = 0
    payload_received: int = 0
    framed_sent: int = 0
    framed_received: int = 0
    wire_sent: int = 0
    wire_received: int = 0

    def __add__(self, other: "PeerStats") -> "PeerStats":
        return PeerStats(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: "PeerStats") -> "PeerStats":
        return PeerStats(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))


@dataclass(slots=True)
class MeshStats:
    """Traffic of one session, or of a mesh since it started: a snapshot, per peer by member index.

    `rounds` is the number of calls of `exchange`, whatever they sent or expected.
    """

    rounds: int = 0
    peers: dict[int, PeerStats] = field(default_factory=dict)

    @property
    def payload_sent(self) -> int:
        """Payload bytes sent to all peers."""
        return sum(peer.payload_sent for peer in self.peers.values())

    @property
    def payload_received(self) -> int:
        """Payload bytes received from all peers."""
        return sum(peer.payload_received for peer in self.peers.values())

    @property
    def wire_sent(self) -> int:
        """Bytes sent over TCP to all peers, framing and TLS included."""
        return sum(peer.wire_sent for peer in self.peers.values())

    @property
    def wire_received(self) -> int:
        """Bytes received over TCP from all peers, framing and TLS included."""
        return sum(peer.wire_received for peer in self.peers.values())
