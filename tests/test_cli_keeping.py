"""`mpc-party backup` in process: what it asks, writes and says."""

from __future__ import annotations

import pytest

from mpc_party.cli import app
from mpc_party.journal import Journal
from mpc_party.member.home import PartyHome
from mpc_party.protocol.passphrase import Passphrase
from tests.support.backups import instant_keystores
from tests.support.command_lines import call
from tests.support.party_homes import at_stage, copy_of, make_world, without
from tests.support.world import PASSPHRASE


@pytest.fixture(autouse=True)
def instant(monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    with instant_keystores():
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with instant_keystores():
        return make_world(tmp_path_factory.mktemp("world") / "w")


@pytest.fixture
def world(made, tmp_path):
    return copy_of(made, tmp_path / "w")


@pytest.mark.parametrize("command", [[], ["export"], ["import"]])
def test_help_is_there(command):
    said = call(app, "backup", *command, "--help")
    assert said.status == 0
    assert len(said.out.splitlines()) > 8


def test_there_and_back(world, tmp_path):
    home, out, new = world.home("bob").path, tmp_path / "bob.backup", tmp_path / "new"
    with Journal.open(home / "journal.sqlite", consortium=world.consortium.id_bytes, epoch=1) as journal:
        journal.promise_round(40, b"p" * 32)
    said = call(app, "backup", "export", "--home", home, "--out", out, "--json")
    assert said.json == {
        "backup": str(out),
        "member": "bob",
        "consortium": world.consortium.hash.hex(),
        "epoch": 1,
        "last_round": 40,
        "group_key": True,
        "model": True,
    }
    said = call(app, "backup", "import", out, "--home", new)
    assert said.status == 0
    assert "key-share.keystore" in said.text
    assert "Not ready to run" in said.text
    said = call(app, "run", "--home", new, "--market", "simulated:3")
    assert said.status == 1
    assert "--after-round" in said.text
    said = call(app, "status", "--home", new, "--json")
    assert (said.json["ready"], said.json["journal"]["safe"]) == (False, False)
    said = call(app, "backup", "import", out, "--home", new, "--after-round", 39)
    assert said.status == 2
    said = call(app, "backup", "import", out, "--home", new, "--after-round", 52, "--json")
    assert said.json == {
        "member": "bob",
        "epoch": 1,
        "written": [],
        "last_round": 52,
        "safe": True,
        "next": None,
    }
    assert call(app, "status", "--home", new, "--json").json["ready"] is True
    assert "rounds after 52" in call(app, "backup", "import", out, "--home", new, "--after-round", 52).text


def test_a_passphrase_of_its_own_from_a_file(world, tmp_path):
    home, out, own = world.home("bob").path, tmp_path / "bob.backup", tmp_path / "own"
    own.write_text("another passphrase\n")
    own.chmod(0o600)
    said = call(app, "backup", "export", "--home", home, "--out", out, "--backup-passphrase-file", own)
    assert said.status == 0
    said = call(app, "backup", "import", out, "--home", tmp_path / "new")
    assert said.status == 2
    assert "passphrase is wrong" in said.text
    said = call(app, "backup", "import", out, "--home", tmp_path / "new", "--backup-passphrase-file", own)
    assert said.status == 0
    assert PartyHome(tmp_path / "new").identity(Passphrase(PASSPHRASE)).name == "bob"


def test_to_be_asked_takes_a_terminal(world, tmp_path):
    said = call(
        app,
        "backup",
        "export",
        "--home",
        world.home("bob").path,
        "--out",
        tmp_path / "b",
        "--ask-backup-passphrase",
    )
    assert said.status == 2
    assert not (tmp_path / "b").exists()


def test_what_is_not_in_it_yet_is_said(world, tmp_path):
    home = at_stage(
        world.home("bob"), without(world.consortium, "key", "model", "settlement"), key=False, model=False
    )
    said = call(app, "backup", "export", "--home", home.path, "--out", tmp_path / "b")
    assert said.status == 0
    assert "no group key and no model yet" in said.text
