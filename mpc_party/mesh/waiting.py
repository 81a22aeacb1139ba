"""Deadlines, and a wake-up call that reaches a thread blocked on sockets."""

import math
import os
import select
import threading
import time

READ = select.POLLIN
WRITE = select.POLLOUT
_LONGEST = 3600.0  # seconds in one poll, whose argument is a C int of milliseconds; waits are loops


def deadline_in(seconds: float) -> float:
    """Return the deadline that lies so many seconds ahead, as all of the mesh takes it: `time.monotonic()` seconds."""
    return time.monotonic() + seconds


def milliseconds_until(deadline: float) -> int:
    """Return what is left, for `poll`: rounded up, so as not to spin in the last millisecond; at most an hour."""
    return math.ceil(min(max(0.0, deadline - time.monotonic()), _LONGEST) * 1000)


class Waker:
    """A flag that other threads set and that `poll` can wait on beside sockets. Set once, stays set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        self._closed = False
        self.is_set = False

    def fileno(self) -> int:
        """Return the descriptor that becomes readable."""
        return self._reader

    def set(self) -> None:
        """Wake every poll on this, now and later. From any thread."""
        with self._lock:
            if not self.is_set and not self._closed:
                os.write(self._writer, b"\0")
            self.is_set = True

    def close(self) -> None:
        """Give the descriptors back. Only when nobody polls any more."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
                os.close(self._writer)

    def wait(self, deadline: float) -> bool:
        """Block until set or until the deadline; return whether it is set."""
        return wait_for(-1, 0, deadline, self) is None and self.is_set


def wait_for(descriptor: int, events: int, deadline: float, waker: Waker) -> int | None:
    """Block until the descriptor is ready; return its events, 0 at the deadline, or None when woken."""
    poll = select.poll()
    poll.register(waker.fileno(), READ)
    if descriptor >= 0:
        poll.register(descriptor, events)
    while not waker.is_set:
        remaining = milliseconds_until(deadline)
        ready = dict(poll.poll(remaining))
        if descriptor in ready and not waker.is_set:
            return ready[descriptor]
        if not ready and remaining == 0:
            return 0
    return None
