"""The commands that act on contracts, as far as they need no contract."""

import json

import pytest
from eth_account import Account
from web3 import Web3

from coordinator.cli import app
from coordinator.home import CoordinatorHome
from coordinator.paying import paying_account
from coordinator.report_file import make_report_file, save_report_file
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.passphrase import Passphrase
from tests.support.chains import embedded_chain
from tests.support.command_lines import KEYSTORE_WORDS, call, keystore
from tests.support.party_homes import quick_keystores
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

NOWHERE = "http://127.0.0.1:9"
ADDRESS = Web3.to_checksum_address("0x" + "b2" * 20)


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    monkeypatch.setenv("MPC_COORDINATOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MPC_RPC_URL", NOWHERE)


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture
def report(group, tmp_path):
    proposal = group.proposal(5)
    made = group.report(proposal)
    path = tmp_path / "report.json"
    file = make_report_file(
        made, book_words(proposal), group.signed(made)[1], EXAMPLE.chain_id, EXAMPLE.contract
    )
    save_report_file(path, file)
    return path


@pytest.fixture
def payer(tmp_path):
    return ("--keystore", keystore(tmp_path, Account.create()))


COMMANDS = [
    ["challenge"], ["equivocation"], ["collect"], ["watch"], ["read"], ["bond"], ["act"],
    *(["bond", name] for name in ("add", "request", "take", "cancel", "status", "seize", "sweep", "collect")),
    *(["act", name] for name in ("schedule", "execute", "cancel", "show", "attach")),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_there(command):
    said = call(app, *command, "--help")
    assert said.status == 0
    assert len(said.out.splitlines()) > 8


def test_a_contract_is_named_once_and_never_by_the_report(report, tmp_path, group):
    for command in (("challenge", report), ("equivocation", report, report), ("watch",), ("read", "1")):
        said = call(app, *command)
        assert (said.status, "which contract" in said.text) == (2, True), command
        said = call(app, *command, "--contract", ADDRESS, "--consortium", tmp_path / "c.toml")
        assert (said.status, "both name" in said.text) == (2, True), command
        said = call(app, *command, "--consortium", tmp_path / "c.toml")
        assert (said.status, "no such file" in said.text) == (2, True), command
    bare = tmp_path / "bare.toml"
    group.at(None)
    save_consortium(bare, group.consortium)
    group.at(EXAMPLE)
    said = call(app, "read", "1", "--consortium", bare)
    assert (said.status, "consortium-incomplete" in said.text) == (2, True)


def test_a_node_that_is_not_there_ends_with_3(report, payer, group, tmp_path):
    consortium = tmp_path / "c.toml"
    save_consortium(consortium, group.consortium)
    for command in (
        ("challenge", report, "--contract", ADDRESS, "--dry-run"),
        ("challenge", report, "--consortium", consortium, *payer),
        ("equivocation", report, report, "--contract", ADDRESS, *payer),
        ("watch", "--contract", ADDRESS, "--for", 0),
        ("read", "1", "--contract", ADDRESS),
        ("read", "--book", "--contract", ADDRESS),
        ("collect", "--bond", ADDRESS, *payer),
        ("bond", "status", "--bond", ADDRESS),
        ("bond", "add", "1", "--bond", ADDRESS, *payer),
    ):
        said = call(app, *command)
        assert said.status == 3, (command, said)
        assert "\n" not in said.text.strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("challenge", "nowhere.json", "--contract", ADDRESS),
        ("challenge", "REPORT", "--contract", ADDRESS, "--law", "NONE"),
        ("challenge", "REPORT", "--contract", ADDRESS, "--instrument", "x", "--dry-run"),
        ("challenge", "REPORT", "--contract", "0x1", "--dry-run", "--rpc-url", "ftp://x"),
        ("challenge", "REPORT", "--contract", ADDRESS, "--keystore", "nowhere"),
        ("challenge", "REPORT", "--contract", ADDRESS),
        ("equivocation", "REPORT", "nowhere.json", "--contract", ADDRESS),
        ("collect",),
        ("watch", "--contract", ADDRESS, "--every", "0"),
        ("watch", "--contract", ADDRESS, "--book", "nowhere.json"),
        ("watch", "--contract", ADDRESS, "--challenge"),
        ("read", "--contract", ADDRESS),
        ("read", "1", "--book", "--contract", ADDRESS),
        ("bond", "add", "x", "--bond", ADDRESS),
        ("bond", "request", "0", "--bond", ADDRESS),
        ("act", "schedule"),
        ("act", "schedule", "nowhere.json"),
        ("act", "execute", "REPORT"),
        ("act", "show", "REPORT"),
        ("act", "attach", "nowhere.json", "--signer", ADDRESS, "--signature", "0x12", "--out", "x"),
    ],
    ids=" ".join,
)
def test_what_is_wrong_on_the_command_line_ends_with_2(report, arguments):
    said = call(app, *(report if one == "REPORT" else one for one in arguments))
    assert said.status == 2, said
    assert said.out == ""


def test_an_address_without_our_contract_is_said_to_be_one(report, payer):
    with embedded_chain([]) as url:
        for command, status in (
            (("challenge", report, "--contract", ADDRESS, "--dry-run"), 4),
            (("watch", "--contract", ADDRESS, "--for", 0), 1),
            (("read", "1", "--contract", ADDRESS), 1),
            (("bond", "status", "--bond", ADDRESS), 1),
            (("bond", "take", "--bond", ADDRESS, *payer), 1),
        ):
            said = call(app, *command, "--rpc-url", url)
            assert (said.status, "no contract" in said.text) == (status, True), command


def test_a_consortiums_chain_must_be_the_nodes(report, group, tmp_path):
    path = tmp_path / "c.toml"
    save_consortium(path, group.at(type(EXAMPLE)(1, EXAMPLE.contract)))
    group.at(EXAMPLE)
    with embedded_chain([]) as url:
        said = call(app, "challenge", report, "--consortium", path, "--dry-run", "--rpc-url", url)
    assert (said.status, "the contract on 1" in said.text) == (4, True)


def test_the_keystore_pays_before_the_folder_does(tmp_path):
    account = Account.create()
    path = keystore(tmp_path, account)
    assert paying_account(tmp_path / "home", path, None).address == account.address
    (tmp_path / "words").write_text(KEYSTORE_WORDS + "\n")
    (tmp_path / "words").chmod(0o600)
    assert paying_account(tmp_path / "home", path, tmp_path / "words").address == account.address


def test_a_coordinators_folder_pays_where_there_is_no_keystore(tmp_path, group):
    home = CoordinatorHome(tmp_path / "home")
    with quick_keystores():
        home.make()
        group.coordinator.save(home.identity_file, Passphrase(KEYSTORE_WORDS))
        assert paying_account(home.path, None, None).address == group.coordinator.account


def test_a_keystore_that_does_not_open(tmp_path, monkeypatch):
    path = keystore(tmp_path, Account.create())
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    with pytest.raises(ConfigError) as caught:
        paying_account(tmp_path, path, None)
    assert caught.value.reason is Reason.PASSPHRASE_WRONG
    monkeypatch.setenv("MPC_PASSPHRASE", KEYSTORE_WORDS)
    whole = json.loads(path.read_text())
    for text in (
        "", "[]", "1", "{}", "null", '{"version": 3}', json.dumps(whole | {"version": 9}),
        json.dumps(whole | {"crypto": {}}), json.dumps(whole | {"crypto": whole["crypto"] | {"kdf": "none"}}),
        "[" * 9000,
    ):  # fmt: skip
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            paying_account(tmp_path, path, None)
        assert str(path) in caught.value.message
