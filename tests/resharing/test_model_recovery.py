"""A lost share comes back byte for byte from t + 1 others, and who sends something wrong is named."""

import itertools

import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing import model_recovery
from mpc_party.resharing.model_plan import ModelMoveError
from mpc_party.resharing.model_recovery import recover_model
from tests.support.local_mesh import local_mesh, party_outcomes
from tests.support.model_moves import flip_at, shares_at_rest

SIZES = [(3, 1), (4, 1), (5, 2), (7, 3)]


def run_recovery(size, helpers, recovering, *, attack=None, of=None, shares=None, present=None):
    shares = shares or shares_at_rest(*size)
    head = shares[0].header
    links = {link.own: link for link in local_mesh(present or sorted([*helpers, recovering]))}
    if attack is not None:
        attack(links[of])

    def member(link):
        own = None if link.own == recovering else shares[link.own]
        names = tuple(f"m{i}" for i in range(size[0]))
        return recover_model(link, head, shares_at_rest(*size)[0].commitment, helpers, recovering, names, own)

    return party_outcomes(list(links.values()), member), links


@pytest.mark.parametrize("size", SIZES)
def test_any_helpers_give_any_member_its_share_back(size):
    shares = shares_at_rest(*size)
    for recovering in (0, size[0] // 2, size[0] - 1):
        others = [m for m in range(size[0]) if m != recovering]
        for helpers in itertools.islice(itertools.combinations(others, size[1] + 1), 0, None, 3):
            outcomes, links = run_recovery(size, helpers, recovering)
            assert outcomes.pop(recovering) == shares[recovering]
            assert set(outcomes.values()) == {None}
            assert {link.rounds for link in links.values()} == {1}
            leaves = 32 * len(shares[0].leaves) * len(helpers)
            expected = leaves + len(shares[recovering].held) * (8 * shares[0].header.count + 32)
            assert sum(link.sent_bytes for link in links.values()) == expected
            assert links[recovering].sent_bytes == 0


def test_others_may_be_in_the_session():
    outcomes, links = run_recovery((5, 1), (1, 3), 4, present=range(5))
    assert outcomes[4] == shares_at_rest(5, 1)[4]
    assert outcomes[0] is outcomes[2] is None
    assert not links[0].received


@pytest.mark.parametrize("place", [0, 31, 64, 96, 120, -1])
@pytest.mark.parametrize("of", [0, 1])
def test_a_wrong_byte_names_who_sent_it(of, place):
    outcomes, _ = run_recovery((3, 1), (0, 1), 2, attack=flip_at(1, place=place), of=of)
    error = outcomes[2]
    assert isinstance(error, ModelMoveError)
    assert (error.reason, error.culprit) == (Reason.MODEL_MISMATCH, f"m{of}")


def test_another_length_names_who_sent_it():
    def attack(link):
        link.tamper = lambda _peer, _kind, data: data[:-1]

    outcomes, _ = run_recovery((3, 1), (0, 1), 2, attack=attack, of=1)
    assert (outcomes[2].reason, outcomes[2].culprit) == (Reason.FRAME_MALFORMED, "m1")


def test_a_helper_whose_own_share_is_damaged_says_so_itself():
    shares = shares_at_rest(3, 1)
    held = {subset: (salt, bytes(len(words))) for subset, (salt, words) in shares[1].held.items()}
    shares[1] = SharesAtRest(shares[1].header, 1, shares[1].leaves, held)
    outcomes, links = run_recovery((3, 1), (0, 1), 2, shares=shares)
    assert outcomes[1].reason is Reason.MODEL_MISMATCH
    assert outcomes[1].culprit is None
    assert not links[1].sent_bytes


@pytest.mark.parametrize("helpers", [(0,), (0, 1, 3), (1, 0), (0, 0), (0, 2), (0, 4), (-1, 0)])
def test_helpers_that_do_not_fit_are_refused(helpers):
    (link, *_) = local_mesh([2, 0])
    head = shares_at_rest(4, 1)[0].header
    with pytest.raises(ModelMoveError, match="cannot recover") as raised:
        recover_model(link, head, bytes(32), helpers, 2, tuple("abcd"), None)
    assert raised.value.reason is Reason.PROPOSAL_REFUSED


def test_a_helper_without_a_share_is_refused():
    (link, *_) = local_mesh([0, 2])
    with pytest.raises(ModelMoveError, match="needs its share"):
        recover_model(link, shares_at_rest(3, 1)[0].header, bytes(32), (0, 1), 2, tuple("abc"), None)


def test_a_share_too_large_for_one_frame_is_refused(monkeypatch):
    def refuse(size, what):
        raise ModelMoveError(f"{what}: {size}")

    monkeypatch.setattr(model_recovery, "require_frame", refuse)
    (link, *_) = local_mesh([0, 1, 2])
    with pytest.raises(ModelMoveError, match=f"recovering 5 weights: {96 + 72}"):
        recover_model(link, shares_at_rest(3, 1)[0].header, bytes(32), (0, 1), 2, tuple("abc"), None)
