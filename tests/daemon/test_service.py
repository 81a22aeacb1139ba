"""A running party on a bus that the test holds in its hand; rounds are stand-ins, journal and machine are real."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import msgspec
import pytest
import structlog

from mpc_party.console import configure_logging
from mpc_party.daemon import service as module
from mpc_party.daemon.round_job import PartyContext, Preparation, session_identifier
from mpc_party.daemon.service import PartyService
from mpc_party.journal import Journal, JournalError, RoundState, read_rounds
from mpc_party.market import MarketDataError
from mpc_party.mesh import MeshError
from mpc_party.protocol.broker_access import BrokerError
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.inbox import Received
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    PhaseTimes,
    Result,
    Settled,
    Status,
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
        return Preparation(proposal, digest, None, None, OWN, fit, Counter(stale=1), 1.0, 0.0)

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


@pytest.fixture
def party(world, tmp_path, monkeypatch):
    configure_logging("error")
    yield Party(world, tmp_path, monkeypatch)
    structlog.reset_defaults()


def play(scenario):
    asyncio.run(scenario())


def test_a_round_from_proposal_to_settlement(party, proposals):
    async def scenario():
        async with party.running():
            await party.round(proposals(1))
            bus = party.bus
            assert bus.of(Commitment) == [Commitment(1, message_hash(proposals(1)), OWN)]
            assert party.work.ran == [(1, (OWN, b"\x01" * 32, b"\x02" * 32))]
            assert bus.of(Result) == [Result(1, b"d" * 32, b"report", b"s" * 65, TIMES)]
            assert not bus.of(Abort)
            await bus.until(lambda: bus.of(Status)[-1].last_round == 1)
            await party.recorded(1, RoundState.SIGNED)
            bus.tell(COORDINATOR, Settled(1, b"t" * 32, 77))
            bus.tell(COORDINATOR, Settled(1, b"u" * 32, 78))  # said twice: the first stays
            await party.round(proposals(2))
            await party.recorded(1, RoundState.SETTLED)

    play(scenario)
    assert party.record(1).details == {"transaction": (b"t" * 32).hex(), "block": 77}
    assert party.record(2).state is RoundState.SIGNED
    assert party.work.prepared == [(1, 0), (2, proposals(1).observed_at)]


def test_it_says_hello_and_goodbye(party):
    async def scenario():
        async with party.running():
            await party.bus.until(lambda: bool(party.bus.said))
        assert [(m.online, m.last_round) for m in party.bus.said] == [(True, 0), (False, 0)]
        assert {m.consortium for m in party.bus.said} == {party.world.consortium.hash}
        assert party.mesh.aborts == [(None, Reason.PARTY_STOPPED)]

    play(scenario)


def test_a_restarted_party_knows_what_it_has_promised(party, proposals):
    async def first():
        async with party.running():
            await party.round(proposals(5))

    async def second():
        async with party.running():
            await party.bus.until(lambda: bool(party.bus.said))
            assert party.bus.said[0].last_round == 5
            for number in (5, 4):
                party.propose(proposals(number))
                assert (await party.abort(number)).reason is Reason.ROUND_ALREADY_PROMISED
            await party.round(proposals(6))

    play(first)
    play(second)
    assert party.record(5).state is RoundState.SIGNED


def test_whoever_says_what_is_not_theirs_to_say_changes_nothing(party, proposals):
    async def scenario():
        async with party.running():
            bus = party.bus
            bus.tell("bob", proposals(1))
            bus.tell(COORDINATOR, Abort(1, Reason.INTERNAL, None, ""))
            bus.tell(COORDINATOR, Commitment(1, message_hash(proposals(1)), bytes(32)))
            bus.tell("bob", Settled(1, bytes(32), 1))
            bus.tell("nobody", Abort(1, Reason.INTERNAL, None, ""))
            await party.round(proposals(2))
            bus.tell("dave", Abort(2, Reason.INTERNAL, "alice", ""))  # not of the committee
            await party.round(proposals(3))
            assert not bus.of(Abort)

    play(scenario)
    assert [number for number, _ in party.work.prepared] == [2, 3]


# Failures


@pytest.mark.parametrize("stage", ["before_preparing", "in_round"])
@pytest.mark.parametrize(
    ("failure", "reason", "culprit", "detail"),
    [
        (
            RoundError("no quotes", reason=Reason.MARKET_DATA_STALE),
            Reason.MARKET_DATA_STALE,
            None,
            "no quotes",
        ),
        (
            MeshError("silent", reason=Reason.PEER_TIMEOUT, peers=["carol"]),
            Reason.PEER_TIMEOUT,
            "carol",
            "silent",
        ),
        (
            RoundError("a\nb\x1b[0m" + "x" * 1000),
            Reason.PROPOSAL_REFUSED,
            None,
            "a?b?[0m" + "x" * 390 + "...",
        ),
        (
            MarketDataError("/home/alice/chain.csv: gone", reason=Reason.MARKET_DATA_STALE),
            Reason.MARKET_DATA_STALE,
            None,
            "the log of this party has the details",
        ),
        (
            JournalError("/home/alice/j: full"),
            Reason.JOURNAL_UNUSABLE,
            None,
            "the log of this party has the details",
        ),
        (ZeroDivisionError("secret"), Reason.INTERNAL, "alice", "internal error"),
        (MemoryError(), Reason.INTERNAL, "alice", "internal error"),
    ],
)
def test_whatever_fails_ends_the_round_and_not_the_party(
    party, proposals, stage, failure, reason, culprit, detail
):
    def fail(number):
        if number == 1:
            raise failure

    setattr(party.work, stage, fail)

    async def scenario():
        async with party.running():
            party.propose(proposals(1))
            if stage == "in_round":
                await party.commit(proposals(1))
            assert await party.abort(1) == Abort(1, reason, culprit, detail)
            assert not party.bus.of(Result)
            await party.round(proposals(2))

    play(scenario)
    if stage == "in_round":
        record = party.record(1)
        assert (record.state, record.reason, record.culprit) == (RoundState.ABORTED, reason, culprit)
    else:
        assert 1 not in {record.round for record in read_rounds(party.path)}


def test_the_messenger_is_not_accused(party, proposals):
    """Bob gives up because of carol, and his links close before his word arrives."""

    def closed(_):
        raise MeshError("bob gave the session up", reason=Reason.PEER_CLOSED, peers=["bob"], hearsay="carol")

    party.work.in_round = closed

    async def scenario():
        async with party.running():
            proposal = proposals(1, deadline_ms=600_000)
            party.propose(proposal)
            await party.commit(proposal)
            party.bus.tell("bob", Abort(1, Reason.PEER_TIMEOUT, "carol", "nothing from carol"))
            await party.bus.until(lambda: len(party.bus.of(Status)) == 2)
            party.work.in_round = None
            await party.round(proposals(2))
            assert not party.bus.of(Abort)

    play(scenario)
    assert (party.record().reason, party.record().culprit) == (Reason.PEER_TIMEOUT, "carol")


def test_a_peer_that_has_gone_without_a_word_is_named(party, proposals):
    def closed(_):
        raise MeshError("bob closed the link", reason=Reason.PEER_CLOSED, peers=["bob"])

    party.work.in_round = closed

    async def scenario():
        async with party.running():
            party.propose(proposals(1))
            await party.commit(proposals(1))
            abort = await party.abort(1)
            assert (abort.reason, abort.culprit) == (Reason.PEER_CLOSED, "bob")

    play(scenario)
    assert party.record().culprit == "bob"


def test_a_bus_that_takes_no_message_does_not_end_the_party(party, proposals):
    async def scenario():
        async with party.running():
            await party.bus.until(lambda: bool(party.bus.said))
            party.bus.refuses = BrokerError("256 messages are waiting already")
            second = threading.Event()
            party.work.before_preparing = lambda number: number == 2 and second.set()
            party.propose(proposals(1))
            party.propose(proposals(2))
            assert await asyncio.to_thread(second.wait, PATIENCE)
            party.bus.refuses = None
            await party.round(proposals(3))

    play(scenario)


@pytest.mark.parametrize("busy", [False, True])
def test_a_bus_that_fails_for_good_ends_the_party_in_order(party, proposals, busy):
    taken = ConsortiumError("another process speaks as alice", reason=Reason.ALREADY_RUNNING)
    entered = threading.Event()

    def wait(_):
        entered.set()
        party.mesh.wait()

    party.work.in_round = wait

    async def scenario():
        async with party.running():
            if busy:
                party.propose(proposals(1))
                await party.commit(proposals(1))
                await asyncio.to_thread(entered.wait, PATIENCE)
            party.bus.refuses = taken
            party.bus.fail(taken)
            async with asyncio.timeout(PATIENCE):
                await asyncio.wait({party.task})

    with pytest.raises(ConsortiumError, match="another process"):
        play(scenario)
    assert party.mesh.aborts
    if busy:
        assert (party.record().state, party.record().reason) == (RoundState.ABORTED, Reason.PARTY_STOPPED)


def test_a_journal_that_does_not_take_the_end_of_a_round_does_not_end_the_party(
    party, proposals, monkeypatch
):
    def full(*_, **__):
        raise JournalError("the disk is full")

    monkeypatch.setattr(Journal, "record_outcome", full)

    async def scenario():
        async with party.running():
            await party.round(proposals(1))
            party.bus.tell(COORDINATOR, Settled(1, bytes(32), 1))
            await party.round(proposals(2))

    play(scenario)
    assert party.record(1).state is RoundState.PROMISED


# Rounds that end early, wherever the party is in them


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


PLACES = ["preparing", "committed", "computing"]


@pytest.mark.parametrize("where", PLACES)
def test_stopping_in_a_round_tells_the_others_and_the_journal(party, proposals, where):
    async def scenario():
        async with party.running():
            gate = await reach(party, proposals(1, deadline_ms=600_000), where)
            party.stop.set()
            abort = await party.abort(1)
            assert (abort.reason, abort.culprit) == (Reason.PARTY_STOPPED, "alice")
            gate.opened.set()
            async with asyncio.timeout(PATIENCE):
                await party.task
        assert party.bus.said[-1] == Status(False, party.world.consortium.hash, party.bus.said[-1].last_round)
        assert not party.bus.of(Result)

    play(scenario)
    assert (party.record().state, party.record().reason) == (RoundState.ABORTED, Reason.PARTY_STOPPED)


@pytest.mark.parametrize("where", PLACES)
def test_a_newer_proposal_supersedes_the_round(party, proposals, where):
    async def scenario():
        async with party.running():
            first = proposals(1, deadline_ms=600_000)
            gate = await reach(party, first, where)
            party.propose(proposals(2))
            abort = await party.abort(1)
            assert abort.reason is Reason.ROUND_DEADLINE
            if where != "preparing":
                identifier = session_identifier(party.world.consortium, first, message_hash(first))
                assert (identifier, Reason.ROUND_DEADLINE) in party.mesh.aborts
            gate.opened.set()
            await party.commit(proposals(2))
            await party.bus.until(lambda: bool(party.bus.of(Result, 2)))
            assert not party.bus.of(Result, 1)
            assert where == "preparing" or party.bus.of(Commitment, 1)

    play(scenario)
    assert party.record(1).state is RoundState.ABORTED
    assert party.record(2).state is RoundState.SIGNED


@pytest.mark.parametrize("where", PLACES)
def test_a_peers_abort_ends_the_round_without_an_echo(party, proposals, where):
    async def scenario():
        async with party.running():
            gate = await reach(party, proposals(1, deadline_ms=600_000), where)
            party.bus.tell("carol", Abort(1, Reason.MARKET_DATA_STALE, None, "no quotes"))
            await party.bus.until(lambda: len(party.bus.of(Status)) == 2)
            gate.opened.set()
            await party.round(proposals(2))
            assert not party.bus.of(Abort)

    play(scenario)
    assert (party.record(1).state, party.record(1).reason) == (RoundState.ABORTED, Reason.MARKET_DATA_STALE)


def test_a_proposal_that_was_superseded_before_its_turn_is_never_promised(party, proposals):
    async def scenario():
        async with party.running():
            gate = await reach(party, proposals(1, deadline_ms=600_000), "preparing")
            party.propose(proposals(2))
            party.propose(proposals(3))
            await party.abort(2)
            gate.opened.set()
            await party.commit(proposals(3))
            await party.bus.until(lambda: bool(party.bus.of(Result, 3)))

    play(scenario)
    assert [record.round for record in read_rounds(party.path)] == [3, 1]


def test_a_deadline_ends_a_round_that_hangs(party, proposals):
    async def scenario():
        async with party.running():
            await reach(party, proposals(1, deadline_ms=300), "computing")
            abort = await party.abort(1)
            assert abort.reason is Reason.ROUND_DEADLINE
            party.work.in_round = None
            await party.round(proposals(2))

    play(scenario)
    assert party.record(1).reason is Reason.ROUND_DEADLINE


def test_missing_commitments_are_named(party, proposals):
    async def scenario():
        async with party.running():
            await reach(party, proposals(1, deadline_ms=400), "committed")  # of bob only
            abort = await party.abort(1)
            assert (abort.reason, abort.culprit) == (Reason.COMMITMENT_TIMEOUT, "carol")

    play(scenario)


def test_another_proposal_under_one_number_is_found_out(party, proposals):
    async def scenario():
        async with party.running():
            party.propose(proposals(1))
            await party.bus.until(lambda: bool(party.bus.of(Commitment, 1)))
            other = message_hash(proposals(1, deadline_ms=9999))
            party.bus.tell("bob", Commitment(1, other, bytes(32)))
            abort = await party.abort(1)
            assert abort.reason is Reason.PROGRAM_MISMATCH

    play(scenario)


@pytest.mark.parametrize("where", PLACES)
def test_a_settlement_of_the_running_round_does_not_disturb_it(party, proposals, where):
    """The others may be ahead; and a coordinator that lies must not be able to end a party."""

    async def scenario():
        async with party.running():
            gate = Gate(party)
            if where == "preparing":
                party.work.before_preparing = gate.hold
            elif where == "computing":
                party.work.in_round = gate.hold
            party.propose(proposals(1))
            if where != "preparing":
                await party.commit(proposals(1), *((1, 2) if where == "computing" else (1,)))
            if where != "committed":
                await asyncio.to_thread(gate.entered.wait, PATIENCE)
            party.bus.tell(COORDINATOR, Settled(1, b"t" * 32, 5))
            party.bus.tell(COORDINATOR, Settled(10**9, bytes(32), 5))  # a round that nobody knows
            gate.opened.set()
            if where != "computing":
                await party.commit(proposals(1), *((1, 2) if where == "preparing" else (2,)))
            await party.bus.until(lambda: bool(party.bus.of(Result, 1)))
            await party.round(proposals(2))
            assert not party.bus.of(Abort)

    play(scenario)
    assert party.record(1).state is RoundState.SETTLED
    assert party.record(2).state is RoundState.SIGNED


def test_a_settlement_may_come_after_the_next_round_has_begun(party, proposals):
    async def scenario():
        async with party.running():
            await party.round(proposals(1))
            await reach(party, proposals(2), "committed")
            party.bus.tell(COORDINATOR, Settled(1, b"t" * 32, 5))
            await party.commit(proposals(2), 2)
            await party.bus.until(lambda: bool(party.bus.of(Result, 2)))

    play(scenario)
    assert party.record(1).state is RoundState.SETTLED


def test_an_aborted_round_that_the_others_settled_is_settled(party, proposals):
    async def scenario():
        async with party.running():
            await reach(party, proposals(1, deadline_ms=600_000), "committed")
            party.bus.tell("bob", Abort(1, Reason.PEER_CLOSED, "alice", "gone"))
            await party.bus.until(lambda: len(party.bus.of(Status)) == 2)
            party.bus.tell(COORDINATOR, Settled(1, b"t" * 32, 5))
            await party.round(proposals(2))

    play(scenario)
    assert party.record(1).state is RoundState.SETTLED


def test_what_a_round_held_is_let_go_at_its_end(party, proposals):
    async def scenario():
        async with party.running():
            await party.round(proposals(1))
            await party.bus.until(lambda: party.bus.of(Status)[-1].last_round == 1)
            assert party.service._preparation is None
            assert party.service._timers == []

    play(scenario)


def test_messages_fit(party, proposals):
    """The stand-in bus refuses what a real one would: so it is no use if it does not."""

    async def scenario():
        with pytest.raises(ConsortiumError):
            await HandBus().publish(Abort(1, Reason.INTERNAL, None, "a\nb"))
        with pytest.raises(ConsortiumError):
            await HandBus().publish(msgspec.structs.replace(proposals(1), round=-1))

    play(scenario)
