"""One node for each file, with all contracts; every test finds it as it was."""

import pytest

from tests.support.chains import anvil_chain, rpc
from tests.support.command_lines import KEYSTORE_WORDS
from tests.support.contract_hands import POOL
from tests.support.contract_stage import Stage
from tests.support.signed_group import CHAIN_START, SignedGroup


@pytest.fixture(scope="module")
def ground():
    group = SignedGroup()
    with anvil_chain([], CHAIN_START) as url:
        stage = Stage(url, group, [identity.account for identity in group.identities])
        stage.send(stage.bond.functions.bond(stage.rich), value=POOL)
        yield stage


@pytest.fixture
def stage(ground, monkeypatch, tmp_path):
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    monkeypatch.setenv("MPC_RPC_URL", ground.url)
    monkeypatch.setenv("MPC_COORDINATOR_HOME", str(tmp_path / "none"))
    before = rpc(ground.url, "evm_snapshot")
    yield ground
    rpc(ground.url, "evm_revert", before)


@pytest.fixture
def stranger(stage):
    return stage.stranger()
