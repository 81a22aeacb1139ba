"""`mpc-coordinator create --previous`: the next epoch's file."""

from __future__ import annotations

import json

import pytest
import structlog
from typer.testing import CliRunner

from coordinator.cli import app
from mpc_party.console import exit_code
from mpc_party.protocol.card import save_card
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.resharing.successor import check_successor
from tests.support.ceremonies import founded, identities
from tests.support.party_homes import quick_keystores
from tests.support.world import PASSPHRASE


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    with quick_keystores():
        yield
    structlog.reset_defaults()


@pytest.fixture
def create(tmp_path):
    save_consortium(tmp_path / "old.toml", founded())
    for identity in identities()[3:]:
        save_card(tmp_path / f"{identity.name}.toml", identity.card())

    def run(*arguments, previous=True):
        given = ["--previous", tmp_path / "old.toml"] if previous else []
        command = ["create", *given, "--home", tmp_path / "home", *arguments]
        result = CliRunner().invoke(app, [str(argument) for argument in command])
        if isinstance(result.exception, ConsortiumError):
            return exit_code(result.exception), result.stdout, str(result.exception)
        return result.exit_code, result.stdout, result.stderr

    return run


def cards(tmp_path, *names):
    return [argument for name in names for argument in ("--member", tmp_path / f"{name}.toml")]


def written(tmp_path):
    return load_consortium(tmp_path / "home" / "consortium.next.toml")


def test_all_stay_who_are_not_removed_and_cards_join_behind(create, tmp_path):
    joining = cards(tmp_path, "dave", "erin")
    status, out, _ = create(*joining, "--remove", "bob", "--broker", "mqtt://h:1", "--json")
    assert status == 0
    new = written(tmp_path)
    assert new.names == ("alice", "carol", "dave", "erin")
    assert (new.epoch, new.threshold, new.broker, new.key, new.model) == (2, 1, "mqtt://h:1", None, None)
    check_successor(founded(), new)
    said = json.loads(out)
    assert (said["epoch"], said["members"]) == (2, list(new.names))


def test_only_those_kept_stay(create, tmp_path):
    joining = cards(tmp_path, "dave", "erin")
    assert create("--keep", "carol", "--keep", "alice", "--keep", "bob", *joining, "--threshold", "2")[0] == 0
    assert (written(tmp_path).names, written(tmp_path).threshold) == (
        ("alice", "bob", "carol", "dave", "erin"),
        2,
    )


def test_a_person_is_told_what_is_next(create, tmp_path):
    status, out, said = create(*cards(tmp_path, "dave"))
    assert (status, out) == (0, "")
    assert "mpc-party reshare" in said
    assert "Epoch 2" in said


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--remove", "zoe"), "zoe"),
        (("--remove", "bob"), "members: 2"),
        (("--keep", "bob", "--remove", "bob"), "cannot stay and leave"),
        (("--keep", "bob", "--remove", "alice"), "nothing is said of carol"),
        (("--threshold", "2"), "threshold"),
        (("--name", "others"), "--name: stays"),
        (("--max-instruments", "7"), "--max-instruments: stays"),
        (("--report-validity", "7"), "--report-validity: stays"),
        (("--out", "/proc/none/x"), "/proc/none"),
    ],
)
def test_what_does_not_follow_is_refused_in_one_line(create, tmp_path, arguments, match):
    status, _, said = create(*arguments)
    assert status == 2
    assert match in said
    assert "\n" not in said
    assert not (tmp_path / "home" / "consortium.next.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("--keep", "alice"), "--keep: only with --previous"),
        (("--remove", "alice"), "--remove: only with --previous"),
        (("--name", "x", "--member", "x", "--broker", ""), "--broker is missing"),
        (("--member", "x", "--broker", "mqtt://h"), "--name is missing"),
        (("--name", "x", "--broker", "mqtt://h"), "--member is missing"),
    ],
)
def test_without_previous_it_is_the_first_file(create, arguments, match):
    base = ["--name", "x", "--broker", "mqtt://h", "--member", "x"] if "only" in match else []
    status, _, said = create(*base, *arguments, previous=False)
    assert (status, match in said) == (2, True), said


def test_a_file_that_is_there_is_kept(create, tmp_path):
    assert create(*cards(tmp_path, "dave"))[0] == 0
    before = (tmp_path / "home" / "consortium.next.toml").read_bytes()
    status, _, said = create(*cards(tmp_path, "erin"))
    assert (status, "exists" in said) == (2, True)
    assert (tmp_path / "home" / "consortium.next.toml").read_bytes() == before
