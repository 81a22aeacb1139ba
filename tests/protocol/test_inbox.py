from __future__ import annotations

import asyncio

import pytest

from mpc_party.protocol.inbox import CAPACITY, Inbox, Received
from mpc_party.protocol.messages import Settled

pytestmark = pytest.mark.asyncio
DEADLINE = 5.0


def received(number: int) -> Received:
    return Received("coordinator", Settled(number, bytes(32), 1), number)


async def test_in_order_then_a_quiet_end() -> None:
    inbox = Inbox()
    for number in range(3):
        assert inbox.put(received(number))
    inbox.close()
    async with asyncio.timeout(DEADLINE):
        assert [one.sequence async for one in inbox] == [0, 1, 2]


async def test_what_waits_is_read_before_the_failure() -> None:
    inbox = Inbox()
    inbox.put(received(1))
    inbox.close(ValueError("gone"))
    inbox.close(KeyError("later"))  # the first cause counts
    async with asyncio.timeout(DEADLINE):
        assert (await anext(inbox)).sequence == 1
        for _ in range(2):
            with pytest.raises(ValueError, match="gone"):
                await anext(inbox)


async def test_a_waiting_reader_is_woken() -> None:
    inbox = Inbox()
    async with asyncio.timeout(DEADLINE):
        reader = asyncio.ensure_future(anext(inbox))
        await asyncio.sleep(0)
        inbox.put(received(1))
        assert (await reader).sequence == 1
        reader = asyncio.ensure_future(anext(inbox))
        await asyncio.sleep(0)
        inbox.close()
        with pytest.raises(StopAsyncIteration):
            await reader


async def test_a_flood_is_bounded() -> None:
    inbox = Inbox()
    assert all(inbox.put(received(number)) for number in range(CAPACITY))
    assert not inbox.put(received(-1))
    await anext(inbox)
    assert inbox.put(received(-1))
