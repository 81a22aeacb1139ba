"""A signature of ours, before those who will check it: wallets' libraries, the settlement contract and OpenZeppelin's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mpc_party.signing import KeyShare
from mpc_party.signing.field import GROUP_ORDER
from tests.support.chosen_secrets import multiple_of_generator
from tests.support.outside_verifiers import noble, outside_verifiers
from tests.support.reshare_runs import move
from tests.support.signing_parties import key_shares
from tests.support.signing_teams import TeamOfShares, some_digest, threshold_signature

pytestmark = pytest.mark.integration

# Where key shares come from: whoever makes some in another way adds how, and the same is asked of them.
SHARES: dict[str, Callable[[], tuple[KeyShare, ...]]] = {
    "generated, 2 of 3": lambda: key_shares(3, 1),
    "generated, 3 of 5": lambda: key_shares(5, 2),
    "refreshed": lambda: move(key_shares(3, 1), (0, 1, 2), 1).new_shares(),
    "reshared to 3 of 5": lambda: move(key_shares(3, 1), range(5), 2).new_shares(),
    "reshared to 2 of 3, one replaced": lambda: move(key_shares(5, 2), (0, 3, 5), 1).new_shares(),
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


@pytest.fixture
def generated(tmp_path):
    made = TeamOfShares(key_shares(3, 1), tmp_path)
    yield made
    made.close()


def twin(signature):
    """The other signature with this r: s and v flipped. It has the same signer, and a high s."""
    s = int.from_bytes(signature[32:64], "big")
    return signature[:32] + (GROUP_ORDER - s).to_bytes(32, "big") + bytes([55 - signature[64]])


def test_a_signature_of_the_group_verifies_everywhere(verifiers, team):
    digest = some_digest(1)
    verifiers.verifies_everywhere(team.public_key, digest, threshold_signature(team, digest))


def test_after_a_reshare_the_old_key_has_signed(verifiers, tmp_path):
    old = key_shares(3, 1)
    team = TeamOfShares(move(old, (1, 2, 3, 4), 1).new_shares(), tmp_path)
    digest = some_digest(2)
    verifiers.verifies_everywhere(
        old[0].public_key, digest, threshold_signature(team, digest, signers=(0, 2, 3))
    )
    team.close()


def test_its_twin_with_high_s_is_refused_by_all_that_hold_s_to_the_lower_half(verifiers, generated):
    digest = some_digest(3)
    signature = threshold_signature(generated, digest)
    refused = verifiers.verdicts(generated.public_key, digest, twin(signature))
    # eth_account recovers, and recovery alone has no rule for s.
    assert [who for who, takes in refused.items() if takes] == ["eth_account"]
    assert verifiers.openzeppelin(digest, twin(signature)) is None
    # It is s alone that @noble/curves minds.
    said = noble(generated.public_key, digest, twin(signature))
    assert said == {"lowS": False, "anyS": True, "signer": generated.public_key.hex()}


def test_nobody_takes_it_for_another_digest_or_another_key(verifiers, generated):
    digest = some_digest(4)
    signature = threshold_signature(generated, digest)
    assert not any(verifiers.verdicts(generated.public_key, some_digest(5), signature).values())
    other = multiple_of_generator(7)
    assert not any(verifiers.verdicts(other, digest, signature).values())
