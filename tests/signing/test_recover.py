"""Recovery among honest members: the share that was lost, and the floor for the journal that was lost with it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import PublicKeyMaterial, RecoverContext, SigningError, run_recover, verify_signature
from mpc_party.signing.recover import RecoverParty
from tests.support.consortium import complete, make_cast
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.recover_runs import loss
from tests.support.reshare_runs import message_keys, shaped
from tests.support.signing_parties import key_shares
from tests.support.signing_runs import DIGEST, presign, sign

CEREMONY = b"\x09" * 32
CASES = [
    *((3, 1, r, tuple({0, 1, 2} - {r}), ()) for r in range(3)),
    *((4, 1, 2, helpers, ()) for helpers in itertools.combinations((0, 1, 3), 2)),
    (4, 1, 2, (0, 3), (1,)),
    (5, 2, 4, (0, 1, 3), ()),
    (5, 2, 0, (1, 3, 4), (2,)),
    (7, 3, 3, (0, 1, 5, 6), (2, 4)),
]


@pytest.mark.parametrize(("members", "threshold", "recovering", "helpers", "witnesses"), CASES)
def test_the_recovered_share_is_the_lost_one(members, threshold, recovering, helpers, witnesses):
    lost = loss(members, threshold, recovering, helpers, witnesses)
    results = lost.run()
    recovered = results.pop(recovering)
    assert set(results.values()) == {None}
    assert recovered.share.encode() == lost.shares[recovering].encode()
    assert recovered.last_rounds == {member: 100 + member for member in (*helpers, *witnesses)}
    assert recovered.floor == 100 + max(*helpers, *witnesses)
    assert "Recovered" in repr(recovered)
    assert str(recovered.floor) not in repr(recovered)


def test_the_recovered_share_signs(make_team):
    team = make_team()
    share = loss(3, 1, 1, (0, 2)).run()[1].share
    team.keys = (team.keys[0], share, team.keys[2])
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    (signature,) = set(run_parties(meshes, lambda e: sign(team, presignatures, e)))
    assert verify_signature(share.public_key, DIGEST, signature)


def test_a_share_can_be_recovered_after_a_resharing():
    shares = shaped("5/1 -> 4/1, in another order").new_shares()
    context = replace(loss(4, 1, 0, (1, 2)).context, key=PublicKeyMaterial.of(shares[0]))

    def program(exchange):
        own = exchange.own
        keys = message_keys(own, 4)
        if own == 0:
            return run_recover(exchange, context, keys)
        return run_recover(exchange, context, keys, shares[own], 0)

    recovered = run_parties(local_mesh(range(3)), program)[0]
    assert recovered.share.encode() == shares[0].encode()
    assert recovered.floor == 0


def test_five_exchanges_and_private_values_only_where_they_belong():
    lost = loss(4, 1, 2, (0, 3), (1,))
    meshes = lost.mesh()
    lost.run(meshes)
    assert {mesh.rounds for mesh in meshes} == {5}
    heard = {
        mesh.own: [peer for peer, kind, _ in mesh.received if kind is FrameKind.CEREMONY] for mesh in meshes
    }
    assert heard == {
        0: [1, 3, 3, 1, 2, 3, 2],  # splits, a piece, echoes, done
        1: [0, 3, 0, 2, 3, 2],
        2: [0, 1, 3, 0, 1, 3, 0, 3],  # splits, echoes, sums
        3: [0, 1, 0, 0, 1, 2, 2],
    }


def test_no_share_but_the_recovered_one_can_be_read_anywhere():
    lost = loss(5, 2, 4, (0, 1, 3), (2,))
    meshes = lost.mesh()
    lost.run(meshes)
    for mesh in meshes:
        view = b"".join(data for _, _, data in mesh.received)
        assert not any(share.secret.reveal() in view for share in lost.shares)


@pytest.mark.parametrize(
    ("members", "threshold", "others", "enough"),
    [(3, 1, 2, True), (4, 1, 2, False), (4, 1, 3, True), (5, 2, 3, True), (7, 3, 4, True), (7, 2, 4, False)],
)
def test_it_says_whether_the_floor_is_sure(members, threshold, others, enough):
    helpers = tuple(range(1, threshold + 2))
    context = loss(members, threshold, 0, helpers, range(threshold + 2, others + 1)).context
    assert context.knows_every_round is enough


def test_a_consortium_file_says_who_helps_and_who_is_witness():
    old = complete(make_cast(4))
    context = RecoverContext.of_consortium(old, "bob", ["dave", "alice", "carol"], CEREMONY)
    assert (context.recovering, context.helpers, context.witnesses) == (1, (0, 2), (3,))
    assert (context.consortium_hash, context.names) == (old.hash, old.names)
    assert context.key == PublicKeyMaterial.of_consortium(old)
    with pytest.raises(SigningError, match="takes 2 other members") as raised:
        RecoverContext.of_consortium(old, "bob", ["dave", "bob"], CEREMONY)
    assert raised.value.reason is Reason.RECOVERY_FAILED
    with pytest.raises(ConfigError):
        RecoverContext.of_consortium(old, "nobody", ["dave", "bob"], CEREMONY)


@pytest.mark.parametrize(
    "changes",
    [
        {"helpers": (0, 2)},
        {"helpers": (1, 0)},
        {"helpers": (0,)},
        {"helpers": (0, 4)},
        {"helpers": (0, 1), "witnesses": (1,)},
        {"witnesses": (2,)},
        {"recovering": 4},
        {"names": ("a", "b", "c")},
    ],
)
def test_what_the_protocol_cannot_run_on_is_refused(changes):
    with pytest.raises(SigningError):
        replace(loss(4, 1, 2, (0, 1), (3,)).context, **changes)


def test_every_part_changes_the_session():
    context = loss(4, 1, 2, (0, 1)).context
    changes = [
        {},
        {"consortium_hash": CEREMONY},
        {"key": replace(context.key, epoch=9)},
        {"recovering": 3},
        {"helpers": (0, 3)},
        {"witnesses": (3,)},
        {"ceremony": CEREMONY},
    ]
    assert len({replace(context, **change).session for change in changes}) == len(changes)


def test_what_a_member_must_bring_is_checked_before_anything_is_sent():
    lost = loss(4, 1, 2, (0, 1), (3,))
    for own, share, last_round, text in [
        (0, None, 5, "needs its key share"),
        (0, lost.shares[0], None, "promised last"),
        (3, None, None, "promised last"),
        (0, lost.shares[1], 5, "is not this member's"),
        (0, key_shares(3, 1)[0], 5, "is not this member's"),
    ]:
        with pytest.raises(SigningError, match=text):
            RecoverParty(lost.context, own, share, last_round)
    with pytest.raises(SigningError, match="takes no part"):
        RecoverParty(loss(4, 1, 2, (0, 1)).context, 3, None, 1)


def test_steps_run_once_and_in_order_and_all_must_be_on_the_mesh():
    lost = loss(3, 1, 1, (0, 2))
    party = lost.party(0)
    with pytest.raises(SigningError, match="expects 'split'"):
        party.deal({})
    party.split()
    with pytest.raises(SigningError, match="exactly one message"):
        party.deal({})
    with pytest.raises(SigningError, match="is over"):
        party.sum({})
    with pytest.raises(SigningError, match="all its participants"):
        run_recover(local_mesh((0, 1))[0], lost.context, message_keys(0, 3), lost.shares[0], 1)
