"""All sign one transcript."""

from collections.abc import Callable

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.resharing.transcript import TranscriptBody, signed_by


def sign_together(
    links: Exchange,
    body: TranscriptBody,
    sign: Callable[[bytes], bytes],
    reason: Reason = Reason.CEREMONY_FAILED,
) -> dict[int, bytes]:
    """Exchange signatures over the transcript: one exchange of kind CEREMONY, 64 bytes to all.

    Returns:
        By seat, this member's too.

    Raises:
        ConsortiumError: with this reason, and the member whose signature does not verify: it has another transcript, or cheats.
    """
    mine = sign(body.statement)
    signatures = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers)
    for peer, signature in signatures.items():
        if not signed_by(body, peer, signature):
            raise ConsortiumError(
                "a signature does not verify over the transcript of this ceremony",
                reason=reason,
                culprit=body.names[peer],
            )
    return signatures | {links.own: mine}


__all__ = ["sign_together"]
