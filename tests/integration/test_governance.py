"""From a wrong report to a feed that lives again, by the command lines of strangers and members, on Anvil."""

import json
import time

import msgspec
import pytest
from web3 import Web3

from coordinator.cli import app as coordinator
from coordinator.report_file import save_report_file
from mpc_party.cli import app as party
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.passphrase import Passphrase
from tests.support.chains import anvil_chain, rpc
from tests.support.command_lines import KEYSTORE_WORDS, call, keystore
from tests.support.contract_stage import CONFIG, DELAY, ETHER, REWARD, TOLERANCES, WINDOW, Stage, with_field
from tests.support.party_homes import quick_keystores
from tests.support.signed_group import NAMES, SignedGroup

pytestmark = pytest.mark.integration

POOL = 5 * ETHER


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    """Contracts whose clock is ours, because members check deadlines by their own; a folder for each member."""
    group = SignedGroup()
    homes = tmp_path_factory.mktemp("members")
    with anvil_chain([], int(time.time())) as url, quick_keystores():
        stage = Stage(url, group, [identity.account for identity in group.identities])
        stage.send(stage.bond.functions.bond(stage.rich), value=POOL)
        for identity in group.identities:
            home = PartyHome(homes / identity.name)
            home.make()
            identity.save(home.identity_file, Passphrase(KEYSTORE_WORDS))
            save_consortium(home.consortium_file, group.consortium)
            stage.fund(identity.account)
        stage.homes = homes
        yield stage


