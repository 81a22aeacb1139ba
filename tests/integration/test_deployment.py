"""The suite of contracts brought to a chain: addresses, repetition, checks, and what refuses."""

import dataclasses

import msgspec
import pytest
from eth_account import Account
from hexbytes import HexBytes

from coordinator.artifact import load_artifact
from coordinator.settlement import Settlement, SettlementError, SuiteOptions
from coordinator.settlement import deployment as module
from coordinator.settlement.factory import (
    FACTORY,
    FACTORY_CODE,
    FACTORY_COST,
    FACTORY_SENDER,
    FACTORY_TRANSACTION,
    create2_address,
    ensure_factory,
)
from coordinator.settlement.founding import BOND, JUDGE, LEDGER, MEMBERS, VAULT, ledger_tolerances, make_plan
from coordinator.settlement.overview import overview
from mpc_party.protocol.consortium import Program
from mpc_party.protocol.errors import ConfigError, Reason
from tests.support.chains import anvil_chain, embedded_chain, rpc
from tests.support.contract_tools import CONTRACTS
from tests.support.signed_group import CHAIN_START, SignedGroup

pytestmark = pytest.mark.integration

NAMES = [JUDGE, MEMBERS, LEDGER, BOND]


class Chain:
    def __init__(self, url, group):
        self.url, self.group = url, group
        self.account = group.coordinator.evm_account()

    def settlement(self, consortium=None):
        return Settlement(self.url, consortium or self.group.consortium, self.account)

    def blocks(self):
        return int(rpc(self.url, "eth_blockNumber"), 16)


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def chain(request):
    group = SignedGroup()
    start = {"embedded": embedded_chain, "anvil": anvil_chain}[request.param]
    with start([group.coordinator.account], CHAIN_START) as url:
        yield Chain(url, group)


def test_the_suite_stands_where_the_plan_says_and_is_what_it_says(chain):
    plan = make_plan(chain.group.consortium, SuiteOptions())
    deployment = chain.settlement().deploy()
    assert [each.name for each in deployment.contracts] == NAMES
    assert [each.address for each in deployment.contracts] == [each.address for each in plan.contracts]
    assert deployment.section.contract == plan.address(LEDGER)
    assert sum(each.gas for each in deployment.contracts) <= deployment.gas < 12_000_000
    assert all(each.gas < 6_000_000 for each in deployment.contracts)
    for each in deployment.contracts:
        code = HexBytes(rpc(chain.url, "eth_getCode", each.address, "latest"))
        artifact = load_artifact(each.name)
        assert artifact.matches(bytes(code))
        assert (bytes(code) == artifact.deployed) == (not artifact.immutables)


