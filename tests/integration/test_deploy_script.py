"""Foundry's script puts the suite where the coordinator puts it, and each goes on where the other stopped."""

import re

import pytest

from coordinator.settlement import Settlement, SuiteOptions
from coordinator.settlement.founding import make_plan
from mpc_party.protocol.consortium import Program
from tests.support.chains import anvil_chain, rpc
from tests.support.contract_tools import run_tool, tool
from tests.support.signed_group import CHAIN_START, SignedGroup

TOKEN = "0x00000000000000000000000000000000000c0FFE".lower()
# Answers 6 to whatever it is asked: as many decimals as a vault's collateral may have.
TOKEN_CODE = "0x60065f5260205ff3"

pytestmark = pytest.mark.integration


def environment(consortium, options):
    return {
        "CONSORTIUM": "0x" + consortium.id,
        "GROUP_KEY": consortium.group_address,
        "EPOCH": str(consortium.epoch),
        "MEMBERS": ",".join(member.account for member in consortium.members),
        "QUORUM": str(options.quorum),
        "SALT": str(options.salt),
        "ACTION_DELAY": str(options.action_delay),
        "CHALLENGE_WINDOW": str(options.challenge_window),
        "CHALLENGE_BOND": str(options.challenge_bond),
        "BOND_DELAY": str(options.bond_delay),
        "REWARD": str(options.reward),
        "SINK": options.sink,
        "REPORT_VALIDITY": str(consortium.program.report_validity),
        "MAX_INSTRUMENTS": str(consortium.program.max_instruments),
        "COLLATERAL": options.collateral or "0x" + 40 * "0",
        "FRACTION_BITS": str(consortium.program.fraction_bits),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Compiled once, and nothing left in contracts/."""
    return tmp_path_factory.mktemp("forge")


def script(url, account, variables, folder, monkeypatch):
    monkeypatch.setenv("FOUNDRY_BROADCAST", str(folder / "broadcast"))
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = run_tool(
        str(tool("forge")), "script", "script/Deploy.s.sol", "--rpc-url", url, "--broadcast", "--slow",
        "--private-key", "0x" + account.key.hex(), "--out", str(folder / "out"), "--cache-path", str(folder / "cache"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def chain():
    # A program with every part that contracts know of its own.
    group = SignedGroup(program=Program(fraction_bits=15, report_validity=1_800, max_instruments=300))
    with anvil_chain([group.coordinator.account], CHAIN_START) as url:
        yield url, group


@pytest.mark.parametrize(
    "options",
    [
        SuiteOptions(quorum=2),
        SuiteOptions(
            quorum=3,
            salt=2**200 + 3,
            action_delay=90_000,
            challenge_window=1_200,
            challenge_bond=17,
            bond_delay=12 * 86_400,
            reward=777,
            sink="0x00000000000000000000000000000000DeaDBeef",
            collateral=TOKEN,
        ),
    ],
    ids=["defaults", "all options"],
)
def test_the_script_deploys_what_the_coordinator_plans(chain, options, folder, monkeypatch):
    url, group = chain
    account = group.coordinator.evm_account()
    rpc(url, "anvil_setCode", TOKEN, TOKEN_CODE)
    plan = make_plan(group.consortium, options)
    said = script(url, account, environment(group.consortium, options), folder, monkeypatch)
    for planned in plan.contracts:
        assert re.search(rf"{planned.name} {planned.address}", said)
        assert rpc(url, "eth_getCode", planned.address, "latest") != "0x"
    # The coordinator finds all of it there, and checks it.
    deployment = Settlement(url, group.consortium, account).deploy(options)
    assert all(each.kept for each in deployment.contracts)
    assert deployment.gas == 0
    # And the script what is there.
    said = script(url, account, environment(group.consortium, options), folder, monkeypatch)
    assert said.count("was there already") == len(plan.contracts)
