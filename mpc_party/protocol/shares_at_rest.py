"""One member's share of a model with all that others check it by: what a refit, a move or a recovery gives.

`model_share.ModelShare` is what a round computes with, the words. To hand components on, a member also needs their
salts and the leaf hashes of all components; `SharesAtRest` has them, and `open_at_rest` reads them from a share file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from mpc_party.protocol.model_share import (
    ModelHeader,
    check_share,
    model_commitment,
    seal_share,
    share_content,
)
from mpc_party.protocol.secret import Secret

_Components = tuple[tuple[tuple[int, ...], bytes, bytes], ...]
_Content = tuple[str, object, int, tuple[bytes, ...], _Components]  # tag, header, member, leaves, components


@dataclass(frozen=True, repr=False)
class SharesAtRest(Secret):
    """One member's share of the model, and the leaves of all components. `held`: salt and words by subset."""

    header: ModelHeader
    member: int
    leaves: tuple[bytes, ...]
    held: Mapping[tuple[int, ...], tuple[bytes, bytes]]

    @property
    def commitment(self) -> bytes:
        """The public commitment, 32 bytes, equal at all members."""
        return model_commitment(self.header, self.leaves)

    def seal(self, recipient: str) -> bytes:
        """The member's share file, encrypted to it: what `open_share` reads."""
        return seal_share(self.header, self.member, self.leaves, self.held, recipient)


def open_at_rest(
    data: bytes, decrypt: Callable[[bytes], bytes], *, member: int, commitment: bytes | None
) -> SharesAtRest:
    """Decrypt and check one member's file as `open_share` does, and keep its salts and leaves.

    Args:
        data: the encrypted file.
        decrypt: `Identity.decrypt` of this member.
        member: this member's index.
        commitment: the one in the consortium file; None only to learn it.

    Raises:
        ModelShareError: not for this key, corrupted, for another member, or not what the commitment binds.
    """
    content = share_content(data, decrypt)
    header = check_share(content, member=member, commitment=commitment).header
    _, _, _, leaves, components = msgspec.msgpack.decode(content, type=_Content)  # of a shape just checked
    return SharesAtRest(header, member, leaves, {subset: (salt, words) for subset, salt, words in components})
