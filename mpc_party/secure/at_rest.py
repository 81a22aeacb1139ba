"""From shares at rest (n members, replicated over subsets) to the three components of a committee, without a message.

Each component x_A at rest goes to one component of the committee: the one lacked by the committee's member that A
contains, or, where A contains none of them, the one lacked by the committee's first member. All who must then hold
the component held x_A already, so that the conversion is local: DESIGN, "a committee takes over by local conversion".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelShare, subsets
from mpc_party.secure.errors import SecureError

THRESHOLD = 1
COMMITTEE = 2 * THRESHOLD + 1


def committee_components(share: ModelShare, committee: Sequence[int]) -> NDArray[np.int64]:
    """This member's two components (x_i, x_{i+1}) of every weight, int64 of shape (2, count), i its position.

    Args:
        share: this member's share at rest, with threshold 1.
        committee: three member indices, ascending, this member's among them.

    Raises:
        SecureError: MODEL_MISMATCH, the share is of another threshold, or the committee does not fit it.
    """
    if share.header.threshold != THRESHOLD:
        raise SecureError(
            f"the model is shared with threshold {share.header.threshold}, this version computes with {THRESHOLD}",
            reason=Reason.MODEL_MISMATCH,
            remedy="deal the model again with the consortium's threshold",
        )
    ascending = tuple(sorted(set(committee) & set(range(share.header.members))))
    if tuple(committee) != ascending or len(ascending) != COMMITTEE or share.member not in ascending:
        raise SecureError(
            f"committee {tuple(committee)} does not fit member {share.member} of {share.header.members}",
            reason=Reason.MODEL_MISMATCH,
            remedy="deal the model again for the members that the consortium has now",
        )
    position = ascending.index(share.member)
    components = np.zeros((2, share.header.count), dtype=np.int64)
    for subset in subsets(share.header.members, share.header.threshold):
        index = _component_of(subset, committee)
        if index in (position, (position + 1) % COMMITTEE):
            words = np.frombuffer(share.component(subset), dtype="<i8")
            components[(index - position) % COMMITTEE] += words  # wraps: arithmetic in Z_2^64
    return components


def _component_of(subset: tuple[int, ...], committee: Sequence[int]) -> int:
    # Party i holds x_i and x_{i+1}, so component c is the one that party c + 1 lacks.
    lacking = next((q for q, member in enumerate(committee) if member in subset), 0)
    return (lacking - 1) % COMMITTEE
