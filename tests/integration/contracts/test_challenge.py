"""Strangers challenge signed reports on Anvil: what breaks a law is upheld, what is honest costs nobody a bond."""

import msgspec
import pytest
from web3 import Web3

from coordinator.cli import app
from coordinator.onchain import Onchain
from coordinator.report_file import save_report_file
from mpc_party.hedging.laws import Law
from tests.support.chains import rpc
from tests.support.command_lines import call, keystore
from tests.support.contract_hands import POOL, challenge, name_of, row_of, saved
from tests.support.contract_stage import CHALLENGE_BOND, ETHER, REWARD, SINK, with_field

pytestmark = pytest.mark.integration


# One field of one instrument, by how much it must be off for which law.
WRONG = {
    "bs_delta": (4_000, Law.BLACK76),
    "gamma": (400_000, Law.BLACK76),
    "vega": (200_000, Law.BLACK76),
    "premium": (300_000, Law.BLACK76),
    "hedge_delta": (3_900_000, Law.HEDGE_BAND),
    "iv": (200_000, None),
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_found_and_the_contract_upholds_the_challenge(stage, stranger, tmp_path, field):
    add, law = WRONG[field]
    proposal, report = stage.report(1)
    wrong = with_field(report, row_of(proposal), field, add)
    stage.settle(wrong)
    path = saved(stage, tmp_path, proposal, wrong)
    dry = challenge(stage, tmp_path, path, None, "--dry-run")
    assert dry.status == 0, dry.text
    assert dry.json["book_registered"] is False
    assert stage.ledger.functions.bookIdOf(wrong.book).call() == 0
    before = stage.web3.eth.get_balance(stranger.address)
    done = challenge(stage, tmp_path, path, stranger, "--bond", stage.bond.address)
    assert done.status == 0, done.text
    assert done.json["upheld"] is True
    assert law is None or done.json["law"] == law.name
    assert done.json["reward"] == POOL * REWARD // 10_000
    spent = before - stage.web3.eth.get_balance(stranger.address)
    assert 0 < spent < CHALLENGE_BOND  # gas alone: the bond came back
    assert stage.ledger.functions.challengerOf(1).call() == stranger.address
    assert stage.ledger.functions.isLive().call() is False
    again = challenge(stage, tmp_path, path, stranger)
    assert again.status == 4
    assert "KeySlashed" in again.text


def test_parity_monotone_and_butterfly_can_be_asked_for_by_name(stage, tmp_path):
    proposal, report = stage.report(1, strikes=9)
    row = row_of(proposal)
    wrong = with_field(with_field(report, row, "bs_delta", 400_000), row, "premium", 30_000_000)
    path = saved(stage, tmp_path, proposal, wrong)
    for law, exhibits in (("PARITY", 2), ("MONOTONE", 2), ("BUTTERFLY", 3), ("BLACK76", 1)):
        said = challenge(stage, tmp_path, path, None, "--dry-run", "--law", law)
        assert said.status == 0, said.text
        assert said.json["law"] == law
        assert len(said.json["instruments"]) == exhibits
        forced = [item for name in said.json["instruments"] for item in ("--instrument", name)]
        again = challenge(stage, tmp_path, path, None, "--dry-run", "--law", law, *forced)
        assert again.status == 0, again.text
        assert again.json["instruments"] == said.json["instruments"]


@pytest.mark.parametrize("law", [None, *Law])
def test_an_honest_report_cannot_be_challenged_by_any_law(stage, stranger, tmp_path, law):
    proposal, report = stage.report(1)
    stage.settle(report)
    path = saved(stage, tmp_path, proposal, report)
    by = () if law is None else ("--law", law.name)
    height, funds = stage.web3.eth.block_number, stage.web3.eth.get_balance(stranger.address)
    for who, more in ((None, ("--dry-run",)), (stranger, ())):
        said = challenge(stage, tmp_path, path, who, *by, *more)
        assert said.status == 1, said.text
        assert said.json["upheld"] is False
    assert (stage.web3.eth.block_number, stage.web3.eth.get_balance(stranger.address)) == (height, funds)


def test_forced_exhibits_of_an_honest_report_are_refused_by_the_judge(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    path = saved(stage, tmp_path, proposal, report)
    name = name_of(proposal, row_of(proposal))
    said = challenge(stage, tmp_path, path, stranger, "--law", "BLACK76", "--instrument", name)
    assert said.status == 1
    said = challenge(stage, tmp_path, path, stranger, "--law", "PARITY", "--instrument", name)
    assert said.status == 4
    assert "ExhibitsDoNotFit" in said.text
    other = challenge(stage, tmp_path, path, stranger, "--law", "RANGE", "--instrument", "BTC-1JAN27-1-C")
    assert (other.status, "not in the report's book" in other.text) == (2, True)


def test_words_that_no_report_may_have_are_challenged_all_the_same(stage, stranger, tmp_path):
    """Reserved bits: no contract takes such a report, no file of ours is written for it, and it was signed."""
    proposal, report = stage.report(1)
    params = bytearray(report.params)
    params[32 * 3 + 31] = 1
    wrong = msgspec.structs.replace(report, params=bytes(params))
    path = saved(stage, tmp_path, proposal, wrong)
    said = challenge(stage, tmp_path, path, stranger)
    assert said.status == 0, said.text
    assert said.json["law"] == "RANGE"
    assert said.json["share"] is None


def test_a_report_of_other_length_than_its_book_breaks_every_law(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    wrong = msgspec.structs.replace(report, params=report.params[:-32])
    said = challenge(stage, tmp_path, saved(stage, tmp_path, proposal, wrong), stranger)
    assert said.status == 0, said.text
    assert said.json["instruments"] == []


def test_what_cannot_be_challenged_is_said_before_anything_is_paid(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    wrong = with_field(report, row_of(proposal), "bs_delta", 4_000)
    path = saved(stage, tmp_path, proposal, wrong)
    height = stage.web3.eth.block_number

    def refusal(changed=None, who=stranger, status=4, **fields):
        file = msgspec.structs.replace(stage.file(proposal, changed or wrong), **fields)
        save_report_file(path, file)
        said = challenge(stage, tmp_path, path, who)
        assert said.status == status, said.text
        assert said.out == ""
        return said.text

    epoch = msgspec.structs.replace(wrong, epoch=2)
    assert "WrongEpoch" in refusal(epoch)
    other = msgspec.structs.replace(wrong, consortium=b"\7" * 32)
    assert "not this contract's" in refusal(other)
    forged = stage.file(proposal, report).signature
    assert "NotGroupKey" in refusal(signature=forged)
    assert "signature" in refusal(signature="0x" + "00" * 65)
    words = [*stage.file(proposal, wrong).instruments]
    words[0], words[1] = words[1], words[0]
    assert "not the report's book" in refusal(instruments=words)
    poor = stage.stranger(0.05)
    assert "needs 0.1 ether" in refusal(who=poor, status=2)
    nowhere = call(app, "challenge", path, "--contract", stage.bond.address, "--dry-run")
    assert nowhere.status in {3, 4}
    empty = call(
        app, "challenge", path, "--contract", Web3.to_checksum_address("0x" + "12" * 20), "--dry-run"
    )
    assert (empty.status, "no contract" in empty.text) == (4, True)
    path.write_text("{}")
    assert challenge(stage, tmp_path, path, stranger).status == 4
    save_report_file(path, stage.file(proposal, wrong))
    stage.wait(8 * 86_400)
    assert "seconds ago" in challenge(stage, tmp_path, path, stranger).text
    assert stage.web3.eth.block_number == height + 1  # the clock's own block


def test_a_challenge_that_another_was_faster_with_keeps_the_bond(stage, tmp_path, stranger, monkeypatch):
    proposal, report = stage.report(1)
    wrong = with_field(report, row_of(proposal), "bs_delta", 4_000)
    path = saved(stage, tmp_path, proposal, wrong)
    first = stage.stranger()
    original = Onchain.send

    def overtaken(chain, contract, name, *arguments, value=0):
        if name == "challenge":
            monkeypatch.setattr(Onchain, "send", original)
            assert challenge(stage, tmp_path, path, first).status == 0
        return original(chain, contract, name, *arguments, value=value)

    monkeypatch.setattr(Onchain, "send", overtaken)
    said = challenge(stage, tmp_path, path, stranger)
    assert said.status == 4
    assert "KeySlashed" in said.text
    assert stage.web3.eth.get_balance(stranger.address) > 10 * ETHER - CHALLENGE_BOND
    assert stage.web3.eth.get_balance(stage.ledger.address) == 0


def test_a_replaced_keys_report_is_challenged_all_the_same(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    wrong = with_field(report, row_of(proposal), "bs_delta", 4_000)
    path = saved(stage, tmp_path, proposal, wrong)
    members = stage.fund(stage.governance.address)
    rpc(stage.url, "anvil_impersonateAccount", members)
    for epoch in (2, 3):
        key = stage.stranger().address
        stage.send(stage.ledger.functions.rotateGroupKey(key, epoch, 0), members)
    said = challenge(stage, tmp_path, path, stranger)
    assert said.status == 0, said.text
    assert stage.ledger.functions.challengerOf(3).call() == stranger.address


def test_two_reports_of_one_round_are_proved_and_the_reward_is_collected(stage, stranger, tmp_path):
    proposal, report = stage.report(1)
    one = saved(stage, tmp_path, proposal, report)
    two = saved(stage, tmp_path, proposal, msgspec.structs.replace(report, inputs=bytes(32)), "two.json")
    at = ("--contract", stage.ledger.address, "--json")
    paying = ("--keystore", keystore(tmp_path, stranger))
    assert call(app, "equivocation", one, one, *at, "--dry-run").json["why"] == "they are one report"
    later = saved(stage, tmp_path, proposal, msgspec.structs.replace(report, round=2), "later.json")
    said = call(app, "equivocation", one, later, *at, *paying)
    assert (said.status, "round 2" in said.text) == (1, True)
    forged = msgspec.structs.replace(
        stage.file(proposal, msgspec.structs.replace(report, inputs=bytes(32))),
        signature=stage.file(proposal, report).signature,
    )
    save_report_file(tmp_path / "forged.json", forged)
    said = call(app, "equivocation", one, tmp_path / "forged.json", *at, *paying)
    assert (said.status, "NotGroupKey" in said.text) == (4, True)
    assert call(app, "equivocation", one, two, *at, "--dry-run").json["dry_run"] is True
    collect = ("collect", "--bond", stage.bond.address, *paying, "--json")
    assert call(app, *collect).status == 1
    done = call(app, "equivocation", one, two, *at, *paying, "--bond", stage.bond.address)
    assert done.status == 0, done.text
    assert done.json["gas"] < 80_000
    paid = call(app, *collect)
    assert paid.status == 0, paid.text
    assert paid.json["amount"] == done.json["reward"] == POOL * REWARD // 10_000
    assert stage.bond.functions.pooled().call() == 0
    sunk = stage.web3.eth.get_balance(SINK)
    assert call(app, "bond", "sweep", "--bond", stage.bond.address, *paying).status == 0
    assert stage.web3.eth.get_balance(SINK) - sunk == POOL - paid.json["amount"]
    again = call(app, *collect)
    assert (again.status, "NoReward" in again.text) == (1, True)


def test_a_contract_of_other_code_is_warned_of(stage, tmp_path):
    proposal, report = stage.report(1)
    path = saved(stage, tmp_path, proposal, report)
    assert "Warning" not in challenge(stage, tmp_path, path, None, "--dry-run").text
    code = stage.web3.eth.get_code(stage.judge.address)
    rpc(stage.url, "anvil_setCode", stage.judge.address, "0x" + bytes(code).hex() + "00")
    said = challenge(stage, tmp_path, path, None, "--dry-run")
    assert f"Warning: ReportJudge at {stage.judge.address}" in said.text
