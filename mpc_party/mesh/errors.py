"""Errors of the mesh: which peer, and what it did or failed to do."""

from collections.abc import Sequence

from mpc_party.protocol.errors import ConsortiumError, Reason


class MeshError(ConsortiumError):
    """A link to a peer could not be made, broke, fell silent or carried what it must not.

    Args:
        message: what happened, in one line.
        reason: one of the mesh's codes, or whatever `Mesh.abort` was given.
        peers: every member concerned, most relevant first; the first one is the culprit if none is named.
        culprit: the member at fault as far as this party saw it with its own eyes.
        hearsay: the member that a peer blamed as it left; a claim, not an observation.
        remedy: the next step.
    """

    default_reason = Reason.PEER_CLOSED

    def __init__(
        self,
        message: str,
        *,
        reason: Reason | None = None,
        peers: Sequence[str] = (),
        culprit: str | None = None,
        hearsay: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(
            message, reason=reason, culprit=culprit or (peers[0] if peers else None), remedy=remedy
        )
        self.peers = tuple(peers) or (() if culprit is None else (culprit,))
        self.hearsay = hearsay


class PeerDisputes(MeshError):  # noqa: N818 - not a fault of the peer's: it says that somebody's check failed
    """A peer sent a DISPUTE frame in place of what was due. Nobody is at fault by that alone.

    Attributes:
        peer: its member index.
        payload: what it says. It may lie.
    """

    default_reason = Reason.DISPUTED

    def __init__(self, name: str, peer: int, payload: bytes) -> None:
        super().__init__(f"{name} found that a check failed")
        self.peer = peer
        self.payload = payload
