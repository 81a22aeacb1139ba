"""A real round of real processes, disclosed by its members and audited, all by the command lines."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
import structlog
from typer.testing import CliRunner

from coordinator.broker import LocalBroker
from coordinator.cli import app as coordinator
from coordinator.report_file import make_report_file, save_report_file
from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.disclosure import open_disclosure, seal_disclosure
from mpc_party.audit.opening import open_opening
from mpc_party.cli import app as party
from mpc_party.console import exit_code
from mpc_party.journal import read_opening
from mpc_party.market import SimulatedMarket
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import pack_book, unpack_params
from tests.support.caller import calling
from tests.support.joint import make_proposal
from tests.support.party_homes import quick_keystores
from tests.support.world import PASSPHRASE, build_world, running

pytestmark = pytest.mark.integration

SEED = 11
SECOND = 5  # of four members, the round number after 1 that belongs to (0, 1, 3)
HELD = (2.0, -3.5, 10.0)  # alice's contracts in the first instruments of the book


@pytest.fixture(autouse=True, scope="module")
def passphrase():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MPC_PASSPHRASE", PASSPHRASE)
        yield
    structlog.reset_defaults()


def call(app, *arguments):
    """Exit status, standard output as JSON where there is any, and what is said."""
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    printed = json.loads(result.stdout) if result.stdout else None
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), printed, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, printed, result.stderr


def instrument_name(proposal, index):
    of = proposal.instruments[index]
    day = datetime.fromtimestamp(proposal.expiries[of.expiry].expiry, UTC).strftime("%d%b%y").upper()
    return f"{proposal.underlying}-{day.lstrip('0')}-{of.strike / 1e8:.0f}-{'C' if of.call else 'P'}"


class Played:
    """Two rounds of three of four members, and what they left on the disk."""

    def __init__(self, path):
        self.path = path
        proposal = make_proposal(SimulatedMarket(SEED), int(time.time()), (0, 1, 3), 60)
        self.proposals = {n: msgspec.structs.replace(proposal, round=n) for n in (1, SECOND)}
        with (path / "positions.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("instrument", "contracts"))
            rows.writerows((instrument_name(proposal, i), held) for i, held in enumerate(HELD))
            rows.writerow(("BTC-25DEC40-90000-C", 5))  # in no book
        with LocalBroker() as broker:
            with quick_keystores():
                self.world = build_world(path / "world", broker.url, count=4)
            self.names = [self.world.consortium.names[member] for member in proposal.committee]
            market = ("--market", f"simulated:{SEED}")
            with running(self.world, [], *market):
                for name in self.names:
                    own = ("--positions", path / "positions.csv") if name == "alice" else ()
                    self.world.start(name, "--desk-seed", f"desk of {name}", *market, *map(str, own))
                asyncio.run(self.play())
                for name in self.names:
                    assert self.world.interrupt(name) == 0

    async def play(self):
        async with calling(self.world) as caller:
            await caller.members_online(*self.names)
            for number, proposal in self.proposals.items():
                results = await caller.round(proposal)
                self.save(number, next(iter(results.values())))

    def save(self, number, result):
        of, proposal = self.world.consortium.settlement, self.proposals[number]
        book = pack_book(proposal.underlying, proposal.expiries, proposal.instruments)
        report = decode_report(result.report)
        file = make_report_file(report, book, result.signature, of.chain_id, of.contract)
        save_report_file(self.path / f"report-{number}.json", file)

    def disclose(self, name, recipient, number=1):
        out = self.path / f"{name}-{number}-{recipient[-8:]}"
        if not out.exists():
            arguments = ("--round", number, "--auditor", recipient, "--out", out)
            status, said, _ = call(party, "disclose", *arguments, "--home", self.world.home(name).path)
            assert status == 0
            assert said["commitments"]
        return out

    def audit(self, key, files, number=1):
        given = [option for file in files for option in ("--disclosure", file)]
        consortium = ("--consortium", self.world.consortium_file)
        report = self.path / f"report-{number}.json"
        return call(coordinator, "audit", report, *consortium, "--key", key, *given)

    def params(self, number=1):
        report = json.loads((self.path / f"report-{number}.json").read_text())["report"]
        return unpack_params(b"".join(bytes.fromhex(word[2:]) for word in report["params"]))


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    return Played(tmp_path_factory.mktemp("played"))


@pytest.fixture(scope="module")
def auditor(tmp_path_factory):
    key = tmp_path_factory.mktemp("auditor") / "auditor.key"
    status, made, _ = call(coordinator, "auditor", "--out", key)
    assert status == 0
    return key, made["recipient"]


def test_a_real_round_follows_from_what_its_members_disclose(played, auditor):
    key, recipient = auditor
    files = [played.disclose(name, recipient) for name in played.names]
    status, finding, _ = played.audit(key, files)
    assert status == 0
    assert finding["verdict"] == "follows"
    assert (finding["round"], finding["instruments"]) == (1, 60)
    assert list(finding["distance_from_median"]) == played.names
    # Fixed point is not float64: something of the allowance is used, and most of it is room.
    assert 0.0 < max(finding["used_of_allowance"].values()) < 0.8


def test_disclosures_of_another_round_do_not_pass(played, auditor):
    key, recipient = auditor
    files = [played.disclose(name, recipient) for name in played.names]
    files[1] = played.disclose(played.names[1], recipient, number=SECOND)
    status, finding, said = played.audit(key, files)
    assert status == 1
    assert finding["at_fault"] is None
    assert f"is of round {SECOND}" in said


def test_a_disclosure_is_for_one_auditor(played, auditor, tmp_path):
    _, recipient = auditor
    _, other, _ = call(coordinator, "auditor", "--out", tmp_path / "other.key")
    files = [played.disclose(name, recipient) for name in played.names]
    status, _, said = played.audit(tmp_path / "other.key", files)
    assert status == 1
    assert "does not open with this auditor's key" in said
    assert other["recipient"] != recipient


def test_a_member_that_discloses_what_it_did_not_commit_to_is_named(played, auditor):
    """Bob, with his own key and software of his own."""
    key, recipient = auditor
    files = [played.disclose(name, recipient) for name in played.names]
    members, opener = played.world.consortium.members, AuditorKey.load(key)
    honest = open_disclosure(files[1].read_bytes(), opener, members)
    words = honest.market_words() + 655  # a hundredth in log-vol
    false = msgspec.structs.replace(honest, market=words.astype("<i8").tobytes())
    forged = played.path / "forged"
    forged.write_bytes(seal_disclosure(false, played.world.identities[1]))
    status, finding, said = played.audit(key, [files[0], forged, files[2]])
    assert status == 1
    assert finding["at_fault"] == "bob"
    assert "(at fault: bob)" in said


def test_a_member_reads_its_own_exposure(played):
    status, own, _ = call(party, "exposure", "--round", 1, "--home", played.world.home("alice").path)
    assert status == 0
    proposal, columns = played.proposals[1], played.params()
    forward = np.array([proposal.expiries[i.expiry].forward for i in proposal.instruments], dtype=float)
    held = np.zeros(len(forward))
    held[: len(HELD)] = HELD
    delta = float((held * forward / forward[0]) @ (columns["hedge_delta"] * 1e-6))
    vega = float((held * forward / forward[0]) @ (columns["vega"] * 1e-8))
    assert own["delta"] == pytest.approx(delta, abs=0.02)
    assert own["vega"] == pytest.approx(vega, abs=0.02)
    assert own["positions_left_out"] == 1
    assert own["state"] == "signed"


def test_who_holds_no_positions_has_no_exposure(played):
    status, own, _ = call(party, "exposure", "--home", played.world.home("bob").path)
    assert status == 0
    assert own["round"] == SECOND
    assert [own[name] for name in ("delta", "gamma", "vega", "positions_left_out")] == pytest.approx(
        [0] * 4, abs=1e-3
    )


def test_what_is_kept_opens_the_commitments_of_the_round(played):
    world = played.world
    for position, (name, member) in enumerate(zip(played.names, (0, 1, 3), strict=True)):
        record = read_opening(world.home(name).journal_file, 1, 1)
        opening = open_opening(record.opening, world.identities[member].decrypt)
        assert opening.commitment() == record.commitment == record.commitments[position]
    scale = open_opening(
        read_opening(world.home("alice").journal_file, 1, 1).opening, world.identities[0].decrypt
    ).position_scale
    assert scale == pytest.approx(10.0, rel=0.2)
