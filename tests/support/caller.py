"""Whoever calls for rounds in an integration test: a coordinator's voice on the bus, and its ears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from mpc_party.protocol.bus import Bus
from mpc_party.protocol.messages import Abort, Commitment, Message, Proposal, Result, Status
from tests.support.world import World

WAIT = 60.0


@dataclass
class Caller:
    """Publishes as the coordinator and keeps all that the members say."""

    world: World
    bus: Bus
    heard: list[tuple[str, Message]] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self) -> None:
        async for received in self.bus.received:
            async with self._changed:
                self.heard.append((received.sender, received.message))
                self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float = WAIT) -> None:
        """Wait until what has been heard fulfils the condition."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    def online(self) -> set[str]:
        last = {sender: message.online for sender, message in self.heard if isinstance(message, Status)}
        return {sender for sender, online in last.items() if online}

    async def members_online(self, *names: str) -> None:
        await self.until(lambda: set(names) <= self.online())

    async def members_offline(self, *names: str) -> None:
        await self.until(lambda: not set(names) & self.online())

    def results(self, number: int) -> dict[str, Result]:
        return {s: m for s, m in self.heard if isinstance(m, Result) and m.round == number}

    def aborts(self, number: int) -> dict[str, Abort]:
        return {s: m for s, m in self.heard if isinstance(m, Abort) and m.round == number}

    def commitments(self, number: int) -> dict[str, Commitment]:
        return {s: m for s, m in self.heard if isinstance(m, Commitment) and m.round == number}

    async def propose(self, proposal: Proposal) -> None:
        await self.bus.publish(proposal)

    async def round(self, proposal: Proposal) -> dict[str, Result]:
        """Call a round and wait for the results of its whole committee; an abort fails the test at once."""
        number, size = proposal.round, len(proposal.committee)
        await self.propose(proposal)
        await self.until(lambda: len(self.results(number)) == size or bool(self.aborts(number)))
        assert not self.aborts(number), self.aborts(number)
        return self.results(number)


@asynccontextmanager
async def calling(world: World, **options: object) -> AsyncIterator[Caller]:
    """A caller on the world's broker."""
    async with Bus(world.consortium, world.coordinator, **options) as bus:
        caller = Caller(world, bus)
        listening = asyncio.create_task(caller.listen())
        try:
            yield caller
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
