"""One member deviates in a move: an honest one finds it, nobody honest is named, and the cheat is where it is certain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.resharing.model import _Mover
from mpc_party.resharing.model_plan import ModelMoveError, plan_of
from tests.support.model_moves import flip_at, run_move, stage

SEEDS, PARTS, STATEMENTS, LEAVES = 1, 2, 3, 4


def culprits(run, but, reason=Reason.ECHO_MISMATCH):
    """By honest seat that fails, whom it names."""
    failures = run.failures(ModelMoveError, but)
    assert {failure.reason for failure in failures.values()} <= {reason}
    assert all(failure.remedy for failure in failures.values())
    return {seat: failure.culprit for seat, failure in failures.items()}


def test_a_wrong_part_is_contradicted_by_the_other_holders():
    """Three others that hold the component, of whom one is honest: the leader has dealt two things."""
    run = run_move(stage((5, 1), (5, 1)), attack=flip_at(PARTS, to=4), of=0)
    assert culprits(run, 0) == {4: "m0"}


def test_a_wrong_part_with_too_few_to_tell_names_both():
    run = run_move(stage((3, 1), (3, 1)), attack=flip_at(PARTS, to=2), of=0)
    assert culprits(run, 0) == {2: None}
    assert "m1 contradict what m0 dealt" in str(run.outcomes[2])


def test_a_wrong_piece_of_salt_is_found():
    run = run_move(stage((5, 1), (5, 1)), attack=flip_at(PARTS, to=4, place=-1), of=0)
    assert culprits(run, 0) == {4: "m0"}


def test_a_wrong_statement_names_its_sender_where_the_leader_hears_it():
    run = run_move(stage((3, 1), (5, 2)), attack=flip_at(STATEMENTS, place=32), of=2)
    named = culprits(run, 2)
    # About {1}, which m0 leads: it knows which seed it sent to m2. The others are sent its parts.
    assert named == {0: "m2", 1: None, 3: None, 4: None}


def test_another_seed_to_one_holder_is_found_by_it_and_by_who_gets_the_parts():
    run = run_move(stage((5, 1), (5, 1)), attack=flip_at(SEEDS, to=1, place=96), of=0)  # the last: of {4}
    named = culprits(run, 0)
    assert named[1] == "m0"  # more than t others have another seed than it was sent
    assert named == {1: "m0", 2: None, 3: None, 4: None}


def test_another_seed_to_the_only_other_holder_is_found_by_who_gets_the_parts():
    run = run_move(stage((3, 1), (3, 1)), attack=flip_at(SEEDS, to=1), of=0)
    assert culprits(run, 0) == {2: None}


def test_a_wrong_leaf_names_its_sender():
    run = run_move(stage((3, 1), (5, 2), stay=(0, 1)), attack=flip_at(LEAVES), of=3)  # of y_{0,1}
    named = culprits(run, 3)
    # Who computes the leaf knows at once; m0, m1 and the leaver m2 hear two others, not more than t'.
    assert named == {0: None, 1: None, 2: None, 4: "m3", 5: "m3"}
    assert "m3 and m4/m5 have different" in str(run.outcomes[2])


def test_a_wrong_leaf_is_outvoted_for_who_cannot_compute_it():
    run = run_move(stage((5, 1), (4, 1)), attack=flip_at(LEAVES), of=1)
    assert culprits(run, 1) == {0: "m1", 2: "m1", 3: "m1", 4: "m1"}  # m0 lacks it, m4 leaves


def test_a_wrong_leaf_to_one_member_is_found_by_that_one():
    run = run_move(stage((5, 1), (4, 1)), attack=flip_at(LEAVES, to=4), of=1)
    assert culprits(run, 1) == {4: "m1"}


@pytest.mark.parametrize(("place", "what"), [(0, "hashes"), (96, "component"), (-1, "component")])
@pytest.mark.parametrize("giver", [0, 1])
def test_a_stand_in_that_is_lent_something_wrong_names_the_giver(giver, place, what):
    staged = stage((3, 1), (3, 1), absent=(2,))
    run = run_move(staged, attack=flip_at(1, to=2, place=place), of=giver)
    assert culprits(run, giver, Reason.MODEL_MISMATCH) == {2: f"m{giver}"}
    assert what in str(run.outcomes[2])


def test_a_leader_that_deals_another_component_is_contradicted_by_the_stand_in():
    """Without the stand-in nobody else would know x_{1}, and the model would come out another one unseen."""

    def program(link, move, share):
        mover = _Mover(link, plan_of(move), share)
        if link.own == 0:
            mover._components[1,] = bytes(len(mover._components[1,]))
        return mover.run()

    run = run_move(stage((3, 1), (3, 1), absent=(2,)), program=program)
    assert culprits(run, 0) == {1: None}
    assert "m2 contradict what m0 dealt" in str(run.outcomes[1])


@pytest.mark.parametrize("step", [SEEDS, PARTS, STATEMENTS, LEAVES])
def test_a_message_of_another_length_names_its_sender(step):
    def attack(link):
        link.tamper = lambda _peer, _kind, data: data + b"\0" if link.rounds == step else data

    run = run_move(stage((3, 1), (5, 2)), attack=attack, of=1)
    named = culprits(run, 1, Reason.FRAME_MALFORMED)
    assert named
    assert set(named.values()) == {"m1"}


SHAPES = [
    ((3, 1), (5, 2), {}),
    ((5, 2), (3, 1), {}),
    ((5, 1), (5, 1), {}),
    ((3, 1), (3, 1), {"absent": (1,)}),
    ((4, 1), (3, 1), {"absent": (2,)}),
]


@given(st.sampled_from(SHAPES), st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_anywhere_is_found_and_names_nobody_honest(shape, data):
    old, new, options = shape
    staged = stage(old, new, **options)
    of = data.draw(st.sampled_from(staged.seats), "who")
    step = data.draw(st.integers(1, 5), "step")
    to = data.draw(st.sampled_from([None, *(seat for seat in staged.seats if seat != of)]), "to")
    place = data.draw(st.integers(0, 4096), "place")
    flipped = []

    def attack(link):
        flip_at(step, to=to, place=place)(link)
        flip = link.tamper

        def tamper(peer, kind, sent):
            changed = flip(peer, kind, sent)
            flipped.append(changed != sent)
            return changed

        link.tamper = tamper

    run = run_move(staged, attack=attack, of=of)
    failures = run.failures(ModelMoveError, of)
    if any(flipped):
        assert failures
        assert {failure.culprit for failure in failures.values()} <= {f"m{of}", None}
        assert {failure.reason for failure in failures.values()} <= {
            Reason.ECHO_MISMATCH,
            Reason.MODEL_MISMATCH,
        }
    else:
        assert run.opened()


def test_frames_are_secret_or_hashes():
    run = run_move(stage((3, 1), (5, 2)))
    assert {kind for link in run.links for _, kind, _ in link.received} == {
        FrameKind.CEREMONY,
        FrameKind.CHECK,
    }
