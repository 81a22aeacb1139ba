"""Programs of others on what the contracts give: Aave's oracle, viem and ethers, on Anvil."""

import json
import time
from dataclasses import dataclass

import pytest
from eth_account import Account
from hexbytes import HexBytes
from web3 import HTTPProvider, Web3

from coordinator.artifact import load_abi
from coordinator.feeds.reader import Feed
from coordinator.settlement import SettlementError
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.words import split_words, unpack_instrument, unpack_param
from tests.support.chains import anvil_chain, rpc
from tests.support.contract_stage import WINDOW
from tests.support.contract_stage import Stage as ContractStage
from tests.support.contract_tools import CONTRACTS, run_tool
from tests.support.signed_group import CHAIN_START, EXAMPLE, SignedGroup, book_words

pytestmark = pytest.mark.integration

ARTIFACTS = CONTRACTS / "artifacts"
PEERS = CONTRACTS / "test" / "peers"
VECTOR = CONTRACTS / "test" / "vectors" / "report.json"
PRICE = 6  # of the enum Field
MEMBER = Account.create()
VALIDITY = 3600


def peer(program, *arguments):
    done = run_tool("node", str(PEERS / program), *map(str, arguments))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Stage:
    """A feed with one final report on Anvil, and an adapter of one instrument's price."""

    url: str
    feed: str
    adapter: str
    instrument_id: int
    words: list[bytes]
    params: list[bytes]
    report: object
    reader: Feed
    set_live: object


def deploy(web3, abi, bytecode, *arguments):
    built = web3.eth.contract(abi=abi, bytecode=bytecode).constructor(*arguments)
    receipt = web3.eth.wait_for_transaction_receipt(built.transact({"from": web3.eth.accounts[0]}))
    return web3.eth.contract(address=receipt["contractAddress"], abi=abi)


def send(web3, call):
    receipt = web3.eth.wait_for_transaction_receipt(call.transact({"from": web3.eth.accounts[0]}))
    assert receipt["status"] == 1


def publish_on_a_ledger(url, group):
    """A ledger as deployed, with one stored report about a registered book, final; and a switch of its liveness."""
    contracts = ContractStage(url, group, [Account.create().address, MEMBER.address])
    proposal, report = contracts.report(5)
    contracts.register(proposal)
    contracts.settle(report, store=True)
    contracts.wait(WINDOW)

    def set_live(live):
        # Any one member stops a feed; a snapshot of the chain before it brings it back.
        if live:
            assert rpc(url, "evm_revert", state.pop())
        else:
            state.append(rpc(url, "evm_snapshot"))
            contracts.fund(MEMBER.address)
            call = contracts.governance.functions.pause(contracts.ledger.address)
            transaction = call.build_transaction(
                {"from": MEMBER.address, "nonce": contracts.web3.eth.get_transaction_count(MEMBER.address)}
            )
            contracts.web3.eth.send_raw_transaction(MEMBER.sign_transaction(transaction).raw_transaction)

    state: list[str] = []
    return contracts, proposal, report, set_live


@pytest.fixture(scope="module")
def stage():
    group = SignedGroup()
    group.at(EXAMPLE)
    with anvil_chain([], CHAIN_START) as url:
        web3 = Web3(HTTPProvider(url))
        contracts, proposal, report, set_live = publish_on_a_ledger(url, group)
        words = list(split_words(book_words(proposal)))
        feed = contracts.ledger.address
        factory_file = json.loads((ARTIFACTS / "FeedAdapterFactory.json").read_text())
        factory = deploy(web3, factory_file["abi"], factory_file["bytecode"])
        # The call in the middle of the last expiry: a price far above one unit.
        instrument_id = len(words) - 4
        arguments = (feed, instrument_id, PRICE)
        send(web3, factory.functions.create(*arguments))
        yield Stage(
            url,
            feed,
            factory.functions.adapterOf(*arguments).call(),
            instrument_id,
            words,
            list(split_words(report.params)),
            report,
            Feed(url, feed, chain_id=31_337),
            set_live,
        )


def clock(url, timestamp):
    rpc(url, "evm_setNextBlockTimestamp", timestamp)
    rpc(url, "evm_mine")


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_another_library_has_the_same_digest_and_the_same_signer(library):
    vector = json.loads(VECTOR.read_text())
    said = peer(f"digest-{library}.mjs", ARTIFACTS / "HedgeSettlement.json", VECTOR)
    assert said == {
        "digest": vector["digest"],
        "domainSeparator": vector["domainSeparator"],
        "signer": vector["groupKey"],
    }


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_one_other_bit_is_another_signer(library, tmp_path):
    vector = json.loads(VECTOR.read_text())
    vector["report"]["params"][-1] = vector["report"]["params"][-1][:-1] + "1"
    (tmp_path / "vector.json").write_text(json.dumps(vector))
    said = peer(f"digest-{library}.mjs", ARTIFACTS / "HedgeSettlement.json", tmp_path / "vector.json")
    assert said["digest"] != vector["digest"]
    assert said["signer"] != vector["groupKey"]


