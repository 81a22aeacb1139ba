"""A member's bus in a process of its own: `python bus_process.py CONSORTIUM KEYSTORE`, to be killed.

Prints "online" once it is announced, and then waits for its end.
"""

from __future__ import annotations

import asyncio
import sys

import structlog

from mpc_party.protocol import Bus, Identity, Passphrase, load_consortium

PASSPHRASE = "correct horse"


async def main(consortium: str, keystore: str) -> None:
    identity = Identity.load(keystore, Passphrase(PASSPHRASE))
    async with Bus(load_consortium(consortium), identity) as bus:
        await bus.flush()
        sys.stdout.write("online\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(sys.argv[1], sys.argv[2]))
