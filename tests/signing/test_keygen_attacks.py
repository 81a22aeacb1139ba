"""Every check of key generation, against member 2, which cheats: what the others conclude is the assertion."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.signing import KeygenContext, SigningError, run_keygen
from mpc_party.signing.curve import add, multiply_base
from mpc_party.signing.field import GROUP_ORDER, encode_scalar
from mpc_party.signing.keygen import KeygenParty, drive_keygen
from mpc_party.signing.proof import prove
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import KeygenCommit, KeygenConfirm, KeygenDeal, KeygenOpen, encode
from tests.support.local_mesh import local_mesh, party_outcomes
from tests.support.signing_parties import keygen_context, message_keys

CHEAT = 2


def attack(make_cheat, members: int = 3, threshold: int = 1) -> dict[int, SigningError]:
    """Run key generation with a cheat; each honest member must refuse, none may get a key."""
    context = keygen_context(members, threshold)

    def program(exchange):
        party = make_cheat(context) if exchange.own == CHEAT else KeygenParty(context, exchange.own)
        return drive_keygen(exchange, party, message_keys(members)[exchange.own])

    outcomes = party_outcomes(local_mesh(range(members)), program)
    honest = {member: outcome for member, outcome in outcomes.items() if member != CHEAT}
    assert all(isinstance(outcome, SigningError) for outcome in honest.values()), honest
    return honest


def assert_blamed(refused: Mapping[int, SigningError], members: set[int], text: str) -> None:
    """These members' own check failed, with this text; the others hear of it, and all name the cheat."""
    assert {error.culprit for error in refused.values()} == {f"desk-{CHEAT}"}
    seen = {member for member, error in refused.items() if error.reason is not Reason.DISPUTED}
    assert seen
    assert seen <= members
    for member in seen:
        assert refused[member].reason is Reason.KEYGEN_FAILED
        assert text in refused[member].message


def recommit(cheat: KeygenParty) -> bytes:
    """The commitment to a vector that the cheat has just replaced."""
    cheat._broadcasts[cheat.own].clear()
    vector = [point.encode() for point in cheat._vectors[cheat.own]]
    return cheat._broadcast(
        encode(KeygenCommit(cheat._session, cheat.own, cheat._hash_of_vector(cheat.own, vector)))
    )


class WithVectorOf(KeygenParty):
    """Commits to a polynomial of another length, consistently."""

    def __init__(self, context: KeygenContext, terms: int) -> None:
        super().__init__(context, CHEAT)
        self.terms = terms

    def commit(self) -> bytes:
        super().commit()
        self._polynomial = [SecretScalar.random() for _ in range(self.terms)]
        self._vectors[self.own] = [multiply_base(coefficient) for coefficient in self._polynomial]
        return recommit(self)


@pytest.mark.parametrize("terms", [1, 3, 4])
def test_a_feldman_vector_of_another_length_than_t_plus_1_is_refused(terms):
    refused = attack(lambda context: WithVectorOf(context, terms))
    assert_blamed(refused, {0, 1}, "t+1 terms")


class Reopening(KeygenParty):
    """Sees the others' openings, then opens a vector that makes the sum a key it knows: a rogue key."""

    def open(self, commits: Mapping[int, bytes]) -> bytes:
        super().open(commits)
        return self.rogue_open()

    def rogue_open(self) -> bytes:
        vector = [multiply_base(SecretScalar.random()) for _ in range(2)]
        proof = prove(SecretScalar.random(), vector[0], session=self._session, sender=self.own)
        return encode(
            KeygenOpen(
                self._session,
                self.own,
                tuple(point.encode() for point in vector),
                proof.commitment.encode(),
                encode_scalar(proof.response),
            )
        )


def test_opening_something_else_than_was_committed_to_is_refused():
    refused = attack(lambda context: Reopening(context, CHEAT))
    assert_blamed(refused, {0, 1}, "not the one committed to")


