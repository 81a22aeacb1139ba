"""From shares at rest to a committee's: every committee of every consortium, by what its members hold alone."""

import itertools

import numpy as np
import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelShare
from mpc_party.secure.at_rest import COMMITTEE, committee_components
from mpc_party.secure.errors import SecureError
from tests.support.model_shares import MODULUS, make_dealt

WORDS = [0, 1, -1, 65_536, -(2**63), 2**63 - 1, 123_456_789]
DEALT = {n: make_dealt(n, 1, WORDS) for n in range(3, 8)}
SHARES = {n: [dealt.open(member) for member in range(n)] for n, dealt in DEALT.items()}


class Watched(ModelShare):
    """A share that remembers which components were asked for."""

    __slots__ = ("asked",)

    def __init__(self, share: ModelShare):
        super().__init__(share.header, share.member, share.commitment, share._components)
        self.asked: list[tuple[int, ...]] = []

    def component(self, subset):
        self.asked.append(subset)
        return super().component(subset)


@pytest.mark.parametrize("members", range(3, 8))
def test_every_committee_holds_the_weights_in_replicated_shares(members):
    for committee in itertools.combinations(range(members), COMMITTEE):
        parts = [committee_components(SHARES[members][member], committee) for member in committee]
        for part in parts:
            assert part.dtype == np.int64
            assert part.shape == (2, len(WORDS))
        for position in range(3):  # party i holds x_i and x_{i+1}
            assert (parts[position][1] == parts[(position + 1) % 3][0]).all()
        total = [sum(int(part[0, k]) for part in parts) % MODULUS for k in range(len(WORDS))]
        assert total == [word % MODULUS for word in WORDS]


@pytest.mark.parametrize("members", range(3, 8))
def test_a_member_uses_what_it_holds_and_all_of_it_is_used(members):
    for committee in itertools.combinations(range(members), COMMITTEE):
        used = set()
        for member in committee:
            share = Watched(SHARES[members][member])
            committee_components(share, committee)
            assert len(set(share.asked)) == len(share.asked)
            assert all(member not in subset for subset in share.asked)
            used |= set(share.asked)
        assert used == {(i,) for i in range(members)}


@pytest.mark.parametrize("members", range(3, 8))
def test_what_a_member_lacks_at_rest_it_lacks_in_the_committee(members):
    """The component x_{i+2} that party i does not get contains the one at rest that it does not hold."""
    for committee in itertools.combinations(range(members), COMMITTEE):
        for position, member in enumerate(committee):
            others = [m for m in committee if m != member]
            lacking = committee_components(SHARES[members][others[0]], committee)
            row = ((position + 2) - committee.index(others[0])) % 3
            own = np.frombuffer(SHARES[members][others[0]].component((member,)), dtype="<i8")
            outside = [m for m in range(members) if m not in committee]
            spare = [SHARES[members][others[0]].component((m,)) for m in outside] if position == 0 else []
            expected = own.copy()
            for data in spare:
                expected += np.frombuffer(data, dtype="<i8")
            assert (lacking[row] == expected).all()


def test_the_components_may_be_changed_without_changing_the_share():
    share = SHARES[3][0]
    before = committee_components(share, (0, 1, 2))
    changed = committee_components(share, (0, 1, 2))
    changed += 1
    assert (committee_components(share, (0, 1, 2)) == before).all()


@pytest.mark.parametrize(
    "committee",
    [
        (),
        (0, 1),
        (0, 1, 2, 3),
        (0, 2, 1),
        (2, 1, 0),
        (0, 0, 1),
        (1, 2, 3),  # without member 0
        (0, 1, 4),  # there is no member 4
        (-1, 0, 1),
        (0, 1, 10**6),
    ],
)
def test_committees_that_do_not_fit(committee):
    with pytest.raises(SecureError, match="does not fit") as caught:
        committee_components(SHARES[4][0], committee)
    assert caught.value.reason is Reason.MODEL_MISMATCH


@pytest.mark.parametrize(("members", "threshold"), [(5, 2), (7, 2), (7, 3)])
def test_other_thresholds_are_refused(members, threshold):
    share = make_dealt(members, threshold, [1]).open(0)
    with pytest.raises(SecureError, match=f"threshold {threshold}") as caught:
        committee_components(share, (0, 1, 2))
    assert caught.value.reason is Reason.MODEL_MISMATCH
