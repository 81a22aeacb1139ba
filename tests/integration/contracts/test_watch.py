"""Watching what is brought to a ledger."""

import msgspec
import pytest
from web3 import Web3

from coordinator.challenges.challenging import Court
from coordinator.challenges.watching import Watcher
from coordinator.cli import app
from coordinator.onchain import Onchain
from mpc_party.protocol.compact import compact, compact_signature
from tests.support.chains import rpc
from tests.support.command_lines import call, keystore
from tests.support.contract_hands import row_of, saved
from tests.support.contract_stage import with_field

pytestmark = pytest.mark.integration

# calldatacopy(0, 32, calldatasize - 32); call(gas, calldataload(0), 0, 0, calldatasize - 32, 0, 0)
RELAY = "6020360360206000376000600060203603600060006000355af100"


def watch(stage, *more):
    return call(
        app, "watch", "--contract", stage.ledger.address, "--from-block", 0, "--every", 0.05, "--for", 0, "--json",
        *more,
    )  # fmt: skip


def test_a_watcher_judges_all_that_comes_and_challenges_what_is_wrong(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    stage.register(proposal)
    stage.settle(report, store=True)
    said = watch(stage)
    assert said.status == 0, said.text
    (line,) = said.lines
    assert (line["round"], line["accepted"], line["lawful"], line["instruments"]) == (1, True, True, 30)
    assert 0 <= line["law_share"] < 0.01
    stage.wait(60)
    second = msgspec.structs.replace(stage.report(2)[1], book=report.book)
    wrong = with_field(second, row_of(proposal), "bs_delta", 4_000)
    stage.settle(wrong)
    said = watch(stage)
    assert said.status == 1
    assert [line["lawful"] for line in said.lines] == [True, False]
    assert said.lines[1]["challenge"] is None
    done = watch(stage, "--challenge", "--keystore", keystore(tmp_path, stranger))
    assert done.status == 1, done.text
    assert done.lines[1]["challenge"]["upheld"] is True
    assert stage.ledger.functions.challengerOf(1).call() == stranger.address
    told = call(
        app, "watch", "--contract", stage.ledger.address, "--from-block", 0, "--every", 0.05, "--count", 2
    )
    assert "round 1 accepted" in told.text
    assert "BREAKS law BLACK76" in told.text
    late = watch(stage, "--challenge", "--keystore", keystore(tmp_path, stranger))
    assert "KeySlashed" in late.lines[1]["challenge_trouble"]


def test_a_watcher_needs_the_book_from_somewhere(stage, tmp_path):
    proposal, report = stage.report(1)
    stage.settle(report)
    (line,) = watch(stage).lines
    assert line["lawful"] is None
    assert "not registered" in line["trouble"]
    (line,) = watch(stage, "--book", saved(stage, tmp_path, proposal, report)).lines
    assert line["lawful"] is True


def test_a_watcher_sees_what_the_breaker_rejected(stage, tmp_path, stranger):
    proposal, report = stage.report(1)
    wrong = with_field(
        report, 0, "iv", -499_999
    )  # 1e-6 of vol: out of the breaker's bounds, signed all the same
    stage.settle(wrong)
    book = saved(stage, tmp_path, proposal, wrong)
    done = watch(stage, "--book", book, "--challenge", "--keystore", keystore(tmp_path, stranger))
    assert done.status == 1, done.text
    (line,) = done.lines
    assert (line["accepted"], line["challenge"]["upheld"]) == (False, True)


def test_a_report_that_came_through_another_contract_is_found(stage):
    """An account abstraction's or a relay's call holds the ledger's call."""
    _, report = stage.report(1)
    short = compact(report)
    inner = stage.ledger.encode_abi(
        "settle", [short.core, list(short.words), *compact_signature(stage.sign(report))]
    )
    where = Web3.to_checksum_address("0x" + "77" * 20)
    rpc(stage.url, "anvil_setCode", where, "0x" + RELAY)
    data = "0x" + stage.ledger.address[2:].lower().rjust(64, "0") + inner[2:]
    receipt = stage.web3.eth.wait_for_transaction_receipt(
        stage.web3.eth.send_transaction({"from": stage.rich, "to": where, "data": data, "gas": 2_000_000})
    )
    assert receipt["status"] == 1
    assert stage.ledger.functions.latestRound().call() == 1
    (line,) = watch(stage).lines
    assert line["instruments"] == report.instruments


def test_a_watcher_gives_each_report_once(stage):
    watcher = Watcher(Court(Onchain(stage.url), stage.ledger.address), first=0)
    for number in (1, 2, 3):
        stage.wait(30)
        stage.settle(stage.report(number)[1])
        assert [seen.round for seen in watcher.poll()] == [number]
    assert list(watcher.poll()) == []
    from_now = Watcher(Court(Onchain(stage.url), stage.ledger.address))
    assert list(from_now.poll()) == []
