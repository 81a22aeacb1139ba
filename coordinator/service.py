"""The coordinator at work: connects the round's state machine to the bus, the market, the contract and the history.

One asyncio loop; events are taken one by one. What blocks (the contract, through web3; a live market) runs in threads.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from coordinator.book import BookSource, make_book
from coordinator.check import at_the_money_vols, decode_book, max_delta_error
from coordinator.history import History, RoundRow
from coordinator.lifecycle import CoordinatorMachine, Phase, Schedule
from coordinator.lifecycle import events as ev
from coordinator.metrics import Metrics
from coordinator.results import VerifiedResult, verify_result
from coordinator.running import RunningRound
from coordinator.settlement.types import Receipt
from coordinator.settling import Contract, bring, finish_interrupted, in_thread, reconcile, record_receipt
from mpc_party.protocol.consortium import COORDINATOR, Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason, ReportError
from mpc_party.protocol.inbox import Received
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Message,
    Result,
    Settled,
    Status,
    message_hash,
)
from mpc_party.protocol.report import decode_report

FAILURE_PAUSE = 2.0  # seconds, at least, after a request that failed

_log = structlog.get_logger("coordinator")


class BusLike(Protocol):
    """What the service needs of `mpc_party.protocol.bus.Bus`."""

    @property
    def received(self) -> Any: ...  # noqa: ANN401, D102 - an asynchronous iterator of Received

    async def publish(self, message: Message) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Outcome:
    """How a request for a round ended: the row of the settled round, or the error of the last attempt."""

    row: RoundRow | None
    error: ConsortiumError | None


class CoordinatorService:
    """Runs rounds. Use `run_rounds`, or `run_round` again and again between `start` and `stop`.

    Args:
        consortium: complete.
        bus: entered; the coordinator's own identity.
        contract: the settlement contract.
        history: open for writing.
        source: where books come from.
        schedule: deadlines and numbers of attempts.
        metrics, on_phase: numbers for Prometheus; called with round and phase whenever it changes.
    """

    def __init__(
        self,
        consortium: Consortium,
        bus: BusLike,
        contract: Contract,
        history: History,
        source: BookSource,
        *,
        schedule: Schedule | None = None,
        metrics: Metrics | None = None,
        on_phase: Callable[[int, Phase], None] | None = None,
    ) -> None:
        consortium.require_ready()
        self._consortium, self._bus, self._contract = consortium, bus, contract
        self._history, self._source = history, source
        self._schedule = schedule or Schedule()
        self._metrics = metrics or Metrics()
        self._on_phase = on_phase
        self._machine = CoordinatorMachine(consortium.names, consortium.threshold, self._schedule)
        self._events: asyncio.Queue[ev.Event | BaseException] = asyncio.Queue()
        self._round: RunningRound | None = None
        self._vols: dict[int, float] = {}
        self._finished: ev.Finish | None = None
        self._pump: asyncio.Task[None] | None = None
        self._receipts: dict[int, Receipt] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timers: set[asyncio.TimerHandle] = set()

    async def start(self) -> None:
        """Take up where the last run ended: settle what was signed and not settled, and listen to the members.

        Raises:
            ConsortiumError: CHAIN_UNREACHABLE, CHAIN_MISMATCH, JOURNAL_UNUSABLE.
        """
        await in_thread(self._contract.check)
        for row in self._history.running():
            await in_thread(lambda row=row: finish_interrupted(self._contract, self._history, row))  # type: ignore[misc]
        last = self._history.last_settled()
        observed = await in_thread(self._contract.latest_observed_at)
        if last is not None and last.report is not None and last.book is not None:
            self._vols = at_the_money_vols(decode_book(decode_report(last.report), last.book))
            observed = max(observed, last.observed_at or 0)
        self._source.continue_after(observed)
        self._pump = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End the round that is running, if one is, as aborted, and stop listening."""
        await self._handle(ev.StopRequested())
        for timer in self._timers:
            timer.cancel()
        for task in (self._pump, *self._tasks):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def run_rounds(
        self,
        count: int | None = None,
        every: float = 0.0,
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> list[Outcome]:
        """Run rounds on a schedule.

        Args:
            count: how many requests; None for no end.
            every: seconds from the start of one to the start of the next, or as soon as the one before has ended.
            on_outcome: called as each one ends.

        Returns:
            The outcomes; with `count=None` it does not return.
        """
        outcomes: list[Outcome] = []
        loop = asyncio.get_running_loop()
        await self.start()
        try:
            done = 0
            while count is None or done < count:
                due = loop.time() + every
                outcome = await self.run_round()
                done += 1
                if on_outcome is not None:
                    on_outcome(outcome)
                if count is not None:
                    outcomes.append(outcome)
                if count is None or done < count:
                    pause = 0.0 if outcome.error is None else FAILURE_PAUSE
                    await self._idle_until(max(due, loop.time() + pause))
        finally:
            await self.stop()
        return outcomes

    async def run_round(self) -> Outcome:
        """Run one round to its end, with as many attempts as the schedule allows."""
        try:
            settled = await in_thread(lambda: reconcile(self._contract, self._history))
            # What comes faster than the contract takes it would be signed for nothing. A recording's clock leaps.
            pause = 0.0 if self._source.replays else await in_thread(self._contract.seconds_until_next)
        except ConsortiumError as error:
            if error.reason is not Reason.CHAIN_UNREACHABLE:
                raise
            return Outcome(None, error)  # nothing was proposed that could not be settled
        await self._idle_until(asyncio.get_running_loop().time() + pause)
        # Who has come or gone since the last round is known before the committee is chosen.
        while not self._events.empty():
            await self._take(self._events.get_nowait())
        above = max(self._history.last_round(), settled)
        self._finished = None
        await self._handle(ev.RoundRequested(above))
        while (finished := self._answer()) is None:
            await self._take(await self._events.get())
        row = None if finished.settled is None else self._history.get(finished.settled)
        return Outcome(row, finished.error)

    # Events

    def _answer(self) -> ev.Finish | None:
        return self._finished

    async def _idle_until(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        while (left := due - loop.time()) > 0:
            try:
                event = await asyncio.wait_for(self._events.get(), left)
            except TimeoutError:
                return
            await self._take(event)

    async def _take(self, event: ev.Event | BaseException) -> None:
        if isinstance(event, BaseException):
            raise event
        await self._handle(event)

    async def _listen(self) -> None:
        try:
            async for received in self._bus.received:
                event = self._translate(received)
                if event is not None:
                    self._events.put_nowait(event)
        except ConsortiumError as error:
            self._events.put_nowait(error)

    def _translate(self, received: Received) -> ev.Event | None:
        if received.sender == COORDINATOR:
            return None
        member = self._consortium.index_of(received.sender)
        match received.message:
            case Status() as status:
                same = status.consortium == self._consortium.hash
                if not same:
                    _log.warning("member holds another consortium file", member=received.sender)
                return ev.StatusArrived(member, status, same)
            case Commitment() as commitment:
                return ev.CommitmentArrived(member, commitment)
            case Abort() as abort:
                return ev.AbortArrived(member, abort)
            case Result() as result:
                return ev.ResultArrived(member, result)
            case _:
                return None

    async def _handle(self, event: ev.Event) -> None:
        now = self._round
        if isinstance(event, ev.ResultArrived):
            checked = self._check_result(event)
            if checked is None:
                return
            event = checked
        elif isinstance(event, ev.CommitmentArrived) and now is not None:
            now.note_commitment(event.member, event.commitment)
        for action in self._machine.handle(event):
            await self._act(action)
        if isinstance(event, ev.StatusArrived):
            self._metrics.online(len(self._machine.online))

    def _check_result(self, event: ev.ResultArrived) -> ev.Event | None:
        now, result = self._round, event.result
        if (
            now is None
            or now.proposal is None
            or result.round != now.number
            or event.member not in now.committee
        ):
            return None
        log = _log.bind(round=now.number, member=self._consortium.names[event.member])
        try:
            verified = verify_result(result, now.proposal, self._consortium, now.all_commitments())
        except ReportError as error:
            log.warning("result refused", error=str(error))
            return ev.ResultRefused(event.member, result.round, error)
        now.times.setdefault(event.member, result.times)
        if now.verified is None:
            now.verified, now.signed = verified, time.monotonic()
        elif now.verified.digest != verified.digest:
            # Two valid signatures for one round: the group's key has been misused, and the chain must hear of it.
            log.critical(
                "two digests signed for one round",
                first=now.verified.digest.hex(),
                second=verified.digest.hex(),
            )
        return event

    # Actions

    async def _act(self, action: ev.Action) -> None:
        match action:
            case ev.Propose():
                await self._propose(action)
            case ev.SetTimer(number, phase, milliseconds):
                self._set_timer(number, phase, milliseconds)
            case ev.EnterPhase(number, phase):
                self._enter(number, phase)
            case ev.Settle(number, _):
                await self._settle(number)
            case ev.RecordAbort():
                await self._record_abort(action)
            case ev.RecordSettled(number):
                await self._record_settled(number)
            case ev.Finish():
                self._finished, self._round = action, None

    def _set_timer(self, number: int, phase: Phase, milliseconds: int) -> None:
        loop = asyncio.get_running_loop()

        def fire() -> None:
            self._timers.discard(handle)
            self._events.put_nowait(ev.TimerFired(number, phase))

        handle = loop.call_later(milliseconds / 1000, fire)
        self._timers.add(handle)

    def _enter(self, number: int, phase: Phase) -> None:
        if self._round is not None and self._round.number == number:
            self._round.entered[phase] = time.monotonic()
        if self._on_phase is not None:
            self._on_phase(number, phase)

    async def _propose(self, action: ev.Propose) -> None:
        names = tuple(self._consortium.names[member] for member in action.committee)
        self._round = now = RunningRound(action.round, action.committee, time.monotonic())
        self._history.start(action.round, action.first, action.attempt, names)
        try:
            # In a thread: a live source may wait for its venue, and the bus goes on meanwhile.
            market = await asyncio.to_thread(self._source.observe, int(time.time()), retry=action.attempt > 1)
            book = make_book(market, self._vols, self._consortium.program)
            proposal = book.proposal(
                action.round, self._consortium.epoch, action.committee, self._schedule.deadline_ms
            )
        except ConsortiumError as error:
            await self._handle(ev.ProposalFailed(action.round, error))
            return
        now.proposal, now.digest, now.proposed = proposal, message_hash(proposal), time.monotonic()
        self._history.update(
            action.round, observed_at=proposal.observed_at, instruments=len(proposal.instruments)
        )
        _log.info("proposed", round=action.round, committee=names, instruments=len(proposal.instruments))
        try:
            await self._bus.publish(proposal)
        except ConsortiumError as error:
            await self._handle(ev.ProposalFailed(action.round, error))
            return
        await self._handle(ev.Proposed(action.round, now.digest))

    async def _record_abort(self, action: ev.RecordAbort) -> None:
        measured = {} if self._round is None else self._round.measured()
        self._history.update(
            action.round,
            state="aborted",
            reason=str(action.reason),
            culprit=action.culprit,
            detail=action.detail,
            **measured,
        )
        self._metrics.aborted(str(action.reason))
        reason, culprit, detail = str(action.reason), action.culprit, action.detail
        _log.warning("aborted", round=action.round, reason=reason, culprit=culprit, detail=detail)

    async def _settle(self, number: int) -> None:
        now = self._round
        if now is None or now.verified is None:
            raise ConsortiumError(f"nothing to settle in round {number}", reason=Reason.INTERNAL)
        verified = now.verified
        settlement = self._consortium.settlement
        now.delta_error = max_delta_error(decode_book(verified.report, verified.book))
        # Before anything is sent: after a crash, this is what is settled.
        self._history.update(
            number,
            digest=verified.digest,
            report=verified.encoded,
            book=verified.book,
            signature=verified.signature,
            chain_id=None if settlement is None else settlement.chain_id,
            contract=None if settlement is None else settlement.contract,
            max_delta_error=now.delta_error,
        )
        task = asyncio.create_task(self._bring(number, verified))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring(self, number: int, verified: VerifiedResult) -> None:
        follow = self._source.replays
        try:
            receipt = await in_thread(lambda: bring(self._contract, verified, follow_clock=follow))
        except ConsortiumError as error:
            self._events.put_nowait(ev.SettlementFailed(number, error))
        except Exception as error:  # noqa: BLE001 - raised again where events are taken
            self._events.put_nowait(error)
        else:
            self._receipts[number] = receipt
            self._events.put_nowait(ev.SettlementDone(number))

    async def _record_settled(self, number: int) -> None:
        now, receipt = self._round, self._receipts.get(number)
        self._receipts.clear()  # of earlier rounds too, whose time was up before theirs came
        if now is None or now.verified is None or receipt is None:
            raise ConsortiumError(f"round {number} settled without a report", reason=Reason.INTERNAL)
        self._history.update(number, **now.measured())
        record_receipt(self._history, number, receipt)
        self._vols = at_the_money_vols(decode_book(now.verified.report, now.verified.book))
        self._metrics.settled(number, now.milliseconds(), now.delta_error)
        gas, block, error = receipt.gas, receipt.block, now.delta_error
        _log.info("settled", round=number, gas=gas, block=block, max_delta_error=error)
        if receipt.transaction is not None and receipt.block is not None:
            await self._bus.publish(Settled(number, receipt.transaction, receipt.block))