def test_a_second_time_nothing_is_sent(chain):
    first = chain.settlement().deploy()
    blocks = chain.blocks()
    again = chain.settlement().deploy()
    assert chain.blocks() == blocks
    assert all(each.kept and each.gas == 0 for each in again.contracts)
    assert again.gas == 0
    assert again.section == first.section
    assert [each.codehash for each in again.contracts] == [each.codehash for each in first.contracts]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_an_interrupted_deployment_goes_on_where_it_was(chain, after, monkeypatch):
    options = SuiteOptions(salt=100 + after)
    real, sent = module.verify, []

    def dies(*arguments, **keywords):
        if len(sent) == after:
            raise KeyboardInterrupt
        sent.append(0)
        return real(*arguments, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(module, "verify", dies)
        with pytest.raises(KeyboardInterrupt):
            chain.settlement().deploy(options)
    ended = chain.settlement().deploy(options)
    assert [each.kept for each in ended.contracts] == [place <= after for place in range(4)]
    assert ended.section.contract == make_plan(chain.group.consortium, options).address(LEDGER)


def test_every_option_arrives(chain):
    sink = "0x00000000000000000000000000000000DeaDBeef"
    options = SuiteOptions(
        quorum=3,
        action_delay=7_200,
        challenge_window=3_599,
        challenge_bond=5,
        bond_delay=20 * 86_400,
        reward=1_234,
        sink=sink,
        salt=1,
    )
    settlement = chain.settlement()
    found = {each.name: each.address for each in settlement.deploy(options).contracts}
    web3 = settlement.node.web3

    def ask(name, getter):
        return web3.eth.contract(address=found[name], abi=load_artifact(name).abi).functions[getter]().call()

    assert ask(MEMBERS, "quorum") == 3
    assert ask(MEMBERS, "actionDelay") == 7_200
    assert ask(MEMBERS, "members") == [member.account for member in chain.group.consortium.members]
    assert ask(LEDGER, "config")[3] == 3_599
    assert ask(LEDGER, "CHALLENGE_BOND") == 5
    assert ask(LEDGER, "SINK").lower() == ask(BOND, "SINK").lower() == sink.lower()
    assert (ask(BOND, "DELAY"), ask(BOND, "REWARD")) == (20 * 86_400, 1_234)
    assert ask(LEDGER, "MEMBERS") == found[MEMBERS]
    assert ask(LEDGER, "JUDGE") == found[JUDGE]
    assert ask(BOND, "LEDGER") == found[LEDGER]
    assert ask(LEDGER, "groupKey") == chain.group.consortium.group_address


def test_a_collateral_brings_a_vault_that_reads_the_ledger(chain):
    # A contract that answers 6 to whatever it is asked: as many decimals as a collateral may have.
    sender = chain.settlement().sender
    token = str(sender.send(bytes.fromhex("6760065f5260205ff35f5260086018f3"), None)["contractAddress"])
    options = SuiteOptions(collateral=token)
    deployment = chain.settlement().deploy(options)
    vault = deployment.contracts[-1]
    assert [each.name for each in deployment.contracts] == [*NAMES, VAULT]
    assert [each.address for each in deployment.contracts[:4]] == [
        each.address for each in chain.settlement().deploy().contracts
    ]
    functions = (
        chain.settlement()
        .node.web3.eth.contract(address=vault.address, abi=load_artifact(VAULT).abi)
        .functions
    )
    assert functions.token().call() == token
    assert functions.feeds().call() == [deployment.section.contract]
    assert not vault.kept
    assert chain.settlement().deploy(options).contracts[-1].kept
    assert vault.gas < 1 << 24


def test_a_collateral_without_code_is_refused_by_the_vault(chain):
    with pytest.raises(SettlementError, match="refuses") as caught:
        chain.settlement().deploy(SuiteOptions(collateral="0x" + "22" * 20))
    assert caught.value.reason is Reason.SETTLEMENT_REVERTED


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            SuiteOptions(action_delay=60, salt=2),
            r"DelayShorterThanWindow\(delay=60, window=600\).*--action-delay",
        ),
        (SuiteOptions(action_delay=31 * 86_400, salt=2), "ActionDelayTooLong"),
        (SuiteOptions(bond_delay=8 * 86_400, salt=2), "DelayOutOfRange.*--bond-delay"),
        (SuiteOptions(reward=0, salt=2), "RewardOutOfRange"),
        (SuiteOptions(reward=10_000, salt=2), "RewardOutOfRange"),
    ],
)
def test_what_a_constructor_refuses_has_its_name(chain, options, match):
    with pytest.raises(SettlementError, match=match) as caught:
        chain.settlement().deploy(options)
    assert caught.value.reason is Reason.SETTLEMENT_REVERTED


def test_contracts_of_others_are_not_taken_for_ones_own(chain):
    mine, others = chain.settlement().deploy(), SignedGroup()
    theirs = make_plan(others.consortium, SuiteOptions())
    assert not {each.address for each in mine.contracts} & {each.address for each in theirs.contracts}
    # Found as one's own, they are told apart by what they say.
    planned = make_plan(chain.group.consortium, SuiteOptions()).contracts[2]
    wrong = dataclasses.replace(planned, fixed={**planned.fixed, "consortium": b"\1" * 32})
    with pytest.raises(SettlementError, match="founded otherwise: consortium") as caught:
        module.verify(chain.settlement().node, wrong, fresh=False)
    assert caught.value.reason is Reason.CHAIN_MISMATCH


def test_other_code_and_no_code_are_noticed(chain):
    node = chain.settlement().node
    chain.settlement().deploy()
    ledger, bond = make_plan(chain.group.consortium, SuiteOptions()).contracts[2:]
    for address, match in ((bond.address, "not this release's"), ("0x" + "00" * 19 + "77", "missing")):
        with pytest.raises(SettlementError, match=match):
            module.verify(node, dataclasses.replace(ledger, address=address), fresh=False)


