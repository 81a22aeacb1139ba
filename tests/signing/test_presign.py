"""The nonce phase among honest signers, and every check of it against a signer that cheats."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing import SigningError, run_presign
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.field import GROUP_ORDER, coordinate, encode_scalar, interpolate, lagrange
from mpc_party.signing.presign import NonceParty, drive_presign
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties
from tests.support.plain_scalars import shown
from tests.support.signing_cheats import A, B, K, changed, fields_of, plus_one, redealing, shifted_point
from tests.support.signing_parties import key_shares, message_keys, signing_context
from tests.support.signing_trials import finished

CHEAT = 2


@pytest.mark.parametrize(
    ("members", "threshold", "signers"),
    [
        (3, 1, (0, 1, 2)),
        (4, 1, (0, 1, 3)),
        (4, 1, (1, 2, 3)),
        (5, 1, (0, 2, 4)),
        (5, 2, (0, 1, 2, 3, 4)),
        (7, 2, (0, 2, 3, 5, 6)),
    ],
)
def test_honest_signers_share_one_nonce(members, threshold, signers):
    keys = key_shares(members, threshold)
    meshes = local_mesh(signers)
    presignatures = run_parties(
        meshes, lambda e: run_presign(e, keys[e.own], signing_context(members), message_keys(members)[e.own])
    )
    assert len({p.transcript for p in presignatures}) == 1
    assert len({(p.r, p.nonce_y_is_odd, p.signers) for p in presignatures}) == 1
    assert [mesh.rounds for mesh in meshes] == [3] * len(signers)
    # alpha is a sharing of 1/k, beta of x/k, e of 0, all of degree 2t; R = k G
    xs = tuple(map(coordinate, signers))
    shares = [p.approve().shares for p in presignatures]
    inverse = interpolate(xs, [shown(share.alpha) for share in shares])
    nonce = pow(inverse, -1, GROUP_ORDER)
    assert multiply_base(nonce).x == presignatures[0].r
    assert multiply_base(nonce).y_is_odd == presignatures[0].nonce_y_is_odd
    secret = interpolate(xs, [shown(share.beta) for share in shares]) * nonce % GROUP_ORDER
    assert multiply_base(secret).encode() == keys[0].public_key
    assert interpolate(xs, [shown(share.e) for share in shares]) == 0


def test_nonces_differ_from_round_to_round_and_within_one():
    keys = key_shares(3, 1)
    contexts = [signing_context(3, number) for number in (1, 1, 2)]
    made = [
        run_parties(
            local_mesh(range(3)), lambda e, c=c: run_presign(e, keys[e.own], c, message_keys(3)[e.own])
        )[0]
        for c in contexts
    ]
    assert len({p.r for p in made}) == 3
    assert len({p.nonce_id for p in made}) == 3


def test_a_presignature_hands_its_shares_out_once():
    keys = key_shares(3, 1)
    taken, discarded, _ = run_parties(
        local_mesh(range(3)),
        lambda e: run_presign(e, keys[e.own], signing_context(3, 8), message_keys(3)[e.own]),
    )
    taken.approve()
    discarded.discard()
    discarded.discard()
    for presignature in (taken, discarded):
        with pytest.raises(SigningError, match="round 8 has been used or discarded") as raised:
            presignature.approve()
        assert raised.value.reason is Reason.NONCE_SPENT


@pytest.mark.parametrize(
    "signers",
    [(0, 1), (0, 1, 2, 3), (1, 2, 3), (0, 2, 1), (0, 1, 1), (0, 0, 1, 2), (0, 1, 5), (-1, 0, 1), ()],
)
def test_other_than_2t_plus_1_signers_are_refused(signers):
    with pytest.raises(SigningError, match="exactly 3 signers") as raised:
        NonceParty(signing_context(5), key_shares(5, 1)[0], signers)
    assert raised.value.reason is Reason.PROPOSAL_REFUSED


def test_a_key_of_another_epoch_or_consortium_is_refused():
    for context in (replace(signing_context(3), epoch=9), signing_context(4)):
        with pytest.raises(SigningError, match="key share is of epoch") as raised:
            NonceParty(context, key_shares(3, 1)[0], (0, 1, 2))
        assert raised.value.reason is Reason.CONSORTIUM_MISMATCH


def test_steps_run_once_and_in_order():
    party = NonceParty(signing_context(3), key_shares(3, 1)[0], (0, 1, 2))
    with pytest.raises(SigningError, match="expects 'deal'"):
        party.finish({})
    party.deal()
    with pytest.raises(SigningError, match="is refused"):
        party.deal()
    with pytest.raises(SigningError, match="exactly one message"):
        party.open({})
    with pytest.raises(SigningError, match="is over"):
        party.open({})


@pytest.mark.parametrize(("members", "threshold"), [(3, 1), (5, 1), (7, 3)])
def test_sharings_are_dealt_with_their_degree_and_no_lower(members, threshold):
    """A mask of degree t would give w's and s's polynomials away beyond their constant term."""
    party = NonceParty(signing_context(members), key_shares(members, threshold)[0], range(2 * threshold + 1))
    dealt = party.deal()
    rows = [[shown(share) for share in party._own_deal]] + [
        [int.from_bytes(field, "big") for field in fields_of(dealt[peer])[K:]] for peer in party.peers
    ]
    xs = tuple(map(coordinate, party.signers))
    for position, column in enumerate(zip(*rows, strict=True), start=K):
        degree = threshold if position in {K, A} else 2 * threshold
        constant = interpolate(xs[: degree + 1], column[: degree + 1])
        assert (constant == 0) == (position not in {K, A})
        # t+1 shares of k and a predict the others; 2t shares of the masks do not predict the last one
        if degree == threshold:
            for x, share in zip(xs, column, strict=True):
                assert interpolate(xs[: degree + 1], column[: degree + 1], x) == share
        else:
            assert interpolate(xs[:degree], column[:degree], xs[-1]) != column[-1]
            assert interpolate(xs[:degree], column[:degree]) != 0


def run_until_check(tamper_with_open):
    """Three parties driven by hand up to step 3, the cheat speaking last; the honest parties and what they heard."""
    keys, context = key_shares(3, 1), signing_context(3)
    parties = [NonceParty(context, key, (0, 1, 2)) for key in keys]
    deals = {party.own: party.deal() for party in parties}
    opens = {
        party.own: party.open({peer: deals[peer][party.own] for peer in party.peers}) for party in parties
    }
    opens[CHEAT] = tamper_with_open(opens)
    return parties[:2], opens


def others(messages, own):
    return {member: message for member, message in messages.items() if member != own}


def test_a_product_of_zero_is_refused():
    """The cheat sees the others' w_i before it sends its own, and makes w = 0."""

    def cancel(opens):
        known = [int.from_bytes(fields_of(opens[member])[4], "big") for member in (0, 1)]
        weights = lagrange((1, 2, 3))
        rest = weights[0] * known[0] + weights[1] * known[1]
        return changed(opens[CHEAT], 4, encode_scalar(-rest * pow(weights[2], -1, GROUP_ORDER) % GROUP_ORDER))

    honest, opens = run_until_check(cancel)
    for party in honest:
        with pytest.raises(SigningError, match="is zero") as raised:
            party.check(others(opens, party.own))
        assert raised.value.reason is Reason.NONCE_INVALID


