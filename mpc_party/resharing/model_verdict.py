"""What a member concludes when others contradict what it was sent, and whom it can name.

Certain is what follows from this member's own view and the bounds: at most t holders of an old component and at most t' new members
deviate. An error without a culprit names the members of whom one deviates.
"""

from collections.abc import Mapping, Sequence

from mpc_party.protocol.errors import Reason
from mpc_party.resharing.model_handover import require_length
from mpc_party.resharing.model_plan import HASH_BYTES, ModelMoveError, MovePlan, Subset

_REMEDY = "nothing is stored and the old shares stay good; start the ceremony again, and find out who runs other software"


def require_agreement(plan: MovePlan, own: int, dissent: Mapping[Subset, Sequence[int]]) -> None:
    """Step 3: nobody contradicts the leader of a component. Local.

    Args:
        plan: of the move.
        own: this member's seat.
        dissent: by old subset, the seats of holders whose statement is not what this member expects.

    Raises:
        ModelMoveError: ECHO_MISMATCH.
    """
    names, threshold = plan.move.cast_names, plan.move.old_header.threshold
    for subset, dissenters in dissent.items():
        leader = plan.leaders[subset]
        if leader == own:  # it knows which seed it sent
            raise _mismatch(
                f"{names[dissenters[0]]} split a component by another seed than it was sent",
                names[dissenters[0]],
            )
        # "one of any t+1 is honest", and it had the leader's seed: so the leader has sent two things.
        if len(dissenters) > threshold:
            raise _mismatch(f"{names[leader]} dealt different parts of one component", names[leader])
    for subset, dissenters in dissent.items():
        raise _mismatch(
            f"{' and '.join(names[seat] for seat in dissenters)} contradict what {names[plan.leaders[subset]]} dealt"
        )


def agreed_leaves(
    plan: MovePlan, own: int, mine: Mapping[Subset, bytes], answers: Mapping[int, bytes]
) -> tuple[bytes, ...]:
    """Step 4: the leaves of all new components, in the order of the new subsets, the same from all who know them. Local.

    Args:
        plan: of the move.
        own: this member's seat.
        mine: the leaves that this member has computed, by new subset.
        answers: the leaves from each other new member, by its seat.

    Raises:
        ModelMoveError: ECHO_MISMATCH or FRAME_MALFORMED.
    """
    names, threshold = plan.move.cast_names, plan.move.new_header.threshold
    said: dict[Subset, dict[bytes, list[int]]] = {b: {} for b in plan.new_subsets}
    for subset, leaf in mine.items():
        said[subset][leaf] = [own]
    for peer, frame in answers.items():
        known = plan.needed_by(peer)
        require_length(frame, HASH_BYTES * len(known), names[peer])
        for place, subset in enumerate(known):
            leaf = frame[HASH_BYTES * place : HASH_BYTES * (place + 1)]
            said[subset].setdefault(leaf, []).append(peer)
    split = {subset: by_leaf for subset, by_leaf in said.items() if len(by_leaf) != 1}
    for subset, by_leaf in split.items():
        # All parts had passed step 3 where this was sent, so that honest members have one leaf: this member's own, or the
        # one that more than t' say.
        right = next((leaf for leaf, who in by_leaf.items() if own in who or len(who) > threshold), None)
        wrong = [seat for leaf, who in by_leaf.items() if leaf != right for seat in who]
        if right is not None:
            culprit = names[min(wrong)]
            raise _mismatch(
                f"{culprit} has another new component {subset} than the others who hold it", culprit
            )
    for subset, by_leaf in split.items():
        groups = " and ".join("/".join(names[seat] for seat in who) for who in by_leaf.values())
        raise _mismatch(f"{groups} have different new components {subset}")
    return tuple(next(iter(said[subset])) for subset in plan.new_subsets)


def _mismatch(message: str, culprit: str | None = None) -> ModelMoveError:
    return ModelMoveError(message, reason=Reason.ECHO_MISMATCH, culprit=culprit, remedy=_REMEDY)
