"""What t old and t' new members receive together does not depend on the weights: bit by bit, but for hashes with unknown salts."""

import itertools

import numpy as np
import pytest
from scipy.stats import chi2

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.model_share import component_leaf
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing import model, model_handover
from mpc_party.resharing.model_parts import Parts, split
from mpc_party.resharing.model_plan import plan_of
from tests.support.model_moves import REPEATABLE, Stage, filler, run_move, stage

MANY = 4096
SHIFT = np.array([1, -5, 1 << 40, 1 << 62, -(1 << 63)])  # what the other world's weights are higher by

WORLDS = [
    # old, new, options, A*, B*: what the old and the new corrupted members lack
    ((3, 1), (5, 2), {}, (0,), (0, 3)),
    ((3, 1), (5, 2), {}, (1,), (1, 4)),
    ((5, 2), (3, 1), {}, (3, 4), (0,)),
    ((5, 2), (3, 1), {}, (0, 3), (0,)),
    ((3, 1), (4, 1), {}, (2,), (2,)),
    ((3, 1), (3, 1), {"stay": ()}, (0,), (2,)),
    ((4, 1), (3, 1), {"absent": (2,)}, (3,), (2,)),
    ((3, 1), (3, 1), {"absent": (2,)}, (2,), (2,)),  # the stand-in pries
    ((3, 1), (3, 1), {"absent": (2,)}, (0,), (0,)),  # who lends to it pries
    ((7, 3), (7, 3), {}, (0, 2, 5), (0, 2, 5)),
    ((7, 3), (5, 2), {"stay": (0, 1)}, (1, 5, 6), (1, 4)),
]


def colluders(staged, lacking_old, lacking_new):
    """All seats whose members, old or standing in, are in A*, and as new members in B*."""
    move = staged.move
    absent = [i for i, seat in enumerate(move.old_seats) if seat is None]
    joiners = [seat for seat in move.new_seats if seat not in move.old_seats]
    standing = dict(zip(joiners, absent, strict=False))
    result = []
    for seat in staged.seats:
        old = move.old_seats.index(seat) if seat in move.old_seats else standing.get(seat)
        new = move.new_seats.index(seat) if seat in move.new_seats else None
        if (old is None or old in lacking_old) and (new is None or new in lacking_new):
            result.append(seat)
    return result


def shifted(staged, lacking):
    """The same dealing with other weights: all that is known of x_A* to who lacks it is the leaf, which is left as it is."""
    shares = {}
    for seat, share in staged.shares.items():
        held = dict(share.held)
        if lacking in held:
            salt, words = held[lacking]
            held[lacking] = salt, (np.frombuffer(words, dtype="<i8") + SHIFT).tobytes()
        shares[seat] = SharesAtRest(share.header, share.member, share.leaves, held)
    return Stage(staged.move, shares)


def run_world(staged, lacking_old, lacking_new, monkeypatch, salt):
    """A move in which the stream for x_A* is uniform words: x_A*^B* is what is left, and its piece of salt is `salt`."""
    plan = plan_of(staged.move)
    hidden = plan.new_subsets.index(lacking_new)

    def dealt(seed, session, subset, component, parts):
        if subset != lacking_old:
            return split(seed, session, subset, component, parts)
        words = (
            np.frombuffer(filler("uniform", 8 * len(SHIFT) * parts), dtype="<i8").reshape(parts, -1).copy()
        )
        words[hidden] = np.frombuffer(component, dtype="<i8") - words.sum(axis=0) + words[hidden]
        salts = [filler(f"piece {part}", 32) for part in range(parts)]
        salts[hidden] = salt
        return Parts(words, salts)

    monkeypatch.setattr(model, "split", dealt)
    # In both worlds x_A* has the leaf that it has in `staged`: to who does not know the salt it is random anyway.
    leaf = staged.shares[min(staged.shares)].leaves[plan.old_subsets.index(lacking_old)]
    monkeypatch.setattr(
        model_handover,
        "component_leaf",
        lambda subset, *parts: leaf if subset == lacking_old else component_leaf(subset, *parts),
    )
    monkeypatch.setattr(model, "secrets", REPEATABLE)
    return run_move(staged)


