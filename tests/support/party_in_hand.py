"""A running party on a bus that the test holds in its hand; rounds are stand-ins, journal and machine are real."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

from mpc_party.daemon import service as module
from mpc_party.daemon.round_job import PartyContext, Preparation
from mpc_party.daemon.service import PartyService
from mpc_party.journal import Journal, read_rounds
from mpc_party.mesh import MeshError
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.inbox import Received
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    PhaseTimes,
    Result,
    encode_message,
    message_hash,
)

PATIENCE = 20.0
OWN = b"\x0a" * 32
TIMES = PhaseTimes(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)


@dataclass
class HandBus:
    """What the party says is kept, what it hears the test says. Refuses what a real bus would."""

    said: list = field(default_factory=list)
    refuses: BaseException | None = None
    _inbox: asyncio.Queue = field(default_factory=asyncio.Queue)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def publish(self, message):
        encode_message(message)
        if self.refuses is not None:
            raise self.refuses
        self.said.append(message)
        async with self._changed:
            self._changed.notify_all()

    async def flush(self, _seconds):
        if self.refuses is not None:
            raise self.refuses

    @property
    def received(self):
        return self

    def __aiter__(self):
        return self

    async def __anext__(self):
        item = await self._inbox.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def tell(self, sender, message):
        self._inbox.put_nowait(Received(sender, message, 1))

    def fail(self, error):
        self._inbox.put_nowait(error)

    async def until(self, condition):
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(condition)

    def of(self, kind, number=None):
        return [m for m in self.said if isinstance(m, kind) and (number is None or m.round == number)]


@dataclass
class HandMesh:
    """Rounds wait here until they are let go or aborted."""

    aborts: list = field(default_factory=list)
    _woken: threading.Event = field(default_factory=threading.Event)

    def abort(self, session=None, *, reason, **_):
        self.aborts.append((session, reason))
        self._woken.set()

    def wait(self):
        assert self._woken.wait(PATIENCE)
        raise MeshError("aborted", reason=self.aborts[-1][1])


@dataclass
class Work:
    """What the party's worker does, as the test has it."""

    prepared: list = field(default_factory=list)
    ran: list = field(default_factory=list)
    before_preparing: object = None  # called with the round's number
    in_round: object = None

    def prepare(self, party, proposal, digest, last_observed):
        if self.before_preparing is not None:
            self.before_preparing(proposal.round)
        party.journal.promise_round(proposal.round, digest)
        self.prepared.append((proposal.round, last_observed))
        fit = SimpleNamespace(borrowed=0, clipped=0)
        return Preparation(proposal, digest, None, None, OWN, fit, 1.0, 0, Counter(stale=1), 1.0, 0.0)

    def run_round(self, _party, ready, commitments):
        self.ran.append((ready.proposal.round, commitments))
        if self.in_round is not None:
            self.in_round(ready.proposal.round)
        return Result(ready.proposal.round, b"d" * 32, b"report", b"s" * 65, TIMES)


class Party:
    """Alice (member 0), running."""

    def __init__(self, world, folder, monkeypatch):
        self.world, self.path = world, folder / "journal.sqlite"
        self.names = world.consortium.names
        self.work, self.mesh = Work(), HandMesh()
        monkeypatch.setattr(module, "prepare", self.work.prepare)
        monkeypatch.setattr(module, "run_round", self.work.run_round)
        monkeypatch.setattr(module, "_warm_up", lambda: None)

    @asynccontextmanager
    async def running(self):
        self.bus, self.stop = HandBus(), asyncio.Event()
        consortium = self.world.consortium
        with Journal.open(self.path, consortium=consortium.id_bytes, epoch=consortium.epoch) as self.journal:
            context = PartyContext(consortium, 0, None, self.mesh, self.journal, None, None, None)
            self.service = PartyService(context, self.bus)
            self.task = asyncio.create_task(self.service.run(self.stop))
            try:
                yield self
            finally:
                self.stop.set()
                async with asyncio.timeout(PATIENCE):
                    await asyncio.gather(self.task, return_exceptions=True)
        self.task.result()

    def propose(self, proposal):
        self.bus.tell(COORDINATOR, proposal)

    async def commit(self, proposal, *members):
        """Wait for alice's commitment, then say those of others."""
        await self.bus.until(lambda: bool(self.bus.of(Commitment, proposal.round)))
        for member in members or proposal.committee[1:]:
            given = Commitment(proposal.round, message_hash(proposal), bytes([member]) * 32)
            self.bus.tell(self.names[member], given)

    async def round(self, proposal):
        self.propose(proposal)
        await self.commit(proposal)
        await self.bus.until(lambda: bool(self.bus.of(Result, proposal.round)))

    async def abort(self, number):
        await self.bus.until(lambda: bool(self.bus.of(Abort, number)))
        (abort,) = self.bus.of(Abort, number)
        return abort

    def record(self, number=1):
        return {record.round: record for record in read_rounds(self.path)}[number]

    async def recorded(self, number, state):
        """The journal is written by the worker; its queue is empty when it has answered."""
        await asyncio.get_running_loop().run_in_executor(self.service._worker, int)
        assert self.record(number).state is state


class Gate:
    """Holds the worker of the first round at one place."""

    def __init__(self, party):
        self.entered, self.opened = threading.Event(), threading.Event()
        self.mesh = party.mesh

    def hold(self, number):
        if number == 1:
            self.entered.set()
            assert self.opened.wait(PATIENCE)

    def hold_on_mesh(self, number):
        if number == 1:
            self.entered.set()
            self.mesh.wait()


async def reach(party, proposal, where):
    """Bring the party to this place in the round."""
    gate = Gate(party)
    if where == "preparing":
        party.work.before_preparing = gate.hold
    elif where == "computing":
        party.work.in_round = gate.hold_on_mesh
    party.propose(proposal)
    if where != "preparing":
        await party.commit(proposal, *((1, 2) if where == "computing" else (1,)))
    if where != "committed":
        await asyncio.to_thread(gate.entered.wait, PATIENCE)
    return gate


def play(scenario):
    asyncio.run(scenario())
