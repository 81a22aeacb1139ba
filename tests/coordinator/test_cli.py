import json
import subprocess
import sys

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from coordinator.cli import app
from coordinator.history import History
from coordinator.home import CoordinatorHome
from coordinator.report_file import dump_report_file, make_report_file
from mpc_party.console import exit_code
from mpc_party.protocol.card import save_card
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.report import encode_report
from tests.support.chains import embedded_chain
from tests.support.signed_group import EXAMPLE, SignedGroup, book_words

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(autouse=True)
def logging_as_it_was():
    """A command sends logs to the standard error of its run, which is closed afterwards."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def group():
    made = SignedGroup()
    made.at(EXAMPLE)
    return made


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    monkeypatch.setenv("MPC_COORDINATOR_HOME", str(tmp_path / "home"))
    return CoordinatorHome(tmp_path / "home")


def call(*arguments):
    """Exit status and standard output, as `mpc_party.console.run` would give them; the error, if there is one."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def cards(group, folder):
    paths = []
    for identity in group.identities:
        card = identity.card()
        paths.append(folder / card.file_name)
        save_card(paths[-1], card)
    return [argument for path in paths for argument in ("--member", path)]


def create(group, tmp_path, *more):
    return call(
        "create", *cards(group, tmp_path), "--name", "desks", "--broker", "mqtt://127.0.0.1:1883", *more
    )


def test_create_makes_keys_and_a_file_that_loads(group, home, tmp_path):
    status, out, _ = create(group, tmp_path, "--max-instruments", "99", "--json")
    assert status == 0
    consortium = load_consortium(home.consortium_file)
    said = json.loads(out)
    assert said["members"] == list(consortium.names) == ["alpha", "bravo", "charlie"]
    assert (consortium.program.max_instruments, consortium.key) == (99, None)
    identity = home.identity(Passphrase(PASSPHRASE))
    assert (said["account"], consortium.coordinator) == (identity.account, identity.signing_key)
    assert home.identity_file.stat().st_mode & 0o077 == 0


def test_create_keeps_the_keys_that_are_there_and_overwrites_nothing(group, home, tmp_path):
    create(group, tmp_path)
    before = home.identity_file.read_bytes(), home.consortium_file.read_bytes()
    status, _, error = create(group, tmp_path)
    assert status == 2
    assert "exists" in error
    assert create(group, tmp_path, "--out", tmp_path / "second.toml")[0] == 0
    assert before == (home.identity_file.read_bytes(), home.consortium_file.read_bytes())


@pytest.mark.parametrize(
    "arguments",
    [
        ("--threshold", "2"),
        ("--broker", "http://x"),
        ("--max-instruments", "0"),
        ("--name", "a\nb"),
        ("--member", "/nowhere"),
    ],
)
def test_create_refuses_in_one_line_and_leaves_nothing(group, home, tmp_path, arguments):
    status, _, error = create(group, tmp_path, *arguments)
    assert status == 2
    assert "\n" not in error
    assert not home.path.exists()


def test_square_brackets_in_a_name_are_shown_and_not_read(group, home, tmp_path):
    status, _, said = create(group, tmp_path, "--name", "[/bold] desks [red]")
    assert status == 0
    assert "[/bold] desks [red]" in said.replace("\n", " ")


def test_create_refuses_two_cards_of_one_member(group, home, tmp_path):
    given = cards(group, tmp_path)
    status, _, error = call("create", *given, *given[:2], "--name", "x", "--broker", "mqtt://127.0.0.1:1")
    assert status == 2
    assert "alpha" in error or "members" in error


def test_a_wrong_passphrase_is_one_line(group, home, tmp_path, monkeypatch):
    create(group, tmp_path)
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    status, _, error = create(group, tmp_path, "--out", tmp_path / "other.toml")
    assert status == 2
    assert Reason.PASSPHRASE_WRONG in error


def prepared(group, home, settlement=None):
    """A folder of this group's coordinator."""
    home.make()
    group.coordinator.save(home.identity_file, Passphrase(PASSPHRASE))
    save_consortium(home.consortium_file, msgspec.structs.replace(group.consortium, settlement=settlement))


def test_deploy_writes_the_contract_into_the_file(group, home):
    prepared(group, home)
    with embedded_chain([group.coordinator.account]) as url:
        status, out, _ = call("deploy", "--rpc-url", url, "--json")
        assert status == 0
        said = json.loads(out)
        section = load_consortium(home.consortium_file).settlement
        assert (section.chain_id, section.contract) == (said["chain_id"], said["contract"])
        status, _, error = call("deploy", "--rpc-url", url)
        assert (status, "--replace" in error) == (2, True)
        # The same options give the same contracts, which are kept.
        status, out, _ = call("deploy", "--rpc-url", url, "--replace", "--json")
        again = json.loads(out)
        assert (status, again["contract"], again["gas"]) == (0, said["contract"], 0)
        assert all(each["kept"] for each in again["contracts"].values())
        status, out, _ = call("deploy", "--rpc-url", url, "--replace", "--salt", 1, "--json")
        assert json.loads(out)["contract"] != section.contract
        assert load_consortium(home.consortium_file).settlement.contract == json.loads(out)["contract"]


