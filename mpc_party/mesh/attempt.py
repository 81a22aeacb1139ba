"""One session from its first dial to its end: its deadline, and how other threads stop it."""

import threading

from mpc_party.mesh.errors import MeshError
from mpc_party.mesh.waiting import Waker


class Attempt:
    """Shared by the thread that runs a session, its helpers, and whoever aborts it."""

    def __init__(self, session_id: bytes | None, deadline: float) -> None:
        self.session_id = session_id
        self.deadline = deadline
        self.waker = Waker()
        self._lock = threading.Lock()
        self._cause: MeshError | None = None
        self.final = False  # aborted by this party itself: a dispute ends as well

    def abort(self, cause: MeshError, *, final: bool = True) -> None:
        """Stop every wait of this session; the first cause given is the one that its thread raises."""
        with self._lock:
            if self._cause is None:
                self._cause = cause
            self.final = self.final or final
        self.waker.set()

    def check(self) -> None:
        """Raise the cause if the session has been aborted."""
        if self.waker.is_set and self._cause is not None:
            raise self._cause

    @property
    def cause(self) -> MeshError | None:
        """Why it was aborted; None while it was not."""
        return self._cause

    def finish(self) -> None:
        """Give the wake-up descriptors back; a helper that still runs finds itself woken."""
        self.waker.set()
        self.waker.close()
