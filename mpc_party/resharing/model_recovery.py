"""One member's lost share of the model, given back by t+1 others: no new epoch, and nothing changes for anybody else.

Each component that the member holds comes from the lowest helper that holds it: of t+1 helpers, at most t are in its subset.
The member checks the leaves against the commitment in the consortium file, and each component against its leaf, so that the
share it gets is the one it had, byte for byte, whoever helps.
"""

from collections.abc import Sequence

from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.model_share import ModelHeader, subsets
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.model_handover import handover, handover_bytes, require_share, take_over
from mpc_party.resharing.model_plan import ModelMoveError, Subset, require_frame


def recover_model(
    exchange: Exchange,
    header: ModelHeader,
    commitment: bytes,
    helpers: Sequence[int],
    recovering: int,
    names: Sequence[str],
    share: SharesAtRest | None,
) -> SharesAtRest | None:
    """Give `recovering` its share back. Collective: the helpers and the recovering member; others may call it too.

    Rounds: one exchange of kind CEREMONY, from the helpers to the recovering member.
    Bytes, with w weights: each helper sends 32 C(n, t), and 8 w + 32 for each component that it is the lowest helper to hold;
        in all C(n-1, t) components.
    Reveals: to the recovering member its own share, which it may know; to others nothing.

    Args:
        exchange: a session, members named by their indices in the consortium file.
        header: of the model.
        commitment: the one in the consortium file, 32 bytes.
        helpers: t+1 member indices, ascending, without `recovering`.
        recovering: index of the member that has lost its share.
        names: the members' names.
        share: a helper's own share; None at the recovering member.

    Returns:
        The share at the recovering member, None at all others.

    Raises:
        ModelMoveError: PROPOSAL_REFUSED, the helpers do not fit; MODEL_MISMATCH, a helper's own share does not fit, or a helper
            sent something wrong and is the culprit; FRAME_MALFORMED, likewise.
        MeshError: a helper is silent or gone.
    """
    own = exchange.own
    given = _given(header, helpers, recovering)
    if own in helpers:
        if share is None:
            raise ModelMoveError("a helper needs its share", remedy="open the share file first")
        require_share(share, header, commitment, own)
        exchange.exchange(FrameKind.CEREMONY, {recovering: handover(share, given[own])}, ())
    if own != recovering:
        return None
    leaves: tuple[bytes, ...] = ()
    held: dict[Subset, tuple[bytes, bytes]] = {}
    for helper, frame in exchange.exchange(FrameKind.CEREMONY, {}, helpers).items():
        leaves, pieces = take_over(frame, header, commitment, given[helper], names[helper])
        held |= pieces
    return SharesAtRest(header, own, leaves, {subset: held[subset] for subset in sorted(held)})


def _given(header: ModelHeader, helpers: Sequence[int], recovering: int) -> dict[int, list[Subset]]:
    """Which components each helper hands over."""
    members = range(header.members)
    fits = (
        len(helpers) == header.threshold + 1
        and list(helpers) == sorted(set(helpers) & set(members))
        and recovering in set(members) - set(helpers)
    )
    if not fits:
        raise ModelMoveError(
            f"members {tuple(helpers)} of {header.members} cannot recover the share of member {recovering} "
            f"with threshold {header.threshold}",
            remedy=f"take {header.threshold + 1} others as helpers",
        )
    given: dict[int, list[Subset]] = {helper: [] for helper in helpers}
    for subset in subsets(header.members, header.threshold):
        if recovering not in subset:
            given[next(helper for helper in helpers if helper not in subset)].append(subset)
    for components in given.values():
        require_frame(handover_bytes(header, len(components)), f"recovering {header.count} weights")
    return given
