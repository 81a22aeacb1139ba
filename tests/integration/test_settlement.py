"""The real contract on real nodes: the embedded chain and Anvil."""

import time

import msgspec
import pytest
from eth_account import Account
from eth_utils import to_checksum_address

from coordinator.artifact import load_artifact
from coordinator.settlement import Patience, Settlement, SettlementError
from mpc_party.protocol.consortium import Settlement as Section
from mpc_party.protocol.eip712 import domain_separator, pause_digest, report_digest
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from tests.support.chains import anvil_chain, embedded_chain, rpc
from tests.support.signed_group import CHAIN_START, SignedGroup

pytestmark = pytest.mark.integration

SIX_HOURS = 6 * 3600


class Node:
    """A node with a contract on it; market time goes on from test to test, as it must."""

    def __init__(self, url, group):
        self.url, self.group = url, group
        self.account = group.coordinator.evm_account()
        self.bare = group.consortium
        self.deployment = Settlement(url, group.consortium, self.account).deploy()
        self.consortium = group.at(self.deployment.section)
        self.settlement = Settlement(url, self.consortium, self.account)
        self.round, self.time = 0, CHAIN_START

    def signed(self, number=None, after=60, **changes):
        """The next report and its signature; the chain's clock follows."""
        self.round += 1
        self.time += after
        report = self.group.report(self.group.proposal(self.round if number is None else number, self.time))
        report = msgspec.structs.replace(report, **changes)
        self.settlement.follow_clock(self.time)
        return report, self.group.signed(report)[1]


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def node(request):
    group = SignedGroup()
    start = {"embedded": embedded_chain, "anvil": anvil_chain}[request.param]
    with start([group.coordinator.account], CHAIN_START) as url:
        yield Node(url, group)


def refused(node, report, signature, match):
    with pytest.raises(SettlementError, match=match) as caught:
        node.settlement.submit(report, signature)
    assert caught.value.reason is Reason.SETTLEMENT_REVERTED
    assert "\n" not in str(caught.value)


def test_what_was_deployed_is_this_releases_contract_of_this_consortium(node):
    node.settlement.check()
    assert node.deployment.section.chain_id == 31_337
    assert node.deployment.receipt.gas < 4_000_000


def test_a_report_is_stored_bit_for_bit(node):
    report, signature = node.signed()
    receipt = node.settlement.submit(report, signature)
    stored = node.settlement.require_stored(report)
    assert (stored.params, stored.forwards) == (report.params, report.forwards)
    assert stored.digest == node.settlement.digest(report)
    assert receipt.gas > 0
    assert node.settlement.latest_round() == report.round
    assert node.settlement.latest_observed_at() == report.observed_at


def test_submitting_it_again_changes_nothing_and_finds_the_transaction(node):
    report, signature = node.signed()
    first = node.settlement.submit(report, signature)
    blocks = rpc(node.url, "eth_blockNumber")
    assert node.settlement.submit(report, signature) == first
    assert Settlement(node.url, node.consortium, node.account).submit(report, signature) == first
    assert rpc(node.url, "eth_blockNumber") == blocks


def test_somebody_else_may_have_brought_it(node):
    report, signature = node.signed()
    other = Account.create()
    rpc(node.url, "eth_sendRawTransaction", _transfer(node, other.address))
    brought = Settlement(node.url, node.consortium, other).submit(report, signature)
    assert node.settlement.submit(report, signature) == brought


def test_the_clock_of_a_recorded_market_can_leap(node):
    report, signature = node.signed(after=SIX_HOURS)
    node.settlement.submit(report, signature)
    node.settlement.require_stored(report)


def test_a_second_report_for_a_settled_round_is_refused(node):
    report, signature = node.signed()
    node.settlement.submit(report, signature)
    refused(node, *node.signed(number=report.round), r"RoundNotNewer\(round=\d+, latest=\d+\)")


def test_an_expired_report_is_refused(node):
    report, signature = node.signed()
    node.time += 2 * 3600
    node.settlement.follow_clock(node.time)
    refused(node, report, signature, "ReportTooOld|ReportExpired")


def test_a_report_from_the_future_is_refused(node):
    node.round += 1
    report = node.group.report(node.group.proposal(node.round, node.time + 3 * 3600))
    refused(node, report, node.group.signed(report)[1], "ObservedInFuture")


def test_another_groups_signature_is_refused(node):
    report, _ = node.signed()
    digest = node.settlement.digest(report)
    refused(node, report, SignedGroup().sign(digest), "NotGroupKey")


def test_a_signature_over_another_report_is_refused(node):
    report, signature = node.signed()
    other = msgspec.structs.replace(report, inputs=b"\x55" * 32)
    refused(node, other, signature, "NotGroupKey")


def test_a_signature_for_another_chain_is_refused(node):
    report, _ = node.signed()
    elsewhere = report_digest(report, 1, node.consortium.settlement.contract)
    refused(node, report, node.group.sign(elsewhere), "NotGroupKey")


def test_another_epoch_or_consortium_is_refused(node):
    refused(node, *node.signed(epoch=2), "WrongEpoch")
    refused(node, *node.signed(consortium=b"\x66" * 32), "WrongConsortium")


