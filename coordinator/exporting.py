"""A settled or signed round of the history as a report file."""

from pathlib import Path

from coordinator.history import RoundRow
from coordinator.report_file import make_report_file, save_report_file
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.report import decode_report


def export_report(row: RoundRow, path: Path) -> None:
    """Write a round's signed report to a file.

    Raises:
        ConfigError: the round was not signed.
    """
    if (
        row.report is None
        or row.book is None
        or row.signature is None
        or row.chain_id is None
        or row.contract is None
    ):
        raise ConfigError(
            f"round {row.round} has no signed report: it was {row.state}", remedy="choose one that settled"
        )
    report = decode_report(row.report)
    save_report_file(path, make_report_file(report, row.book, row.signature, row.chain_id, row.contract))