class Rogue(KeygenParty):
    """Commits to a constant term whose logarithm it does not know (rogue = 7 G - somebody's key)."""

    def commit(self) -> bytes:
        super().commit()
        rogue = add([multiply_base(7), -multiply_base(SecretScalar.random())])
        assert rogue is not None
        self._vectors[self.own][0] = rogue
        return recommit(self)


def test_a_rogue_key_without_proof_of_knowledge_is_refused():
    refused = attack(lambda context: Rogue(context, CHEAT))
    assert_blamed(refused, {0, 1}, "proof of knowledge")


class Copying(KeygenParty):
    """Repeats member 0's vector and proof as its own, having repeated its commitment."""

    def commit(self) -> bytes:
        super().commit()
        return self.pretend(self.seen[0])

    def open(self, commits: Mapping[int, bytes]) -> bytes:
        super().open(commits)
        return self.pretend(self.seen[1])

    def pretend(self, message: bytes) -> bytes:
        fields = msgspec.msgpack.decode(message)
        fields[2] = self.own
        return msgspec.msgpack.encode(fields)


def test_a_vector_and_proof_copied_from_another_member_are_refused():
    # Driven by hand, with the cheat last in each step: it sees what member 0 says before it speaks.
    context = keygen_context(3, 1)
    victim, other = KeygenParty(context, 0), KeygenParty(context, 1)
    cheat = Copying(context, CHEAT)
    cheat.seen = [victim.commit()]
    commits = {0: cheat.seen[0], 1: other.commit(), 2: cheat.commit()}
    cheat.seen.append(victim.open({1: commits[1], 2: commits[2]}))
    opens = {1: other.open({0: commits[0], 2: commits[2]}), 2: cheat.open({0: commits[0], 1: commits[1]})}
    with pytest.raises(SigningError, match="not the one committed to") as raised:
        victim.deal(opens)
    assert raised.value.culprit == "desk-2"


def test_a_proof_of_another_sender_or_ceremony_does_not_pass():
    context = keygen_context(3, 1)
    parties = [KeygenParty(context, member) for member in range(3)]
    commits = {party.own: party.commit() for party in parties}

    def others(messages, own):
        return {member: message for member, message in messages.items() if member != own}

    opens = {party.own: party.open(others(commits, party.own)) for party in parties}
    for position in (4, 5):
        fields = msgspec.msgpack.decode(opens[2])
        fields[position] = msgspec.msgpack.decode(opens[1])[position]
        party = KeygenParty(context, 0)
        party.__dict__.update(parties[0].__dict__)
        with pytest.raises(SigningError, match="proof of knowledge"):
            party.deal(others(opens, 0) | {2: msgspec.msgpack.encode(fields)})


class WrongShare(KeygenParty):
    """Deals member 0 something off its polynomial."""

    def __init__(self, context: KeygenContext, share: bytes | None) -> None:
        super().__init__(context, CHEAT)
        self.share = share

    def deal(self, opens: Mapping[int, bytes]) -> dict[int, bytes]:
        dealt = super().deal(opens)
        fields = msgspec.msgpack.decode(dealt[0])
        shifted = (int.from_bytes(fields[4], "big") + 1) % GROUP_ORDER
        fields[4] = encode_scalar(shifted) if self.share is None else self.share
        return dealt | {0: msgspec.msgpack.encode(fields)}


def test_a_share_off_the_polynomial_is_refused_by_the_member_that_got_it():
    assert_blamed(attack(lambda context: WrongShare(context, None)), {0}, "its dealer's polynomial")


