"""Where a journal stands: its epoch, its floor, and what keeps it from promising rounds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mpc_party.journal.errors import JournalError
from mpc_party.journal.floor import Floor, select_floor
from mpc_party.journal.handover import Handover, select_undecided, undecided_error
from mpc_party.journal.records import reading
from mpc_party.protocol.errors import Reason

REMEDY_RESTORED: Final = (
    "find the highest round that any member has seen (another member's `mpc-party status`, or `mpc-coordinator history`)"
    " and say it with `mpc-party backup import FILE --after-round N`; or `mpc-party recover`, together with the others"
)


@dataclass(frozen=True)
class Standing:
    """`epoch`: the latest that the journal has seen. `last_round`: its rounds up to this one are closed.

    `floor`: of that epoch. `undecided`: the change of epoch whose end is not known here.
    """

    consortium: bytes
    epoch: int
    last_round: int
    floor: Floor
    undecided: Handover | None

    @property
    def obstacle(self) -> JournalError | None:
        """Why this journal promises nothing, and what to do; None where it does."""
        return obstacle(self.undecided, self.floor, self.epoch)

    def refusal(self, epoch: int) -> JournalError | None:
        """Why a consortium file of this epoch starts nothing here; None where the journal has seen no later one."""
        if epoch >= self.epoch:
            return None
        return JournalError(
            f"the journal has seen epoch {self.epoch}, the consortium file is of epoch {epoch}",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="use the current consortium file",
        )


def obstacle(undecided: Handover | None, floor: Floor, epoch: int) -> JournalError | None:
    """HANDOVER_UNDECIDED or RESTORED_UNSAFE, with what to do; None where rounds can be promised."""
    if undecided is not None:
        return undecided_error(undecided)
    if not floor.known:
        return JournalError(
            f"the journal was restored: rounds of epoch {epoch} after round {floor.round} may have been promised by the"
            " one that was lost",
            reason=Reason.RESTORED_UNSAFE,
            remedy=REMEDY_RESTORED,
        )
    return None


def highest_promised(connection: sqlite3.Connection, epoch: int) -> int:
    """The highest round that was promised in an epoch, 0 if there is none."""
    row = connection.execute("SELECT max(round) FROM rounds WHERE epoch = ?", (epoch,)).fetchone()
    return int(row[0] or 0)


def read_standing(path: Path) -> Standing | None:
    """Where a journal stands that another process may be writing. Read-only, takes no lock, changes no version.

    Returns:
        None where there is none: no file, or one whose making was cut off before anything was in it.

    Raises:
        JournalError: it is not a journal, damaged, or of a later version.
    """
    if not path.exists():
        return None
    with reading(path, allow_empty=True) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            return None
        consortium, epoch = connection.execute("SELECT consortium, epoch FROM owner").fetchone()
        floor, undecided = Floor(), None
        if version >= 3:
            floor, undecided = select_floor(connection, epoch), select_undecided(connection)
        last = max(highest_promised(connection, epoch), floor.round)
        return Standing(consortium, epoch, last, floor, undecided)
