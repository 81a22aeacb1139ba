"""From shares at rest to a committee's: every committee of every consortium, by what its members hold alone."""

import itertools

import numpy as np
import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.protocol.model_share import ModelShare
from mpc_party.secure.at_rest import committee_components
from mpc_party.secure.errors import SecureError
from mpc_party.secure.layout import layout_of
from tests.support.model_shares import MODULUS, make_dealt

COMMITTEE = 3
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


LARGER = [(5, 2), (6, 2), (7, 2), (7, 3)]


@pytest.mark.parametrize(("members", "threshold"), LARGER)
def test_larger_committees_hold_the_weights_by_what_their_members_hold_alone(members, threshold):
    layout = layout_of(threshold)
    dealt = make_dealt(members, threshold, WORDS)
    shares = [dealt.open(member) for member in range(members)]
    for committee in list(itertools.combinations(range(members), layout.parties))[::3]:
        parts = [committee_components(shares[member], committee) for member in committee]
        total = np.zeros(len(WORDS), dtype=np.int64)
        for component in range(len(layout.subsets)):
            copies = [parts[p][layout.slot(p, component)] for p in layout.holders(component)]
            assert all((copy == copies[0]).all() for copy in copies)
            total += copies[0]
        assert [int(word) % MODULUS for word in total] == [word % MODULUS for word in WORDS]


@pytest.mark.parametrize(("members", "threshold"), LARGER)
def test_larger_committees_use_all_components_and_each_member_its_own(members, threshold):
    dealt = make_dealt(members, threshold, [1])
    shares = [Watched(dealt.open(member)) for member in range(members)]
    committee = tuple(range(members - 2 * threshold - 1, members))
    for member in committee:
        committee_components(shares[member], committee)
        assert len(set(shares[member].asked)) == len(shares[member].asked)
        assert all(member not in subset for subset in shares[member].asked)
    used = {subset for share in shares for subset in share.asked}
    assert used == set(itertools.combinations(range(members), threshold))


@pytest.mark.parametrize(("members", "threshold"), LARGER)
def test_what_t_members_lack_at_rest_is_in_the_component_that_they_lack(members, threshold):
    layout = layout_of(threshold)
    dealt = make_dealt(members, threshold, [1])
    committee = tuple(range(layout.parties))
    for positions in layout.subsets:  # of the first members, so that positions are members
        holder = next(p for p in range(layout.parties) if p not in positions)
        share = Watched(dealt.open(holder))
        with_it = committee_components(share, committee)
        share._components = {s: bytes(8) if s == positions else data for s, data in share._components.items()}
        without = committee_components(share, committee)
        changed = np.flatnonzero((with_it != without).any(axis=1))
        assert [layout.subsets[layout.held[holder][slot]] for slot in changed] == [positions]


@pytest.mark.parametrize(
    "committee", [(0, 1, 2), (0, 1, 2, 3), (0, 1, 2, 4, 3), (1, 2, 3, 4, 5), (0, 1, 2, 3, 7)]
)
def test_committees_that_do_not_fit_a_larger_threshold(committee):
    share = make_dealt(6, 2, [1]).open(0)
    with pytest.raises(SecureError, match="does not fit") as caught:
        committee_components(share, committee)
    assert caught.value.reason is Reason.MODEL_MISMATCH
