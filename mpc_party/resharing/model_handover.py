"""Old components handed to one member, which checks each against the public commitment: for stand-ins and for recovery.

    bytes                 what
    32 per subset         the leaves of all components, in the order of `subsets`
    8 count + 32          of each component, in the order of its subset: words, then salt

The commitment in the consortium file is over the leaves, and a leaf over its component. So a wrong byte is found, and
who sent it is at fault.
"""

from collections.abc import Iterable, Sequence

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelHeader, component_leaf, model_commitment, subsets
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.model_plan import (
    HASH_BYTES,
    SALT_BYTES,
    WORD_BYTES,
    ModelMoveError,
    Subset,
    component_bytes,
)

_REMEDY = "nothing is stored; run it again without the member at fault, or after it has mended its share"


def handover(share: SharesAtRest, given: Iterable[Subset]) -> bytes:
    """The message that hands these components on. Secret: for one who is to have them, over the mesh."""
    pieces = list(share.leaves)
    for subset in given:
        salt, words = share.held[subset]
        pieces += [words, salt]
    return b"".join(pieces)


def handover_bytes(header: ModelHeader, given: int) -> int:
    """The size of a message that hands so many components on."""
    return HASH_BYTES * len(subsets(header.members, header.threshold)) + given * component_bytes(header)


def take_over(
    message: bytes, header: ModelHeader, commitment: bytes, given: Sequence[Subset], sender: str
) -> tuple[tuple[bytes, ...], dict[Subset, tuple[bytes, bytes]]]:
    """Check what `sender` handed over: the leaves, and salt and words by subset.

    Raises:
        ModelMoveError: FRAME_MALFORMED or MODEL_MISMATCH, always with the sender as culprit.
    """
    require_length(message, handover_bytes(header, len(given)), sender)
    names = subsets(header.members, header.threshold)
    leaves = tuple(message[HASH_BYTES * i : HASH_BYTES * (i + 1)] for i in range(len(names)))
    if model_commitment(header, leaves) != commitment:
        raise ModelMoveError(
            f"{sender} handed over hashes that are not those of the consortium's model",
            reason=Reason.MODEL_MISMATCH,
            culprit=sender,
            remedy=_REMEDY,
        )
    held = {}
    size = component_bytes(header)
    start = HASH_BYTES * len(names)
    for subset in given:
        words, salt = (
            message[start : start + size - SALT_BYTES],
            message[start + size - SALT_BYTES : start + size],
        )
        start += size
        if component_leaf(subset, salt, words) != leaves[names.index(subset)]:
            raise ModelMoveError(
                f"{sender} handed over a component that does not fit the commitment to the model",
                reason=Reason.MODEL_MISMATCH,
                culprit=sender,
                remedy=_REMEDY,
            )
        held[subset] = (salt, words)
    return leaves, held


def require_share(share: SharesAtRest, header: ModelHeader, commitment: bytes, member: int) -> None:
    """Refuse this member's own share if it is not one of this model: others would take this member for a cheat. Local.

    Raises:
        ModelMoveError: MODEL_MISMATCH.
    """
    names = subsets(header.members, header.threshold)
    fits = (
        (share.header, share.member, share.commitment) == (header, member, commitment)
        and sorted(share.held) == [subset for subset in names if member not in subset]
        and all(component_leaf(a, *share.held[a]) == share.leaves[names.index(a)] for a in share.held)
        and all(len(words) == WORD_BYTES * header.count for _, words in share.held.values())
    )
    if not fits:
        raise ModelMoveError(
            "this member's share is not one of the model in the consortium file",
            reason=Reason.MODEL_MISMATCH,
            remedy="take the share file that belongs to the consortium file, or recover the share",
        )


def require_length(frame: bytes, expected: int, sender: str) -> None:
    """Refuse a message of another length than the protocol has.

    Raises:
        ModelMoveError: FRAME_MALFORMED, with the sender as culprit.
    """
    if len(frame) != expected:
        raise ModelMoveError(
            f"{sender} sent {len(frame)} bytes where the protocol has {expected}",
            reason=Reason.FRAME_MALFORMED,
            culprit=sender,
            remedy="nothing is stored; see that all members run the same version",
        )
