"""From shares at rest (n members, replicated over sets of t) to the components of a committee, without a message.

Each component x_A at rest goes to one component of the committee, of which it has one for each set of t of its members
(`layout`): to that of the committee's members in A, filled up to t with its first members that are not in A. All who must then
hold the component held x_A already, so that the conversion is local: DESIGN, "a committee takes over by local conversion".
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelShare, subsets
from mpc_party.secure.errors import SecureError
from mpc_party.secure.layout import layout_of


def committee_components(share: ModelShare, committee: Sequence[int]) -> NDArray[np.int64]:
    """This member's components of every weight, int64 of shape (components, count), in the order of `Layout.held`.

    With threshold 1 these are x_i and x_{i+1}, i its position.

    Args:
        share: this member's share at rest, with threshold t.
        committee: 2t + 1 member indices, ascending, this member's among them.

    Raises:
        SecureError: MODEL_MISMATCH, the committee does not fit the share.
    """
    threshold, members = share.header.threshold, share.header.members
    layout = layout_of(threshold)
    ascending = tuple(sorted(set(committee) & set(range(members))))
    fits = tuple(committee) == ascending and len(ascending) == layout.parties and share.member in ascending
    if not fits:
        raise SecureError(
            f"committee {tuple(committee)} does not fit member {share.member} of {members} with threshold {threshold}",
            reason=Reason.MODEL_MISMATCH,
            remedy="deal the model again for the members that the consortium has now",
        )
    position = ascending.index(share.member)
    components = np.zeros((len(layout.held[position]), share.header.count), dtype=np.int64)
    for subset in subsets(members, threshold):
        component = layout.subsets.index(_lacking(subset, ascending, threshold))
        slot = layout.slot(position, component)
        if slot is not None:
            components[slot] += np.frombuffer(share.component(subset), dtype="<i8")  # wraps: in Z_2^64
    return components


def _lacking(subset: tuple[int, ...], committee: Sequence[int], threshold: int) -> tuple[int, ...]:
    """The positions that lack the committee's component to which the one at rest goes that `subset` lacks."""
    chosen = [position for position, member in enumerate(committee) if member in subset]
    others = [position for position in range(len(committee)) if position not in chosen]
    return tuple(sorted(chosen + others[: threshold - len(chosen)]))
