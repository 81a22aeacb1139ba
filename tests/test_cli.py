"""`mpc-party` in process: what each command says, writes and prints."""

import json
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from models.deal import share_file
from mpc_party.cli import app
from mpc_party.console import exit_code
from mpc_party.member import ceremony, running
from mpc_party.member.home import PartyHome
from mpc_party.protocol.card import load_card
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.passphrase import Passphrase
from tests.support.party_homes import at_stage, contents, copy_of, make_world, quick_keystores, without
from tests.support.world import PASSPHRASE

COMMANDS = ("init", "join", "keygen", "run", "status")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    with quick_keystores():
        yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(complete, tmp_path):
    return copy_of(complete, tmp_path / "w")


def call(*arguments):
    """Exit status, standard output and what is said, as `mpc_party.console.run` would give them."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize("command", [[], *([command] for command in COMMANDS)])
def test_help_is_there_for_every_command(command):
    status, out, _ = call(*command, "--help")
    assert status == 0
    assert len(out.splitlines()) > 8


def test_help_does_not_wait_for_torch_or_the_chain_libraries():
    script = "import sys, mpc_party.cli; sys.exit(any(m in sys.modules for m in ('web3', 'torch', 'scipy', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0


def test_init_makes_keys_and_a_card(tmp_path):
    home = PartyHome(tmp_path / "home")
    status, out, _ = call("init", "alice", "--mesh", "host:7001", "--home", home.path, "--json")
    said = json.loads(out)
    card = load_card(said["card"])
    identity = home.identity(Passphrase(PASSPHRASE))
    assert status == 0
    assert (said["name"], said["signing_key"], said["account"]) == (
        "alice",
        identity.signing_key,
        identity.account,
    )
    assert card.member == identity.member
    assert card.member.mesh_address == "host:7001"


def test_init_tells_a_person_what_to_send(tmp_path):
    status, out, said = call("init", "alice", "--mesh", "host:7001", "--home", tmp_path / "[x]")
    assert (status, out) == (0, "")
    assert str(tmp_path / "[x]" / "alice.member.toml") in said
    assert load_card(tmp_path / "[x]" / "alice.member.toml").member.signing_key in said


@pytest.mark.parametrize(
    ("name", "mesh", "match"),
    [
        ("Alice", "host:1", "name"),
        ("", "host:1", "name"),
        ("a" * 33, "host:1", "name"),
        ("../x", "host:1", "name"),
        ("coordinator", "host:1", "reserved"),
        ("alice", "host", "host:port"),
        ("alice", "host:0", "port"),
        ("alice", "a b:1", "host:port"),
    ],
)
def test_init_checks_name_and_address_before_it_asks_for_a_passphrase(
    tmp_path, monkeypatch, name, mesh, match
):
    monkeypatch.delenv("MPC_PASSPHRASE")
    status, _, said = call("init", name, "--mesh", mesh, "--home", tmp_path / "home")
    assert status == 2
    assert match in said
    assert "passphrase" not in said
    assert contents(tmp_path) == {}


def test_init_keeps_an_identity_that_is_there(world):
    home = world.home("bob")
    before = contents(home.path)
    status, _, said = call("init", "bob", "--mesh", "host:1", "--home", home.path)
    assert (status, "has an identity already" in said) == (2, True)
    assert contents(home.path) == before


@pytest.mark.parametrize("source", ["none", "missing", "empty", "long", "binary", "empty variable"])
def test_no_usable_passphrase(tmp_path, monkeypatch, source):
    file = tmp_path / "passphrase"
    options = [] if source in {"none", "empty variable"} else ["--passphrase-file", file]
    if source != "missing":
        file.write_bytes({"long": b"x" * 5000, "binary": b"\xff\xfe"}.get(source, b""))
    if source == "none":
        monkeypatch.delenv("MPC_PASSPHRASE")
    elif source == "empty variable":
        monkeypatch.setenv("MPC_PASSPHRASE", "")
    status, out, said = call("init", "alice", "--mesh", "h:1", "--home", tmp_path / "home", *options)
    assert (status, out) == (2, "")
    assert "passphrase" in said.lower()
    assert "\n" not in said
    assert not (tmp_path / "home").exists()


def test_a_warning_does_not_stand_in_the_way_of_json(tmp_path):
    """A passphrase file that others can read is warned of, on standard error."""
    file = tmp_path / "passphrase"
    file.write_text("open to all\n")
    file.chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-m", "mpc_party", "init", "alice", "--mesh", "h:1", "--json", "--home", tmp_path / "home",
         "--passphrase-file", file],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "alice"
    assert "readable by others" in done.stderr


def test_join_prints_the_fingerprint(world):
    home = world.home("bob")
    home.consortium_file.unlink()
    status, out, said = call("join", world.consortium_file, "--home", home.path)
    assert (status, out) == (0, "")
    assert world.consortium.hash.hex() in said
    share = share_file(world.path / "shares", "bob")
    status, out, _ = call(
        "join", world.consortium_file, "--model-share", share, "--home", home.path, "--json"
    )
    assert status == 0
    assert json.loads(out) == {
        "consortium": "test-desks",
        "epoch": 1,
        "hash": world.consortium.hash.hex(),
    }


def test_join_with_a_wrong_passphrase_or_without_an_identity(world, monkeypatch, tmp_path):
    status, _, said = call("join", world.consortium_file, "--home", tmp_path / "nobody")
    assert (status, "mpc-party init" in said) == (2, True)
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    status, _, said = call("join", world.consortium_file, "--home", world.home("bob").path)
    assert (status, Reason.PASSPHRASE_WRONG in said) == (2, True)


def test_a_consortium_with_brackets_in_its_name(world):
    home = world.home("bob")
    named = msgspec.structs.replace(without(world.consortium, "key"), name="[/] desks [red]")
    save_consortium(world.path / "named.toml", named)
    for file in (home.consortium_file, home.key_share_file, home.model_share_file):
        file.unlink()
    status, _, said = call("join", world.path / "named.toml", "--home", home.path)
    assert (status, "Joined [/] desks [red], epoch 1" in said) == (0, True)
    status, _, said = call("status", "--home", home.path)
    assert (status, "[/] desks [red]" in said) == (0, True)


def test_keygen_says_where_the_file_is(world, monkeypatch):
    def done(folder, passphrase, *, wait, listen, say, after_round):
        say("waiting for [carol]")
        assert (wait, listen, after_round) == (7.5, "0.0.0.0:7001", 12)
        return world.consortium

    monkeypatch.setattr(ceremony, "run_ceremony", done)
    signed = SimpleNamespace(body=SimpleNamespace(fingerprint="AAAA-BBBB"))
    monkeypatch.setattr("mpc_party.resharing.transcript.load_transcript", lambda _path: signed)
    home = world.home("bob").path
    options = ("--home", home, "--wait", "7.5", "--listen", "0.0.0.0:7001", "--after-round", "12")
    status, out, _ = call("keygen", *options, "--json")
    assert status == 0
    assert json.loads(out) == {
        "address": world.consortium.group_address,
        "consortium": str(home / "consortium.toml"),
        "transcript": str(home / "keygen-1.transcript"),
        "fingerprint": "AAAA-BBBB",
    }
    status, out, said = call("keygen", *options)
    assert (status, out) == (0, "")
    assert world.consortium.group_address in said
    assert "AAAA-BBBB" in said


def test_keygen_in_vain(world, monkeypatch):
    monkeypatch.setattr(ceremony, "POLL_SECONDS", 0.1)
    home = at_stage(
        world.home("bob"), without(world.consortium, "key", "model", "settlement"), key=False, model=False
    )
    before = contents(home.path)
    status, out, said = call("keygen", "--home", home.path, "--wait", "0.2")
    assert (status, out) == (3, "")
    assert "peer-unreachable" in said
    assert contents(home.path) == before
    for wait in ("-1", "never", "1e9"):
        assert call("keygen", "--home", home.path, "--wait", wait)[0] == 2


def test_run_hands_its_options_on(world, monkeypatch):
    seen = []
    monkeypatch.setattr(running, "run_until_interrupted", lambda *given: seen.append(given))
    home = world.home("bob").path
    arguments = {
        "market": "simulated:1",
        "flow": "heston:2",
        "positions": "held.csv",
        "desk-seed": "s",
        "coverage": 0.5,
        "noise": 0.02,
        "broker-url": "mqtt://b",
        "listen": "0.0.0.0:1",
    }
    options = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    assert call("run", "--home", home, *options)[0] == 0
    folder, passphrase, given = seen[0]
    assert folder.path == home
    assert passphrase.reveal() == PASSPHRASE.encode()
    assert given == running.Options(
        "simulated:1", "heston:2", "held.csv", "s", 0.5, 0.02, "mqtt://b", "0.0.0.0:1"
    )


def test_run_refuses_an_unknown_log_level(world):
    status, _, said = call("run", "--home", world.home("bob").path, "--log-level", "loud")
    assert (status, "log level" in said) == (2, True)


def test_status_needs_no_passphrase(world, monkeypatch, tmp_path):
    monkeypatch.delenv("MPC_PASSPHRASE")
    status, out, _ = call("status", "--home", world.home("bob").path, "--json")
    assert status == 0
    said = json.loads(out)
    assert said["ready"] is True
    assert said["rounds"] == []
    status, out, said = call("status", "--home", tmp_path / "nobody")
    assert (status, out) == (0, "")
    assert "next: make one: mpc-party init" in said
    assert call("status", "--home", tmp_path, "--limit", "0")[0] == 2


def test_the_home_may_come_from_the_environment(world, monkeypatch):
    monkeypatch.setenv("MPC_PARTY_HOME", str(world.home("carol").path))
    assert json.loads(call("status", "--json")[1])["home"] == str(world.home("carol").path)
    monkeypatch.setenv("MPC_PARTY_HOME", "~nobody-at-all/x")
    status, _, said = call("status")
    assert (status, "--home" in said) == (2, True)