def test_the_overview_says_what_stands_where_and_how_it_does(chain):
    settlement = chain.settlement()
    deployment = settlement.deploy()
    consortium = msgspec.structs.replace(chain.group.consortium, settlement=deployment.section)
    found = overview(settlement, consortium, SuiteOptions())
    assert found.genuine
    assert {each.name: each.codehash for each in found.contracts} == {
        each.name: each.codehash for each in deployment.contracts
    }
    assert not found.live
    assert (found.paused, found.flagged, found.slashed) == (False, False, 0)
    assert (found.sequence, found.final_sequence, found.final_round) == (0, 0, 0)
    assert (found.quorum, found.members, found.action_delay) == (2, 3, 86_400)
    assert (found.window, found.pace) == (600, 3)
    assert (found.pooled, found.secured) == (0, 0)
    # With other options than it was deployed with, the bond is not looked for at a place that is not its own.
    other = overview(settlement, consortium, SuiteOptions(salt=99))
    assert {each.name for each in other.contracts} == {JUDGE, MEMBERS, LEDGER}
    assert other.pooled is None
    # Whoever the members are now, and whatever quorum they would have today: the bond stays where it was founded.
    members = consortium.members[::-1]
    changed = msgspec.structs.replace(consortium, members=members)
    for options in (SuiteOptions(), SuiteOptions(quorum=99)):
        later = overview(settlement, changed, options)
        assert [each.name for each in later.contracts] == [each.name for each in found.contracts]
        assert (later.genuine, later.pooled) == (True, 0)


def test_the_overview_misses_a_bond_only_where_it_should_stand(chain, monkeypatch):
    settlement = chain.settlement()
    deployment = settlement.deploy()
    consortium = msgspec.structs.replace(chain.group.consortium, settlement=deployment.section)
    bond = deployment.contracts[3].address
    code = type(settlement.node).code
    monkeypatch.setattr(
        type(settlement.node), "code", lambda node, address: b"" if address == bond else code(node, address)
    )
    found = overview(settlement, consortium, SuiteOptions())
    assert (found.contracts[3].codehash, found.genuine) == (None, False)
    changed = msgspec.structs.replace(consortium, members=consortium.members[::-1])
    assert len(overview(settlement, changed, SuiteOptions()).contracts) == 3


