"""The journal's file: its tables, its version, and how it is opened and checked.

Version 1 kept of a round's input the commitment and a salt, which opened nothing without the data. Version 2 adds the
sealed openings, version 3 floors and handovers; the rest is as it was, so that an earlier file is brought up to date
where it lies, in one transaction with what its opening writes besides.
"""

import os
import sqlite3
from pathlib import Path

from mpc_party.journal.errors import REMEDY_DAMAGED, JournalError, database_errors
from mpc_party.journal.floor import Floor, raise_floor
from mpc_party.journal.handover import select_undecided, undecided_error
from mpc_party.protocol.errors import Reason

APPLICATION_ID = 0x4D50434A  # "MPCJ"
SCHEMA_VERSION = 3
_READABLE = range(1, SCHEMA_VERSION + 1)

_TABLES = """
CREATE TABLE owner (
    consortium BLOB NOT NULL CHECK (length(consortium) = 32),
    epoch INTEGER NOT NULL
) STRICT;

-- One row per promised round. Times are Unix milliseconds.
CREATE TABLE rounds (
    epoch INTEGER NOT NULL,
    round INTEGER NOT NULL CHECK (round > 0),
    proposal BLOB NOT NULL CHECK (length(proposal) = 32),
    promised_at INTEGER NOT NULL,
    snapshot BLOB CHECK (length(snapshot) = 32),      -- the commitment; the data itself is not kept
    snapshot_salt BLOB,
    digest BLOB CHECK (length(digest) = 32),          -- approved; never changes once set
    state TEXT NOT NULL CHECK (state IN ('promised', 'signed', 'settled', 'aborted')),
    reason TEXT,
    culprit TEXT,
    details TEXT,                                     -- JSON
    ended_at INTEGER,
    PRIMARY KEY (epoch, round)
) STRICT, WITHOUT ROWID;

-- A row here says that a signature share may have left. Rows are never deleted.
CREATE TABLE spent_nonces (
    nonce BLOB NOT NULL PRIMARY KEY CHECK (length(nonce) = 32),
    epoch INTEGER NOT NULL,
    round INTEGER NOT NULL,
    spent_at INTEGER NOT NULL,
    UNIQUE (epoch, round),
    FOREIGN KEY (epoch, round) REFERENCES rounds (epoch, round)
) STRICT, WITHOUT ROWID;
"""

# Apart from the rounds, which stay small to read; `id` counts up, as rounds do, so that the oldest rows have the lowest.
_TABLES_2 = """
-- What opens a round's commitment, encrypted to the member's own key. Only the newest are kept.
CREATE TABLE openings (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    round INTEGER NOT NULL,
    opening BLOB NOT NULL,
    commitments BLOB CHECK (length(commitments) % 32 = 0),  -- the committee's, in its order; these are public
    exposure BLOB,                                          -- what the round opened to this member alone, encrypted
    UNIQUE (epoch, round),
    FOREIGN KEY (epoch, round) REFERENCES rounds (epoch, round)
) STRICT;
"""

_TABLES_3 = """
-- Rounds of an epoch up to this one are closed, promised here or not. Never lowered.
CREATE TABLE floors (
    epoch INTEGER NOT NULL PRIMARY KEY,
    round INTEGER NOT NULL CHECK (round >= 0),
    why TEXT NOT NULL,
    known INTEGER NOT NULL CHECK (known IN (0, 1)),   -- 0: restored; later rounds may have been promised too
    raised_at INTEGER NOT NULL
) STRICT;

-- Changes of epoch. A row that was attested says that this member's signature under the new epoch may have left.
CREATE TABLE handovers (
    ceremony BLOB NOT NULL PRIMARY KEY CHECK (length(ceremony) = 32),
    state TEXT NOT NULL CHECK (state IN ('attested', 'aborted', 'committed')),
    from_epoch INTEGER NOT NULL,
    to_epoch INTEGER CHECK (to_epoch > from_epoch),   -- not there if it was refused before it was attested
    plan BLOB CHECK (length(plan) = 32),
    attested_at INTEGER,
    decided_at INTEGER,
    CHECK (state = 'aborted' OR (to_epoch IS NOT NULL AND plan IS NOT NULL AND attested_at IS NOT NULL)),
    CHECK ((state = 'attested') = (decided_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX one_undecided ON handovers (state) WHERE state = 'attested';
"""


