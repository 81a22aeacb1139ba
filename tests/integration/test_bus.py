"""The bus on real brokers: NATS Server and Mosquitto."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiomqtt
import msgspec
import pytest
import pytest_asyncio

from mpc_party.protocol import (
    Abort,
    Bus,
    Commitment,
    Consortium,
    ConsortiumError,
    Message,
    Passphrase,
    Reason,
    Received,
    Settled,
    Status,
    save_consortium,
)
from mpc_party.protocol import bus as bus_module
from mpc_party.protocol import inbox as inbox_module
from mpc_party.protocol.envelope import seal_envelope
from mpc_party.protocol.sequence import RESERVE, WILL
from mpc_party.protocol.topics import topic_prefix
from tests.support import bus_process
from tests.support.brokers import KINDS, Broker, running_broker
from tests.support.consortium import Cast, make_cast

pytestmark = [pytest.mark.integration, pytest.mark.asyncio]
DEADLINE = 20.0


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with running_broker(request.param, tmp_path) as running:
        yield running


@pytest.fixture
def cast(broker: Broker) -> Cast:
    return make_cast(broker=broker.url)


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before - {asyncio.current_task()} if not task.done()}
    assert not left, f"tasks left: {left}"


async def receive(bus: Bus, kind: type[Message], count: int = 1) -> list[Received]:
    found: list[Received] = []
    async with asyncio.timeout(DEADLINE):
        async for received in bus.received:
            if isinstance(received.message, kind):
                found.append(received)
                if len(found) == count:
                    break
    return found


async def status_of(bus: Bus, sender: str, *, online: bool) -> Status:
    while True:
        [received] = await receive(bus, Status)
        if received.sender == sender and received.message.online is online:
            return received.message


def rounds(heard: list[Received], kind: type[Message]) -> list[int]:
    return [received.message.round for received in heard if isinstance(received.message, kind)]


def settled(number: int) -> Settled:
    return Settled(number, bytes(32), number)


def commitment(number: int) -> Commitment:
    return Commitment(number, b"p" * 32, b"s" * 32)


async def test_what_one_says_the_others_hear_and_it_does_not_hear_itself(cast: Cast) -> None:
    c, (alice, bob, _) = cast.consortium, cast.members
    async with Bus(c, cast.coordinator) as boss, Bus(c, alice) as a, Bus(c, bob) as b:
        await boss.publish(settled(1))
        await a.publish(commitment(2))
        await a.publish(Abort(3, Reason.ROUND_DEADLINE, "bob", "slow"))
        [heard] = await receive(a, Settled)
        assert (heard.sender, heard.message) == ("coordinator", settled(1))
        at_boss = await receive(boss, Commitment | Abort, 2)
        at_bob = await receive(b, Settled | Commitment | Abort, 3)  # of two senders, in whatever order
        assert settled(1) in [received.message for received in at_bob]
        for of_alice in (at_boss, [received for received in at_bob if received.sender == "alice"]):
            first, second = of_alice
            assert (first.sender, first.message) == ("alice", commitment(2))
            assert second.message.culprit == "bob"
            assert second.sequence > first.sequence
        await b.publish(commitment(4))
        [heard] = await receive(a, Commitment)
        assert heard.sender == "bob"  # and not its own of before
        assert not dict(a.drops)


async def test_a_member_that_was_away_gets_what_was_said_meanwhile(cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    async with Bus(c, alice):
        pass
    async with Bus(c, cast.coordinator) as boss:
        for number in range(20):
            await boss.publish(settled(number))
        await boss.flush()
        async with Bus(c, alice) as a:
            heard = await receive(a, Settled, 20)
            assert [received.message.round for received in heard] == list(range(20))


async def test_presence_is_retained_updated_and_withdrawn(cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    async with Bus(c, alice, last_round=7) as a:
        await a.flush()
        async with Bus(c, cast.coordinator) as boss:
            assert await status_of(boss, "alice", online=True) == Status(True, c.hash, 7)
            await a.publish(Status(True, c.hash, 8))
            assert (await status_of(boss, "alice", online=True)).last_round == 8
        await a.publish(Status(True, c.hash, 9))
        await a.flush()
    async with Bus(c, cast.coordinator) as boss:
        assert (await status_of(boss, "alice", online=False)).last_round == 9


async def test_the_will_of_a_killed_process_is_believed_and_its_return_too(
    cast: Cast, tmp_path: Path
) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    save_consortium(tmp_path / "c.toml", c)
    alice.save(tmp_path / "alice.key", Passphrase(bus_process.PASSPHRASE))
    async with Bus(c, cast.coordinator) as boss:
        for _ in range(2):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                bus_process.__file__,
                str(tmp_path / "c.toml"),
                str(tmp_path / "alice.key"),
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            )
            try:
                async with asyncio.timeout(DEADLINE):
                    assert await process.stdout.readline() == b"online\n"
                await status_of(boss, "alice", online=True)
            finally:
                process.kill()
                await process.communicate()
            await status_of(boss, "alice", online=False)
        assert boss.drops[Reason.MESSAGE_REPLAYED] == 0


async def test_a_restart_of_the_broker_loses_nothing(broker: Broker, cast: Cast) -> None:
    c, (alice, bob, _) = cast.consortium, cast.members
    async with Bus(c, cast.coordinator) as boss, Bus(c, alice) as a, Bus(c, bob) as b:
        await boss.publish(settled(1))
        await boss.flush()
        for number in range(2):
            await asyncio.to_thread(broker.stop)
            for index in range(10):
                await boss.publish(settled(100 * number + index))
                await a.publish(commitment(100 * number + index))
            await asyncio.to_thread(broker.start)
            await boss.publish(settled(100 * number + 10))
        from_boss, from_alice = [1, *range(11), *range(100, 111)], [*range(10), *range(100, 110)]
        assert rounds(await receive(a, Settled, 23), Settled) == from_boss
        assert rounds(await receive(boss, Commitment, 20), Commitment) == from_alice
        heard = await receive(b, Settled | Commitment, 43)
        assert rounds(heard, Settled) == from_boss
        assert rounds(heard, Commitment) == from_alice


async def test_of_two_processes_with_one_identity_the_newer_goes_on(cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    async with Bus(c, cast.coordinator) as boss, Bus(c, alice) as older:
        await older.flush()
        async with Bus(c, alice) as newer:
            with pytest.raises(ConsortiumError, match="another process speaks as alice") as stopped:
                await receive(older, Settled)
            assert stopped.value.reason is Reason.ALREADY_RUNNING
            with pytest.raises(ConsortiumError, match="another process"):
                await older.publish(commitment(1))
            await newer.publish(commitment(2))  # also if its connection was taken once more: it is back
            [heard] = await receive(boss, Commitment)
            assert heard.message.round == 2
            await boss.publish(settled(3))
            assert (await receive(newer, Settled))[0].message.round == 3


async def test_what_does_not_verify_is_dropped_counted_and_harms_nothing(broker: Broker, cast: Cast) -> None:
    c, (alice, bob, _) = cast.consortium, cast.members
    other = make_cast(broker=broker.url)
    stranger_file = msgspec.structs.replace(c, epoch=2)
    prefix = topic_prefix(c)
    host, port = broker.url.removeprefix("mqtt://").split(":")
    now = 10**12 * 2

    def raw(message: Message, signer: object, consortium: Consortium = c) -> bytes:
        return seal_envelope(message, signer, consortium, sequence=1, now_ms=now).raw

    async with Bus(c, alice) as a, aiomqtt.Client(host, int(port)) as anybody:
        for topic, payload in [
            (f"{prefix}/settled", b""),
            (f"{prefix}/settled", b"\xff" * 100),
            (f"{prefix}/settled", b"\x97" + b"\x93" * 60_000),
            (f"{prefix}/settled", bytes(200_000)),
            (f"{prefix}/commitment/bob", raw(commitment(1), other.members[1])),  # bob of others
            (f"{prefix}/commitment/bob", raw(commitment(1), bob, stranger_file)),  # another file
            (f"{prefix}/commitment/carol", raw(commitment(1), bob)),  # another's topic
            (f"{prefix}/settled/bob/deeper", raw(settled(1), cast.coordinator)),
        ]:
            await anybody.publish(topic, payload, qos=1)
        async with Bus(c, cast.coordinator) as boss:
            await boss.publish(settled(5))
            assert [r.message.round for r in await receive(a, Settled)] == [5]
        assert a.drops[Reason.MESSAGE_MALFORMED] == 4
        assert a.drops[Reason.MESSAGE_FORGED] == 4


async def test_a_replayed_message_is_accepted_once(broker: Broker, cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    host, port = broker.url.removeprefix("mqtt://").split(":")
    async with aiomqtt.Client(host, int(port)) as anybody:
        await anybody.subscribe(f"{topic_prefix(c)}/settled", qos=1)
        async with Bus(c, alice) as a, Bus(c, cast.coordinator) as boss:
            await boss.publish(settled(1))
            await boss.publish(settled(2))
            async with asyncio.timeout(DEADLINE):
                first, second = [await anext(anybody.messages), await anext(anybody.messages)]
            for message in (first, second):
                await anybody.publish(message.topic.value, message.payload, qos=1)
            await boss.publish(settled(3))
            assert [r.message.round for r in await receive(a, Settled, 3)] == [1, 2, 3]
            assert (a.drops[Reason.MESSAGE_REPLAYED], a.drops["duplicate"]) == (1, 1)


async def test_cancelled_while_serving_it_says_goodbye(cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    online = asyncio.Event()

    async def run() -> None:
        async with Bus(c, alice) as bus:
            online.set()
            async for _ in bus.received:
                pass

    async with Bus(c, cast.coordinator) as boss:
        task = asyncio.create_task(run())
        async with asyncio.timeout(DEADLINE):
            await online.wait()
        await status_of(boss, "alice", online=True)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await status_of(boss, "alice", online=False)


async def test_what_expires_during_an_outage_is_not_sent(
    broker: Broker, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    async with Bus(c, cast.coordinator) as boss, Bus(c, alice) as a:
        await asyncio.to_thread(broker.stop)
        await a.publish(commitment(1))
        with monkeypatch.context() as patch:
            later = bus_module._now_ms() + 3_600_000
            patch.setattr(bus_module, "_now_ms", lambda: later)
            await asyncio.to_thread(broker.start)
            await a.flush(DEADLINE)
        await a.publish(commitment(2))
        assert (await receive(boss, Commitment))[0].message.round == 2
        assert a.drops["expired-unsent"] == 1


async def test_when_the_numbers_of_a_session_are_used_up_the_next_one_begins(cast: Cast) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    async with Bus(c, cast.coordinator) as boss, Bus(c, alice) as a:
        await a.flush()
        session = a._sequencer.session
        a._sequencer._counter = WILL - RESERVE
        for number in range(3):
            await a.publish(commitment(number))
        heard = await receive(boss, Commitment, 3)
        assert [received.message.round for received in heard] == [0, 1, 2]
        await a.flush(DEADLINE)
        assert a._sequencer.session > session


async def test_a_reader_that_does_not_read_loses_the_newest_and_it_is_counted(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    c, (alice, *_) = cast.consortium, cast.members
    monkeypatch.setattr(inbox_module, "CAPACITY", 5)
    async with Bus(c, alice) as a, Bus(c, cast.coordinator) as boss:
        for number in range(10):
            await boss.publish(settled(number))
        await boss.flush()
        await a.publish(
            commitment(1)
        )  # its way to the coordinator and back is no longer than theirs to alice
        await receive(boss, Commitment)
        heard = await receive(a, Settled, 4)  # one of the five is the coordinator's status
        assert [received.message.round for received in heard] == [0, 1, 2, 3]
        assert a.drops["overflow"] == 6
