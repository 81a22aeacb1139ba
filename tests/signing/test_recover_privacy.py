"""Recovery reveals nothing but x_r to r, and nothing to helpers: their views are made without the secrets behind them."""

from __future__ import annotations

import pytest

from mpc_party.protocol.errors import Reason
from mpc_party.signing.curve import add, multiply_base
from mpc_party.signing.recover import RecoverParty
from mpc_party.signing.scalar import SecretScalar
from mpc_party.signing.wire import (
    RecoverDone,
    RecoverEcho,
    RecoverPiece,
    RecoverSplit,
    RecoverSum,
    decode,
    encode,
)
from tests.support.plain_scalars import hidden, random_scalar, shown
from tests.support.recover_runs import loss

CASES = [(3, 1, 1, (0, 2)), (5, 2, 4, (0, 1, 3)), (7, 3, 2, (0, 3, 5, 6))]


def fill(context, known_rows, column_sums):
    """Points with rows that add up to lambda_i X_i and columns to s_k G, made from public points and random scalars.

    `known_rows`: scalars of corrupt helpers' rows. The last free row and column are differences.
    """
    helpers = context.helpers
    free = [i for i in helpers if i not in known_rows]
    points = {i: {k: multiply_base(p) for k, p in row.items()} for i, row in known_rows.items()}
    for i in free[:-1]:
        row = {k: multiply_base(random_scalar()) for k in helpers[:-1]}
        row[helpers[-1]] = add([context.weighted_share(i), *(-point for point in row.values())])
        points[i] = row
    points[free[-1]] = {
        k: add([multiply_base(column_sums[k]), *(-row[k] for row in points.values())]) for k in helpers
    }
    return points


@pytest.mark.parametrize(("members", "threshold", "recovering", "helpers"), CASES)
def test_the_recovering_members_view_can_be_made_from_its_own_share_alone(
    members, threshold, recovering, helpers
):
    lost = loss(members, threshold, recovering, helpers)
    context, share = lost.context, lost.shares[recovering]
    # The simulator knows x_r and public values: it takes no other member's secret.
    sums = {k: random_scalar() for k in helpers[1:]}
    rest = hidden(shown(share.secret) - sum(sums.values()))
    sums[helpers[0]] = shown(rest)
    points = fill(context, {}, sums)
    party = RecoverParty(context, recovering, None, None)
    party.split()
    splits = {
        i: encode(RecoverSplit(context.session, i, tuple(points[i][k].encode() for k in helpers), 7))
        for i in helpers
    }
    assert party.deal(splits) == {}
    echo = party.echo({})
    echoes = {k: encode(RecoverEcho(context.session, k, party._echo)) for k in helpers}
    assert decode_own(context, RecoverEcho, echo, recovering).echo == party._echo
    assert party.sum(echoes) == {}
    done = party.done(
        {k: encode(RecoverSum(context.session, k, recovering, hidden(sums[k]).reveal())) for k in helpers}
    )
    assert done is not None
    assert party.finish({}).share.encode() == share.encode()  # every check of an honest member has passed


@pytest.mark.parametrize(("members", "threshold", "recovering", "helpers"), CASES)
def test_a_corrupt_majority_of_the_helpers_sees_what_can_be_made_without_the_honest_share(
    members, threshold, recovering, helpers
):
    lost = loss(members, threshold, recovering, helpers)
    context, honest = lost.context, helpers[0]
    parties = {k: lost.party(k) for k in helpers[1:]}  # t of them, who act as honest ones would
    splits = {k: party.split() for k, party in parties.items()}
    # The simulator's row for the honest helper: uniform pieces for the others, and its own by difference, as a point only.
    pieces = {k: SecretScalar.random() for k in helpers[1:]}
    points = {k: multiply_base(piece) for k, piece in pieces.items()}
    points[honest] = add([context.weighted_share(honest), *(-point for point in points.values())])
    row = tuple(points[k].encode() for k in helpers)
    splits[honest] = encode(RecoverSplit(context.session, honest, row, 7))

    def others(messages, own):
        return {member: message for member, message in messages.items() if member != own}

    deals = {k: party.deal(others(splits, k)) for k, party in parties.items()}
    deals[honest] = {
        k: encode(RecoverPiece(context.session, honest, k, piece.reveal())) for k, piece in pieces.items()
    }
    echoes = {
        k: party.echo({i: dealt[k] for i, dealt in deals.items() if i != k}) for k, party in parties.items()
    }
    heard = next(iter(parties.values()))._echo
    echoes |= {k: encode(RecoverEcho(context.session, k, heard)) for k in (honest, recovering)}
    for k, party in parties.items():
        assert set(party.sum(others(echoes, k))) == {recovering}
        party.done({})
        told = encode(RecoverDone(context.session, recovering, party._transcript()))
        assert party.finish({recovering: told}) is None


def test_pieces_of_one_share_are_uniform_and_never_the_same():
    lost = loss(3, 1, 1, (0, 2))
    counts = [[0] * 16, [0] * 16]
    seen = set()
    rounds = 320
    for _ in range(rounds):
        party = lost.party(0)
        party.split()
        for column, helper in enumerate((0, 2)):
            piece = shown(party._pieces[helper])
            counts[column][piece >> 252] += 1
            seen.add(piece)
    assert len(seen) == 2 * rounds
    for column in counts:
        chi_square = sum((count - rounds / 16) ** 2 / (rounds / 16) for count in column)
        assert chi_square < 60  # 15 degrees of freedom: exceeded with probability below 1e-6


def test_a_helpers_message_to_the_recovering_member_is_another_each_time():
    lost = loss(3, 1, 1, (0, 2))
    seen = set()
    for _ in range(2):
        meshes = lost.mesh()
        lost.run(meshes)
        for peer, _, data in meshes[1].received[-2:]:
            body = data[64:]  # after the signature
            seen.add(decode_own(lost.context, RecoverSum, body, peer, 1).total)
    assert len(seen) == 4


def decode_own(context, kind, body, sender, receiver=0):
    return decode(
        kind,
        body,
        session=context.session,
        sender=sender,
        receiver=receiver,
        names=context.names,
        reason=Reason.INTERNAL,
    )
