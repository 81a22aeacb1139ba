"""Opening a past round to an auditor, and reading one's own exposure: from a member's folder, by the command line."""

from __future__ import annotations

import json
import stat

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.disclosure import open_disclosure
from mpc_party.audit.opening import OwnExposure, seal_exposure, seal_opening
from mpc_party.cli import app
from mpc_party.console import exit_code
from mpc_party.hedging.public import public_inputs
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.journal import Journal, RoundState
from mpc_party.market import SimulatedMarket
from mpc_party.market.streams import normal, uniform
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.protocol.messages import message_hash
from mpc_party.protocol.model_share import check_share
from tests.support.joint import MOMENT, make_proposal
from tests.support.world import PASSPHRASE

ROUND = 1
OWN = OwnExposure(1.5, -2.5, 3.25, 4.0, 7)


def call(*arguments):
    """Exit status, standard output and what is said."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def passphrase(monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", PASSPHRASE)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def proposal():
    return make_proposal(SimulatedMarket(3), MOMENT, most=20)


class Bob:
    """Member 1, who has run rounds."""

    def __init__(self, world, proposal):
        self.world, self.home, self.identity = world, world.home("bob"), world.identities[1]
        self.consortium, self.proposal = world.consortium, proposal
        public = public_inputs(proposal, self.consortium.program)
        surface = 0.05 * normal("bob/surface", 3 * len(proposal.expiries)).reshape(-1, 3)
        positions = 2.0 * uniform("bob/positions", public.count) - 1.0
        self.snapshot = Snapshot(surface, 0.5 * uniform("bob/flow", 3), positions, 16)

    def commitment(self, number=ROUND):
        return self.snapshot.commitment(self.consortium.hash, number, 1)

    def record(self, number=ROUND, *, exposure=True, commitments=True, sealed=None):
        consortium = self.consortium
        proposal = msgspec.structs.replace(self.proposal, round=number)
        opening = sealed or seal_opening(consortium, 1, proposal, self.snapshot, 2.5)
        listed = [bytes(32), self.commitment(number), bytes(32)] if commitments else []
        path = self.home.journal_file
        with Journal.open(path, consortium=consortium.id_bytes, epoch=consortium.epoch) as journal:
            journal.promise_round(number, message_hash(proposal))
            journal.record_snapshot(number, self.commitment(number), opening=opening)
            own = seal_exposure(consortium.members[1], msgspec.structs.replace(OWN, delta=1.5 * number))
            journal.record_exposure(number, own if exposure else None, listed)
            journal.record_outcome(number, RoundState.SIGNED)

    def disclose(self, auditor, out, *more, number=ROUND):
        return call(
            "disclose", "--round", number, "--auditor", auditor, "--out", out, "--home", self.home.path, *more
        )


@pytest.fixture
def bob(world, proposal):
    made = Bob(world, proposal)
    made.record()
    return made


@pytest.fixture
def auditor():
    return AuditorKey.generate()


def test_a_disclosure_holds_what_was_committed_to_and_the_share_of_the_model(bob, auditor, tmp_path):
    out = tmp_path / "bob.disclosure"
    status, printed, _ = bob.disclose(auditor.recipient, out, "--json")
    assert status == 0
    assert json.loads(printed) == {
        "round": ROUND,
        "epoch": 1,
        "member": "bob",
        "auditor": auditor.recipient,
        "expiries": len(bob.proposal.expiries),
        "instruments": 20,
        "weights": 3,
        "commitments": True,
        "path": str(out),
    }
    disclosure = open_disclosure(out.read_bytes(), auditor, bob.consortium.members)
    assert disclosure.commitment() == bob.commitment()
    assert disclosure.commitments == (bytes(32), bob.commitment(), bytes(32))
    assert disclosure.market_words().tolist() == bob.snapshot.market.tolist()
    assert bob.snapshot.positions.astype("<i8").tobytes() not in msgspec.msgpack.encode(disclosure)
    commitment = bytes.fromhex(bob.consortium.model)
    assert check_share(disclosure.model, member=1, commitment=commitment).header.count == 3
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_what_is_revealed_and_to_whom_is_said_first(bob, auditor, tmp_path, monkeypatch):
    status, printed, said = bob.disclose(auditor.recipient, tmp_path / "d")
    assert (status, printed) == (0, "")
    for text in (
        auditor.recipient,
        "your surface and order flow",
        "those of 2 members",
        "not show your positions",
    ):
        assert text in said
    monkeypatch.delenv("MPC_PASSPHRASE")
    result = CliRunner().invoke(
        app,
        [
            "disclose",
            "--round",
            "1",
            "--auditor",
            auditor.recipient,
            "--out",
            str(tmp_path / "e"),
            "--home",
            str(bob.home.path),
        ],
    )
    assert "your surface" in result.stderr  # before the passphrase is asked for
    assert result.exception.reason.value == "config-invalid"
    assert not (tmp_path / "e").exists()


def test_it_reads_beside_a_running_party(bob, auditor, tmp_path):
    consortium = bob.consortium
    with Journal.open(bob.home.journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch):
        assert bob.disclose(auditor.recipient, tmp_path / "d")[0] == 0


def test_a_round_without_noted_commitments_is_disclosed_without(bob, auditor, tmp_path):
    bob.record(2, commitments=False)
    _, printed, _ = bob.disclose(auditor.recipient, tmp_path / "d", "--json", number=2)
    assert json.loads(printed)["commitments"] is False
    _, _, said = bob.disclose(auditor.recipient, tmp_path / "again", number=2)
    assert "may have ended without a report" in " ".join(said.split())
    _, _, said = bob.disclose(auditor.recipient, tmp_path / "whole")
    assert "without a report" not in " ".join(said.split())


@pytest.mark.parametrize("recipient", ["", "age1", "AGE-SECRET-KEY-1QQ", "me@example.com"])
def test_who_is_no_auditor_is_refused(bob, tmp_path, recipient):
    status, _, said = bob.disclose(recipient, tmp_path / "d")
    assert status == 2
    assert "--auditor: not an age recipient" in said


def test_a_round_that_is_not_kept_is_refused(bob, auditor, tmp_path):
    for arguments in ((2, ()), (1, ("--epoch", 2))):
        status, _, said = bob.disclose(auditor.recipient, tmp_path / "d", *arguments[1], number=arguments[0])
        assert status == 2
        assert "keeps no opening" in said
    assert not (tmp_path / "d").exists()


def test_there_is_nothing_to_disclose_before_the_first_run(world, proposal, auditor, tmp_path):
    status, _, said = Bob(world, proposal).disclose(auditor.recipient, tmp_path / "d")
    assert status == 2
    assert "no journal" in said


def test_a_disclosure_is_not_written_over_a_file(bob, auditor, tmp_path):
    (tmp_path / "d").write_text("precious")
    status, _, said = bob.disclose(auditor.recipient, tmp_path / "d")
    assert status == 2
    assert "exists already" in said
    assert (tmp_path / "d").read_text() == "precious"


def test_after_the_consortium_file_has_changed_the_old_one_opens_the_round(bob, auditor, tmp_path):
    """Another contract or model gives another file hash, which commitments are bound to."""
    old_file, old_share = tmp_path / "old.toml", tmp_path / "old.age"
    old_file.write_bytes(bob.home.consortium_file.read_bytes())
    old_share.write_bytes(bob.home.model_share_file.read_bytes())
    settlement = msgspec.structs.replace(bob.consortium.settlement, chain_id=7)
    changed = msgspec.structs.replace(bob.consortium, settlement=settlement)
    save_consortium(bob.home.consortium_file, changed)
    status, _, said = bob.disclose(auditor.recipient, tmp_path / "d")
    assert status == 2
    assert "another consortium file" in said
    assert "--consortium" in said
    bob.home.model_share_file.write_bytes(b"a later share")
    assert bob.disclose(auditor.recipient, tmp_path / "d", "--consortium", old_file)[0] == 2
    options = ("--consortium", old_file, "--model-share", old_share)
    assert bob.disclose(auditor.recipient, tmp_path / "d", *options)[0] == 0


def test_a_round_before_the_last_refit_is_disclosed_with_what_the_refit_left(bob, auditor, tmp_path):
    home = bob.home.path
    (home / "consortium.previous.toml").write_bytes(bob.home.consortium_file.read_bytes())
    (home / "model-share.previous.age").write_bytes(bob.home.model_share_file.read_bytes())
    save_consortium(bob.home.consortium_file, msgspec.structs.replace(bob.consortium, model="77" * 32))
    bob.home.model_share_file.write_bytes(b"the share of the refitted model")
    assert bob.disclose(auditor.recipient, tmp_path / "d")[0] == 0
    disclosure = open_disclosure((tmp_path / "d").read_bytes(), auditor, bob.consortium.members)
    assert disclosure.consortium == bob.consortium.hash
    commitment = bytes.fromhex(bob.consortium.model)
    assert check_share(disclosure.model, member=1, commitment=commitment).member == 1
    (home / "model-share.previous.age").unlink()
    status, _, said = bob.disclose(auditor.recipient, tmp_path / "e")
    assert status == 2
    assert "does not decrypt" in said


def test_what_does_not_open_its_commitment_is_not_signed(bob, auditor, tmp_path):
    """A journal that somebody else has written to: the member would be the one who is blamed."""
    other = seal_opening(bob.consortium, 1, bob.proposal, bob.snapshot, 2.5)  # of round 1
    bob.record(2, sealed=other)
    status, _, said = bob.disclose(auditor.recipient, tmp_path / "d", number=2)
    assert status == 1
    assert "does not open its commitment" in said
    bob.record(3, sealed=b"age-encryption.org/v1 rubbish")
    status, _, said = bob.disclose(auditor.recipient, tmp_path / "d", number=3)
    assert status == 1
    assert "does not decrypt" in said
    assert not (tmp_path / "d").exists()


def test_the_exposure_of_the_newest_round_and_of_one_that_is_named(bob):
    bob.record(2)
    bob.record(3, exposure=False)
    status, printed, _ = call("exposure", "--home", bob.home.path, "--json")
    assert status == 0
    assert json.loads(printed) == {
        "epoch": 1,
        "round": 2,
        "state": "signed",
        "delta": 3.0,
        "gamma": -2.5,
        "vega": 3.25,
        "scenario_loss": 4.0,
        "positions_left_out": 7,
    }
    _, printed, _ = call("exposure", "--round", 1, "--home", bob.home.path, "--json")
    assert json.loads(printed)["delta"] == 1.5


def test_the_exposure_for_a_person(bob):
    status, printed, said = call("exposure", "--home", bob.home.path)
    assert (status, printed) == (0, "")
    assert "delta +1.5" in said
    assert "7 options held were not in the round's book" in said


def test_an_exposure_that_is_not_there_is_refused(bob):
    bob.record(2, exposure=False)
    status, _, said = call("exposure", "--round", 2, "--home", bob.home.path)
    assert status == 2
    assert "no exposure of round 2" in said


def test_a_wrong_passphrase_opens_nothing(bob, auditor, tmp_path, monkeypatch):
    monkeypatch.setenv("MPC_PASSPHRASE", "wrong")
    for status, printed, said in (
        bob.disclose(auditor.recipient, tmp_path / "d"),
        call("exposure", "--home", bob.home.path, "--json"),
    ):
        assert (status, printed) == (2, "")
        assert "passphrase-wrong" in said
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("command", ["disclose", "exposure"])
def test_help_says_who_sees_what(command):
    status, printed, _ = call(command, "--help")
    text = " ".join(printed.split())
    assert status == 0
    assert ("Positions and exposure stay closed" in text) or ("opened to nobody else" in text)
