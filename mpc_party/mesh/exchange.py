"""What the computation and the signing protocol need from the mesh: one synchronous exchange of messages."""

from collections.abc import Collection, Mapping
from enum import IntEnum
from typing import Protocol


class FrameKind(IntEnum):
    """What a frame carries. Both ends must expect the same kind at the same sequence number."""

    HELLO = 1  # handshake: protocol version, consortium hash, member index
    SESSION = 2  # start of a round or a ceremony: its identifier and its members
    SEEDS = 3  # agreement on pairwise and group randomness
    WORDS = 4  # ring elements, raw little-endian 64-bit words
    BITS = 5  # packed bits of binary sharings, raw little-endian 64-bit words
    CEREMONY = 6  # key generation and nonce messages
    APPROVAL = 7  # signed approval of (round, digest, transcript)
    SIGNATURE = 8  # signature shares
    CHECK = 9  # hashes of transcripts and public inputs
    REFUSAL = 10  # the mesh itself: why the sender is about to close this link
    DISPUTE = 11  # in place of whatever is due: a check failed at the sender, and this is what it holds


class Exchange(Protocol):
    """A synchronous network between the members of one session (a committee, or all members in a ceremony).

    Members are named by their 0-based index in the consortium file. All calls block, and every wait has the
    session's deadline: a silent peer raises `MeshError` with that peer as culprit.
    """

    @property
    def own(self) -> int:
        """This party's member index."""

    @property
    def peers(self) -> tuple[int, ...]:
        """The other members of the session, ascending."""

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        """Send one frame to each peer in `outgoing`, then wait for one frame from each peer in `expect`.

        One communication round. Sending and receiving overlap, so that two peers that both send more than
        the socket buffers hold do not deadlock. Payloads are contiguous buffers and must not change before
        the call returns. A frame that a peer sent ahead of time waits for the call that expects it.

        Raises:
            PeerDisputes: a peer has found that somebody cheated. `dispute` is the only call that may follow.
            MeshError: a peer is silent past the deadline, has closed, or sent a frame of another kind.
        """


class DisputableExchange(Exchange, Protocol):
    """A network whose sessions can end in a dispute: what signing needs."""

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        """Tell every peer, in place of what is due, what this party has to say in a dispute, and hear each peer.

        Frames that peers had sent before they heard of it are passed over. May be called again for a second exchange
        of the same kind, with those that took part in the first. Nothing else can follow in this session.

        Returns:
            What came within so many seconds, by peer; who is silent or gone is not in it.
        """
