"""The group's address as an owner of a Safe: two of two, the group by a threshold signature and a second account."""

from __future__ import annotations

import coincurve
import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError

from mpc_party.protocol.consortium import evm_address
from tests.support.chains import anvil_chain, rpc
from tests.support.safes import Safe, require_safe
from tests.support.signing_parties import key_shares
from tests.support.signing_teams import TeamOfShares, some_digest, threshold_signature

pytestmark = pytest.mark.integration

ETHER = 10**18
PAYEE = "0x000000000000000000000000000000000000bEEF"
SECOND = Account.from_key(b"\x21" * 32)
NOT_AN_OWNER, TOO_SHORT = "GS026", "GS020"  # the Safe's own codes


class OwnedSafe(Safe):
    """A Safe of the group and a second account."""

    def __init__(self, web3, team):
        self.team = team
        self.group = team.keys[0].address
        self.round = 0
        super().__init__(web3, sorted((self.group, SECOND.address), key=lambda it: int(it, 16)))
        rpc(web3.provider.endpoint_uri, "anvil_setBalance", self.address, hex(10 * ETHER))

    def group_signs(self, digest):
        self.round += 1
        return threshold_signature(self.team, digest, self.round)

    def in_order(self, of_group, of_second):
        """Signatures end to end as the Safe takes them: by their owners' addresses."""
        signed = {int(self.group, 16): of_group, int(SECOND.address, 16): of_second}
        return [signed[owner] for owner in sorted(signed)]

    def balance_of_payee(self):
        return self.web3.eth.get_balance(Web3.to_checksum_address(PAYEE))


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    require_safe()
    team = TeamOfShares(key_shares(3, 1), tmp_path_factory.mktemp("group"))
    with anvil_chain([]) as url:
        yield OwnedSafe(Web3(HTTPProvider(url)), team)
    team.close()


@pytest.fixture
def safe(ground):
    before = rpc(ground.web3.provider.endpoint_uri, "evm_snapshot")
    yield ground
    rpc(ground.web3.provider.endpoint_uri, "evm_revert", before)


@pytest.fixture
def payment(safe):
    """A transaction, what both owners sign of it, and the second owner's signature."""
    transaction = safe.transaction(Web3.to_checksum_address(PAYEE), 3 * ETHER)
    return (
        transaction,
        safe.hash(transaction),
        bytes(SECOND.sign_message(safe.message(transaction)).signature),
    )


def test_the_group_and_a_second_account_pay_from_their_safe(safe, payment):
    transaction, digest, seconds = payment
    # EIP-712: what the contract wants signed is what its type says.
    assert digest == _hash_eip191_message(safe.message(transaction))
    groups = safe.group_signs(digest)
    assert groups[64] in {27, 28}  # the Safe: v of 27 or 28 is a signature of the hash itself
    safe.execute(transaction, safe.in_order(groups, seconds))
    assert safe.balance_of_payee() == 3 * ETHER
    # The Safe has counted on: the same signatures are of no transaction now.
    with pytest.raises(ContractLogicError, match=NOT_AN_OWNER):
        safe.execute(transaction, safe.in_order(groups, seconds))
    assert safe.balance_of_payee() == 3 * ETHER


def test_both_parities_of_v_are_taken(safe):
    seen = set()
    for value in range(1, 40):
        transaction = safe.transaction(Web3.to_checksum_address(PAYEE), value)
        groups = safe.group_signs(safe.hash(transaction))
        if groups[64] not in seen:
            seconds = bytes(SECOND.sign_message(safe.message(transaction)).signature)
            safe.execute(transaction, safe.in_order(groups, seconds))
            seen.add(groups[64])
        if seen == {27, 28}:
            return
    pytest.fail("39 signatures had one parity")


def other_groups_signature(safe, digest):
    stranger = coincurve.PrivateKey(b"\x31" * 32)
    assert evm_address(stranger.public_key.format()) != safe.group
    made = stranger.sign_recoverable(digest, hasher=None)
    return made[:64] + bytes([27 + made[64]])


WRONG = {
    "of another hash": lambda safe, _: safe.group_signs(some_digest(1)),
    "with the other v": lambda safe, digest: (good := safe.group_signs(digest))[:64] + bytes([55 - good[64]]),
    "by another key": other_groups_signature,
    "marked as of a prefixed message": lambda safe, digest: (
        (good := safe.group_signs(digest))[:64] + bytes([good[64] + 4])
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_signature_in_the_groups_place_moves_nothing(safe, payment, wrong):
    transaction, digest, seconds = payment
    with pytest.raises(ContractLogicError, match=NOT_AN_OWNER):
        safe.execute(transaction, safe.in_order(WRONG[wrong](safe, digest), seconds))
    assert safe.balance_of_payee() == 0
    # It was that signature: with the right one the same transaction goes through.
    safe.execute(transaction, safe.in_order(safe.group_signs(digest), seconds))
    assert safe.balance_of_payee() == 3 * ETHER


def test_the_group_alone_is_not_two(safe, payment):
    transaction, digest, _ = payment
    groups = safe.group_signs(digest)
    for signatures, code in (([groups], TOO_SHORT), ([groups, groups], NOT_AN_OWNER)):
        with pytest.raises(ContractLogicError, match=code):
            safe.execute(transaction, signatures)
    assert safe.balance_of_payee() == 0