def open_database(
    path: Path, *, consortium: bytes, epoch: int, beginning: Floor | None = None
) -> sqlite3.Connection:
    """Open the file, or create it (mode 0600) where there is none, and check that it is this party's journal.

    Args:
        path: the file.
        consortium: 32 bytes.
        epoch: to open it in.
        beginning: the floor of the epoch, if the journal is made by this or enters the epoch by it; in the same write.

    Raises:
        JournalError: JOURNAL_UNUSABLE - damaged, not a journal, of a later version, or not writable;
            CONSORTIUM_MISMATCH - of another consortium, or it has already seen a later epoch;
            HANDOVER_UNDECIDED - of an earlier epoch, which it leaves by a handover only.
    """
    with database_errors(path):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            _require_intact(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on the disk when it returns
            connection.execute("BEGIN IMMEDIATE")
            try:
                created = _create_where_empty(connection, consortium, epoch)
                _migrate(connection)
                entered = _require_owner(connection, path, consortium, epoch)
                if beginning is not None and (created or entered):
                    raise_floor(connection, epoch, beginning)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
    return connection


def _require_intact(connection: sqlite3.Connection, path: Path) -> None:
    (finding,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if finding != "ok":
        raise JournalError(f"journal {path} is damaged: {' '.join(finding.split())}", remedy=REMEDY_DAMAGED)
    require_version(connection, path, allow_empty=True)


def require_version(connection: sqlite3.Connection, path: Path, *, allow_empty: bool) -> None:
    """Refuse a database of another program or of a later version of this one."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if allow_empty and (application, version, tables) == (0, 0, 0):
        return
    if application != APPLICATION_ID:
        raise JournalError(f"{path} is not a party's journal", remedy="check the path in the configuration")
    if version not in _READABLE:
        raise JournalError(
            f"journal {path} has version {version}, this program reads versions up to {SCHEMA_VERSION}",
            remedy="use the version of the program that wrote it",
        )


def _create_where_empty(connection: sqlite3.Connection, consortium: bytes, epoch: int) -> bool:
    """Whether the file was empty."""
    if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return False
    _execute_all(connection, _TABLES)
    connection.execute("INSERT INTO owner (consortium, epoch) VALUES (?, ?)", (consortium, epoch))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    return True


def _migrate(connection: sqlite3.Connection) -> None:
    """Bring a file of an earlier version, which a new one is at first, up to date: more tables, nothing changed."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for later, tables in ((2, _TABLES_2), (3, _TABLES_3)):
        if version < later:
            _execute_all(connection, tables)
            connection.execute(f"PRAGMA user_version = {later}")


def _execute_all(connection: sqlite3.Connection, script: str) -> None:
    """Statement by statement: `executescript` would end the transaction."""
    for statement in script.split(";\n"):
        if statement.strip():
            connection.execute(statement)


def _require_owner(connection: sqlite3.Connection, path: Path, consortium: bytes, epoch: int) -> bool:
    """Whether this opening takes the journal to a later epoch."""
    stored, latest = connection.execute("SELECT consortium, epoch FROM owner").fetchone()
    if stored != consortium:
        raise JournalError(
            f"journal {path} belongs to the consortium {stored.hex()[:16]}..., not {consortium.hex()[:16]}...",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="give each consortium a directory of its own",
        )
    if epoch < latest:
        raise JournalError(
            f"journal {path} has seen epoch {latest}, the consortium file is of epoch {epoch}",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="use the current consortium file",
        )
    if epoch == latest:
        return False
    undecided = select_undecided(connection)
    if undecided is not None:
        raise undecided_error(undecided)
    connection.execute("UPDATE owner SET epoch = ?", (epoch,))
    return True
