"""Where verified messages wait for the one task that reads them."""

import asyncio
from collections import deque
from typing import Final, NamedTuple, Self

from mpc_party.protocol.messages import Message

CAPACITY: Final = 1024


class Received(NamedTuple):
    """A verified message: who signed it, the message, and its place among the sender's messages."""

    sender: str
    message: Message
    sequence: int


class Inbox:
    """A bounded queue with an end: iterate over it in one task.

    Iteration ends when the bus is closed, or raises what ended it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Received] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None

    def put(self, received: Received) -> bool:
        """Add one; False if there is no room."""
        if len(self._waiting) >= CAPACITY:
            return False
        self._waiting.append(received)
        self._changed.set()
        return True

    def close(self, failure: BaseException | None = None) -> None:
        """Let the reader come to an end after what is waiting: with `failure`, or quietly."""
        self._closed = True
        self._failure = self._failure or failure
        self._changed.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Received:
        while not self._waiting:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()
