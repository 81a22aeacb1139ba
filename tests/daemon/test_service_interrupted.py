"""A running party whose rounds end early, wherever it is in them: stopped, superseded, aborted, late."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from mpc_party.daemon.round_job import session_identifier
from mpc_party.journal import RoundState, read_rounds
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Result,
    Settled,
    Status,
    message_hash,
)
from tests.support.party_in_hand import (
    PATIENCE,
    Gate,
    HandBus,
    play,
    reach,
)

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
