"""Key generation among honest members: shares of one key, which nobody holds or sees."""

from __future__ import annotations

import itertools

import coincurve
import pytest

from mpc_party.mesh.exchange import FrameKind
from mpc_party.protocol.group_key import check_degree, group_key_statement
from mpc_party.signing import SigningError, run_keygen
from mpc_party.signing.curve import Point, multiply_base
from mpc_party.signing.keygen import KeygenParty
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.plain_scalars import recombine_plain, shown
from tests.support.signing_parties import key_shares, keygen_context, message_keys

SIZES = [(3, 1), (4, 1), (5, 1), (5, 2), (7, 3)]


@pytest.mark.parametrize(("members", "threshold"), SIZES)
def test_all_members_get_shares_of_one_key(members, threshold):
    shares = key_shares(members, threshold)
    assert len({share.public_key for share in shares}) == 1
    assert len({share.public_shares for share in shares}) == 1
    assert len({share.attestation for share in shares}) == 1
    assert [share.index for share in shares] == list(range(members))
    for subset in itertools.combinations(shares, threshold + 1):
        # MPyC's own reconstruction, from any t+1 shares
        secret = recombine_plain([s.index + 1 for s in subset], [shown(s.secret) for s in subset])
        assert multiply_base(secret).encode() == shares[0].public_key


@pytest.mark.parametrize(("members", "threshold"), SIZES)
def test_the_result_passes_the_consortium_files_own_check(members, threshold):
    share = key_shares(members, threshold)[0]
    points = [coincurve.PublicKey(point) for point in share.public_shares]
    check_degree(coincurve.PublicKey(share.public_key), points, threshold)
    assert share.attestation == group_key_statement(share.roster_hash, share.public_key, share.public_shares)


def test_t_shares_do_not_give_the_key():
    shares = key_shares(5, 2)
    for subset in itertools.combinations(shares, 2):
        guess = recombine_plain([s.index + 1 for s in subset], [shown(s.secret) for s in subset])
        assert multiply_base(guess).encode() != shares[0].public_key


def test_two_ceremonies_give_two_keys_in_five_exchanges():
    meshes = local_mesh(range(3))
    first = run_parties(
        meshes, lambda e: run_keygen(e, keygen_context(3, 1, b"\x01" * 32), message_keys(3)[e.own])
    )
    assert [mesh.rounds for mesh in meshes] == [5, 5, 5]
    assert all(kind is FrameKind.CEREMONY for mesh in meshes for _, kind, _ in mesh.received)
    second = run_parties(
        meshes, lambda e: run_keygen(e, keygen_context(3, 1, b"\x01" * 32), message_keys(3)[e.own])
    )
    assert first[0].public_key != second[0].public_key


@pytest.mark.parametrize(("members", "threshold"), [(2, 1), (3, 0), (4, 2), (3, -1), (0, 0)])
def test_sizes_without_an_honest_majority_are_refused(members, threshold):
    with pytest.raises(SigningError, match="2t < n"):
        KeygenParty(keygen_context(members, threshold), 0)


def test_all_members_must_be_on_the_mesh():
    with pytest.raises(SigningError, match="all members"):
        run_keygen(local_mesh(range(3))[0], keygen_context(4, 1), message_keys(4)[0])
    with pytest.raises(SigningError, match="no member"):
        run_keygen(local_mesh(range(4))[3], keygen_context(3, 1), message_keys(4)[3])


def test_steps_run_once_and_in_order_and_not_after_a_failure():
    party = KeygenParty(keygen_context(3, 1), 0)
    with pytest.raises(SigningError, match="expects 'commit'"):
        party.open({})
    party.commit()
    with pytest.raises(SigningError, match="'commit' is refused"):
        party.commit()
    with pytest.raises(SigningError, match="exactly one message"):
        party.open({})
    for step in (party.open, party.deal, party.confirm, party.finish):
        with pytest.raises(SigningError, match="is over"):
            step({})


def test_no_message_and_no_memory_of_one_member_holds_the_key_or_anothers_share():
    meshes = local_mesh(range(3))
    shares = run_parties(meshes, lambda e: run_keygen(e, keygen_context(3, 1), message_keys(3)[e.own]))
    for mesh in meshes:
        view = b"".join(data for _, _, data in mesh.received)
        for share in shares:
            assert share.secret.reveal() not in view
    assert len({Point.decode(x) for x in shares[0].public_shares}) == 3