def test_a_nonce_point_whose_x_is_not_below_q_is_refused(monkeypatch):
    """It exists with probability 2^-128, so the coordinate is put there."""
    honest, opens = run_until_check(lambda opens: opens[CHEAT])
    monkeypatch.setattr(Point, "x", property(lambda _: GROUP_ORDER))
    with pytest.raises(SigningError, match="not below the group order"):
        honest[0].check(others(opens, 0))


def test_points_that_interpolate_to_zero_are_refused():
    party = NonceParty(signing_context(3), key_shares(3, 1)[0], (0, 1, 2))
    points = {member: multiply_base(5 * coordinate(member)) for member in range(3)}
    with pytest.raises(SigningError, match="interpolate to zero"):
        party._interpolate_checked(points, "points")


# Attacks. Member 2 cheats; no honest signer may get a presignature.


def attack(cheat: type[NonceParty], members: int = 3, threshold: int = 1) -> dict[int, SigningError]:
    keys, context, signers = (
        key_shares(members, threshold),
        signing_context(members),
        range(2 * threshold + 1),
    )

    def program(exchange):
        kind = cheat if exchange.own == CHEAT else NonceParty
        return drive_presign(
            exchange, kind(context, keys[exchange.own], signers), message_keys(members)[exchange.own]
        )

    outcomes = party_outcomes(local_mesh(signers), finished(program))
    honest = {member: outcome for member, outcome in outcomes.items() if member != CHEAT}
    assert all(isinstance(outcome, SigningError) for outcome in honest.values()), honest
    checks = {Reason.NONCE_INVALID, Reason.ECHO_MISMATCH, Reason.MESSAGE_FORGED}
    assert all(error.reason in checks | {Reason.DISPUTED} for error in honest.values())
    assert {error.culprit for error in honest.values()} == {f"desk-{CHEAT}"}
    # The text of who saw it itself; the others heard of it.
    return {member: error for member, error in honest.items() if error.reason in checks}


