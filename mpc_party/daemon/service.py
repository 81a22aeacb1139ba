"""A running party: the state machine tied to the bus, the mesh, the market and the journal.

asyncio carries the bus and the timers; everything that blocks (market, arithmetic, mesh, signing) runs in one worker
thread, one step at a time. The machine decides, this file only does.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from mpc_party.daemon.machine import (
    AbortArrived,
    Action,
    Cancel,
    CommitmentArrived,
    Compute,
    DeadlinePassed,
    Event,
    Failed,
    Finished,
    PartyMachine,
    Prepare,
    Prepared,
    ProposalArrived,
    Publish,
    Record,
    SetTimer,
    StopRequested,
)
from mpc_party.daemon.round_job import PartyContext, Preparation, prepare, run_round, session_identifier
from mpc_party.journal import RoundState
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.messages import Abort, Commitment, Message, Proposal, Settled, Status, message_hash

_PASSING = 2.0  # seconds that a last message gets to leave when this party stops


@dataclass
class PartyService:
    """Runs one party until `stop` is set.

    Attributes:
        party: keys, shares, mesh, journal and desk.
        bus: connected.
        on_round: told of each round's end (round, state), for a program that shows them.
    """

    party: PartyContext
    bus: Bus
    on_round: Callable[[int, str], None] | None = None
    _machine: PartyMachine = field(init=False)
    _events: asyncio.Queue[Event] = field(init=False, default_factory=asyncio.Queue)
    _preparation: Preparation | None = field(init=False, default=None)
    _timers: list[asyncio.TimerHandle] = field(init=False, default_factory=list)
    _last_observed: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        names = self.party.consortium.names
        self._machine = PartyMachine(names, self.party.own, last_round=self.party.journal.last_round())
        self._log = structlog.get_logger("mpc_party").bind(party=names[self.party.own])
        # One worker: the mesh and the shares belong to one thread at a time.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="round")

    async def run(self, stop: asyncio.Event) -> None:
        """Take part in rounds until `stop` is set; then abort a running one, say goodbye and return.

        Raises:
            ConsortiumError: the bus cannot go on.
        """
        await self._publish(self._status(online=True))
        loop = asyncio.get_running_loop()
        # Importing torch and running a first kernel take seconds: not in the first round.
        await loop.run_in_executor(self._worker, _warm_up)
        self._log.info("ready", last_round=self._machine.last_round)
        try:
            tasks = {
                asyncio.create_task(step) for step in (self._receive(), self._handle_events(), stop.wait())
            }
            ended, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for task in ended:
                task.result()
        finally:
            await self._say_goodbye()

    async def _say_goodbye(self) -> None:
        for action in self._machine.handle(StopRequested()):
            await self._do(action)
        with suppress(ConsortiumError):  # the bus may be what has failed; the others then see the last will
            await self._publish(self._status(online=False))
            await self.bus.flush(_PASSING)
        self.party.mesh.abort(reason=Reason.PARTY_STOPPED)
        self._worker.shutdown(wait=True, cancel_futures=True)

    async def _receive(self) -> None:
        names = self.party.consortium.names
        async for received in self.bus.received:
            event = self._event_of(received.sender, received.message, names)
            if event is not None:
                self._events.put_nowait(event)

    def _event_of(self, sender: str, message: Message, names: tuple[str, ...]) -> Event | None:
        match message:
            case Proposal() if sender == COORDINATOR:
                return ProposalArrived(message, message_hash(message))
            case Commitment() if sender in names:
                return CommitmentArrived(names.index(sender), message)
            case Abort() if sender in names:
                return AbortArrived(names.index(sender), message)
            case Settled() if sender == COORDINATOR:
                self._on_settled(message)
        return None

    async def _handle_events(self) -> None:
        while True:
            event = await self._events.get()
            for action in self._machine.handle(event):
                await self._do(action)

    async def _do(self, action: Action) -> None:
        match action:
            case Prepare(proposal, digest):
                self._log.info("proposed", round=proposal.round, instruments=len(proposal.instruments))
                self._start(proposal.round, lambda: self._prepare(proposal, digest))
            case Compute(proposal, _, commitments):
                ready = self._preparation
                if ready is not None and ready.proposal.round == proposal.round:
                    self._start(proposal.round, lambda: Finished(run_round(self.party, ready, commitments)))
            case Publish(message):
                await self._publish(message)
            case SetTimer(number, phase, milliseconds):
                timer = asyncio.get_running_loop().call_later(
                    milliseconds / 1e3, self._events.put_nowait, DeadlinePassed(number, phase)
                )
                self._timers.append(timer)
            case Cancel(number, error):
                self._cancel(number, error)
            case Record():
                await self._record(action)

    def _prepare(self, proposal: Proposal, digest: bytes) -> Event:
        ready = prepare(self.party, proposal, digest, self._last_observed)
        self._preparation, self._last_observed = ready, proposal.observed_at
        self._log.info(
            "committed",
            round=proposal.round,
            dropped=dict(ready.dropped),
            expiries_borrowed=ready.fit.borrowed,
            expiries_clipped=ready.fit.clipped,
            ms=round(ready.milliseconds, 1),
        )
        return Prepared(proposal.round, ready.commitment)

    def _start(self, number: int, step: Callable[[], Event]) -> None:
        loop = asyncio.get_running_loop()

        def work() -> None:
            event = self._guarded(number, step)
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        self._worker.submit(work)

    def _guarded(self, number: int, step: Callable[[], Event]) -> Event:
        try:
            return step()
        except ConsortiumError as error:
            self._log.warning("failed", round=number, error=str(error))
            return Failed(number, error)
        except Exception:  # noqa: BLE001 - logged whole, and the round ends
            # A bug must end the round, not the party; the log has it, the other parties get the code only.
            self._log.exception("bug", round=number)
            own = self.party.consortium.names[self.party.own]
            return Failed(number, RoundError("internal error", reason=Reason.INTERNAL, culprit=own))

    def _cancel(self, number: int, error: ConsortiumError) -> None:
        ready = self._preparation
        if ready is not None and ready.proposal.round == number:
            identifier = session_identifier(self.party.consortium, ready.proposal, ready.digest)
            self.party.mesh.abort(
                identifier, reason=error.reason, message=error.message, culprit=error.culprit
            )

    async def _record(self, action: Record) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        ready = self._preparation
        if ready is not None and ready.proposal.round == action.round:
            self.party.journal.record_outcome(
                action.round, RoundState(action.state), reason=action.reason, culprit=action.culprit
            )
        log = self._log.info if action.reason is None else self._log.warning
        log(action.state, round=action.round, reason=action.reason, culprit=action.culprit)
        await self._publish(self._status(online=True))
        if self.on_round is not None:
            self.on_round(action.round, action.state)

    def _on_settled(self, message: Settled) -> None:
        ready = self._preparation
        if ready is not None and ready.proposal.round == message.round:
            details = {"transaction": message.transaction.hex(), "block": message.block}
            self.party.journal.record_outcome(message.round, RoundState.SETTLED, details=details)
            self._log.info("settled", round=message.round, block=message.block)

    def _status(self, *, online: bool) -> Status:
        return Status(online, self.party.consortium.hash, self.party.journal.last_round())

    async def _publish(self, message: Message) -> None:
        await self.bus.publish(message)


def _warm_up() -> None:
    """Import what a round needs and run the first kernels, so that no round waits for them."""
    import torch  # noqa: PLC0415 - takes two seconds, in the worker and not at start

    torch.set_num_threads(
        1
    )  # small tensors: a thread pool costs more than it gives, and parties share machines
    started = time.perf_counter()
    (torch.ones(64, 64, dtype=torch.int64) @ torch.ones(64, 64, dtype=torch.int64)).sum()
    structlog.get_logger("mpc_party").debug("warm", ms=1e3 * (time.perf_counter() - started))
