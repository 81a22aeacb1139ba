"""Writes tests/coordinator/golden anew: `python -m tests.support.regenerate_coordinator_golden`. A new file format
gets a new version and a new file; the files of old versions stay."""

from __future__ import annotations

from pathlib import Path

from coordinator.report_file import ReportFile, dump_report_file, make_report_file
from mpc_party.protocol.messages import Expiry, Instrument, Proposal
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import ForwardFields, book_hash, pack_forward, pack_params
from tests.support.signed_group import book_words, flat_columns

FOLDER = Path(__file__).resolve().parents[1] / "coordinator" / "golden"
REPORT_FILE = FOLDER / "report-v1.json"
CHAIN_ID, CONTRACT = 31_337, "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def golden_report() -> tuple[HedgeReport, bytes]:
    expiries = (Expiry(1_767_427_200, 8_800_000_000_000, 550_000),)
    instruments = tuple(
        Instrument(0, strike * 10**8, call) for strike in (85_000, 90_000) for call in (False, True)
    )
    proposal = Proposal(7, 3, (0, 1, 2), 1_767_225_600, 1_767_229_200, "BTC", expiries, instruments, 1000)
    report = HedgeReport(
        consortium=bytes(range(32)),
        epoch=3,
        round=7,
        observed_at=proposal.observed_at,
        valid_until=proposal.valid_until,
        book=book_hash("BTC", expiries, instruments),
        model=b"\x22" * 32,
        inputs=b"\x33" * 32,
        forwards=pack_forward(ForwardFields(1_767_427_200, 8_800_000_000_000)),
        params=pack_params(flat_columns(proposal, 0.5)),
    )
    return report, book_words(proposal)


def golden_report_file() -> ReportFile:
    report, book = golden_report()
    return make_report_file(report, book, b"\x44" * 64 + b"\x1b", CHAIN_ID, CONTRACT)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    REPORT_FILE.write_bytes(dump_report_file(golden_report_file()))
