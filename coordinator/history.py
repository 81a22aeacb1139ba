"""What became of every round: one SQLite file, written before and after each step, read by `mpc-coordinator history`.

A round stands here, durably, before its proposal is published: no number is ever proposed twice.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from mpc_party.protocol.errors import ConsortiumError, Reason

SCHEMA_VERSION = 1
BUSY_SECONDS = 5.0
_SCHEMA = """
CREATE TABLE rounds (
    round INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,            -- number of the first attempt at the same request
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'settled', 'aborted')),
    reason TEXT,
    culprit TEXT,
    detail TEXT,
    committee TEXT NOT NULL,           -- JSON array of member names
    started_at REAL NOT NULL,          -- Unix seconds
    observed_at INTEGER,
    instruments INTEGER,
    ms TEXT,                           -- JSON object
    mesh_bytes INTEGER,
    mesh_rounds INTEGER,
    max_delta_error REAL,
    digest BLOB,
    report BLOB,                       -- canonical encoding
    book BLOB,                         -- instrument words
    signature BLOB,
    chain_id INTEGER,
    contract TEXT,
    gas INTEGER,
    tx BLOB,
    block INTEGER
) STRICT;
"""


class RoundRow(msgspec.Struct, frozen=True):
    """One round. `ms`: milliseconds per phase and in total; bytes and rounds on the mesh are those of one party."""

    round: int
    state: str
    first: int
    attempt: int
    committee: tuple[str, ...]
    started_at: float
    reason: str | None = None
    culprit: str | None = None
    detail: str | None = None
    observed_at: int | None = None
    instruments: int | None = None
    ms: dict[str, float] | None = None
    mesh_bytes: int | None = None
    mesh_rounds: int | None = None
    max_delta_error: float | None = None
    digest: bytes | None = None
    report: bytes | None = None
    book: bytes | None = None
    signature: bytes | None = None
    chain_id: int | None = None
    contract: str | None = None
    gas: int | None = None
    tx: bytes | None = None
    block: int | None = None

    def summary(self) -> dict[str, Any]:
        """One JSON object: the keys that programs read first, then the rest; byte strings as hex."""
        first_keys = (
            "round", "state", "instruments", "ms", "mesh_bytes", "mesh_rounds", "gas", "max_delta_error",
            "attempt", "first", "reason", "culprit", "detail", "committee", "started_at", "observed_at",
            "digest", "signature", "tx", "block", "chain_id", "contract",
        )  # fmt: skip
        values = {key: getattr(self, key) for key in first_keys}
        return {key: "0x" + v.hex() if isinstance(v, bytes) else v for key, v in values.items()}


_COLUMNS = tuple(field.name for field in msgspec.structs.fields(RoundRow))


class History:
    """The file. One thread at a time; several processes may read.

    Raises:
        ConsortiumError: JOURNAL_UNUSABLE, for anything that SQLite cannot do with it.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path = path
        if read_only and not path.exists():
            raise _unusable(path, "there is no such file", "run a round first, or give the right --home")
        with self._translated():
            if not read_only:
                path.parent.mkdir(parents=True, exist_ok=True)
            mode = "?mode=ro" if read_only else ""
            self._database = sqlite3.connect(
                f"{path.resolve().as_uri()}{mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                self._prepare(read_only=read_only)
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def start(self, number: int, first: int, attempt: int, committee: Sequence[str]) -> None:
        """Write a round down before it is proposed.

        Raises:
            ConsortiumError: the number has been used.
        """
        with self._translated():
            try:
                self._database.execute(
                    "INSERT INTO rounds (round, first, attempt, state, committee, started_at)"
                    " VALUES (?, ?, ?, 'running', ?, ?)",
                    (number, first, attempt, json.dumps(list(committee)), time.time()),
                )
            except sqlite3.IntegrityError:
                raise ConsortiumError(
                    f"round {number} is in the history already", reason=Reason.ROUND_ALREADY_PROMISED
                ) from None

    def update(self, number: int, **values: object) -> None:
        """Add to what is known of a round; `values` are columns of `RoundRow`."""
        unknown = set(values) - set(_COLUMNS) | {"round"} & set(values)
        if unknown or not values:
            raise ValueError(f"no such columns: {sorted(unknown)}")
        encoded = {
            k: json.dumps(v) if isinstance(v, (Mapping, tuple, list)) else v for k, v in values.items()
        }
        names = ", ".join(f"{name} = ?" for name in encoded)
        with self._translated():
            changed = self._database.execute(
                f"UPDATE rounds SET {names} WHERE round = ?",  # noqa: S608 - column names, checked above
                (*encoded.values(), number),
            ).rowcount
        if changed != 1:
            raise ConsortiumError(f"round {number} is not in the history", reason=Reason.INTERNAL)

    def last_round(self) -> int:
        """The highest number used, 0 before the first."""
        with self._translated():
            found = self._database.execute("SELECT max(round) FROM rounds").fetchone()[0]
        return int(found or 0)

    def get(self, number: int) -> RoundRow | None:
        """One round, or None."""
        return next(iter(self._select("WHERE round = ?", (number,))), None)

    def rounds(self, limit: int = 50) -> list[RoundRow]:
        """The latest rounds, oldest first."""
        return self._select("ORDER BY round DESC LIMIT ?", (limit,))[::-1]

    def running(self) -> list[RoundRow]:
        """Rounds whose end is not known: a coordinator was stopped in the middle of them."""
        return self._select("WHERE state = 'running' ORDER BY round", ())

    def last_settled(self) -> RoundRow | None:
        """The latest round that settled, or None."""
        return next(iter(self._select("WHERE state = 'settled' ORDER BY round DESC LIMIT 1", ())), None)

    def _select(self, clause: str, arguments: tuple[object, ...]) -> list[RoundRow]:
        with self._translated():
            rows = self._database.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM rounds {clause}",  # noqa: S608 - constants of this module
                arguments,
            ).fetchall()
            return [self._row(row) for row in rows]

    @staticmethod
    def _row(row: tuple[Any, ...]) -> RoundRow:
        values = dict(zip(_COLUMNS, row, strict=True))
        values["committee"] = tuple(json.loads(values["committee"]))
        values["ms"] = None if values["ms"] is None else json.loads(values["ms"])
        return RoundRow(**values)

    def _prepare(self, *, read_only: bool) -> None:
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not read_only:
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )
        elif version != SCHEMA_VERSION:
            raise _unusable(
                self._path, f"version {version}, not {SCHEMA_VERSION}", "use the release that wrote it"
            )
        if not read_only:
            # A number that was proposed must not be forgotten by a power failure.
            self._database.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, json.JSONDecodeError) as error:
            raise _unusable(
                self._path, str(error), "see that the folder is writable and has space"
            ) from error


def _unusable(path: Path, what: str, remedy: str) -> ConsortiumError:
    return ConsortiumError(f"history {path}: {what}", reason=Reason.JOURNAL_UNUSABLE, remedy=remedy)
