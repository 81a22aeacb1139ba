"""`mpc-party reshare`, `refresh`, `recover` and `transcript verify` in process: what they pass on, say and print."""

from __future__ import annotations

import json

import pytest
import structlog
from typer.testing import CliRunner

from mpc_party.cli import app
from mpc_party.console import exit_code
from mpc_party.member import recovering, resharing
from mpc_party.member.recovering import Recovery
from mpc_party.member.resharing import Reshared
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.resharing.successor import completed
from tests.support.ceremonies import body_of, founded, next_of, transcript
from tests.support.party_homes import quick_keystores
from tests.support.world import PASSPHRASE

AFTER = ("alice", "carol", "dave")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    with quick_keystores():
        yield
    structlog.reset_defaults()


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, " ".join(result.stderr.split())


@pytest.fixture
def changed(tmp_path):
    """A change from alice, bob and carol to alice, carol and dave, as files."""
    old = founded()
    new = next_of(old, AFTER)
    signed = transcript(body_of("reshare", old, new))
    after = completed(new, signed.group_key, signed.body.new_model.hex())
    (tmp_path / "t").write_bytes(signed.encode())
    save_consortium(tmp_path / "old.toml", old)
    save_consortium(tmp_path / "new.toml", after)
    return tmp_path, signed, after


def test_a_transcript_is_verified_by_the_file_after_and_the_file_before(changed):
    path, signed, _ = changed
    for file, unknown in (("new.toml", "bob"), ("old.toml", "dave")):
        status, out, _ = call("transcript", "verify", path / "t", "--consortium", path / file, "--json")
        said = json.loads(out)
        assert (status, said["unknown"]) == (0, [unknown])
        assert said["fingerprint"] == signed.body.fingerprint
        assert (said["kind"], said["old_epoch"], said["new_epoch"]) == ("reshare", 1, 2)
        status, out, text = call("transcript", "verify", path / "t", "--consortium", path / file)
        assert (status, out) == (0, "")
        assert signed.body.fingerprint in text
        assert "A reshare from epoch 1 to epoch 2, signed by alice, bob, carol, dave." in text


def test_a_transcript_of_something_else_or_a_changed_one_is_refused(changed):
    path, _, after = changed
    data = bytearray((path / "t").read_bytes())
    data[-1] ^= 1
    (path / "wrong").write_bytes(bytes(data))
    status, out, said = call("transcript", "verify", path / "wrong", "--consortium", path / "new.toml")
    assert (status, out) == (1, "")
    assert "at fault: dave" in said
    assert "transcript-invalid" in said
    save_consortium(path / "other.toml", founded(4))
    status, _, said = call("transcript", "verify", path / "t", "--consortium", path / "other.toml")
    assert (status, "another consortium" in said) == (1, True)
    assert call("transcript", "verify", path / "none", "--consortium", path / "new.toml")[0] == 2
    assert after.epoch == 2


@pytest.mark.parametrize("stays", [True, False])
def test_reshare_says_what_came_of_it_and_what_to_do_next(changed, monkeypatch, stays):
    path, signed, after = changed
    given = {}

    def done(folder, passphrase, next_file, **options):
        given.update(options, next_file=next_file)
        return Reshared(after, signed, path / "t", stays)

    monkeypatch.setattr(resharing, "run_reshare_command", done)
    options = ("--from", path / "old.toml", "--without", "bob", "--without", "erin", "--wait", "3")
    arguments = ("reshare", path / "next.toml", *options, "--home", path)
    status, out, _ = call(*arguments, "--json")
    assert status == 0
    said = json.loads(out)
    assert (said["epoch"], said["member"], said["members"]) == (2, stays, list(AFTER))
    assert said["address"] == founded().group_address
    assert (said["fingerprint"], said["floor"]) == (signed.body.fingerprint, 0)
    assert (given["old_file"], given["without"], given["wait"]) == (
        path / "old.toml",
        ["bob", "erin"],
        3.0,
    )
    status, out, text = call(*arguments)
    assert (status, out) == (0, "")
    assert signed.body.fingerprint in text
    assert ("act execute" in text) == ("sign-action rotate" in text) == stays
    assert ("its shares are erased" in text) == (not stays)


def test_refresh_passes_on_where_it_leads(changed, monkeypatch):
    path, signed, after = changed
    given = {}

    def done(folder, passphrase, **options):
        given.update(options)
        return Reshared(after, signed, path / "t", stays=True)

    monkeypatch.setattr(resharing, "run_refresh_command", done)
    assert call("refresh", "--to-epoch", "2", "--listen", "0.0.0.0:1", "--home", path)[0] == 0
    assert (given["to_epoch"], given["listen"]) == (2, "0.0.0.0:1")


@pytest.mark.parametrize(
    ("helped", "safe", "says"),
    [
        (True, True, "bob has its shares again"),
        (False, True, "Rounds up to 9 are closed"),
        (False, False, "promises no round yet"),
    ],
)
def test_recover_says_whether_it_is_safe_to_go_on(changed, monkeypatch, helped, safe, says):
    path, signed, after = changed

    def done(folder, passphrase, name, others, **_options):
        assert (name, others) == ("bob", ["alice", "carol"])
        return Recovery(after, signed, path / "t", 9, safe, helped)

    monkeypatch.setattr(recovering, "run_recover_command", done)
    arguments = ("recover", "bob", "--with", "alice", "--with", "carol", "--home", path)
    status, out, _ = call(*arguments, "--json")
    said = json.loads(out)
    assert (status, said["recovered"], said["floor"], said["safe"]) == (0, "bob", 9, safe)
    status, _, text = call(*arguments)
    assert (status, says in text, signed.body.fingerprint in text) == (0, True, True)


def test_the_help_says_in_which_order_the_contract_follows():
    status, out, _ = call("reshare", "--help")
    text = " ".join(out.replace("│", " ").split())
    assert status == 0
    order = [
        text.index(step)
        for step in ("sign-action rotate", "act schedule", "run this ceremony", "act execute")
    ]
    assert order == sorted(order)


def test_join_takes_a_transcript_or_a_model_share(changed):
    path, _, _ = changed
    status, _, said = call(
        "join", path / "new.toml", "--transcript", path / "t", "--model-share", path / "t", "--home", path
    )
    assert (status, "--model-share" in said) == (2, True)
