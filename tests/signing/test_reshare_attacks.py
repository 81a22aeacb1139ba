"""Cheats that are consistent with themselves: a dealer that deals another polynomial than it must, a helper another share."""

from __future__ import annotations

import pytest

from mpc_party.mesh.errors import MeshError
from mpc_party.protocol.errors import Reason
from mpc_party.signing import SigningError
from mpc_party.signing.channel import DOMAIN
from mpc_party.signing.recover import RecoverParty, drive_recover
from mpc_party.signing.reshare import ReshareParty, drive_reshare
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.verdict import Fault, Proof
from tests.support.local_mesh import party_outcomes
from tests.support.recover_runs import loss
from tests.support.reshare_cheats import assert_named, run_with, verdict_of
from tests.support.reshare_runs import public_identity, shaped

KEYS = {member: public_identity(member) for member in range(8)}
CHEAT = 1


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch):
    monkeypatch.setattr("mpc_party.signing.dispute.SECONDS", 2.0)


def attack_reshare(kind, shape="3/1 -> 3/1, refresh", cheat=CHEAT):
    moved = shaped(shape)

    def program(exchange):
        party = moved.party(exchange.own, kind if exchange.own == cheat else ReshareParty)
        return drive_reshare(exchange, party, moved.keys(exchange.own))

    outcomes = run_with(moved.mesh(), None, program)
    del outcomes[cheat]
    assert_named(outcomes, cheat, KEYS)
    return outcomes


class Longer(ReshareParty):
    """Commits to, opens and deals a polynomial of a higher degree."""

    more = 1

    def commit(self):
        self.context = Lying(self.context, threshold=self.context.threshold + self.more)
        message = super().commit()
        self.context = self.context.truth
        return message


class Lying:
    """A context with something else in it."""

    def __init__(self, truth, **changes):
        self.truth = truth
        self.changes = changes

    def __getattr__(self, name):
        return self.changes[name] if name in self.changes else getattr(self.truth, name)


class Shorter(Longer):
    """And of a lower one."""

    more = -1


class OtherShare(ReshareParty):
    """Deals something else than its share: it would change the key."""

    def commit(self):
        self._secret = SecretScalar.random()
        return super().commit()


class OtherWeight(ReshareParty):
    """Deals its share, but not weighted."""

    def commit(self):
        self._weights[self.own] = 1
        return super().commit()


@pytest.mark.parametrize("shape", ["3/1 -> 3/1, refresh", "5/2 -> 3/1, two leave", "3/1 -> 5/2, two join"])
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (Longer, Fault.WRONG_LENGTH),
        (Shorter, Fault.WRONG_LENGTH),
        (OtherShare, Fault.WRONG_CONSTANT),
        (OtherWeight, Fault.WRONG_CONSTANT),
    ],
)
def test_a_dealer_of_another_polynomial_is_named(kind, fault, shape):
    for error in attack_reshare(kind, shape).values():
        assert error.reason in {Reason.RESHARE_FAILED, Reason.DISPUTED}
        assert "start again" in (error.remedy or "start again")
        found = {f[1:3] for f in verdict_of(error, KEYS).findings}
        assert (fault, Proof.SIGNED) in found


def test_a_dealer_whose_errors_add_up_to_nothing_changes_nothing():
    # Two dealers are corrupt: one adds to the share of 2 what the other takes off. It is the share that 2 should have.
    moved = shaped("5/2 -> 3/1, two leave")
    delta = SecretScalar.random()

    class Off(ReshareParty):
        def _deal_to(self, index):
            share = super()._deal_to(index)
            return share if index != 4 else (share + delta if self.own == 0 else share - delta)

    def program(exchange):
        kind = Off if exchange.own in {0, 1} else ReshareParty
        return drive_reshare(exchange, moved.party(exchange.own, kind), moved.keys(exchange.own))

    outcomes = run_with(moved.mesh(), None, program)
    assert outcomes[4].public_key == moved.old[0].public_key
    assert outcomes[4].public_shares == outcomes[3].public_shares


class Distrusting(RecoverParty):
    """Splits something else than its share."""

    def split(self):
        self._secret = SecretScalar.random()
        return super().split()


def test_a_helper_that_splits_another_share_is_named():
    lost = loss(3, 1, 0, (1, 2))

    def program(exchange):
        party = lost.party(exchange.own, Distrusting if exchange.own == CHEAT else RecoverParty)
        return drive_recover(exchange, party, lost.keys(exchange.own))

    outcomes = run_with(lost.mesh(), None, program)
    del outcomes[CHEAT]
    assert_named(outcomes, CHEAT, KEYS)
    for error in outcomes.values():
        assert (Fault.WRONG_CONSTANT, Proof.SIGNED) in {f[1:3] for f in verdict_of(error, KEYS).findings}


@pytest.mark.parametrize("at", range(4))
def test_who_falls_silent_ends_it_without_a_share_and_is_named_by_the_mesh(at):
    moved = shaped("3/1 -> 3/1, refresh")

    class Ends(Exception):  # noqa: N818 - a test's own
        pass

    def program(exchange):
        if exchange.own != CHEAT:
            return drive_reshare(
                NamesTheSilent(exchange), moved.party(exchange.own), moved.keys(exchange.own)
            )
        rounds = iter(range(at))
        forward = exchange.exchange

        def until(*arguments):
            if next(rounds, None) is None:
                raise Ends
            return forward(*arguments)

        exchange.exchange = until
        return drive_reshare(exchange, moved.party(exchange.own), moved.keys(exchange.own))

    outcomes = party_outcomes(moved.mesh(), program)
    assert isinstance(outcomes[CHEAT], Ends)
    for member in (0, 2):
        assert isinstance(outcomes[member], MeshError)
        assert outcomes[member].reason is Reason.PEER_CLOSED


class NamesTheSilent:
    """As the real mesh does: a peer that is gone is a MeshError."""

    def __init__(self, inner):
        self.inner = inner
        self.own, self.peers = inner.own, inner.peers

    def exchange(self, *arguments):
        import queue  # noqa: PLC0415

        try:
            return self.inner.exchange(*arguments)
        except queue.Empty as gone:
            raise MeshError(str(gone), reason=Reason.PEER_CLOSED, peers=["desk-1"]) from None

    def dispute(self, *_):
        raise AssertionError("silence is no dispute")


def test_a_context_used_twice_looks_like_a_cheat_and_a_fresh_one_does_not():
    moved = shaped("3/1 -> 3/1, refresh")
    first, second = moved.party(0).commit(), moved.party(0).commit()
    assert (
        first != second
    )  # two signed messages for one place: the docstring says that a context is for one run
    assert DOMAIN.startswith(b"mpc-hedge/")


def test_a_party_without_peers_is_refused():
    moved = shaped("3/1 -> 3/1, refresh")
    mesh = moved.mesh()[0]
    mesh.peers = (1,)
    with pytest.raises(SigningError, match="all its participants"):
        drive_reshare(mesh, moved.party(0), moved.keys(0))
