"""Words of an accepted report, stored afterwards: whoever brings a report in short keeps it from no contract that reads."""

from typing import Final

import structlog
from hexbytes import HexBytes
from web3.contract import Contract

from coordinator.settlement.ledger_reader import LedgerReader
from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.compact import compact
from mpc_party.protocol.report import HedgeReport

# It is stored, or a younger one is; the contract stores no faster; it was dropped with what was pending.
_NOT_NOW: Final = frozenset({"RoundNotNewer", "StoredTooSoon", "ReportNotAccepted"})

_log = structlog.get_logger("settlement")


def store_accepted(
    node: Node, sender: Sender, contract: Contract, reader: LedgerReader, report: HedgeReport, digest: bytes
) -> bool:
    """Store the report that the ledger accepted last, if it is this one and its words are not there; its book is registered.

    Returns:
        Whether it was stored now.

    Raises:
        SettlementError: SETTLEMENT_REVERTED for any reason but that it is too late or too early; CHAIN_UNREACHABLE.
    """
    sequence = int(reader.status()["sequence"])
    if not reader.holds(sequence, digest):
        return False
    short = compact(report)
    arguments = (short.core, list(short.words), sequence)
    try:
        node.ask(contract.functions.store(*arguments).call)
        sender.send(HexBytes(contract.encode_abi("store", list(arguments))), str(contract.address))
    except SettlementError as error:
        if error.error not in _NOT_NOW:
            raise
        _log.info("not stored", round=report.round, why=error.error)
        return False
    _log.info("stored afterwards: somebody had brought it in short", round=report.round)
    return True
