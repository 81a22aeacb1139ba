"""The beginning of a ceremony: a fresh name for it, and what is public of the model, for who has no share of it."""

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mpc_party.mesh.exchange import Exchange, FrameKind
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader, model_commitment
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.signing.wire import Bytes32

_CEREMONY: Final = b"mpc-hedge/ceremony/v1"


class Begin(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="begin"):
    """Random bytes for the ceremony's name, and the model's header and leaves, from those who have a share of it."""

    nonce: Bytes32
    header: ModelHeader | None
    leaves: Annotated[tuple[Bytes32, ...], Meta(max_length=64)]


_begin = msgspec.msgpack.Decoder(Begin)


def begin(
    links: Exchange,
    bound: bytes,
    names: Sequence[str],
    model: str | None,
    share: SharesAtRest | None,
    holders: Sequence[int],
) -> tuple[bytes, ModelHeader | None]:
    """32 bytes that name this attempt, fresh as long as one member is honest; and the model's header.

    Two exchanges of kind CEREMONY to all: 32 random bytes, and the name; from the holders the header, too, and 32 bytes a leaf. These are what
    the commitment in the consortium file is over, so that nobody can lie about them.

    Args:
        links: among all participants.
        bound: 32 bytes that say what the ceremony is about, the same at all.
        names: of the members, by index in the session.
        model: the commitment, hex; None where there is no model.
        share: this member's, if it has one.
        holders: whose word on the model is due.

    Raises:
        ConsortiumError: CEREMONY_FAILED with the member that sent something else; without, see `compare_names`.
    """
    nonce = secrets.token_bytes(32)
    mine = Begin(nonce, None, ()) if share is None else Begin(nonce, share.header, share.leaves)
    message = msgspec.msgpack.encode(mine)
    said = {links.own: mine}
    for peer, data in links.exchange(
        FrameKind.CEREMONY, dict.fromkeys(links.peers, message), links.peers
    ).items():
        try:
            said[peer] = _begin.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _refuse("a malformed beginning of the ceremony", names[peer]) from None
    ordered = b"".join(said[seat].nonce for seat in sorted(said))
    ceremony = sha256(_CEREMONY + bound + ordered).digest()
    for seat in holders if model is not None else ():
        header = said[seat].header
        if header is None or model_commitment(header, said[seat].leaves) != bytes.fromhex(model or ""):
            raise _refuse(
                "what a member says of the model is not what the consortium file commits to", names[seat]
            )
    compare_names(links, ceremony, names)
    return ceremony, None if model is None else said[holders[0]].header


def compare_names(links: Exchange, ceremony: bytes, names: Sequence[str]) -> None:
    """Go on only where all have the same name for the ceremony. One exchange of kind CEREMONY, 32 bytes to all.

    Messages are signed for the ceremony of this name. Two honest members that somebody had told different random bytes would take each
    other's signatures for forged, and say so.

    Raises:
        ConsortiumError: CEREMONY_FAILED without a culprit: who has another name may be the one that was lied to.
    """
    heard = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, ceremony), links.peers)
    others = [names[peer] for peer, theirs in sorted(heard.items()) if theirs != ceremony]
    if others:
        raise ConsortiumError(
            f"{', '.join(others)} and this member were told different things about which ceremony this is",
            reason=Reason.CEREMONY_FAILED,
            remedy="nothing has changed: start again; if it happens again, compare who was in each of them",
        )


def _refuse(message: str, name: str) -> ConsortiumError:
    return ConsortiumError(message, reason=Reason.CEREMONY_FAILED, culprit=name)


__all__ = ["begin", "compare_names"]