@pytest.mark.parametrize(("old", "new", "options", "lacking_old", "lacking_new"), WORLDS)
def test_colluding_members_see_the_same_whatever_the_weights_are(
    old, new, options, lacking_old, lacking_new, monkeypatch
):
    staged = stage(old, new, **options)
    seats = colluders(staged, lacking_old, lacking_new)
    assert seats
    one = run_world(staged, lacking_old, lacking_new, monkeypatch, filler("one", 32))
    other = run_world(
        shifted(staged, lacking_old), lacking_old, lacking_new, monkeypatch, filler("other", 32)
    )
    assert one.opened()[0].commitment != other.opened()[0].commitment
    # The piece that they lack makes a salt that they lack.
    holder = next(seat for seat in staged.move.new_seats if lacking_new in one.models[seat].share.held)
    salts = [run.models[holder].share.held[lacking_new][0] for run in (one, other)]
    assert salts[0] != salts[1]
    plan = plan_of(staged.move)
    for seat in seats:
        assert one.staged.shares.get(seat) == other.staged.shares.get(seat)
        last = len(one.links[seat].received) - len([p for p in staged.move.new_seats if p != seat])
        pairs = zip(one.links[seat].received, other.links[seat].received, strict=True)
        for place, ((peer, kind, data), (_, _, there)) in enumerate(pairs):
            if place < last:
                assert data == there
                continue
            # All that differs is the leaf of y_B*, under a salt of which the colluders lack a piece.
            assert kind is FrameKind.CHECK
            known = plan.needed_by(peer)
            for k, subset in enumerate(known):
                same = data[32 * k : 32 * k + 32] == there[32 * k : 32 * k + 32]
                assert same == (subset != lacking_new)
            assert len(data) == 32 * len(known)


def test_with_one_member_more_they_do_see_a_difference(monkeypatch):
    """What the test above would find: a holder of x_A* among the colluders, or a new member that gets x_A*^B*."""
    staged = stage((3, 1), (5, 2))
    worlds = [run_world(s, (0,), (0, 3), monkeypatch, bytes(32)) for s in (staged, shifted(staged, (0,)))]
    for seat in (1, 2, 4):
        held = [world.staged.shares.get(seat) for world in worlds]
        received = [link.received for link in (world.links[seat] for world in worlds)]
        assert held[0] != held[1] or received[0] != received[1]


@pytest.mark.parametrize("hidden", [0, 1, 2])
def test_parts_without_one_of_them_are_uniform(hidden):
    """The real stream, equal weights: every byte of every other part, and of the sum of all others."""
    component = np.full(MANY, 5 << 16, dtype="<i8").tobytes()
    parts = split(filler("a seed", 32), bytes(32), (0,), component, 3).words
    others = [parts[k] for k in range(3) if k != hidden]
    for words in (*others, sum(others), others[0] - others[1]):
        counts = [np.bincount(lane, minlength=256) for lane in words.view(np.uint8).reshape(-1, 8).T]
        statistic = ((np.array(counts) - MANY / 256) ** 2 / (MANY / 256)).sum(1)
        assert chi2.sf(statistic, 255).min() > 1e-9


def test_another_seed_changes_all_that_colluders_get_of_the_component(monkeypatch):
    """The real stream in a real move: x_A*'s seed alone is another one, and no word or piece of salt stays."""
    staged = stage((3, 1), (3, 1))
    blocks = []
    for label in ("one", "other"):

        def dealt(seed, session, subset, component, parts, label=label):
            seed = filler(label, 32) if subset == (0,) else seed
            return split(seed, session, subset, component, parts)

        monkeypatch.setattr(model, "split", dealt)
        monkeypatch.setattr(model, "secrets", REPEATABLE)
        run = run_move(staged)
        assert run.opened()
        # Member 0 lacks x_0, whose leader is member 1; what else it receives of parts is nothing.
        blocks.append(next(data for peer, _, data in run.links[0].received if peer == 1))
    for one, other in itertools.product(*[[b[i : i + 8] for i in range(0, len(b), 8)] for b in blocks]):
        assert one != other
