"""The floor of an epoch: rounds up to it count as closed, although this journal never promised them.

A new epoch gets its floor from the handover, so that rounds count on. A journal that was made anew beside a backup
has a floor that is not `known`: the one that was lost may have promised more. Nothing is promised until somebody says
where it is safe to go on.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Final

MAX_ROUND: Final = 2**63 - 1  # what an SQLite integer holds
MAX_WHY: Final = 200


@dataclass(frozen=True)
class Floor:
    """Rounds up to `round` are closed; `known` is False where later ones may have been promised too. `why`: for people."""

    round: int = 0
    why: str = ""
    known: bool = True

    def __post_init__(self) -> None:
        """Check.

        Raises:
            ValueError: not a round number, or a long reason.
        """
        if not 0 <= self.round <= MAX_ROUND:
            raise ValueError(f"a floor must be from 0 to {MAX_ROUND}, not {self.round}")
        if len(self.why) > MAX_WHY:
            raise ValueError(f"the reason of a floor has at most {MAX_WHY} characters")


def select_floor(connection: sqlite3.Connection, epoch: int) -> Floor:
    """The floor of an epoch; 0 where nobody set one."""
    row = connection.execute("SELECT round, why, known FROM floors WHERE epoch = ?", (epoch,)).fetchone()
    return Floor() if row is None else Floor(row[0], row[1], bool(row[2]))


def raise_floor(connection: sqlite3.Connection, epoch: int, floor: Floor) -> None:
    """Put a floor in force, in the caller's transaction. The round is never lowered; `known` is what the new one says."""
    connection.execute(
        "INSERT INTO floors (epoch, round, why, known, raised_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (epoch) DO UPDATE SET round = max(round, excluded.round), why = excluded.why,"
        " known = excluded.known, raised_at = excluded.raised_at",
        (epoch, floor.round, floor.why, floor.known, time.time_ns() // 1_000_000),
    )
