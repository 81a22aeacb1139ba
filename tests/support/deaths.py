"""Deaths at every step: a member's thread is killed before or after each write, rename, sync and message, by its number.

A thread that is dead does nothing durable any more, whatever its `finally` blocks try: it is as after kill -9, but for the
sockets, which are closed as the kernel would close them.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from mpc_party.journal import Journal
from mpc_party.mesh.session import MeshSession

FILE_STEPS = ("replace", "rename", "unlink", "rmdir", "mkdir", "fsync", "link")
JOURNAL_STEPS = ("attest_handover", "commit_handover", "abort_handover", "raise_floor", "distrust")


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Deaths:
    """Counts the steps of the threads of one name, and kills at one of them."""

    victim: str
    at: int | tuple[str, str] | None = (
        None  # None: only count; two names: the first such step after the other
    )
    steps: list[str] = field(default_factory=list)
    dead: bool = False

    def step(self, what: str) -> bool:
        """Count a step of this thread; whether it is the one to die at."""
        if threading.current_thread().name != self.victim:
            return False
        if self.dead:
            raise Killed
        self.steps.append(what)
        if isinstance(self.at, tuple):
            return what == self.at[1] and self.at[0] in self.steps
        return self.at == len(self.steps) - 1

    def die(self) -> None:
        self.dead = True
        raise Killed

    def around(self, what: str, call: Callable) -> Callable:
        def stepped(*arguments, **named):
            if self.step(f"before {what}"):
                self.die()
            result = call(*arguments, **named)
            if self.step(f"after {what}"):
                self.die()
            return result

        return stepped

    def exchange(self, call: Callable) -> Callable:
        """Before an exchange; after it was sent to one peer only; after all of it."""

        def stepped(session, kind, outgoing, expect):
            if self.step(f"before {kind.name}"):
                self.die()
            if self.step(f"half of {kind.name}"):
                first = dict(list(outgoing.items())[:1])
                call(session, kind, first, ())
                self.die()
            result = call(session, kind, outgoing, expect)
            if self.step(f"after {kind.name}"):
                self.die()
            return result

        return stepped


def distinct(steps: list[str]) -> list[int]:
    """The steps that leave different disks: after one is before the next."""
    return [at for at, step in enumerate(steps) if not step.startswith("after")]


@contextmanager
def deaths(victim: str, at: int | tuple[str, str] | None = None):
    counting = Deaths(victim, at)
    with pytest.MonkeyPatch.context() as patch:
        for name in FILE_STEPS:
            patch.setattr(os, name, counting.around(name, getattr(os, name)))
        for name in JOURNAL_STEPS:
            patch.setattr(Journal, name, counting.around(name, getattr(Journal, name)))
        patch.setattr(MeshSession, "exchange", counting.exchange(MeshSession.exchange))
        yield counting
