"""The real contracts on real nodes: reports brought to the embedded chain and to Anvil, and read back."""

import re
import time
from pathlib import Path

import msgspec
import pytest
from eth_account import Account
from eth_utils import to_checksum_address

from coordinator.settlement import Patience, Settlement, SettlementError, SuiteOptions
from coordinator.settlement.types import Breach
from mpc_party.protocol.actions import RotateGroupKey, action_digest, action_hash
from mpc_party.protocol.consortium import Settlement as Section
from mpc_party.protocol.eip712 import domain_separator, report_digest, report_struct_hash, typed_digest
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason, ReportError
from mpc_party.protocol.words import ForwardFields, pack_forward
from tests.support.chains import anvil_chain, embedded_chain, rpc
from tests.support.settlement_node import Node, create, transfer
from tests.support.signed_group import CHAIN_START, SignedGroup, book_words

pytestmark = pytest.mark.integration

SIX_HOURS = 6 * 3600
WINDOW = 600


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


def test_a_digest_is_kept_and_the_words_are_those_of_the_transaction_bit_for_bit(node):
    report, signature, book = node.with_book()
    receipt = node.settlement.submit(report, signature, book)
    back = node.settlement.require_stored(report)
    assert (back.params, back.forwards) == (report.params, report.forwards)
    assert back.digest == node.settlement.digest(report)
    assert (back.stored, back.final) == (None, False)
    assert 0 < receipt.gas < 120_000
    assert node.settlement.latest_round() == report.round
    assert node.settlement.latest_observed_at() == report.observed_at


def test_words_are_stored_where_that_is_asked_for_and_read_after_the_window(node):
    report, signature, book = node.with_book()
    receipt = node.storing.submit(report, signature, book)
    back = node.storing.require_stored(report)
    assert back.stored is not None
    assert (back.params, back.forwards) == (report.params, report.forwards)
    assert receipt.gas > 30 * 20_000
    functions = node.settlement.contract().functions
    with pytest.raises(SettlementError, match="NoReading"):
        node.settlement.node.ask(functions.readingAt(1, back.stored).call)
    node.tick(WINDOW + 60)
    assert node.settlement.read_back().final
    number = functions.idOf(book[-32:]).call()
    param, forward, sequence, round_, *_ = functions.reading(number).call()
    assert bytes(param) == report.params[-32:]
    assert forward == int.from_bytes(report.forwards[-12:])
    assert (sequence, round_) == (back.stored, report.round)


def test_a_book_is_registered_once(node):
    report, signature, book = node.with_book(strikes=7)
    blocks = int(rpc(node.url, "eth_blockNumber"), 16)
    node.storing.submit(report, signature, book)
    # The instruments that are new, the book, the report.
    assert int(rpc(node.url, "eth_blockNumber"), 16) - blocks == 3
    following = node.group.proposal(node.round + 1, node.time + 60, 7)
    assert book_words(following) == book
    node.round, node.time = node.round + 1, node.time + 60
    later = node.group.report(following)
    node.settlement.follow_clock(node.time)
    blocks = int(rpc(node.url, "eth_blockNumber"), 16)
    node.storing.submit(later, node.group.signed(later)[1], book)
    assert int(rpc(node.url, "eth_blockNumber"), 16) - blocks == 1
    assert node.storing.require_stored(later).stored is not None


def test_a_whole_book_is_registered_and_stored_within_what_a_transaction_may_have(node):
    report, signature, book = node.with_book(strikes=110)
    first = int(rpc(node.url, "eth_blockNumber"), 16) + 1
    node.storing.submit(report, signature, book)
    last = int(rpc(node.url, "eth_blockNumber"), 16)
    used = [
        int(rpc(node.url, "eth_getBlockByNumber", hex(block), False)["gasUsed"], 16)
        for block in range(first, last + 1)
    ]
    assert report.instruments == 660
    assert len(used) == 5  # three parts of the instruments, the book, the report
    assert max(used) < 1 << 24
    assert node.storing.require_stored(report).stored is not None


