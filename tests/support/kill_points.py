"""Where a party process can kill itself: at each message and each journal write that it comes to."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mpc_party.journal import Journal
from mpc_party.mesh.exchange import DisputableExchange, FrameKind

# before: it is about to begin. middle: a message has gone to one peer only, or a write is not committed. after: it is
# complete. sometime: up to 2 ms after it began, wherever the process is by then.
MOMENTS = ("before", "middle", "after", "sometime")
_SOMETIME_SECONDS = 2e-3


class Draws:
    """Numbers from a seed, the same in every run."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def below(self, limit: int) -> int:
        self._count += 1
        block = hashlib.sha256(f"{self._seed}/{self._count}".encode()).digest()
        return int.from_bytes(block, "big") % limit

    def shuffled(self, items: Collection[Any]) -> list[Any]:
        rest = list(items)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]


@dataclass(frozen=True)
class Kill:
    """Member `member` ends at its event number `event`. `drawn` is below 1000: how late `sometime` is."""

    member: int
    event: int
    moment: str
    drawn: int


@dataclass
class KillSwitch:
    """Counts the events of one process, and ends it with SIGKILL at the planned one."""

    plan: Kill | None = None
    events: list[str] = field(default_factory=list)

    @contextmanager
    def event(self, kind: str) -> Iterator[bool]:
        """Around anything that leaves a trace outside the process. Yields whether to die in the middle of it."""
        plan = self.plan if self.plan is not None and self.plan.event == len(self.events) else None
        self.events.append(kind)
        if plan is not None and plan.moment == "before":
            die()
        if plan is not None and plan.moment == "sometime":
            threading.Timer(_SOMETIME_SECONDS * plan.drawn / 1000, die).start()
        yield plan is not None and plan.moment == "middle"
        if plan is not None and plan.moment == "after":
            die()


def die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL returned")


class KillingExchange:
    """An exchange whose process may end at any message; tells `heard` what came in."""

    def __init__(
        self, inner: DisputableExchange, switch: KillSwitch, heard: Callable[[int, FrameKind, bytes], None]
    ) -> None:
        self._inner, self._switch, self._heard = inner, switch, heard

    @property
    def own(self) -> int:
        return self._inner.own

    @property
    def peers(self) -> tuple[int, ...]:
        return self._inner.peers

    def exchange(
        self, kind: FrameKind, outgoing: Mapping[int, bytes | memoryview], expect: Collection[int]
    ) -> dict[int, bytes]:
        with self._switch.event(kind.name.lower()) as fatal:
            if fatal:
                first = self._switch.plan.drawn % len(outgoing)
                self._inner.exchange(kind, dict([list(outgoing.items())[first]]), ())
                die()
            received = self._inner.exchange(kind, outgoing, expect)
            for peer, data in received.items():
                self._heard(peer, kind, data)
        return received

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        with self._switch.event("dispute"):
            return self._inner.dispute(payload, seconds)


class KillingJournal(Journal):
    """A real journal, with its fsync, whose process may end at any write."""

    switch: KillSwitch

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self.switch.event("write") as fatal, super()._transaction() as connection:
            yield connection
            if fatal:  # everything is written, nothing is committed
                die()