@pytest.mark.parametrize("share", [bytes(32), GROUP_ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_a_share_that_is_no_scalar_is_refused(share):
    assert_blamed(attack(lambda context: WrongShare(context, share)), {0}, "no scalar")


def test_a_share_for_another_member_is_refused():
    class Swapping(KeygenParty):
        def deal(self, opens):
            dealt = super().deal(opens)
            return {0: dealt[1], 1: dealt[0]}

    assert_blamed(attack(lambda context: Swapping(context, CHEAT)), {0, 1}, "another receiver")


@pytest.mark.parametrize("position", [3, 4])
def test_bytes_that_are_no_point_are_refused(position):
    class NoPoint(KeygenParty):
        def open(self, commits):
            fields = msgspec.msgpack.decode(super().open(commits))
            off_curve = b"\x02" + (5).to_bytes(32, "big")
            fields[position] = [off_curve, fields[3][1]] if position == 3 else off_curve
            self.message = msgspec.msgpack.encode(fields)
            return self.message

        def _hash_of_vector(self, sender, vector):
            if sender == self.own and position == 3:
                vector = [b"\x02" + (5).to_bytes(32, "big"), vector[1]]
            return super()._hash_of_vector(sender, vector)

    assert_blamed(attack(lambda context: NoPoint(context, CHEAT)), {0, 1}, "no point")


def test_a_false_echo_about_a_member_is_blamed_by_that_member():
    class FalseEcho(KeygenParty):
        def deal(self, opens):
            dealt = super().deal(opens)
            fields = msgspec.msgpack.decode(dealt[0])
            fields[5][0] = b"\xaa" * 32
            return dealt | {0: msgspec.msgpack.encode(fields)}

    refused = attack(lambda context: FalseEcho(context, CHEAT))
    assert refused[0].reason is Reason.ECHO_MISMATCH
    assert {error.culprit for error in refused.values()} == {"desk-2"}


def test_confirming_another_result_is_refused():
    class OtherResult(KeygenParty):
        def confirm(self, deals):
            super().confirm(deals)
            return encode(KeygenConfirm(self._session, self.own, b"\xaa" * 32))

    refused = attack(lambda context: OtherResult(context, CHEAT))
    assert set(refused) == {0, 1}
    assert Reason.ECHO_MISMATCH in {error.reason for error in refused.values()}
    assert {error.culprit for error in refused.values()} == {"desk-2"}


@pytest.mark.parametrize(
    "change",
    [
        {"ceremony": b"\x08" * 32},
        {"roster_hash": b"\x08" * 32},
        {"epoch": 9},
    ],
    ids=["ceremony", "roster", "epoch"],
)
def test_messages_of_another_ceremony_roster_or_epoch_are_refused(change):
    refused = attack(lambda context: KeygenParty(replace(context, **change), CHEAT))
    # Its signatures are for that session too: here they are none.
    for error in refused.values():
        assert error.reason in {Reason.MESSAGE_FORGED, Reason.DISPUTED}
        assert error.culprit == f"desk-{CHEAT}"


@pytest.mark.parametrize("step", range(4))
@pytest.mark.parametrize("how", ["cut", "flip the last bit", "empty"])
def test_bytes_changed_on_the_way_are_refused_at_every_step(step, how):
    meshes = local_mesh(range(3))
    sent = itertools.count()

    def tamper(peer, kind, data):
        if peer != 0 or next(sent) != step:
            return data
        return {"cut": data[:-1], "flip the last bit": data[:-1] + bytes([data[-1] ^ 1]), "empty": b""}[how]

    meshes[CHEAT].tamper = tamper
    context = keygen_context(3, 1)
    outcomes = party_outcomes(meshes, lambda e: run_keygen(e, context, message_keys(3)[e.own]))
    assert isinstance(outcomes[0], SigningError)


def test_a_deal_replayed_from_another_member_names_its_sender():
    context = keygen_context(3, 1)
    deal = encode(KeygenDeal(context.session, 1, 0, b"\x01" * 32, ()))
    parties = [KeygenParty(context, member) for member in range(3)]
    commits = {party.own: party.commit() for party in parties}
    opens = {p.own: p.open({m: c for m, c in commits.items() if m != p.own}) for p in parties}
    deals = {p.own: p.deal({m: o for m, o in opens.items() if m != p.own}) for p in parties}
    with pytest.raises(SigningError, match="another sender") as raised:
        parties[0].confirm({1: deals[1][0], 2: deal})
    assert raised.value.culprit == "desk-2"
