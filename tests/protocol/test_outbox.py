from __future__ import annotations

import asyncio

import pytest

from mpc_party.protocol.broker_access import BrokerError
from mpc_party.protocol.envelope import Sealed
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.outbox import CAPACITY, Outbox, Outgoing

pytestmark = pytest.mark.asyncio
DEADLINE = 5.0


def item(number: int, expiry: int = 1000) -> Outgoing:
    return Outgoing(Sealed("topic", str(number).encode(), expiry), "Test")


async def test_first_in_first_out_and_out_only_when_done() -> None:
    outbox = Outbox()
    items = [item(n) for n in range(3)]
    for one in items:
        assert outbox.put(one, 0) == []
    for one in items:
        assert outbox.head() is one
        assert outbox.head() is one
        outbox.done(one)
        outbox.done(one)  # twice is once
    assert outbox.head() is None


async def test_full_is_an_error_unless_something_has_expired() -> None:
    outbox = Outbox()
    for number in range(CAPACITY):
        outbox.put(item(number, expiry=50 if number % 2 else 1000), 0)
    with pytest.raises(BrokerError, match="256 messages are waiting") as refused:
        outbox.put(item(-1), 0)
    assert refused.value.reason is Reason.BROKER_UNREACHABLE
    expired = outbox.put(item(-2), 51)
    assert len(expired) == CAPACITY // 2
    assert len(outbox) == CAPACITY // 2 + 1
    assert outbox.head() == item(0)


async def test_waiting_for_work_and_for_its_end() -> None:
    outbox = Outbox()
    async with asyncio.timeout(DEADLINE):
        await outbox.wait_empty()  # nothing was ever put

        async def send() -> None:
            while True:
                one = outbox.head()
                if one is None:
                    await outbox.wait_changed()
                else:
                    await asyncio.sleep(0)
                    outbox.done(one)

        sender = asyncio.create_task(send())
        for number in range(10):
            outbox.put(item(number), 0)
        await outbox.wait_empty()
        assert len(outbox) == 0
        outbox.put(item(11), 0)
        await outbox.wait_empty()
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
