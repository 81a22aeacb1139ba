"""A running party: rounds, what it ignores, and failures that end the round and not the party."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import msgspec
import pytest

from mpc_party.journal import Journal, JournalError, RoundState, read_rounds
from mpc_party.market import MarketDataError
from mpc_party.mesh import MeshError
from mpc_party.protocol.broker_access import BrokerError
from mpc_party.protocol.consortium import COORDINATOR
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Result,
    Settled,
    Status,
    message_hash,
)
from tests.support.party_in_hand import (
    OWN,
    PATIENCE,
    TIMES,
    play,
)


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


def test_after_a_change_of_epoch_rounds_count_on_from_where_the_one_before_stopped(party, proposals):
    """A million rounds after the first, numbers are large; the next one is still no leap."""
    consortium = party.world.consortium
    with Journal.open(party.path, consortium=consortium.id_bytes, epoch=consortium.epoch) as journal:
        journal.attest_handover(b"c" * 32, b"p" * 32, consortium.epoch + 1)
        journal.commit_handover(b"c" * 32, floor=1_500_000)
    later = msgspec.structs.replace(consortium, epoch=consortium.epoch + 1)
    party.world = replace(party.world, consortium=later)

    async def scenario():
        async with party.running():
            await party.bus.until(lambda: bool(party.bus.said))
            assert party.bus.said[0].last_round == 1_500_000
            for number, reason in (
                (1_500_000, Reason.ROUND_ALREADY_PROMISED),
                (2_600_000, Reason.PROPOSAL_REFUSED),
            ):
                party.propose(proposals(number))
                assert (await party.abort(number)).reason is reason
            await party.round(proposals(1_500_001))
            await party.round(proposals(2_500_001))  # the largest leap that is allowed

    play(scenario)
    assert party.record(1_500_001).state is RoundState.SIGNED


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