def test_words_are_stored_although_somebody_brought_the_report_in_short(node):
    report, signature, book = node.with_book()
    brought = node.settlement.submit(report, signature, book)
    assert node.settlement.read_back().stored is None
    assert node.storing.submit(report, signature, book) == brought
    stored = node.storing.require_stored(report)
    assert stored.params == report.params
    # And again, when they are there.
    assert node.storing.submit(report, signature, book) == brought


def test_what_comes_faster_than_the_contract_stores_is_published_as_a_digest(node):
    report, signature, book = node.with_book()
    node.storing.submit(report, signature, book)
    proposal = node.proposal(after=10)  # between the two paces of 3 and 20 seconds
    fast = node.group.report(proposal)
    node.settlement.follow_clock(node.time)
    node.storing.submit(fast, node.group.signed(fast)[1], book_words(proposal))
    assert node.storing.require_stored(fast).stored is None


def test_another_books_words_are_not_registered(node):
    report, signature, book = node.with_book()
    with pytest.raises(SettlementError, match="book is not"):
        node.storing.submit(report, signature, book[32:])


def test_a_report_that_comes_faster_than_the_pace_waits(node):
    node.settlement.submit(*node.signed())
    began = time.monotonic()
    # The chain's own clock goes on: three seconds after the last one.
    report = node.group.report(node.proposal(after=1))
    node.settlement.submit(report, node.group.signed(report)[1])
    assert 0.5 < time.monotonic() - began < 10
    node.settlement.require_stored(report)
    node.time += 10  # what has really passed


def test_where_there_is_no_time_to_wait_the_pace_is_an_error_with_a_name(node):
    node.settlement.submit(*node.signed())
    report = node.group.report(node.proposal(after=1))
    hasty = Settlement(node.url, node.consortium, node.account, Patience(pace=0.0))
    with pytest.raises(SettlementError, match=r"ReportTooSoon.*run rounds less often") as caught:
        hasty.submit(report, node.group.signed(report)[1])
    assert caught.value.arguments["acceptableAt"] > caught.value.arguments["timestamp"]
    node.time += 10


def unchecked(node, **changes):
    """A signature over a report that no honest party would hash."""
    proposal = node.proposal()
    report = msgspec.structs.replace(node.group.report(proposal), **changes)
    node.settlement.follow_clock(node.time)
    section = node.consortium.settlement
    separator = domain_separator(section.chain_id, section.contract)
    return report, node.group.sign(typed_digest(separator, report_struct_hash(report)))


def test_what_the_breaker_rejects_is_an_error_that_names_breach_and_word(node):
    node.settlement.submit(*node.signed())
    proposal = node.proposal()
    good = node.group.report(proposal)
    first = ForwardFields(proposal.expiries[0].expiry, proposal.expiries[0].forward * 2)
    leap = msgspec.structs.replace(good, forwards=pack_forward(first) + good.forwards[32:])
    node.settlement.follow_clock(node.time)
    signature = node.group.signed(leap)[1]
    blocks = []
    for settlement in (node.settlement, node.settlement, Settlement(node.url, node.consortium, node.account)):
        with pytest.raises(SettlementError, match="FORWARD_JUMP at word 0") as caught:
            settlement.submit(leap, signature)
        assert caught.value.reason is Reason.REPORT_REJECTED
        blocks.append(rpc(node.url, "eth_blockNumber"))
    assert len(set(blocks)) == 1
    assert node.settlement.latest_round() == leap.round
    with pytest.raises(SettlementError, match="FORWARD_JUMP"):
        node.settlement.find(leap)
    # The contract still has the report before, and the next good one clears the flag.
    assert node.settlement.read_back().round < leap.round
    report, signature = node.signed()
    node.settlement.submit(report, signature)
    node.settlement.require_stored(report)