OPTIONS = (
    "--quorum", 3, "--action-delay", 90_000, "--challenge-window", 900, "--challenge-bond", "0.25", "--bond-delay", 900_000,
    "--reward", 3_000, "--sink", "0x00000000000000000000000000000000DeaDBeef", "--salt", 5,
)  # fmt: skip


def test_a_dry_run_says_where_everything_will_stand_without_node_or_passphrase(group, home, monkeypatch):
    prepared(group, home)
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    before = home.consortium_file.read_bytes()
    status, out, _ = call("deploy", "--dry-run", "--json", "--rpc-url", "http://127.0.0.1:9", *OPTIONS)
    planned = json.loads(out)["contracts"]
    assert status == 0
    assert list(planned) == ["ReportJudge", "ConsortiumMembers", "HedgeSettlement", "ConsortiumBond"]
    _, _, shown = call("deploy", "--dry-run", *OPTIONS)
    assert all(f"{name} " in shown and address in shown for name, address in planned.items())
    assert home.consortium_file.read_bytes() == before
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    with embedded_chain([group.coordinator.account]) as url:
        status, out, _ = call("deploy", "--json", "--rpc-url", url, *OPTIONS)
        assert status == 0
        done = json.loads(out)["contracts"]
        assert {name: each["address"] for name, each in done.items()} == planned
        status, out, _ = call("contracts", "--json", "--rpc-url", url, *OPTIONS)
        said = json.loads(out)
        assert status == 0
        assert {each["name"]: each["address"] for each in said["contracts"]} == planned
        assert [each["codehash"] for each in said["contracts"]] == [
            done[each["name"]]["codehash"] for each in said["contracts"]
        ]
        assert (said["live"], said["window"], said["quorum"], said["pooled"]) == (False, 900, 3, 0)
        status, _, shown = call("contracts", "--rpc-url", url, *OPTIONS)
        assert status == 0
        assert "not live: no report" in shown
        assert "Bond: 0 ether pooled" in shown


def test_contracts_of_another_file_are_refused(group, home):
    prepared(group, home)
    assert call("contracts", "--rpc-url", "http://127.0.0.1:9")[0] == 3
    with embedded_chain([group.coordinator.account]) as url:
        status, _, error = call("contracts", "--rpc-url", url)
        assert (status, "mpc-coordinator deploy" in error) == (2, True)
        save_consortium(home.consortium_file, msgspec.structs.replace(group.consortium, settlement=EXAMPLE))
        status, _, error = call("contracts", "--rpc-url", url)
        assert (status, Reason.CHAIN_MISMATCH in error) == (1, True)


@pytest.mark.parametrize("amount", ["", "many", "-1", "1e-19", "NaN", "Infinity", "1e40"])
def test_amounts_that_are_none(group, home, amount):
    prepared(group, home)
    status, _, error = call("deploy", "--dry-run", "--challenge-bond", amount)
    assert (status, "--challenge-bond" in error) == (2, True)


def test_deploy_says_what_is_missing_and_changes_nothing(group, home):
    prepared(group, home)
    before = home.consortium_file.read_bytes()
    status, _, error = call("deploy", "--rpc-url", "http://127.0.0.1:9")
    assert status == 3
    assert "mpc-coordinator chain" in error
    with embedded_chain([]) as url:
        status, _, error = call("deploy", "--rpc-url", url)
    assert (status, "funds" in error) == (1, True)
    save_consortium(
        home.consortium_file, msgspec.structs.replace(group.consortium, key=None, settlement=None)
    )
    status, _, error = call("deploy")
    assert (status, "mpc-party keygen" in error) == (2, True)
    home.consortium_file.write_bytes(before)
    home.identity_file.unlink()
    assert call("deploy")[0] == 2


def test_round_needs_a_complete_file_a_market_and_a_node(group, home):
    prepared(group, home)
    status, _, error = call("round", "--market", "simulated:1")
    assert (status, "mpc-coordinator deploy" in error) == (2, True)
    assert call("round")[0] == 2
    prepared_settled = msgspec.structs.replace(group.consortium, settlement=EXAMPLE)
    save_consortium(home.consortium_file, prepared_settled)
    assert call("round", "--market", "nonsense")[0] == 2
    assert call("round", "--market", "recorded:/nowhere")[0] == 2
    status, _, error = call("round", "--market", "simulated:1", "--rpc-url", "http://127.0.0.1:9")
    assert status == 3
    with embedded_chain([]) as url:
        status, _, error = call("round", "--market", "simulated:1", "--rpc-url", url)
    assert (status, "no contract" in error) == (1, True)


@pytest.fixture(scope="module")
def signed(group):
    proposal = group.proposal(5)
    report = group.report(proposal)
    digest, signature = group.signed(report)
    return proposal, report, digest, signature