@pytest.mark.parametrize(("members", "threshold"), [(3, 1), (5, 2)])
@pytest.mark.parametrize(
    ("position", "degree_factor", "constant", "text"),
    [
        (K, 2, 99, "nonce points do not lie"),
        (A, 2, 99, "check points do not lie"),
        (B, 2, 1, "not what was opened"),
    ],
    ids=["k of degree 2t", "a of degree 2t", "b not a sharing of zero"],
)
def test_dealings_of_another_degree_or_constant_are_refused_by_all(
    position, degree_factor, constant, text, members, threshold
):
    refused = attack(redealing(position, degree_factor, constant), members, threshold)
    assert all(text in error.message for error in refused.values())
    assert refused


@pytest.mark.parametrize("position", range(K, K + 5))
@pytest.mark.parametrize("value", [bytes(32), GROUP_ORDER.to_bytes(32, "big")], ids=["zero", "q"])
def test_a_dealt_share_that_is_no_secret_scalar_names_its_dealer(position, value):
    class Dealing(NonceParty):
        def deal(self) -> dict[int, bytes]:
            return {peer: changed(data, position, value) for peer, data in super().deal().items()}

    refused = attack(Dealing)
    assert {error.culprit for error in refused.values()} == {"desk-2"}
    assert all("no scalar in [1, q)" in error.message for error in refused.values())


class WrongOpen(NonceParty):
    position: int

    def open(self, deals: Mapping[int, bytes]) -> bytes:
        super().open(deals)
        message = changed(self._broadcasts[self.own].pop(), self.position, self.wrong)
        return self._broadcast(message)

    wrong = staticmethod(plus_one)


def test_a_wrong_nonce_point_is_refused():
    cheat = type("WrongR", (WrongOpen,), {"position": 3, "wrong": staticmethod(shifted_point)})
    for error in attack(cheat).values():
        assert "nonce points do not lie" in error.message


def test_a_wrong_masked_product_is_refused():
    cheat = type("WrongW", (WrongOpen,), {"position": 4})
    refused = attack(cheat)
    assert refused
    for error in refused.values():
        assert "not what was opened" in error.message


@pytest.mark.parametrize(
    ("position", "value", "text"),
    [
        (3, b"\x02" + (5).to_bytes(32, "big"), "no point"),
        (4, GROUP_ORDER.to_bytes(32, "big"), "no scalar"),
    ],
)
def test_malformed_openings_name_the_culprit(position, value, text):
    refused = attack(
        type("Bad", (WrongOpen,), {"position": position, "wrong": staticmethod(lambda _: value)})
    )
    for error in refused.values():
        assert text in error.message
        assert error.culprit == "desk-2"


