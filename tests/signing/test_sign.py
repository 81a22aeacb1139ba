"""Signing among honest signers: the group's signature, whoever signs and whatever the digest."""

from __future__ import annotations

import hashlib
import itertools

import coincurve
import pytest
from eth_account import Account

from mpc_party.signing import SigningError, verify_signature
from mpc_party.signing.field import GROUP_ORDER
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_runs import presign, sign


@pytest.mark.parametrize(
    ("members", "threshold", "signers"),
    [
        (3, 1, (0, 1, 2)),
        *((4, 1, signers) for signers in itertools.combinations(range(4), 3)),
        (5, 1, (0, 2, 4)),
        (5, 1, (2, 3, 4)),
        (5, 2, (0, 1, 2, 3, 4)),
        (7, 2, (0, 2, 3, 5, 6)),
        (7, 3, (0, 1, 2, 3, 4, 5, 6)),
    ],
)
def test_a_committee_signs_for_the_groups_address(make_team, members, threshold, signers):
    team = make_team(members, threshold)
    for number in (1, 2):
        digest = hashlib.sha256(bytes([number])).digest()
        context = team.promise(number, signers)
        meshes = local_mesh(signers)
        presignatures = presign(team, context, meshes)
        before = [mesh.rounds for mesh in meshes]
        signatures = run_parties(meshes, lambda e, p=presignatures, d=digest: sign(team, p, e, d))
        assert [mesh.rounds - rounds for mesh, rounds in zip(meshes, before, strict=True)] == [3] * len(
            signers
        )
        (signature,) = set(signatures)
        key = team.keys[0]
        assert verify_signature(key.public_key, digest, signature)
        # what `ecrecover` gives, by two other implementations
        assert Account._recover_hash(digest, signature=signature) == key.address
        recovered = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
        assert recovered.format() == key.public_key
        assert int.from_bytes(signature[32:64], "big") <= GROUP_ORDER // 2


def test_many_signatures_all_verify_whatever_the_parity_and_the_size_of_s(make_team):
    team = make_team()
    meshes = local_mesh(range(3))
    vs = set()
    for number in range(1, 17):
        digest = hashlib.sha256(bytes([number])).digest()
        presignatures = presign(team, team.promise(number), meshes)
        signature = run_parties(meshes, lambda e, p=presignatures, d=digest: sign(team, p, e, d))[0]
        assert verify_signature(team.keys[0].public_key, digest, signature)
        vs.add(signature[64])
    assert vs <= {27, 28}


@pytest.mark.parametrize(
    "digest", [bytes(32), GROUP_ORDER.to_bytes(32, "big"), b"", b"\x01" * 31, b"\x01" * 33]
)
def test_a_digest_of_zero_or_of_another_length_is_refused_before_anything_is_sent(make_team, digest):
    team = make_team()
    meshes = local_mesh(range(3))
    presignatures = presign(team, team.promise(1), meshes)
    rounds = meshes[0].rounds
    with pytest.raises(SigningError, match="32 bytes and not zero"):
        sign(team, presignatures, meshes[0], digest)
    assert meshes[0].rounds == rounds
