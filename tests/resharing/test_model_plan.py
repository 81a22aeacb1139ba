"""Who holds, leads and stands in; and what is refused before anything is sent."""

import pytest

from mpc_party.mesh.frames import DEFAULT_MAX_PAYLOAD
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import MAX_WEIGHTS
from mpc_party.resharing import model_plan
from mpc_party.resharing.model_plan import ModelMoveError, plan_of, require_frame
from tests.support.model_moves import replace_header, run_move, stage, with_move


def refused(staged, match):
    with pytest.raises(ModelMoveError, match=match) as raised:
        plan_of(staged.move)
    assert raised.value.reason is Reason.PROPOSAL_REFUSED
    assert raised.value.culprit is None
    return raised.value.remedy


def test_all_who_are_here_and_know_a_component_hold_it_and_the_lowest_leads():
    plan = plan_of(stage((5, 2), (3, 1)).move)
    assert plan.holders[0, 1] == (2, 3, 4)
    assert plan.holders[1, 3] == (0, 2, 4)
    assert {subset: min(holders) for subset, holders in plan.holders.items()} == plan.leaders
    assert not plan.lent


def test_an_absent_member_that_is_not_needed_is_stood_in_for_by_nobody():
    plan = plan_of(stage((5, 1), (5, 1), absent=(2,)).move)
    assert not plan.lent
    assert all(len(holders) >= 3 for holders in plan.holders.values())


def test_a_stand_in_is_lent_what_is_short_and_only_what_its_member_held():
    plan = plan_of(stage((4, 1), (5, 2), absent=(1, 2), stay=(3,)).move)  # seats: #1 0, #4 1, joiners 2 to 5
    # {0} is known to #4 alone, {3} to #1 alone: the first joiner stands in for #2. {1} and {2} have both.
    assert plan.lent == {2: {(0,): 1, (3,): 0}}
    assert plan.holders == {(0,): (1, 2), (1,): (0, 1), (2,): (0, 1), (3,): (0, 2)}


def test_the_next_joiner_stands_in_for_the_next_absent_member():
    plan = plan_of(stage((5, 2), (5, 2), absent=(1, 4)).move)  # seats: #1, #3, #4 are 0 to 2, joiners 3 and 4
    assert {seat: set(lent) for seat, lent in plan.lent.items()} == {
        3: {a for a in plan.old_subsets if 1 not in a and len({0, 2, 3} - set(a)) < 3},
        4: {a for a in plan.old_subsets if 4 not in a and len({0, 2, 3, 1} - set(a)) < 3},
    }
    assert min(map(len, plan.holders.values())) == 3


def test_too_few_members_say_what_to_do():
    remedy = refused(stage((3, 1), (4, 1), stay=(1,), absent=(0, 2)), "#1, #3 of 3 are missing")
    assert "recover" in remedy
    assert "replace" in remedy


def test_an_absent_member_without_a_joiner_in_its_place_is_refused_where_it_is_needed():
    refused(stage((5, 2), (3, 1), stay=(0, 1, 2), absent=(4,)), "fewer than 3 holders")


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"epoch": 3}, "from epoch 1 to 2, not to 3"),
        ({"epoch": 1}, "from epoch 1 to 2, not to 1"),
        ({"kind": "policy"}, "keeps its kind"),
        ({"count": 4}, "keeps its count"),
        ({"fraction_bits": 12}, "keeps its fraction_bits"),
        ({"consortium": bytes(32)}, "keeps its consortium"),
        ({"version": 2}, "keeps its version"),
        ({"threshold": 2}, "threshold 2 among 4"),
        ({"members": 8}, "among 8"),
        ({"members": 2}, "among 2"),
        ({"threshold": 0}, "threshold 0"),
    ],
)
def test_another_model_or_epoch_is_refused(changed, match):
    staged = stage((3, 1), (4, 1))
    refused(with_move(staged, new_header=replace_header(staged.move.new_header, **changed)), match)


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"commitment": b""}, "commitment"),
        ({"ceremony": bytes(31)}, "identifier"),
        ({"old_seats": (0, 1)}, "every old member"),
        ({"new_seats": (0, 1, 2)}, "every new member"),
        ({"new_seats": (0, 1, 2, 2)}, "one seat"),
        ({"old_seats": (0, 0, 2)}, "one seat"),
        ({"new_seats": (0, 1, 2, 4)}, "those of the cast"),
        ({"cast_names": tuple("abcde")}, "those of the cast"),
    ],
)
def test_seats_that_do_not_fit_are_refused(changed, match):
    refused(with_move(stage((3, 1), (4, 1)), **changed), match)


@pytest.mark.parametrize("field", ["ceremony", "commitment", "cast_names"])
def test_everything_is_bound_to_all_of_the_move(field):
    staged = stage((3, 1), (4, 1))
    value = tuple("abcd") if field == "cast_names" else bytes(32)
    assert plan_of(staged.move).session != plan_of(with_move(staged, **{field: value}).move).session


def test_a_model_too_large_for_one_frame_is_refused():
    staged = stage((7, 3), (7, 3))
    many = {
        name: replace_header(getattr(staged.move, name), count=MAX_WEIGHTS)
        for name in ("old_header", "new_header")
    }
    assert "deal" in refused(with_move(staged, **many), "the limit is 67108864")
    require_frame(DEFAULT_MAX_PAYLOAD, "as much as fits")


def test_a_frame_of_the_size_that_is_checked_is_what_is_sent(monkeypatch):
    asked = []
    monkeypatch.setattr(model_plan, "require_frame", lambda size, _what: asked.append(size))
    run = run_move(stage((5, 2), (5, 2), absent=(1, 4)))
    assert run.opened()
    assert max(asked) == max(len(data) for link in run.links for _, _, data in link.received)


def test_a_share_that_does_not_fit_the_move_is_refused_before_a_message():
    staged = stage((3, 1), (4, 1))
    shares = staged.shares
    for changed in ({0: shares[1]}, {0: None}, {3: shares[0]}):
        bad = type(staged)(staged.move, shares | changed)
        (seat,) = changed
        run = run_move(bad)
        assert isinstance(run.outcomes[seat], ModelMoveError)
        assert not run.links[seat].sent_bytes
