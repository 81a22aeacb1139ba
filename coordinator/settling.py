"""From a signed report to the contract and back, off the event loop."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from coordinator.history import History, RoundRow
from coordinator.results import VerifiedResult
from coordinator.settlement.types import Receipt, StoredReport
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.report import HedgeReport, decode_report

T = TypeVar("T")


class Contract(Protocol):
    """What rounds need of `coordinator.settlement.Settlement`; every call blocks."""

    def check(self) -> None: ...  # noqa: D102 - documented there, as the rest

    def latest_round(self) -> int: ...  # noqa: D102

    def find(self, report: HedgeReport) -> Receipt | None: ...  # noqa: D102

    def latest_observed_at(self) -> int: ...  # noqa: D102

    def seconds_until_next(self) -> float: ...  # noqa: D102

    def submit(  # noqa: D102
        self, report: HedgeReport, signature: bytes, book: bytes | None = None
    ) -> Receipt: ...

    def require_stored(self, report: HedgeReport) -> StoredReport: ...  # noqa: D102

    def follow_clock(self, timestamp: int) -> None: ...  # noqa: D102


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread of its own, which does not keep the process from ending.

    `asyncio.to_thread` would: on Ctrl-C, the loop waits for its pool, and a node may be silent for long.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def resolve(outcome: Callable[[], None]) -> None:
        if not future.cancelled():
            outcome()

    def work() -> None:
        try:
            result = call()
        except BaseException as failure:  # noqa: BLE001 - raised again where the result is awaited
            outcome = partial(future.set_exception, failure)
        else:
            outcome = partial(future.set_result, result)
        # The loop may have ended, and with it whoever waited.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(resolve, outcome)

    threading.Thread(target=work, name="contract", daemon=True).start()
    return await future


def bring(contract: Contract, verified: VerifiedResult, *, follow_clock: bool) -> Receipt:
    """Submit a report and require that the contract then holds it, bit for bit. Blocks.

    Raises:
        ConsortiumError: CHAIN_UNREACHABLE, CHAIN_MISMATCH, SETTLEMENT_REVERTED, REPORT_REJECTED.
    """
    if follow_clock:
        contract.follow_clock(verified.report.observed_at)
    receipt = contract.submit(verified.report, verified.signature, verified.book)
    contract.require_stored(verified.report)
    return receipt


def reconcile(contract: Contract, history: History) -> int:
    """The contract's latest round; if it is one that the history takes for lost, the history is put right. Blocks.

    A transaction may be in a block after the coordinator has given it up, and any member may submit a report.
    """
    latest = contract.latest_round()
    row = history.get(latest)
    # What the contract's breaker has rejected counts as its latest round, and is lost.
    lost = row is not None and row.state != "settled" and row.reason != str(Reason.REPORT_REJECTED)
    if row is not None and lost and row.report is not None:
        try:
            receipt = contract.find(decode_report(row.report))
        except ConsortiumError as error:
            if error.reason is not Reason.REPORT_REJECTED:
                raise
            history.update(latest, reason=str(error.reason), detail=error.message)
        else:
            if receipt is not None:
                record_receipt(history, latest, receipt)
                history.update(latest, culprit=None, detail=None)
    return latest


def finish_interrupted(contract: Contract, history: History, row: RoundRow) -> None:
    """End a round in the middle of which a coordinator was stopped: settle what was signed, give up the rest. Blocks.

    Raises:
        ConsortiumError: CHAIN_UNREACHABLE; the round stays as it is until the chain can be asked.
    """
    error = ConsortiumError("the coordinator was stopped during this round", reason=Reason.PARTY_STOPPED)
    if row.report is not None and row.signature is not None:
        try:
            receipt = contract.submit(decode_report(row.report), row.signature, row.book)
        except ConsortiumError as failure:
            if failure.reason is Reason.CHAIN_UNREACHABLE:
                raise
            error = failure
        else:
            record_receipt(history, row.round, receipt)
            return
    history.update(
        row.round, state="aborted", reason=str(error.reason), culprit=error.culprit, detail=error.message
    )


def record_receipt(history: History, number: int, receipt: Receipt) -> None:
    """Write down that a round is settled."""
    history.update(
        number, state="settled", gas=receipt.gas, tx=receipt.transaction, block=receipt.block, reason=None
    )
