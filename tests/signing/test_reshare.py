"""Resharing among honest members: shares of the same key for other members, and none of the old ones fits any more."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.errors import Reason
from mpc_party.signing import KeyShare, PublicKeyMaterial, SigningError, run_reshare, verify_signature
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.presign import NonceParty
from mpc_party.signing.reshare import ReshareParty
from tests.support.local_mesh import local_mesh, party_outcomes, run_parties
from tests.support.plain_scalars import recombine_plain, shown
from tests.support.reshare_runs import SHAPES, message_keys, move, shaped
from tests.support.signing_parties import key_shares
from tests.support.signing_runs import DIGEST, presign, sign


def key_from(shares):
    """The public key that these shares, of whatever epoch, interpolate to, by MPyC."""
    points = [share.index + 1 for share in shares]
    return multiply_base(recombine_plain(points, [shown(share.secret) for share in shares])).encode()


@pytest.mark.parametrize("shape", SHAPES)
def test_all_get_the_same_key_and_any_new_quorum_has_it(shape):
    moved = shaped(shape)
    results = moved.run()
    context, old = moved.context, moved.old[0]
    assert {(r.public_key, r.address) for r in results.values()} == {(old.public_key, old.address)}
    assert len({(r.public_shares, r.attestation) for r in results.values()}) == 1
    shares = [results[index] for index in context.receivers]
    assert [share.index for share in shares] == list(range(len(shares)))
    for share in shares:
        assert isinstance(share, KeyShare)
        assert (share.threshold, share.epoch) == (context.threshold, old.epoch + 1)
        assert share.roster_hash == context.roster_hash != old.roster_hash
        assert KeyShare.decode(share.encode()).encode() == share.encode()
    leavers = set(context.participants) - set(context.receivers)
    assert all(results[index] == PublicKeyMaterial.of(shares[0]) for index in leavers)
    for subset in itertools.combinations(shares, context.threshold + 1):
        assert key_from(subset) == old.public_key
    assert all(key_from(s) != old.public_key for s in itertools.combinations(shares, context.threshold))


def sign_with(make_team, shares):
    """What each signer gets, in a round of the new epoch."""
    team = make_team(len(shares), shares[0].threshold)
    team.keys = shares
    signers = range(2 * shares[0].threshold + 1)
    context = replace(team.promise(1, signers), epoch=shares[0].epoch)
    meshes = local_mesh(signers)
    presignatures = presign(team, context, meshes)
    return party_outcomes(meshes, lambda e: sign(team, presignatures, e))


@pytest.mark.parametrize(
    "shape", ["3/1 -> 5/2, two join", "3/1 -> 3/1, nobody stays", "5/1 -> 4/1, in another order"]
)
def test_the_new_members_sign_for_the_old_key(make_team, shape):
    moved = shaped(shape)
    (signature,) = set(sign_with(make_team, moved.new_shares()).values())
    assert verify_signature(moved.old[0].public_key, DIGEST, signature)


def test_a_mixture_of_epochs_does_not_sign(make_team):
    moved = shaped("3/1 -> 3/1, refresh")
    shares = moved.new_shares()
    context = replace(make_team().promise(1), epoch=shares[0].epoch)
    NonceParty(context, shares[0], (0, 1, 2))
    with pytest.raises(SigningError) as raised:
        NonceParty(context, moved.old[0], (0, 1, 2))
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH
    # and if its holder says that the old share is of the new epoch:
    mixture = (replace(moved.old[0], epoch=shares[0].epoch), *shares[1:])
    outcomes = sign_with(make_team, mixture)
    assert {outcome.reason for outcome in outcomes.values()} == {Reason.SIGNATURE_INVALID}


def test_shares_of_two_epochs_interpolate_to_another_key():
    moved = shaped("3/1 -> 3/1, refresh")
    new = moved.new_shares()
    for one, other in itertools.permutations(range(3), 2):
        assert key_from([moved.old[one], new[other]]) != moved.old[0].public_key
    assert {share.public_shares for share in new}.isdisjoint({moved.old[0].public_shares})


def test_two_refreshes_in_a_row_keep_the_key_and_change_every_share():
    old = key_shares(4, 1)
    first = move(old, range(4), 1).new_shares()
    second = move(first, range(4), 1).new_shares()
    assert second[0].epoch == old[0].epoch + 2
    assert len({shown(share.secret) for share in (*old, *first, *second)}) == 12
    assert all(key_from(pair) == old[0].public_key for pair in itertools.combinations(second, 2))
    for mixed in itertools.product((old, first, second), repeat=2):
        if mixed[0] is not mixed[1]:
            assert key_from([mixed[0][0], mixed[1][1]]) != old[0].public_key


def test_four_exchanges_in_which_only_dealers_speak_until_the_last():
    moved = shaped("3/1 -> 5/2, two join")
    meshes = moved.mesh()
    keys = {mesh.own: message_keys(mesh.own, 5) for mesh in meshes}
    run_parties(meshes, lambda e: run_reshare(e, moved.context, keys[e.own], moved.share(e.own)))
    assert {mesh.rounds for mesh in meshes} == {4}
    for mesh in meshes:
        heard = [peer for peer, kind, _ in mesh.received if kind is FrameKind.CEREMONY]
        dealers = [peer for peer in moved.context.dealers if peer != mesh.own]
        assert heard == dealers * 3 + [peer for peer in range(5) if peer != mesh.own]


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_members_give_to_any_others(data):
    members, threshold = data.draw(st.sampled_from([(3, 1), (4, 1), (5, 2)]), label="old")
    new_threshold = data.draw(st.integers(1, 2), label="new threshold")
    new = data.draw(
        st.lists(st.integers(0, 7), unique=True, min_size=2 * new_threshold + 1, max_size=6)
        .map(lambda chosen: compact(chosen, members))
        .filter(lambda chosen: len(chosen) > 2 * new_threshold),
        label="new",
    )
    leavers = sorted(set(range(members)) - set(new))
    most = members - max(threshold + 1, members - 2 * threshold)
    absent = data.draw(
        st.lists(st.sampled_from(leavers), unique=True, max_size=most) if leavers else st.just([])
    )
    moved = move(key_shares(members, threshold), new, new_threshold, absent)
    shares = moved.new_shares()
    subset = data.draw(st.permutations(shares))[: new_threshold + 1]
    assert key_from(subset) == moved.old[0].public_key
    assert {share.public_key for share in shares} == {moved.old[0].public_key}


def compact(chosen, members):
    """Joiners are numbered on from the old members, without gaps."""
    joiners = sorted(index for index in chosen if index >= members)
    return [index if index < members else members + joiners.index(index) for index in chosen]


def test_steps_run_once_and_in_order_and_not_after_a_failure():
    party = shaped("3/1 -> 3/1, refresh").party(0)
    with pytest.raises(SigningError, match="expects 'commit'"):
        party.open({})
    party.commit()
    with pytest.raises(SigningError, match="exactly one message"):
        party.open({})
    for step in (party.open, party.deal, party.confirm, party.finish):
        with pytest.raises(SigningError, match="is over"):
            step({})


def test_a_share_of_another_epoch_or_member_or_none_is_refused_before_anything_is_sent():
    moved = shaped("3/1 -> 3/1, refresh")
    for wrong in (moved.old[1], moved.new_shares()[0], key_shares(5, 1)[0]):
        with pytest.raises(SigningError) as raised:
            ReshareParty(moved.context, 0, wrong)
        assert raised.value.reason is Reason.CONSORTIUM_MISMATCH
    with pytest.raises(SigningError, match="needs its key share"):
        ReshareParty(moved.context, 0, None)
    ReshareParty(moved.context, 2, None)  # deals nothing
    with pytest.raises(SigningError, match="takes no part"):
        ReshareParty(moved.context, 7, None)


def test_all_participants_must_be_on_the_mesh():
    moved = shaped("3/1 -> 5/2, two join")
    with pytest.raises(SigningError, match="all its participants"):
        run_reshare(local_mesh(range(3))[0], moved.context, message_keys(0, 5), moved.old[0])


def test_no_share_of_anybody_else_is_seen():
    moved = shaped("5/2 -> 3/1, two leave")
    meshes = moved.mesh()
    made = run_parties(
        meshes,
        lambda e: run_reshare(e, moved.context, message_keys(e.own, 5), moved.share(e.own)),
    )
    secrets = [s.secret.reveal() for s in moved.old]
    secrets += [s.secret.reveal() for s in made if isinstance(s, KeyShare)]
    for mesh in meshes:
        view = b"".join(data for _, _, data in mesh.received)
        assert not any(secret in view for secret in secrets)
