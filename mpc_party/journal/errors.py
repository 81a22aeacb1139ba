"""Why a journal cannot be used."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mpc_party.protocol.errors import ConsortiumError, Reason

REMEDY_DAMAGED = (
    "move it away and run `mpc-party backup import FILE`, which makes one that asks where to go on; do not start an empty"
    " one in this epoch, it would not know past promises"
)


class JournalError(ConsortiumError):
    """The journal cannot be opened, read or written, or belongs to another process or consortium."""

    default_reason = Reason.JOURNAL_UNUSABLE


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into one line that says what to do."""
    try:
        yield
    except sqlite3.Error as failure:
        code = getattr(failure, "sqlite_errorname", "SQLITE_ERROR")
        raise JournalError(f"journal {path}: {failure}", remedy=_remedy(code)) from failure
    except OSError as failure:
        raise JournalError(
            f"journal {path}: {failure.strerror or failure}",
            remedy="check the path, its owner and its permissions",
        ) from failure


def _remedy(code: str) -> str:
    if code in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
        return REMEDY_DAMAGED
    if code == "SQLITE_FULL":
        return "free some space on the disk and start the party again"
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "check the path, its owner and its permissions"
    if code == "SQLITE_BUSY":
        return "another program has the file open for writing; close it"
    return "check the disk, and that there is space left on it"
