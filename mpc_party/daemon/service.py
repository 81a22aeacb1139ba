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
from typing import Any

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
from mpc_party.journal import JournalError, RoundState
from mpc_party.market import MarketDataError
from mpc_party.mesh import MeshError
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason, RoundError
from mpc_party.protocol.messages import Abort, Commitment, Message, Proposal, Settled, Status, message_hash

_PASSING = 2.0  # seconds that a last message gets to leave when this party stops
# A peer that gives a round up closes its links at once and says why on the bus. Its word comes a moment later, and
# must come first: whoever only saw the link close would accuse the messenger. Seconds, and part of the round's time.
_HEAR_OUT, _HEAR_OUT_PART = 0.5, 0.05
_OF_THIS_MACHINE = (ConfigError, JournalError, MarketDataError)  # errors that may name its files


@dataclass
class PartyService:
    """Runs one party until `stop` is set.

    Attributes:
        party: keys, shares, mesh, journal and desk.
        bus: connected.
    """

    party: PartyContext
    bus: Bus
    _machine: PartyMachine = field(init=False)
    _events: asyncio.Queue[Event] = field(init=False, default_factory=asyncio.Queue)
    _running: int = field(init=False, default=0)  # the machine's round; the worker looks at it too
    _preparation: Preparation | None = field(init=False, default=None)  # of the running round
    _timers: list[asyncio.TimerHandle] = field(init=False, default_factory=list)
    _last_observed: int = field(init=False, default=0)
    _settled: int = field(init=False, default=0)  # the last round noted as settled
    _settled_early: Settled | None = field(init=False, default=None)  # of the round still running here

    def __post_init__(self) -> None:
        names = self.party.consortium.names
        self._machine = PartyMachine(names, self.party.own, last_round=self.party.journal.last_round())
        self._log = structlog.get_logger("mpc_party").bind(party=names[self.party.own])
        # One worker: the mesh and the shares belong to one thread at a time, and what the journal is told of a round's
        # end is in line behind what it is told of its beginning.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="round")

    async def run(self, stop: asyncio.Event) -> None:
        """Take part in rounds until `stop` is set; then abort a running one, say goodbye and return.

        Raises:
            ConsortiumError: the bus cannot go on.
        """
        try:
            await self._publish(self._status(online=True))
            # Importing torch and running a first kernel take seconds: not in the first round.
            await asyncio.get_running_loop().run_in_executor(self._worker, _warm_up)
            self._log.info("ready", last_round=self._machine.last_round)
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
            with suppress(ConsortiumError):
                await self._do(action)
        with suppress(ConsortiumError):  # the bus may be what has failed; the others then see the last will
            await self._publish(self._status(online=False))
            await self.bus.flush(_PASSING)
        self.party.mesh.abort(reason=Reason.PARTY_STOPPED)
        await asyncio.to_thread(self._worker.shutdown)  # the journal has the round's end when this returns

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
                self._running = proposal.round
                observed = self._last_observed
                self._start(proposal, lambda: prepare(self.party, proposal, digest, observed))
            case Compute(proposal, _, commitments):
                ready = self._preparation
                self._start(
                    proposal, lambda: Finished(run_round(self.party, _for(proposal, ready), commitments))
                )
            case Publish(message):
                await self._publish(message)
            case SetTimer(number, phase, milliseconds):
                self._later(milliseconds / 1e3, DeadlinePassed(number, phase))
            case Cancel(number, error, by_peer):
                self._cancel(number, error, by_peer=by_peer)
            case Record():
                await self._record(action)

    # The worker

    def _start(self, proposal: Proposal, step: Callable[[], Preparation | Finished]) -> None:
        """Run a step of a round in the worker, unless the round is over when its turn comes."""
        loop = asyncio.get_running_loop()

        def work() -> None:
            if self._running == proposal.round:
                outcome = self._guarded(proposal.round, step)
                loop.call_soon_threadsafe(self._take, outcome, proposal)

        self._worker.submit(work)

    def _guarded(
        self, number: int, step: Callable[[], Preparation | Finished]
    ) -> Preparation | Finished | Failed:
        try:
            return step()
        except ConsortiumError as error:
            self._log.warning("failed", round=number, error=str(error))
            if isinstance(error, _OF_THIS_MACHINE):
                return Failed(
                    number, RoundError("the log of this party has the details", reason=error.reason)
                )
            return Failed(number, error)
        except Exception:  # noqa: BLE001 - logged whole, and the round ends
            # A bug must end the round, not the party; the log has it, the other parties get the code only.
            self._log.exception("bug", round=number)
            own = self.party.consortium.names[self.party.own]
            return Failed(number, RoundError("internal error", reason=Reason.INTERNAL, culprit=own))

    def _take(self, outcome: Preparation | Finished | Failed, proposal: Proposal) -> None:
        """A step's outcome, back in the loop's thread."""
        if isinstance(outcome, Preparation):
            self._log.info(
                "committed",
                round=proposal.round,
                dropped=dict(outcome.dropped),
                expiries_borrowed=outcome.fit.borrowed,
                expiries_clipped=outcome.fit.clipped,
                ms=round(outcome.milliseconds, 1),
            )
            self._last_observed = proposal.observed_at
            if self._running == proposal.round:
                self._preparation = outcome
            self._events.put_nowait(Prepared(proposal.round, outcome.commitment))
        elif isinstance(outcome, Failed) and _may_be_hearsay(outcome.error):
            self._later(min(_HEAR_OUT, _HEAR_OUT_PART * proposal.deadline_ms / 1e3), outcome)
        else:
            self._events.put_nowait(outcome)

    def _later(self, seconds: float, event: Event) -> None:
        """Give an event after a while, unless the round is over then."""
        self._timers.append(asyncio.get_running_loop().call_later(seconds, self._events.put_nowait, event))

    def _cancel(self, number: int, error: ConsortiumError, *, by_peer: bool) -> None:
        ready = self._preparation
        if ready is not None and ready.proposal.round == number:
            identifier = session_identifier(self.party.consortium, ready.proposal, ready.digest)
            self.party.mesh.abort(
                identifier,
                reason=error.reason,
                message=error.message,
                culprit=error.culprit,
                final=not by_peer,
            )

    # The end of a round

    async def _record(self, action: Record) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        # The snapshot goes with the preparation: what no round needs, nobody can take.
        self._running, self._preparation = 0, None
        log = self._log.info if action.reason is None else self._log.warning
        log(action.state, round=action.round, reason=action.reason, culprit=action.culprit)
        self._note(action.round, RoundState(action.state), reason=action.reason, culprit=action.culprit)
        early, self._settled_early = self._settled_early, None
        if early is not None:
            self._on_settled(early)
        await self._publish(self._status(online=True))

    def _on_settled(self, message: Settled) -> None:
        if message.round == self._running:  # the others are ahead of this party
            self._settled_early = message
        elif self._settled < message.round <= self._machine.last_round:
            self._settled = message.round
            details = {"transaction": message.transaction.hex(), "block": message.block}
            self._note(message.round, RoundState.SETTLED, details=details)

    def _note(self, number: int, state: RoundState, **facts: Any) -> None:  # noqa: ANN401 - of `record_outcome`
        """Have the worker tell the journal of a round's end. Nothing depends on it but what the member is shown."""

        def work() -> None:
            try:
                self.party.journal.record_outcome(number, state, **facts)
            except RoundError as error:  # never promised, or over in another way: what stands there is right
                self._log.debug("not in the journal", round=number, state=state.value, why=error.message)
            except ConsortiumError as error:
                self._log.error("the journal does not take a round's end", round=number, error=str(error))
            else:
                self._log.debug("in the journal", round=number, state=state.value)

        self._worker.submit(work)

    def _status(self, *, online: bool) -> Status:
        return Status(online, self.party.consortium.hash, self.party.journal.last_round())

    async def _publish(self, message: Message) -> None:
        try:
            await self.bus.publish(message)
        except ConsortiumError as error:
            # A bus that has failed for good says so to the reader too, which ends this party; anything else ends
            # no more than this message.
            self._log.error("not published", kind=type(message).__name__, error=str(error))


def _for(proposal: Proposal, ready: Preparation | None) -> Preparation:
    if ready is None or ready.proposal.round != proposal.round:
        raise RoundError(f"nothing is prepared for round {proposal.round}", reason=Reason.INTERNAL)
    return ready


def _may_be_hearsay(error: ConsortiumError) -> bool:
    """Whether all that this party knows is that a peer has gone: by itself, or because of somebody else."""
    return isinstance(error, MeshError) and error.reason is Reason.PEER_CLOSED


def _warm_up() -> None:
    """Import what a round needs and run the first kernels, so that no round waits for them."""
    import torch  # noqa: PLC0415 - takes two seconds, in the worker and not at start

    # Small tensors: a thread pool costs more than it gives, and parties share machines.
    torch.set_num_threads(1)
    started = time.perf_counter()
    (torch.ones(64, 64, dtype=torch.int64) @ torch.ones(64, 64, dtype=torch.int64)).sum()
    structlog.get_logger("mpc_party").debug("warm", ms=1e3 * (time.perf_counter() - started))
