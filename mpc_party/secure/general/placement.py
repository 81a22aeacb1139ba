"""Who sends what to whom between 2t + 1 parties. Public and pure; every party's load is the same."""

import functools

from mpc_party.secure.layout import Slots, layout_of


@functools.cache
def sent_components(threshold: int) -> Slots:
    """By position, the one component of what it shares that it sends, while all others come from seeds.

    Position p sends the component that p+1 .. p+t lack, to p+t+1 .. p+2t: of two parties one sends to the other.
    """
    layout = layout_of(threshold)
    parties = layout.parties
    return tuple(
        layout.subsets.index(tuple(sorted((p + step) % parties for step in range(1, threshold + 1))))
        for p in range(parties)
    )


def receivers(threshold: int, position: int) -> Slots:
    """The t other holders of the component that a position sends."""
    holders = layout_of(threshold).holders(sent_components(threshold)[position])
    return tuple(p for p in holders if p != position)


def senders(threshold: int, position: int) -> Slots:
    """The t positions from which a position receives a component, ascending."""
    parties = layout_of(threshold).parties
    return tuple(p for p in range(parties) if position in receivers(threshold, p))


@functools.cache
def drawing(threshold: int, component: int) -> Slots:
    """The holders of a component that draw it from its seed when they share something: all but its sender."""
    sent = sent_components(threshold)
    return tuple(p for p in layout_of(threshold).holders(component) if sent[p] != component)


@functools.cache
def openers(threshold: int, position: int) -> tuple[tuple[int, Slots], ...]:
    """From whom a position learns the components that it lacks, as (sender, components): a sum from each of t senders.

    They are p+1 .. p+t: a component that all of these lacked besides p would be lacked by t + 1 positions.
    """
    layout = layout_of(threshold)
    left = [c for c, lacking in enumerate(layout.subsets) if position in lacking]
    result = []
    for step in range(1, threshold + 1):
        sender = (position + step) % layout.parties
        given = tuple(c for c in left if sender not in layout.subsets[c])
        left = [c for c in left if c not in given]
        result.append((sender, given))
    return tuple(result)