def test_what_the_breaker_would_reject_is_no_report_here(node):
    report, signature = unchecked(node, params=bytes(32) * 30)
    with pytest.raises(ReportError, match="`iv`"):
        node.settlement.submit(report, signature)


def test_breaches_are_numbered_as_in_the_source():
    source = Path(__file__).resolve().parents[2] / "contracts" / "src" / "ledger" / "Breaker.sol"
    bare = re.sub(r"///.*", "", source.read_text())
    names = re.search(r"enum Breach \{(.*?)\}", bare, re.DOTALL).group(1).replace(",", " ").split()
    assert names == [breach.name for breach in Breach]


def test_what_was_dropped_with_the_pending_reports_is_no_longer_there():
    """A rotation drops what is pending: here to the same key, in the next epoch."""
    group = SignedGroup()
    with embedded_chain([group.coordinator.account], CHAIN_START) as url:
        node = Node(url, group)
        report, signature = node.signed()
        node.settlement.submit(report, signature)
        ledger, members = (node.deployment.contracts[place].address for place in (2, 1))
        rotation = (ledger, node.consortium.group_address, 2, 0, b"\1" * 32, node.time + 10**6)
        accounts = sorted((i.evm_account() for i in group.identities), key=lambda a: int(a.address, 16))[:2]
        action = RotateGroupKey(*rotation)
        digest = action_digest(action, 31_337, members)
        signatures = [bytes(account.unsafe_sign_hash(digest).signature) for account in accounts]
        node.send("schedule", action_hash(action), [account.address for account in accounts], signatures)
        node.tick(86_400)
        late, late_signature = node.signed()
        node.settlement.submit(late, late_signature)
        assert node.settlement.find(late) is not None
        node.send("rotateGroupKey", *rotation)
        assert node.settlement.find(report) is not None  # final by then
        assert node.settlement.find(late) is None
        assert node.settlement.read_back().round == report.round
        with pytest.raises(SettlementError, match="RoundNotNewer"):
            node.settlement.submit(late, late_signature)


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
    rpc(node.url, "eth_sendRawTransaction", transfer(node, other.address))
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
    assert node.settlement.find(report) is not None


def test_a_report_is_found_when_others_have_followed(node):
    report, signature = node.signed()
    first = node.settlement.submit(report, signature)
    node.settlement.submit(*node.signed())
    assert node.settlement.find(report) == first
    assert node.settlement.submit(report, signature) == first
    assert node.settlement.find(node.group.report(node.proposal())) is None


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
    # The contract hashes its own consortium: whatever else was signed is somebody else's signature.
    refused(node, *node.signed(consortium=b"\x66" * 32), "NotGroupKey")


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
    transaction = create(node, "0x60016000f3")
    deadline = time.monotonic() + 20
    # Anvil answers before it has mined.
    while (created := rpc(node.url, "eth_getTransactionReceipt", transaction)) is None:
        assert time.monotonic() < deadline
    section = Section(31_337, to_checksum_address(created["contractAddress"]))
    _mismatch(node, msgspec.structs.replace(node.consortium, settlement=section), "code at")


def test_a_paused_contract_says_so(node):
    members = [identity.evm_account() for identity in node.group.identities]
    rpc(node.url, "eth_sendRawTransaction", transfer(node, members[0].address))
    node.send("pause", node.deployment.section.contract, account=members[0])
    refused(node, *node.signed(), "FeedPaused.*members have paused")


def test_before_the_first_report_there_is_nothing_to_read(node):
    fresh = Settlement(node.url, node.bare, node.account)
    section = fresh.deploy(SuiteOptions(salt=7)).section
    empty = Settlement(node.url, msgspec.structs.replace(node.bare, settlement=section))
    assert empty.latest_round() == 0
    assert empty.latest_observed_at() == 0
    with pytest.raises(ConsortiumError, match="no report yet"):
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