def test_the_overview_counts_reports_and_the_bond(chain):
    settlement = chain.settlement()
    options = SuiteOptions(salt=55)
    group = SignedGroup()
    rpc_fund(chain, group.coordinator.account)
    consortium = group.at(Settlement(chain.url, group.consortium, chain.account).deploy(options).section)
    settlement = Settlement(chain.url, consortium, chain.account)
    bond = make_plan(consortium, options).address(BOND)
    data = settlement.node.web3.eth.contract(address=bond, abi=load_artifact(BOND).abi).encode_abi(
        "bond", [group.coordinator.account]
    )
    settlement.sender.send(HexBytes(data), bond, value=10**18)
    now = int(rpc(chain.url, "eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    report = group.report(group.proposal(9, now))
    settlement.submit(report, group.signed(report)[1])
    found = overview(settlement, consortium, options)
    assert (found.live, found.sequence, found.final_sequence) == (True, 1, 0)
    assert (found.pooled, found.secured) == (10**18, 10**18)
    settlement.follow_clock(now + 700)
    found = overview(settlement, consortium, options)
    assert (found.final_sequence, found.final_round) == (1, 9)


def test_without_the_proxy_its_transaction_brings_it_once():
    group = SignedGroup()
    with embedded_chain([group.coordinator.account], CHAIN_START) as url:
        chain = Chain(url, group)
        settlement = chain.settlement()
        assert rpc(url, "eth_getCode", FACTORY, "latest") == "0x"
        assert ensure_factory(settlement.node, settlement.sender) > 60_000
        assert HexBytes(rpc(url, "eth_getCode", FACTORY, "latest")) == FACTORY_CODE
        blocks = chain.blocks()
        assert ensure_factory(settlement.node, settlement.sender) == 0
        assert chain.blocks() == blocks


def test_the_proxy_is_funded_no_more_than_needed():
    group = SignedGroup()
    with embedded_chain([group.coordinator.account, FACTORY_SENDER], CHAIN_START) as url:
        settlement = Chain(url, group).settlement()
        ensure_factory(settlement.node, settlement.sender)
        assert int(rpc(url, "eth_getTransactionCount", group.coordinator.account, "latest"), 16) == 0


def test_a_chain_that_takes_no_such_transaction_is_told_what_to_do():
    group = SignedGroup()
    with anvil_chain([group.coordinator.account], CHAIN_START) as url:
        settlement = Chain(url, group).settlement()
        rpc(url, "anvil_setCode", FACTORY, "0x")
        rpc(url, "anvil_setNonce", FACTORY_SENDER, "0x1")
        with pytest.raises(
            SettlementError, match=r"something else stands in its place.*--rpc.allow"
        ) as caught:
            settlement.deploy()
        assert caught.value.reason is Reason.CHAIN_MISMATCH
        rpc(url, "anvil_setCode", FACTORY, "0x6001")
        with pytest.raises(SettlementError, match="deployment proxy"):
            settlement.deploy()


def test_the_proxys_transaction_is_the_published_one():
    assert Account.recover_transaction(FACTORY_TRANSACTION) == FACTORY_SENDER
    assert FACTORY_COST == 10**16
    assert create2_address(bytes(32), b"") != create2_address(bytes(31) + b"\1", b"")


@pytest.mark.parametrize("quorum", [0, 1, 4])
def test_a_quorum_that_t_could_be_or_nobody_can_reach_is_refused(quorum):
    with pytest.raises(ConfigError, match="quorum"):
        make_plan(SignedGroup().consortium, SuiteOptions(quorum=quorum))


@pytest.mark.parametrize(
    "options",
    [
        SuiteOptions(sink="nobody"),
        SuiteOptions(collateral="0x12"),
        SuiteOptions(salt=2**256),
        SuiteOptions(salt=-1),
        SuiteOptions(challenge_bond=2**256),
        SuiteOptions(action_delay=-1),
        SuiteOptions(challenge_window=0),
        SuiteOptions(challenge_window=3_600),
    ],
)
def test_options_that_no_contract_takes(options):
    with pytest.raises(ConfigError):
        make_plan(SignedGroup().consortium, options)


def test_a_salt_and_every_option_change_the_addresses():
    consortium = SignedGroup().consortium
    plans = [
        make_plan(consortium, options)
        for options in (
            SuiteOptions(),
            SuiteOptions(salt=1),
            SuiteOptions(quorum=3),
            SuiteOptions(action_delay=90_000),
            SuiteOptions(challenge_window=601),
            SuiteOptions(challenge_bond=1),
            SuiteOptions(sink="0x" + "11" * 20),
        )
    ]
    assert len({plan.address(LEDGER) for plan in plans}) == len(plans)
    assert make_plan(consortium, SuiteOptions()) == plans[0]
    bonds = {
        make_plan(consortium, SuiteOptions(**some)).address(BOND)
        for some in ({}, {"reward": 1}, {"bond_delay": 900_000})
    }
    assert len(bonds) == 3


def test_coarser_programs_are_held_to_coarser_tolerances():
    usual = ledger_tolerances(SignedGroup().consortium)
    coarse = ledger_tolerances(SignedGroup(program=Program(fraction_bits=15)).consortium)
    finer = ledger_tolerances(SignedGroup(program=Program(fraction_bits=20)).consortium)
    assert finer == usual
    assert (coarse.delta, coarse.hedge_slack, coarse.hedge_reach) == (4_000, 40_000, 800)


def test_tolerances_are_the_sources_defaults():
    source = (CONTRACTS / "src" / "judge" / "ToleranceFloors.sol").read_text()
    body = source.split("function defaults()")[1].split("}")[0].replace("_", "")
    said = [int(part.split(":")[1]) for part in body.split("Tolerances({")[1].split(",")]
    assert said == list(msgspec.structs.astuple(ledger_tolerances(SignedGroup().consortium)))


def rpc_fund(chain, address):
    sender = chain.settlement().sender
    sender.send(b"", address, value=10**20)
