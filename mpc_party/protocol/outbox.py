"""Where signed messages wait for the broker: bounded, in order, without those that came too late."""

import asyncio
from collections import deque
from typing import Final, NamedTuple

from mpc_party.protocol.broker_access import BrokerError
from mpc_party.protocol.envelope import Sealed

CAPACITY: Final = 256


class Outgoing(NamedTuple):
    """A signed message on its way, and the name of its type for the log."""

    sealed: Sealed
    kind: str


class Outbox:
    """The messages that the broker has not acknowledged yet."""

    def __init__(self) -> None:
        self._waiting: deque[Outgoing] = deque()
        self._changed = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: Outgoing, now_ms: int) -> list[Outgoing]:
        """Add a message; returns those that had expired and were dropped to make room.

        Raises:
            BrokerError: there is no room: the broker has been away for too long.
        """
        expired: list[Outgoing] = []
        if len(self._waiting) >= CAPACITY:
            expired = [old for old in self._waiting if old.sealed.expiry < now_ms]
            self._waiting = deque(old for old in self._waiting if old.sealed.expiry >= now_ms)
        if len(self._waiting) >= CAPACITY:
            raise BrokerError(f"{CAPACITY} messages are waiting for the broker already")
        self._waiting.append(item)
        self.touch()
        return expired

    def touch(self) -> None:
        """Wake whoever sends; there is something to do, here or elsewhere."""
        self._empty.clear()
        self._changed.set()

    def head(self) -> Outgoing | None:
        """The oldest message, which stays until `done`."""
        return self._waiting[0] if self._waiting else None

    def done(self, item: Outgoing) -> None:
        """The message was acknowledged, or has expired."""
        if self._waiting and self._waiting[0] is item:
            self._waiting.popleft()

    async def wait_changed(self) -> None:
        """Nothing is left to send: say so, and wait until there is."""
        self._empty.set()
        self._changed.clear()
        await self._changed.wait()

    async def wait_empty(self) -> None:
        """Wait until all is sent."""
        await self._empty.wait()
