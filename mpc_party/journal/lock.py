"""One process at a time: an advisory lock on a file beside the journal.

`flock` on an open file, which the kernel releases when the process ends, however it ends. The file stays (removing
it would race with the next process) and holds the pid of its last holder.
"""

import fcntl
import os
from pathlib import Path

from mpc_party.journal.errors import JournalError
from mpc_party.protocol.errors import Reason


class ProcessLock:
    """Held from construction to `release` or the end of the process.

    Raises:
        JournalError: ALREADY_RUNNING, with the pid of the holder where it is known.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip()
            self.release()
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise JournalError(
                f"{who} runs this party already and holds {path}",
                reason=Reason.ALREADY_RUNNING,
                remedy="stop it first",
            ) from None
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next process in. Can be called more than once."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
