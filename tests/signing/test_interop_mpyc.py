"""MPyC's own runtime, three parties over TCP, makes the same public key, nonce point and signature from the same secrets."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mpc_party.signing.field import GROUP_ORDER, interpolate
from tests.support.chosen_secrets import multiple_of_generator, number_of, put_nonce, shares_of_key, split
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.mpyc_oracle import ROOT, mpyc_signs
from tests.support.signing_parties import key_shares
from tests.support.signing_runs import presign, sign
from tests.support.signing_teams import TeamOfShares, some_digest, threshold_signature

pytestmark = pytest.mark.integration

MEMBERS, THRESHOLD = 3, 1
COORDINATES = (1, 2, 3)
HALF = (GROUP_ORDER - 1) // 2
# (x, k): the ends of the range, nonces that are their own inverses, a key and a nonce that sum to zero, ordinary ones.
SECRETS = [
    (1, 2),
    (GROUP_ORDER - 1, 1),
    (2, GROUP_ORDER - 1),
    (HALF, HALF + 1),
    (int.from_bytes(some_digest(101), "big") % GROUP_ORDER, int.from_bytes(some_digest(102), "big") % GROUP_ORDER),
    (int.from_bytes(some_digest(103), "big") % GROUP_ORDER, int.from_bytes(some_digest(104), "big") % GROUP_ORDER),
]  # fmt: skip


def job(x, k, digest, *, shares):
    return {"sign": {"x": f"{x:x}", "k": f"{k:x}", "digest": digest.hex()}, "shares": shares}


def ours_with(x, k, digest, directory):
    """Public key and signature of ours: x and k in Shamir shares, approval and signature shares as always."""
    directory.mkdir()
    team = TeamOfShares(shares_of_key(x, MEMBERS, THRESHOLD), directory)
    meshes = local_mesh(range(MEMBERS))
    presignatures = presign(team, team.promise(1), meshes)
    put_nonce(presignatures, k, team.keys)
    (signature,) = set(run_parties(meshes, lambda e: sign(team, presignatures, e, digest)))
    team.close()
    return team.public_key, signature


def test_the_same_secrets_make_the_same_key_nonce_and_signature(tmp_path):
    jobs = [job(x, k, some_digest(n), shares=False) for n, (x, k) in enumerate(SECRETS)]
    for n, ((x, k), theirs) in enumerate(zip(SECRETS, mpyc_signs([jobs] * MEMBERS, THRESHOLD), strict=True)):
        public_key, signature = ours_with(x, k, some_digest(n), tmp_path / str(n))
        assert theirs["public_key"] == public_key.hex()
        assert theirs["nonce_point"] == multiple_of_generator(k).hex()
        assert theirs["signature"] == signature.hex()
        # And the textbook says so too, in plain numbers.
        r, h = int.from_bytes(signature[:32], "big"), int.from_bytes(some_digest(n), "big")
        s = pow(k, -1, GROUP_ORDER) * (h + r * x) % GROUP_ORDER
        assert int.from_bytes(signature[32:64], "big") == min(s, GROUP_ORDER - s)


def test_mpyc_goes_on_from_the_shares_of_our_ceremonies(tmp_path):
    """Its parties get our members' key shares as they are, and a nonce that a whole signature of ours was made with."""
    keys = key_shares(MEMBERS, THRESHOLD)
    team = TeamOfShares(keys, tmp_path)
    x = interpolate(COORDINATES, [number_of(share) for share in keys])
    ours, jobs = [], [[], [], []]
    for number in range(1, 5):
        digest = some_digest(number)
        signature = threshold_signature(team, digest, number)
        ours.append(signature)
        # Who knows x can solve the signature for k, up to its sign, which low s takes out.
        r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
        k = (int.from_bytes(digest, "big") + r * x) * pow(s, -1, GROUP_ORDER) % GROUP_ORDER
        for own, (share, piece) in enumerate(zip(keys, split(k, THRESHOLD, MEMBERS), strict=True)):
            jobs[own].append(job(number_of(share), piece, digest, shares=True))
    team.close()
    for signature, theirs in zip(ours, mpyc_signs(jobs, THRESHOLD), strict=True):
        assert theirs["public_key"] == keys[0].public_key.hex()
        # R = k G by their arithmetic, and its x is our r: this k is the nonce that ours was made with.
        assert theirs["nonce_point"][2:] == signature[:32].hex()
        assert theirs["signature"] == signature.hex()


def test_a_wrong_share_makes_another_key(tmp_path):
    """The witness does look at the shares that it is given."""
    keys = key_shares(MEMBERS, THRESHOLD)
    secrets = [number_of(share) for share in keys]
    secrets[2] = (secrets[2] + 1) % GROUP_ORDER
    jobs = [[job(secret, 5 + own, some_digest(1), shares=True)] for own, secret in enumerate(secrets)]
    (theirs,) = mpyc_signs(jobs, THRESHOLD)
    assert theirs["public_key"] != keys[0].public_key.hex()
    assert theirs["public_key"] == multiple_of_generator(interpolate(COORDINATES, secrets)).hex()
    assert theirs["nonce_point"] == multiple_of_generator(4).hex()  # 4 + 1, 4 + 2, 4 + 3


def test_an_mpyc_party_unpickles_nothing():
    """MPyC's runtime has another transport in the place of its own, and an audit hook refuses what goes past that."""
    program = (
        "import pickle; from pathlib import Path; from tests.support import mpyc_party as party; party.guard(); "
        "assert party.runtime.pickle is party.PlainTransfer; pickle.loads(pickle.dumps(Path()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--no-log"],
        cwd=ROOT,
        env={**os.environ, "MPYC_NONUMPY": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert b"about to unpickle" in done.stderr, done.stderr