class WrongCheck(NonceParty):
    position = 3

    def check(self, opens: Mapping[int, bytes]) -> bytes:
        return changed(super().check(opens), self.position, self.wrong)

    wrong = staticmethod(shifted_point)


def test_a_wrong_check_point_is_refused():
    refused = attack(WrongCheck)
    assert refused
    for error in refused.values():
        assert "check points do not lie" in error.message


def test_a_malformed_check_point_names_the_culprit():
    refused = attack(type("Bad", (WrongCheck,), {"wrong": staticmethod(lambda _: b"\x05" * 33)}))
    assert {error.culprit for error in refused.values()} == {"desk-2"}


def test_a_false_echo_is_blamed_where_it_is_certain():
    cheat = type(
        "Bad", (WrongCheck,), {"position": 4, "wrong": staticmethod(lambda e: [e[0], b"\xaa" * 32, e[2]])}
    )
    refused = attack(cheat)
    assert {error.reason for error in refused.values()} == {Reason.ECHO_MISMATCH}


def test_the_nonce_point_and_its_w_cannot_be_shifted_together_with_the_check_point():
    """R_i, w_i and W_i all moved consistently with k_i + 1 stay off the polynomial that honest shares fix."""

    class Shifted(NonceParty):
        def open(self, deals):
            super().open(deals)
            message = self._broadcasts[self.own].pop()
            product = (int.from_bytes(fields_of(message)[4], "big") + shown(self._shares[0])) % GROUP_ORDER
            message = changed(changed(message, 3, shifted_point), 4, encode_scalar(product))
            return self._broadcast(message)

    for error in attack(Shifted).values():
        assert "nonce points do not lie" in error.message


@pytest.mark.parametrize(
    "change",
    [{"round": 2}, {"consortium_hash": b"\x01" * 32}, {"names": ("a", "b", "c")}],
    ids=lambda c: next(iter(c)),
)
def test_messages_of_another_round_or_consortium_are_refused(change):
    class Elsewhere(NonceParty):
        def __init__(self, context, key, signers):
            super().__init__(replace(context, **change), key, signers)

    if "names" in change:  # names are for error texts; their number is bound, they themselves are not
        keys = key_shares(3, 1)
        run_parties(
            local_mesh(range(3)),
            lambda e: run_presign(
                e,
                keys[e.own],
                replace(signing_context(3), **(change if e.own else {})),
                message_keys(3)[e.own],
            ),
        )
        return
    # Its signatures are for that session too: here they are none.
    assert {error.reason for error in attack(Elsewhere).values()} == {Reason.MESSAGE_FORGED}


def test_recorded_messages_do_not_replay_in_the_next_round():
    keys = key_shares(3, 1)
    meshes = local_mesh(range(3))
    run_parties(meshes, lambda e: run_presign(e, keys[e.own], signing_context(3, 1), message_keys(3)[e.own]))
    recorded = [data for peer, _, data in meshes[0].received if peer == CHEAT]
    assert len(recorded) == 3

    for step in range(3):
        meshes = local_mesh(range(3))
        sent = itertools.count()

        def tamper(peer, kind, data, step=step, sent=sent):
            return recorded[step] if peer == 0 and next(sent) == step else data

        meshes[CHEAT].tamper = tamper
        outcomes = party_outcomes(
            meshes,
            finished(lambda e: run_presign(e, keys[e.own], signing_context(3, 2), message_keys(3)[e.own])),
        )
        assert isinstance(outcomes[0], SigningError)
        assert outcomes[0].reason is Reason.MESSAGE_FORGED
        assert outcomes[0].culprit == "desk-2"


def test_all_frames_are_of_the_ceremony_kind_and_small():
    keys = key_shares(3, 1)
    meshes = local_mesh(range(3))
    run_parties(meshes, lambda e: run_presign(e, keys[e.own], signing_context(3), message_keys(3)[e.own]))
    for mesh in meshes:
        assert {kind for _, kind, _ in mesh.received} == {FrameKind.CEREMONY}
        assert mesh.sent_bytes < 2 * 800
