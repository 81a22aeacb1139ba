"""A deadline on a blocking read from a process: when it passes, the process is killed and the read ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watchdog(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` unless the block ends in time."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True  # an interrupt may come before the block is entered: do not wait for the timer then
    try:
        timer.start()
        yield
    finally:
        timer.cancel()
