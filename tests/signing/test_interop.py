"""A signature of ours, before those who will check it: wallets' libraries, the settlement contract and OpenZeppelin's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mpc_party.signing import KeyShare
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.field import GROUP_ORDER
from tests.support.outside_verifiers import noble, outside_verifiers
from tests.support.signing_parties import key_shares
from tests.support.signing_teams import TeamOfShares, some_digest, threshold_signature

pytestmark = pytest.mark.integration

# Where key shares come from: whoever makes some in another way adds how, and the same is asked of them.
SHARES: dict[str, Callable[[], tuple[KeyShare, ...]]] = {
    "generated, 2 of 3": lambda: key_shares(3, 1),
    "generated, 3 of 5": lambda: key_shares(5, 2),
    "carried into another epoch": lambda: tuple(
        replace(share, epoch=share.epoch + 4) for share in key_shares(4, 1)
    ),
}


@pytest.fixture(scope="module")
def verifiers():
    with outside_verifiers() as others:
        yield others


@pytest.fixture(params=SHARES)
def team(request, tmp_path):
    made = TeamOfShares(SHARES[request.param](), tmp_path)
    yield made
    made.close()


def twin(signature):
    """The other signature with this r: s and v flipped. It has the same signer, and a high s."""
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32] + (GROUP_ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])


def test_a_signature_of_the_group_verifies_everywhere(verifiers, team):
    digest = some_digest(1)
    verifiers.verifies_everywhere(team.public_key, digest, threshold_signature(team, digest))


def test_its_twin_with_high_s_is_refused_by_all_that_hold_s_to_the_lower_half(verifiers, team):
    digest = some_digest(3)
    signature = threshold_signature(team, digest)
    refused = verifiers.verdicts(team.public_key, digest, twin(signature))
    # eth_account recovers, and recovery alone has no rule for s.
    assert [who for who, takes in refused.items() if takes] == ["eth_account"]
    assert verifiers.openzeppelin(digest, twin(signature)) is None
    # It is s alone that @noble/curves minds.
    said = noble(team.public_key, digest, twin(signature))
    assert said == {"lowS": False, "anyS": True, "signer": team.public_key.hex()}


def test_nobody_takes_it_for_another_digest_or_another_key(verifiers, team):
    digest = some_digest(4)
    signature = threshold_signature(team, digest)
    assert not any(verifiers.verdicts(team.public_key, some_digest(5), signature).values())
    other = multiply_base(7).encode()
    assert not any(verifiers.verdicts(other, digest, signature).values())