def remember(group, home, signed):
    proposal, report, digest, signature = signed
    prepared(group, home, EXAMPLE)
    with History(home.history_file) as history:
        history.start(4, 4, 1, group.consortium.names)
        history.update(4, state="aborted", reason="peer-timeout", culprit="bravo", detail="[red]silent[/red]")
        history.start(5, 4, 2, group.consortium.names)
        history.update(
            5, state="settled", report=encode_report(report), book=book_words(proposal), digest=digest,
            signature=signature, chain_id=EXAMPLE.chain_id, contract=EXAMPLE.contract, gas=7, ms={"total": 2.5},
            instruments=30, mesh_bytes=10, mesh_rounds=3, max_delta_error=1e-6, tx=b"\x01" * 32, block=2,
        )  # fmt: skip


def test_history_prints_one_object_a_round(group, home, signed):
    remember(group, home, signed)
    status, out, _ = call("history", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [(r["round"], r["state"], r["gas"]) for r in rows] == [(4, "aborted", None), (5, "settled", 7)]
    assert rows[1]["ms"] == {"total": 2.5}
    assert call("history", "--json", "--limit", "1")[1].count("\n") == 1
    status, out, _ = call("history")
    assert (status, out) == (0, "")


def test_history_without_a_file_and_without_a_round(home, group, signed, tmp_path):
    status, _, error = call("history")
    assert (status, "no such file" in error) == (2, True)
    remember(group, home, signed)
    assert call("history", "--export", "9", "--out", tmp_path / "x")[0] == 2
    assert call("history", "--export", "4", "--out", tmp_path / "x")[0] == 2
    assert call("history", "--export", "5")[0] == 2
    assert not (tmp_path / "x").exists()


def test_an_exported_report_verifies_offline_with_the_consortium_file_alone(group, home, signed, tmp_path):
    remember(group, home, signed)
    path = tmp_path / "report.json"
    assert call("history", "--export", "5", "--out", path)[0] == 0
    status, out, _ = call("verify", path, "--json")
    said = json.loads(out)
    assert status == 0
    assert (said["valid"], said["round"], said["signer"]) == (True, 5, group.consortium.group_address)
    assert said["max_delta_error"] < 1e-6
    assert said["nearest_law"] in {"PARITY", "BLACK76", "RANGE", "HEDGE_BAND", "MONOTONE", "BUTTERFLY"}
    assert 0 <= said["law_share"] < 0.01
    assert call("verify", path, "--consortium", home.consortium_file)[0] == 0


def test_verify_refuses_with_status_1_and_one_line(group, home, signed, tmp_path):
    proposal, report, _, signature = signed
    prepared(group, home, EXAMPLE)
    path = tmp_path / "report.json"
    for text, match in (
        (b"no json", "no report file"),
        (_file(proposal, report, bytes(64) + b"\x1b"), "signature"),
        (_file(proposal, msgspec.structs.replace(report, inputs=bytes(32)), signature), "signature"),
    ):
        path.write_bytes(text)
        status, out, error = call("verify", path)
        assert (status, out) == (1, "")
        assert match in error
        assert "\n" not in error
    assert call("verify", tmp_path / "missing.json")[0] == 2


def test_verify_refuses_a_signed_report_whose_greeks_are_not_those_of_its_vol(group, home, signed, tmp_path):
    proposal, report, *_ = signed
    prepared(group, home, EXAMPLE)
    absurd = msgspec.structs.replace(report, params=report.params[32:64] + report.params[32:])
    path = tmp_path / "report.json"
    path.write_bytes(_file(proposal, absurd, group.signed(absurd)[1]))
    status, _, error = call("verify", path)
    assert (status, "Black-76" in error) == (1, True)


def test_verify_refuses_a_signed_report_that_can_be_challenged(group, home, signed, tmp_path):
    """Its greeks are near enough to Black-76; but a call and its put have two vols."""
    proposal, report, *_ = signed
    prepared(group, home, EXAMPLE)
    at = 32 * next(k for k, i in enumerate(proposal.instruments) if i.call)
    words = bytearray(report.params)
    words[at : at + 4] = (int.from_bytes(words[at : at + 4]) + 600).to_bytes(4)
    unequal = msgspec.structs.replace(report, params=bytes(words))
    path = tmp_path / "report.json"
    path.write_bytes(_file(proposal, unequal, group.signed(unequal)[1]))
    status, out, error = call("verify", path)
    assert (status, out) == (1, "")
    assert "law PARITY" in error
    assert "report-unlawful" in error


def _file(proposal, report, signature):
    return dump_report_file(
        make_report_file(report, book_words(proposal), signature, EXAMPLE.chain_id, EXAMPLE.contract)
    )


@pytest.mark.parametrize(
    "command",
    [[], ["create"], ["deploy"], ["round"], ["serve"], ["history"], ["verify"], ["broker"], ["chain"]],
)
def test_help_is_there_for_every_command(command):
    status, out, _ = call(*command, "--help")
    assert status == 0
    assert len(out.splitlines()) > 10


def test_an_error_of_the_program_is_one_line_without_a_traceback(home):
    done = subprocess.run(
        [sys.executable, "-m", "coordinator", "history", "--home", str(home.path)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("mpc-coordinator:")


def test_help_does_not_wait_for_the_chain_libraries():
    script = "import sys, coordinator.cli; sys.exit(any(m in sys.modules for m in ('web3', 'eth', 'torch', 'scipy')))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
