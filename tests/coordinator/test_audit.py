"""`mpc-coordinator auditor` and `audit`: a verdict from files, for a person and for a program."""

from __future__ import annotations

import json
import stat
import subprocess
import sys

import msgspec
import pytest
import structlog
from typer.testing import CliRunner

from coordinator.cli import app
from coordinator.report_file import save_report_file
from mpc_party.audit.auditor_key import AuditorKey
from mpc_party.audit.verdict import allowed_units
from mpc_party.console import exit_code
from mpc_party.protocol.consortium_file import save_consortium
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.protocol.words import pack_params, unpack_params
from tests.audit.scene import COMMITTEE, NAMES, ROUND, Scene


@pytest.fixture(autouse=True)
def logging_as_it_was():
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def scene():
    return Scene()


def call(*arguments):
    """Exit status, standard output, and what is said."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, ConsortiumError):
        return exit_code(result.exception), result.stdout, str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


class Folder:
    """What an auditor has on its disk."""

    def __init__(self, scene, path):
        self.scene, self.path = scene, path
        save_consortium(path / "consortium.toml", scene.consortium)
        (path / "auditor.key").write_text(f"{scene.auditor._identity}\n")
        save_report_file(path / "report.json", scene.file())
        for member, name in zip(COMMITTEE, NAMES, strict=True):
            self.put(name, scene.disclosure(member))

    def put(self, name, disclosure):
        (self.path / name).write_bytes(self.scene.sealed(disclosure))

    def report(self, **columns):
        """Another report, signed by the group: `columns` maps fields to (instrument, change in units)."""
        table = unpack_params(self.scene.report.params)
        for field, (instrument, change) in columns.items():
            table[field] = table[field].copy()
            table[field][instrument] += change
        report = msgspec.structs.replace(self.scene.report, params=pack_params(table))
        save_report_file(self.path / "report.json", self.scene.file(report))

    def audit(self, *more, names=NAMES):
        given = [option for name in names for option in ("--disclosure", self.path / name)]
        return call(
            "audit",
            self.path / "report.json",
            "--consortium",
            self.path / "consortium.toml",
            "--key",
            self.path / "auditor.key",
            *given,
            *more,
        )


@pytest.fixture
def folder(scene, tmp_path):
    return Folder(scene, tmp_path)


def test_an_honest_round_follows(folder):
    status, printed, _ = folder.audit("--json")
    finding = json.loads(printed)
    assert status == 0
    assert finding["verdict"] == "follows"
    assert (finding["epoch"], finding["round"], finding["instruments"]) == (1, ROUND, 30)
    assert (finding["differing"], finding["differences"]) == (0, [])
    assert (finding["at_fault"], finding["why"]) == (None, None)
    assert finding["model"] == "minimum-variance-quadratic"
    assert list(finding["distance_from_median"]) == list(NAMES)
    assert all(0 < each < 1 for each in finding["distance_from_median"].values())


def test_a_person_is_told_the_verdict(folder):
    status, printed, said = folder.audit()
    assert (status, printed) == (0, "")
    assert "Round 5 follows: all 30 instruments" in said


def test_the_order_of_the_disclosures_does_not_matter(folder):
    assert folder.audit(names=reversed(NAMES))[0] == 0


def test_a_report_beyond_the_allowance_in_one_field_does_not_follow(folder, scene):
    allowed = int(allowed_units(scene.public)["hedge_delta"][11])
    folder.report(hedge_delta=(11, allowed))
    assert folder.audit()[0] == 0
    folder.report(hedge_delta=(11, allowed + 1))
    status, printed, _ = folder.audit("--json")
    finding = json.loads(printed)
    assert status == 1
    assert (finding["verdict"], finding["differing"], finding["at_fault"]) == ("does not follow", 1, None)
    assert "nobody can be named" in finding["why"]
    (difference,) = finding["differences"]
    slot = scene.proposal.instruments[11]
    assert difference == {
        "instrument": 11,
        "field": "hedge_delta",
        "reported": difference["replayed"] + allowed + 1,
        "replayed": difference["replayed"],
        "allowance": allowed,
        "expiry": scene.proposal.expiries[slot.expiry].expiry,
        "strike": slot.strike * 1e-8,
        "call": slot.call,
    }


def test_a_person_is_told_which_instruments_differ(folder, scene):
    folder.report(iv=(3, 50_000), vega=(3, 10**6), premium=(20, 10**6))
    status, _, said = folder.audit()
    assert status == 1
    assert "2 of 30 instruments differ" in said
    assert "the computation was spoiled: from this nobody can be named" in said
    rows = [line.split() for line in said.splitlines() if any(f in line for f in ("iv", "vega", "premium"))]
    assert [row[3] for row in rows] == ["iv", "vega", "premium"]
    assert float(rows[0][4]) - float(rows[0][5]) == pytest.approx(0.05)
    strike = scene.proposal.instruments[3].strike * 1e-8
    assert rows[0][1] == f"{strike:,.0f}"


def test_a_long_list_is_cut_for_a_person_and_whole_for_a_program(folder, scene):
    table = unpack_params(scene.report.params)
    table["iv"] = table["iv"] + 50_000
    report = msgspec.structs.replace(scene.report, params=pack_params(table))
    save_report_file(folder.path / "report.json", scene.file(report))
    assert "... and 10 more" in folder.audit()[2]
    assert len(json.loads(folder.audit("--json")[1])["differences"]) == 30


def test_a_member_whose_disclosure_contradicts_its_commitment_is_named(folder, scene):
    words = bytes(len(scene.disclosure(2).market))
    folder.put("charlie", scene.disclosure(2, market=words))
    status, printed, said = folder.audit("--json")
    assert status == 1
    assert json.loads(printed) == {
        "verdict": "no verdict",
        "at_fault": "charlie",
        "why": f"the market data that charlie discloses are not those it committed to in round {ROUND}",
    }
    assert "(at fault: charlie)" in said
    assert folder.audit()[0] == 1


def test_a_missing_disclosure_is_asked_for(folder):
    status, printed, said = folder.audit("--json", names=NAMES[:2])
    assert (status, printed) == (2, "")
    assert "no disclosure of delta" in said
    assert "mpc-party disclose --round 5" in said


def test_the_wrong_key_opens_nothing(folder):
    (folder.path / "auditor.key").write_text(f"{AuditorKey.generate()._identity}\n")
    status, _, said = folder.audit()
    assert status == 1
    assert "does not open with this auditor's key" in said


def test_a_report_that_is_not_signed_is_not_audited(folder, scene):
    file = scene.file()
    forged = msgspec.structs.replace(file, signature="0x" + "11" * 64 + "1b")
    save_report_file(folder.path / "report.json", forged)
    status, printed, _ = folder.audit("--json")
    assert (status, printed) == (1, "")


def test_disclosures_of_another_round_are_refused(folder, scene):
    for member, name in zip(COMMITTEE, NAMES, strict=True):
        folder.put(name, scene.disclosure(member, round=ROUND + 1))
    status, _, said = folder.audit()
    assert status == 1
    assert "is of round 6" in said


@pytest.mark.parametrize("what", ["report.json", "consortium.toml", "auditor.key", "delta"])
def test_a_file_that_is_missing_is_one_line(folder, what):
    (folder.path / what).unlink()
    status, _, said = folder.audit()
    assert status == 2
    assert what in said
    assert "no such file" in said


def test_an_auditor_makes_a_key_of_its_own(tmp_path):
    status, printed, _ = call("auditor", "--out", tmp_path / "a.key", "--json")
    assert status == 0
    assert json.loads(printed) == {
        "key": str(tmp_path / "a.key"),
        "recipient": AuditorKey.load(tmp_path / "a.key").recipient,
    }
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert call("auditor", "--out", tmp_path / "a.key")[0] == 2
    status, printed, said = call("auditor", "--out", tmp_path / "b.key")
    assert printed.strip() == AuditorKey.load(tmp_path / "b.key").recipient
    assert "AGE-SECRET" not in printed + said


def test_help_says_what_the_auditor_sees():
    text = " ".join(call("audit", "--help")[1].split())
    assert "You see the committee's market inputs" in text
    assert "the model's weights" in text


def test_an_audit_does_without_torch_and_the_chain_libraries():
    script = (
        "import sys, coordinator.auditing, coordinator.cli; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'web3', 'crypten')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
