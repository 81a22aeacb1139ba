"""The open file under a journal: one process, several threads, all or nothing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from mpc_party.journal.errors import JournalError, database_errors
from mpc_party.journal.lock import ProcessLock


class JournalStore:
    """Holds the connection and the process's lock until `close` or the end of the process."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: ProcessLock) -> None:
        self._path = path
        self._connection = connection
        self._process_lock = lock
        self._thread_lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Release the file. Can be called more than once."""
        with self._thread_lock:
            if not self._closed:
                self._closed = True
                try:
                    with database_errors(self._path):
                        self._connection.close()
                finally:
                    self._process_lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._thread_lock, database_errors(self._path):
            if self._closed:
                raise JournalError(f"journal {self._path} is closed")
            yield self._connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk when it ends without an exception."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