@pytest.fixture
def stage(ground, monkeypatch, tmp_path):
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    monkeypatch.setenv("MPC_RPC_URL", ground.url)
    monkeypatch.setenv("MPC_COORDINATOR_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "200")
    before = rpc(ground.url, "evm_snapshot")
    with quick_keystores():
        yield ground
    rpc(ground.url, "evm_revert", before)


@pytest.fixture
def payer(stage, tmp_path):
    return ("--keystore", keystore(tmp_path, stage.stranger()))


def sign(stage, name, out, *arguments):
    return call(
        party, "sign-action", *arguments, "--home", stage.homes / name, "--out", out, "--yes", "--json"
    )


def signed_by(stage, tmp_path, names, *arguments):
    """The first makes the action, the others sign the same."""
    paths = [tmp_path / f"action.{name}.json" for name in names]
    made = sign(stage, names[0], paths[0], *arguments)
    assert made.status == 0, made.text
    for name, path in zip(names[1:], paths[1:], strict=True):
        said = sign(stage, name, path, "--from", paths[0])
        assert said.status == 0, said.text
        assert said.json["hash"] == made.json["hash"]
    return paths


def act(*arguments):
    return call(coordinator, "act", *arguments, "--json")


def carried_out(stage, paths, payer, delay=DELAY):
    scheduled = act("schedule", *paths, *payer)
    assert scheduled.status == 0, scheduled.text
    early = act("execute", paths[0], *payer)
    assert (early.status, "it can be carried out from" in early.text) == (1, True)
    stage.wait(delay)
    assert stage.now() >= scheduled.json["executable_at"]
    done = act("execute", paths[-1], *payer)
    assert done.status == 0, done.text
    return scheduled, done


def test_a_wrong_report_costs_the_bond_and_members_bring_the_feed_back(stage, payer, tmp_path):
    stranger = stage.stranger()
    paying = ("--keystore", keystore(tmp_path, stranger))
    proposal, report = stage.report(1)
    stage.settle(report)
    stage.wait(WINDOW)
    wrong = with_field(stage.report(2)[1], 7, "bs_delta", 4_000)
    proposal = stage.group.proposal(2, wrong.observed_at)
    stage.settle(wrong)
    assert stage.ledger.functions.isLive().call()
    path = tmp_path / "report.json"
    save_report_file(path, stage.file(proposal, wrong))
    at = ("--contract", stage.ledger.address)
    said = call(coordinator, "challenge", path, *at, *paying)
    assert said.status == 0, said.text
    assert stage.ledger.functions.isLive().call() is False
    assert stage.ledger.functions.finalSequence().call() == 1

    before = stage.web3.eth.get_balance(stranger.address)
    paid = call(coordinator, "collect", "--bond", stage.bond.address, *paying, "--json")
    assert paid.status == 0, paid.text
    assert paid.json["amount"] == POOL * REWARD // 10_000
    assert stage.web3.eth.get_balance(stranger.address) > before + paid.json["amount"] - ETHER // 100

    # The members make another key, and put it in force.
    fresh = SignedGroup()
    stage.wait(60)
    key = ("--group-key", fresh.consortium.group_address)
    paths = signed_by(stage, tmp_path, NAMES[:2], "rotate", *key)
    scheduled, done = carried_out(stage, paths, payer)
    assert scheduled.json["doubt"] is None
    assert done.json["gas"] < 200_000
    assert stage.ledger.functions.groupKey().call() == fresh.consortium.group_address
    stage.group.key, old = fresh.key, stage.group.key
    try:
        later = msgspec.structs.replace(stage.report(3)[1], epoch=2)
        stage.settle(later)
    finally:
        stage.group.key = old
    assert stage.ledger.functions.isLive().call()
    assert stage.ledger.functions.status().call()[4] == 2  # the dropped report's number is given out again


def test_a_member_pauses_alone_and_members_unpause_together(stage, payer, tmp_path):
    stage.settle(stage.report(1)[1])
    home = ("--home", stage.homes / NAMES[2])
    said = call(party, "pause", *home, "--json")
    assert said.status == 0, said.text
    assert stage.ledger.functions.status().call()[6] is True
    again = call(party, "pause", *home)
    assert (again.status, "paused already" in again.text) == (0, True)
    paths = signed_by(stage, tmp_path, NAMES[1:3], "unpause")
    carried_out(stage, paths, payer)
    assert stage.ledger.functions.status().call()[6] is False
    twice = act("execute", paths[0], *payer)
    assert (twice.status, "carried out or cancelled" in twice.text) == (1, True)


def test_a_pause_of_somebody_else_or_without_funds_is_refused(stage, tmp_path):
    other = SignedGroup()
    home = PartyHome(tmp_path / "other")
    home.make()
    other.identities[0].save(home.identity_file, Passphrase(KEYSTORE_WORDS))
    save_consortium(home.consortium_file, stage.group.consortium)
    said = call(party, "pause", "--home", home.path)
    assert (said.status, "is not a member" in said.text) == (2, True)
    stage.fund(stage.group.identities[0].account, 0)
    said = call(party, "pause", "--home", stage.homes / NAMES[0])
    assert (said.status, "funds" in said.text) == (1, True)
    said = call(party, "pause", "--home", stage.homes / NAMES[0], "--rpc-url", "http://127.0.0.1:9")
    assert (said.status, "--rpc-url" in said.text) == (3, True)
    assert call(party, "pause", "--home", stage.homes / NAMES[0], "--rpc-url", "x").status == 2


def test_members_set_parameters(stage, payer, tmp_path):
    names = ("max_age", "max_future_skew", "max_validity", "challenge_window", "max_instruments", "max_jump", "jump_horizon")  # fmt: skip
    fields = ("delta", "gamma", "vega", "premium", "vol", "hedge_reach", "hedge_slack")
    config = dict(zip(names, CONFIG, strict=True)) | {"challenge_window": 1200}
    tolerances = dict(zip(fields, TOLERANCES, strict=True)) | {"delta": 2500}
    text = "\n".join(
        ["[config]", *(f"{k} = {v}" for k, v in config.items()), "[tolerances]", *(f"{k} = {v}" for k, v in tolerances.items())]
    )  # fmt: skip
    file = tmp_path / "parameters.toml"
    file.write_text(text.replace("gamma = 32000\n", ""))
    missing = sign(stage, NAMES[0], tmp_path / "x.json", "parameters", file)
    assert (missing.status, "gamma" in missing.text) == (2, True)
    file.write_text(text)
    paths = signed_by(stage, tmp_path, NAMES[:2], "parameters", file)
    # Tolerances do not change while a report can be challenged by the ones before.
    carried_out(stage, paths, payer, stage.ledger.functions.CHALLENGE_HORIZON().call())
    assert stage.ledger.functions.config().call()[3] == 1200
    assert stage.ledger.functions.tolerances().call()[0] == 2500


def test_a_doubtful_action_is_scheduled_and_said_to_be_doubtful(stage, payer, tmp_path):
    paths = signed_by(stage, tmp_path, NAMES[:2], "unpause")
    said = act("schedule", *paths, *payer)
    assert said.status == 0
    assert "FeedNotPaused" in said.json["doubt"]


def test_members_change_themselves_and_what_was_scheduled_is_void(stage, payer, tmp_path):
    (tmp_path / "a").mkdir()
    unpause = signed_by(stage, tmp_path / "a", NAMES[:2], "unpause")
    assert act("schedule", *unpause, *payer).status == 0
    accounts = [identity.account for identity in stage.group.identities]
    newcomer = stage.stranger().address
    members = [item for account in (*accounts, newcomer) for item in ("--member", account)]
    paths = signed_by(stage, tmp_path, NAMES[:2], "members", *members, "--quorum", 3)
    carried_out(stage, paths, payer)
    assert stage.governance.functions.members().call() == [*accounts, newcomer]
    assert stage.governance.functions.quorum().call() == 3
    void = act("execute", unpause[0], *payer)
    assert (void.status, "ActionOfOtherMembers" in void.text) == (1, True)


def test_members_cancel_what_they_scheduled(stage, payer, tmp_path):
    (tmp_path / "a").mkdir()
    key = Web3.to_checksum_address("0x" + "ab" * 20)
    rotate = signed_by(stage, tmp_path / "a", NAMES[:2], "rotate", "--group-key", key, "--new-epoch", 2)
    scheduled = act("schedule", *rotate, *payer)
    shown = act("show", rotate[0])
    assert (shown.json["state"], shown.json["executable_at"]) == ("waiting", scheduled.json["executable_at"])
    cancelled = signed_by(stage, tmp_path, NAMES[1:3], "cancel", "--of", rotate[0])
    wrong = act("schedule", *cancelled, *payer)
    assert (wrong.status, "act cancel" in wrong.text) == (2, True)
    assert act("cancel", rotate[0], *payer).status == 2
    assert act("cancel", *cancelled, *payer).status == 0
    assert act("show", rotate[0]).json["state"] == "done"
    stage.wait(DELAY)
    assert act("execute", rotate[0], *payer).status == 1


def test_what_is_no_quorum_is_refused_before_it_is_sent(stage, payer, tmp_path):
    paths = signed_by(stage, tmp_path, NAMES[:2], "unpause")
    height = stage.web3.eth.block_number
    one = act("schedule", paths[0], paths[0], *payer)
    assert (one.status, "1 signatures, and 2 members" in one.text) == (2, True)
    other = tmp_path / "other.json"
    assert sign(stage, NAMES[2], other, "unpause").status == 0  # with a salt of its own
    mixed = act("schedule", paths[0], other, *payer)
    assert (mixed.status, "sign the same action" in mixed.text) == (2, True)
    forged = json.loads(paths[1].read_text())
    forged["signature"] = json.loads(paths[0].read_text())["signature"]
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    said = act("schedule", paths[0], tmp_path / "forged.json", *payer)
    assert (said.status, "signature" in said.text) == (2, True)
    stranger = stage.stranger()
    made = call(
        coordinator, "act", "attach", paths[0], "--signer", stranger.address, "--signature", forged["signature"],
        "--out", tmp_path / "stranger.json",
    )  # fmt: skip
    assert made.status == 0, made.text
    said = act("schedule", paths[0], tmp_path / "stranger.json", *payer)
    assert (said.status, "is not a member" in said.text) == (2, True)
    assert act("execute", paths[0], *payer).status == 1  # it is not scheduled
    assert stage.web3.eth.block_number == height
    # In any order of the files.
    assert act("schedule", *reversed(paths), *payer).status == 0
    again = act("schedule", *paths, *payer)
    assert (again.status, "ActionKnown" in again.text) == (1, True)


def test_a_member_signs_nothing_for_other_contracts(stage, tmp_path):
    first = tmp_path / "first.json"
    assert sign(stage, NAMES[0], first, "unpause").status == 0
    elsewhere = Web3.to_checksum_address("0x" + "cd" * 20)
    out = tmp_path / "second.json"
    said = sign(stage, NAMES[1], out, "--from", first, "--members", elsewhere)
    assert (said.status, "governed by" in said.text) == (2, True)
    assert not out.exists()
    text = json.loads(first.read_text())
    text["action"]["feed"] = elsewhere
    first.write_text(json.dumps(text))
    said = sign(stage, NAMES[1], out, "--from", first)
    assert (said.status, "hashes" in said.text) == (2, True)


def test_an_action_past_its_time_is_neither_signed_nor_scheduled(stage, payer, tmp_path):
    past = sign(stage, NAMES[0], tmp_path / "past.json", "unpause", "--deadline", "2026-01-01T00:00Z")
    assert (past.status, "had to be scheduled" in past.text) == (2, True)
    paths = signed_by(stage, tmp_path, NAMES[:2], "unpause")
    stage.wait(8 * 86_400)
    late = act("schedule", *paths, *payer)
    assert (late.status, "had to be scheduled" in late.text) == (2, True)
