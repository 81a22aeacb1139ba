"""An event loop that looks names up in threads that nobody waits for.

asyncio does so in threads of its own, and waits for them at the end of the loop and again at the end of the program: a
name server that does not answer would hold up whoever closes a connection for as long as it is asked.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class LookupLoop(asyncio.SelectorEventLoop):
    """An event loop whose end waits for no name server."""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - the name is asyncio's
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        """As `socket.getaddrinfo`; a lookup that is cancelled goes on by itself, and its answer is dropped.

        Raises:
            OSError: the name is not found, or the name server does not answer.
        """
        found: asyncio.Future[list[Any]] = self.create_future()

        def settle(tell: Callable[[Any], None], answer: object) -> None:
            if not found.done():
                tell(answer)

        def work() -> None:
            try:
                answer: object = socket.getaddrinfo(host, port, family, type, proto, flags)
                tell: Callable[[Any], None] = found.set_result
            except (OSError, ValueError) as error:  # ValueError: a name that IDNA does not have
                answer, tell = error, found.set_exception
            with suppress(RuntimeError):  # closed meanwhile
                self.call_soon_threadsafe(settle, tell, answer)

        threading.Thread(target=work, name=f"lookup {host!r}", daemon=True).start()
        return await found