def test_the_reader_reads_what_was_published(stage):
    state = stage.reader.state()
    assert (state.live, state.latest_sequence) == (True, 1)
    for index, word in enumerate(stage.words):
        reading = stage.reader.reading(index + 1, block=state.block)
        assert reading == stage.reader.reading(index + 1, sequence=1)
        assert reading.param == unpack_param(stage.params[index])
        assert stage.reader.instrument(index + 1) == unpack_instrument(word)
        assert stage.reader.id_of(unpack_instrument(word)) == index + 1
    assert (reading.round, reading.observed_at) == (stage.report.round, stage.report.observed_at)
    assert stage.report.observed_at <= reading.accepted_at <= stage.report.observed_at + 60
    assert reading.unfit(state, VALIDITY) is None


def test_the_reader_names_what_is_not_there(stage):
    for ask in (
        lambda: stage.reader.reading(len(stage.words) + 1),
        lambda: stage.reader.reading(1, sequence=2),
        lambda: stage.reader.instrument(0),
    ):
        with pytest.raises(SettlementError) as caught:
            ask()
        assert caught.value.reason is Reason.SETTLEMENT_REVERTED


@pytest.mark.parametrize("library", ["viem", "ethers"])
def test_another_library_reads_what_the_reader_reads(stage, library):
    said = peer(
        f"read-{library}.mjs",
        stage.url,
        ARTIFACTS / "IHedgeFeed.json",
        stage.feed,
        ARTIFACTS / "FeedAdapter.json",
        stage.adapter,
        stage.instrument_id,
    )
    reading = stage.reader.reading(stage.instrument_id)
    theirs = said["reading"]
    assert unpack_param(bytes(HexBytes(theirs["param"]))) == reading.param
    assert {name: int(value) for name, value in theirs.items() if name != "param"} == {
        "forward": reading.forward,
        "sequence": reading.sequence,
        "round": reading.round,
        "observedAt": reading.observed_at,
        "validUntil": reading.valid_until,
        "acceptedAt": reading.accepted_at,
    }
    assert said["live"] is True
    assert int(said["latestSequence"]) == stage.reader.state().latest_sequence
    assert bytes(HexBytes(said["instrument"])) == stage.words[stage.instrument_id - 1]
    assert [int(item) for item in said["round"]] == [
        1, reading.param.premium * reading.forward // 10**8, reading.observed_at, reading.observed_at, 1,
    ]  # fmt: skip
    assert said["decimals"] == 8


def test_the_adapter_says_what_it_is_of(stage):
    instrument = stage.reader.instrument(stage.instrument_id)
    web3 = Web3(HTTPProvider(stage.url))
    adapter = web3.eth.contract(address=stage.adapter, abi=load_abi("FeedAdapter"))
    day = time.strftime("%d-%b-%Y", time.gmtime(instrument.expiry)).upper()
    strike = instrument.strike // 10**8
    kind = "C" if instrument.call else "P"
    assert adapter.functions.description().call() == f"BTC {day} {strike} {kind} / price"
    assert adapter.functions.feed().call() == stage.feed


def test_aaves_oracle_takes_the_adapter_for_a_price_source(stage):
    said = peer("aave-oracle.mjs", stage.url, stage.adapter)
    reading = stage.reader.reading(stage.instrument_id)
    price = reading.param.premium * reading.forward // 10**8
    assert price > 100 * 10**8
    assert said["before"] == "7"  # the fallback's
    assert said["refused"] == {"reverted": "5"}  # Errors.CALLER_NOT_ASSET_LISTING_OR_POOL_ADMIN
    assert said["source"] == stage.adapter
    assert (said["price"], said["unit"]) == (str(price), str(10**8))
    assert said["prices"] == [str(price), str(10**8)]

    def now():
        return peer("aave-price.mjs", stage.url, said["oracle"], said["asset"])

    # Aave asks for the bare number: what must not be relied on stops it, and the fallback is not asked either.
    stage.set_live(False)
    assert now() == {"reverted": "No data present"}
    state = stage.reader.state()
    assert "not live" in stage.reader.reading(stage.instrument_id, block=state.block).unfit(state, VALIDITY)
    stage.set_live(True)
    assert now() == {"price": str(price)}
    snapshot = rpc(stage.url, "evm_snapshot")
    clock(stage.url, stage.report.valid_until + 1)
    assert now() == {"reverted": "No data present"}
    state = stage.reader.state()
    assert "expired" in stage.reader.reading(stage.instrument_id, block=state.block).unfit(state, VALIDITY)
    assert rpc(stage.url, "evm_revert", snapshot) is True
    assert now() == {"price": str(price)}
