"""What must hold after each round of the demo; anything else is a failure, and the demo's exit status says so."""

from collections.abc import Iterable
from pathlib import Path

from coordinator.check import DecodedReport
from coordinator.demo.stage import DemoError
from coordinator.feeds.reader import Feed
from coordinator.report_file import ReportFile, verify_report_file
from coordinator.settlement import Settlement, StoredReport
from mpc_party.journal import read_rounds
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.words import split_words, unpack_instrument, unpack_param

LARGEST_DELTA_ERROR = 1e-3
READINGS = 20  # instruments that are read one by one, as contracts do


def check_contract(file: ReportFile, settlement: Settlement, block: int) -> StoredReport:
    """What the contract has at the round's block equals the opened values bit for bit: every word, and the digest.

    Where the contract stores the words, they are its own; else those of the transaction, which hash to the contract's digest.

    Raises:
        DemoError: naming the first word that differs.
    """
    stored, report = settlement.read_back(block), file.hedge_report()
    for what, ours, theirs in (
        ("round", report.round, stored.round),
        ("digest", bytes.fromhex(file.digest[2:]), stored.digest),
        ("forwards", report.forwards, stored.forwards),
        ("params", report.params, stored.params),
    ):
        if ours != theirs:
            raise DemoError(
                f"the contract's {what} are not those of round {report.round}", reason=Reason.CHAIN_MISMATCH
            )
    return stored


def check_final(file: ReportFile, settlement: Settlement, rpc_url: str) -> tuple[int, int]:
    """The round is final, and what contracts read of its instruments is what was opened.

    Returns:
        How many instruments were read, and the number of the stored report.

    Raises:
        DemoError: it is not final, or an instrument reads otherwise.
    """
    held, feed = settlement.read_back(), Feed(rpc_url, file.contract, chain_id=file.chain_id)
    number, words = file.report.round, list(split_words(file.book()))
    params = list(split_words(file.hedge_report().params))
    if not held.final or held.round != number or held.stored is None:
        raise DemoError(
            f"round {number} is not final and stored after its window", reason=Reason.CHAIN_MISMATCH
        )
    chosen = range(0, len(words), max(1, len(words) // READINGS))
    for index in chosen:
        instrument_id = feed.id_of(unpack_instrument(words[index]))
        reading = None if instrument_id is None else feed.reading(instrument_id)
        if reading is None or (reading.round, reading.param) != (number, unpack_param(params[index])):
            raise DemoError(
                f"instrument {index} of round {number} does not read as it was opened",
                reason=Reason.CHAIN_MISMATCH,
            )
    return len(chosen), held.stored


def check_journals(file: ReportFile, journals: Iterable[Path]) -> int:
    """A full committee's journals hold this digest as what they approved; returns how many do.

    Raises:
        DemoError: fewer than three do, or one approved another digest.
    """
    digest = bytes.fromhex(file.digest[2:])
    approved = [
        record.digest
        for journal in journals
        for record in read_rounds(journal)
        if record.round == file.report.round and record.digest is not None
    ]
    if len(approved) < 3 or any(other != digest for other in approved):
        raise DemoError(f"the parties' journals do not all hold the digest of round {file.report.round}")
    return len(approved)


def check_report(file: ReportFile, consortium: Consortium, delta_error: float | None) -> DecodedReport:
    """The signature verifies offline, and delta is Black-76's at the reported vol, within 1e-3 everywhere.

    Raises:
        ConsortiumError: it does not verify, or an instrument's delta is off.
    """
    decoded = verify_report_file(file, consortium)
    if delta_error is None or not delta_error <= LARGEST_DELTA_ERROR:
        raise DemoError(
            f"delta of round {file.report.round} is off Black-76 by {delta_error}, more than {LARGEST_DELTA_ERROR}",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
        )
    return decoded