def test_an_account_without_funds_is_told_so(node):
    report, signature = node.signed()
    poor = Settlement(node.url, node.consortium, Account.create())
    with pytest.raises(SettlementError, match="funds"):
        poor.submit(report, signature)


def test_without_an_account_one_can_read_and_not_write(node):
    reader = Settlement(node.url, node.consortium)
    reader.check()
    with pytest.raises(ConfigError, match="no account"):
        reader.submit(*node.signed())


@pytest.mark.parametrize("quorum", [0, 1, 4])
def test_a_quorum_that_t_could_be_or_nobody_can_reach_is_refused(node, quorum):
    with pytest.raises(ConfigError, match="quorum"):
        Settlement(node.url, node.bare, node.account).deploy(quorum)


def _mismatch(node, consortium, match):
    with pytest.raises(SettlementError, match=match) as caught:
        Settlement(node.url, consortium, node.account).check()
    assert caught.value.reason is Reason.CHAIN_MISMATCH


def test_another_chain_is_noticed(node):
    section = Section(1, node.deployment.section.contract)
    _mismatch(node, msgspec.structs.replace(node.consortium, settlement=section), "chain 31337")


def test_an_address_without_code_is_noticed(node):
    section = Section(31_337, "0x" + "00" * 19 + "ff")
    _mismatch(node, msgspec.structs.replace(node.consortium, settlement=section), "no contract")


def test_a_contract_of_another_consortium_is_noticed(node):
    other = SignedGroup()
    _mismatch(node, other.at(node.deployment.section), "another consortium, group key")


def test_other_code_at_the_address_is_noticed(node):
    transaction = _create(node, "0x60016000f3")
    deadline = time.monotonic() + 20
    # Anvil answers before it has mined.
    while (created := rpc(node.url, "eth_getTransactionReceipt", transaction)) is None:
        assert time.monotonic() < deadline
    section = Section(31_337, to_checksum_address(created["contractAddress"]))
    _mismatch(node, msgspec.structs.replace(node.consortium, settlement=section), "code at")


def test_code_is_recognised_whatever_its_immutables_and_nothing_else(node):
    artifact = load_artifact()
    code = bytes.fromhex(rpc(node.url, "eth_getCode", node.deployment.section.contract, "latest")[2:])
    assert code != artifact.deployed
    assert artifact.matches(code)
    changed = bytearray(code)
    for position in (0, code.index(b"\x52"), len(code) - 1):
        changed[position] ^= 1
        assert not artifact.matches(bytes(changed))
        changed[position] ^= 1
    assert not artifact.matches(code[:-1])
    assert not artifact.matches(b"")


def test_a_paused_contract_says_so(node):
    deadline = node.time + 10**6
    signatures = _pause_signatures(node, deadline)
    contract = node.settlement._connected()
    data = contract.encode_abi("pause", [deadline, signatures])
    node.settlement._sender.send(bytes.fromhex(data[2:]), str(contract.address))
    refused(node, *node.signed(), "EnforcedPause.*members have paused")


def test_before_the_first_report_there_is_nothing_to_read(node):
    fresh = Settlement(node.url, node.bare, node.account)
    section = fresh.deploy().section
    empty = Settlement(node.url, msgspec.structs.replace(node.bare, settlement=section))
    assert empty.latest_round() == 0
    assert empty.latest_observed_at() == 0
    with pytest.raises(ConsortiumError, match="NoReport"):
        empty.read_back()


def test_a_receipt_that_does_not_come_is_waited_for_no_longer_than_told_and_not_sent_twice():
    group = SignedGroup()
    with anvil_chain([group.coordinator.account], CHAIN_START) as url:
        node = Node(url, group)
        rpc(url, "evm_setAutomine", False)
        hasty = Settlement(url, node.consortium, node.account, Patience(receipt=0.3))
        report = group.report(group.proposal(1, CHAIN_START + 1))
        signature = group.signed(report)[1]
        for _ in range(2):
            with pytest.raises(SettlementError, match="not in a block") as caught:
                hasty.submit(report, signature)
            assert caught.value.reason is Reason.CHAIN_UNREACHABLE
        assert rpc(url, "txpool_status")["pending"] == "0x1"
        rpc(url, "evm_mine")
        assert hasty.submit(report, signature).gas > 0


def _transaction(node, **fields):
    return {
        "chainId": 31_337,
        "nonce": int(rpc(node.url, "eth_getTransactionCount", node.account.address, "latest"), 16),
        "gas": 100_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "value": 0,
        **fields,
    }


def _transfer(node, address):
    signed = node.account.sign_transaction(_transaction(node, to=address, value=10**20))
    return "0x" + signed.raw_transaction.hex()


def _create(node, data):
    signed = node.account.sign_transaction(_transaction(node, data=data))
    return rpc(node.url, "eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())


def _pause_signatures(node, deadline):
    section = node.consortium.settlement
    digest = pause_digest(domain_separator(section.chain_id, section.contract), nonce=0, deadline=deadline)
    accounts = sorted((i.evm_account() for i in node.group.identities), key=lambda a: int(a.address, 16))
    return [account.unsafe_sign_hash(digest).signature for account in accounts]
