"""Members that hold given key shares, and sign with them: whatever made the shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mpc_party.journal import Journal
from mpc_party.signing import KeyShare, SigningContext
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_parties import CONSORTIUM_HASH, CONSORTIUM_ID, SigningTeam, names
from tests.support.signing_runs import presign, sign


class TeamOfShares(SigningTeam):
    """A `SigningTeam` whose key is given: one share per member, in the order of their indices, all of one epoch."""

    def __init__(self, shares: Sequence[KeyShare], directory: Path) -> None:
        assert [share.index for share in shares] == list(range(len(shares)))
        assert len({(share.epoch, share.public_key, share.public_shares) for share in shares}) == 1
        super().__init__(len(shares), shares[0].threshold, directory)
        self.keys = tuple(shares)
        self.epoch = shares[0].epoch
        self.close()
        for member in self.journals:
            path = directory / f"journal-{member}-of-epoch-{self.epoch}.db"
            self.journals[member] = Journal.open(path, consortium=CONSORTIUM_ID, epoch=self.epoch)

    @property
    def public_key(self) -> bytes:
        return self.keys[0].public_key

    def promise(self, round_number: int, members: Sequence[int] | None = None) -> SigningContext:
        super().promise(round_number, members)
        return SigningContext(CONSORTIUM_HASH, self.epoch, round_number, names(self.members))


def threshold_signature(
    team: SigningTeam, digest: bytes, round_number: int = 1, signers: Sequence[int] | None = None
) -> bytes:
    """One round of the real protocol among 2t+1 members, the first ones if not said otherwise: nonce, approval, shares."""
    signers = range(2 * team.threshold + 1) if signers is None else signers
    meshes = local_mesh(signers)
    presignatures = presign(team, team.promise(round_number, signers), meshes)
    (signature,) = set(run_parties(meshes, lambda e: sign(team, presignatures, e, digest)))
    return signature


def some_digest(number: int) -> bytes:
    return hashlib.sha256(b"something to sign, number %d" % number).digest()
