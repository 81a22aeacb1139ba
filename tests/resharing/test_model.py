"""The model goes to other members: whole, under one commitment, for every committee of the new ones."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.model_share import subsets
from mpc_party.resharing.model_plan import ModelMoveError, plan_of
from mpc_party.secure.at_rest import committee_components
from mpc_party.secure.layout import layout_of
from tests.support.model_moves import WORDS, Stage, replace_header, run_move, stage, weights

SHAPES = [
    ((3, 1), (5, 2), {}),
    ((5, 2), (3, 1), {}),
    ((3, 1), (4, 1), {}),
    ((7, 3), (7, 3), {}),
    ((4, 1), (3, 1), {"absent": (2,)}),
    ((3, 1), (3, 1), {"absent": (2,)}),  # replaced by a joiner, which stands in
    ((3, 1), (3, 1), {"absent": (0,), "stay": (2,)}),
    ((3, 1), (3, 1), {"stay": ()}),  # nobody stays
    ((5, 2), (5, 2), {"absent": (1, 4)}),
    ((4, 1), (5, 2), {"absent": (1, 2), "stay": (3,)}),
]


def shares_agree(run):
    shares = run.opened()
    header = run.staged.move.new_header
    assert all(share.header == header for share in shares)
    assert len({model.commitment for model in run.models.values()}) == 1
    for few in itertools.combinations(shares, header.threshold + 1):
        assert weights(few) == WORDS


@pytest.mark.parametrize(("old", "new", "options"), SHAPES)
def test_any_few_of_the_new_members_form_the_weights_and_all_know_the_commitment(old, new, options):
    run = run_move(stage(old, new, **options))
    shares_agree(run)
    for seat, model in run.models.items():
        assert (model.share is None) == (seat not in run.staged.move.new_seats)


@pytest.mark.parametrize(("old", "new", "options"), SHAPES[:6])
def test_any_committee_of_the_new_members_computes_with_them(old, new, options):
    shares = run_move(stage(old, new, **options)).opened()
    layout = layout_of(new[1])
    for committee in itertools.combinations(range(new[0]), layout.parties):
        parts = [committee_components(shares[member], committee) for member in committee]
        total = np.zeros(len(WORDS), dtype=np.int64)
        for component in range(len(layout.subsets)):
            held = [
                (p, slot) for p in range(layout.parties) if (slot := layout.slot(p, component)) is not None
            ]
            assert len({parts[position][slot].tobytes() for position, slot in held}) == 1
            total += parts[held[0][0]][held[0][1]]
        assert tuple(total.tolist()) == WORDS


sizes = st.integers(3, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, (n - 1) // 2)))


@given(old=sizes, new=sizes, data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_change_of_members_moves_the_model_or_is_refused_before_a_message(old, new, data):
    stay = sorted(data.draw(st.sets(st.integers(0, old[0] - 1), max_size=min(old[0], new[0]))))
    gone = [member for member in range(old[0]) if member not in stay]
    absent = tuple(data.draw(st.sets(st.sampled_from(gone), max_size=3))) if gone else ()
    staged = stage(old, new, stay=stay, absent=absent)
    here, joiners = old[0] - len(absent), new[0] - len(stay)
    # With t members of those that are here, x_A has the others as holders, and the joiners that stand in.
    enough = here > old[1] and here + min(len(absent), joiners) > 2 * old[1]
    try:
        plan_of(staged.move)
    except ModelMoveError:
        assert not enough
        run = run_move(staged)
        assert set(run.failures(ModelMoveError)) == set(staged.seats)
        assert not any(link.sent_bytes for link in run.links)
    else:
        assert enough
        shares = run_move(staged).opened()
        assert weights(shares[: new[1] + 1]) == weights(shares[-new[1] - 1 :]) == WORDS


def test_a_move_makes_new_components_and_salts_and_every_move_others():
    first, second = (run_move(stage((3, 1), (3, 1))) for _ in range(2))
    for seat, before in first.staged.shares.items():
        held = [before.held, first.models[seat].share.held, second.models[seat].share.held]
        salts, words = zip(*[parts for of in held for parts in of.values()], strict=True)
        assert len(set(salts)) == len(set(words)) == 6


def test_moves_can_follow_each_other():
    """3 -> 5 -> 3, as members join and leave again."""
    first = run_move(stage((3, 1), (5, 2)))
    held = {seat: model.share for seat, model in first.models.items()}
    again = stage((5, 2), (3, 1), stay=(1, 3, 4)).move
    move = replace(
        again,
        old_header=held[0].header,
        new_header=replace_header(again.new_header, epoch=3),
        commitment=held[0].commitment,
    )
    last = run_move(Stage(move, held))
    assert {seat for seat, model in last.models.items() if model.share is None} == {0, 2}
    shares_agree(last)


@pytest.mark.parametrize(
    ("old", "new"), [((3, 1), (3, 1)), ((3, 1), (5, 2)), ((5, 2), (3, 1)), ((5, 1), (4, 1))]
)
def test_rounds_and_bytes_are_what_the_docstring_says(old, new):
    run = run_move(stage(old, new))
    run.opened()
    plan = plan_of(run.staged.move)
    part, known = 8 * len(WORDS) + 32, len(subsets(new[0] - 1, new[1]))
    for link in run.links:
        assert link.rounds == 4
        own, joins = link.own, link.own in plan.move.new_seats
        lacked = [a for a in plan.old_subsets if joins and own not in plan.holders[a]]
        followed = [a for a in plan.old_subsets if own in plan.holders[a] and plan.leaders[a] != own]
        led = plan.led_by(own)
        sizes = {
            kind: sum(len(data) for _, found, data in link.received if found is kind) for kind in FrameKind
        }
        assert sizes[FrameKind.CEREMONY] == 32 * len(followed) + len(lacked) * known * part
        statements = sum(len(plan.holders[a]) - 1 for a in [*lacked, *led])
        statements += sum(len(plan.holders[a]) - 2 for a in followed)
        assert sizes[FrameKind.CHECK] == 32 * (statements + known * (new[0] - joins))


def test_a_stand_in_is_sent_what_the_docstring_says():
    run = run_move(stage((3, 1), (3, 1), absent=(2,)))
    assert run.opened()
    assert [link.rounds for link in run.links] == [5] * 3
    # What is short of holders without #3: its components {0} and {1}, from a holder each.
    lent = [len(data) for _, _, data in run.links[2].received[:2]]
    assert lent == [32 * 3 + 8 * len(WORDS) + 32] * 2


def test_nothing_of_what_a_move_gives_is_shown():
    model = run_move(stage((3, 1), (3, 1))).models[0]
    assert f"{model!r} {model.share!r}" == "<MovedModel> <SharesAtRest>"


@pytest.mark.slow
def test_ten_thousand_weights_go_from_seven_members_to_seven():
    words = tuple(range(-5_000, 5_000))
    run = run_move(stage((7, 3), (7, 3), words=words))
    assert weights(run.opened()[:4]) == words
