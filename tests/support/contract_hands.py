"""What tests of the contracts' commands do again and again."""

from __future__ import annotations

from coordinator.cli import app
from coordinator.feeds.instrument_name import instrument_name
from coordinator.report_file import save_report_file
from mpc_party.protocol.words import unpack_instrument
from tests.support.command_lines import call, keystore
from tests.support.contract_stage import ETHER
from tests.support.signed_group import book_words

POOL = 5 * ETHER


def saved(stage, tmp_path, proposal, report, name="report.json"):
    path = tmp_path / name
    save_report_file(path, stage.file(proposal, report))
    return path


def challenge(stage, tmp_path, path, who=None, *more):
    paying = () if who is None else ("--keystore", keystore(tmp_path, who))
    return call(app, "challenge", path, "--contract", stage.ledger.address, "--json", *paying, *more)


def row_of(proposal, *, call=True):
    """An instrument in the middle of the last expiry."""
    last = len(proposal.expiries) - 1
    rows = [row for row, one in enumerate(proposal.instruments) if one.expiry == last and one.call is call]
    return rows[len(rows) // 2]


def name_of(proposal, row):
    book = book_words(proposal)
    return instrument_name(unpack_instrument(book[32 * row : 32 * row + 32]))
