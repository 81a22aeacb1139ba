"""The part of the journal that knows where an epoch begins and how it ends: floors and handovers."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mpc_party.journal import handover
from mpc_party.journal.floor import Floor, raise_floor, select_floor
from mpc_party.journal.handover import Handover
from mpc_party.journal.lock import ProcessLock
from mpc_party.journal.standing import highest_promised, obstacle
from mpc_party.journal.store import JournalStore
from mpc_party.protocol.errors import Reason, RoundError

# One question instead of three, as it is asked between two messages of a signature.
_ACTING = """
SELECT epoch = ?1 AND NOT EXISTS (SELECT 1 FROM handovers WHERE state = 'attested')
           AND coalesce((SELECT known FROM floors WHERE epoch = ?1), 1),
       coalesce((SELECT round FROM floors WHERE epoch = ?1), 0)
FROM owner
"""


class EpochJournal(JournalStore):
    """An open journal in one epoch."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: ProcessLock, epoch: int) -> None:
        super().__init__(path, connection, lock)
        self._epoch = epoch

    @property
    def epoch(self) -> int:
        """The epoch that all methods speak of."""
        return self._epoch

    def last_round(self) -> int:
        """All rounds of this epoch up to this one are closed: the highest promised or the floor, 0 if there is neither."""
        with self._reading() as connection:
            return self._last(connection)

    def raise_floor(self, round_number: int, why: str) -> None:
        """Close all rounds of this epoch up to this one, running ones too. A floor is never lowered.

        Who calls says as well that a restored journal may go on above it: no later round was promised by this party.

        Args:
            round_number: from 0; one below the floor leaves it where it is.
            why: for people, at most 200 characters.

        Raises:
            ValueError: out of range.
        """
        with self._transaction() as connection:
            raise_floor(connection, self._epoch, Floor(round_number, why))

    def distrust(self, round_number: int, why: str) -> None:
        """Say that this journal does not know all that was promised in the epoch, which went at least to this round.

        Nothing is promised from now on, until `raise_floor` says where it is safe to go on, or a handover ends the epoch.
        """
        with self._transaction() as connection:
            raise_floor(connection, self._epoch, Floor(round_number, why, known=False))

    def floor(self) -> Floor:
        """The floor of this epoch."""
        with self._reading() as connection:
            return select_floor(connection, self._epoch)

    def require_ready(self) -> None:
        """Refuse to start a party that could promise nothing.

        Raises:
            JournalError: HANDOVER_UNDECIDED or RESTORED_UNSAFE, with what to do.
        """
        with self._reading() as connection:
            found = obstacle(
                handover.select_undecided(connection), select_floor(connection, self._epoch), self._epoch
            )
        if found is not None:
            raise found

    def attest_handover(self, ceremony: bytes, plan: bytes, to_epoch: int) -> None:
        """Write down that this member's signature over a change of epoch leaves, before it does; again if it is the same.

        From then on nothing is promised, approved or signed in this epoch, until the handover is aborted.

        Args:
            ceremony: 32 bytes that name this attempt, fresh for each.
            plan: 32 bytes, hash of all that is signed.
            to_epoch: later than this one.

        Raises:
            JournalError: HANDOVER_ENDED - this ceremony was aborted or committed here, or the epoch is over;
                HANDOVER_UNDECIDED - another one is, or this one with another plan.
        """
        with self._transaction() as connection:
            handover.attest(connection, self._epoch, ceremony, plan, to_epoch)

    def abort_handover(self, ceremony: bytes) -> None:
        """Go back to the old epoch: this ceremony is never attested (again) here. Written before anybody is told.

        To be called where it is certain that the ceremony cannot complete: some participant has not signed and has
        aborted it too. Also for a ceremony that was not attested here, before this member says so to others.

        Raises:
            JournalError: HANDOVER_ENDED, if it was committed here.
        """
        with self._transaction() as connection:
            handover.abort(connection, self._epoch, ceremony)

    def commit_handover(self, ceremony: bytes, *, floor: int) -> None:
        """Leave this epoch for ever, in one write; again changes nothing. Open the journal anew for the new epoch.

        Args:
            ceremony: attested here, with signatures of all participants.
            floor: of the new epoch, as the participants agreed; at least the highest round ever promised here is used.

        Raises:
            JournalError: HANDOVER_ENDED, if it was aborted or never attested here.
        """
        with self._transaction() as connection:
            handover.commit(connection, ceremony, floor)

    def undecided(self) -> Handover | None:
        """The change of epoch that was attested here and neither committed nor aborted."""
        with self._reading() as connection:
            return handover.select_undecided(connection)

    def handover(self, ceremony: bytes) -> Handover | None:
        """What became of one ceremony here; None if nothing is written of it."""
        with self._reading() as connection:
            return handover.select_handover(connection, ceremony)

    def _last(self, connection: sqlite3.Connection) -> int:
        return max(highest_promised(connection, self._epoch), select_floor(connection, self._epoch).round)

    def _require_acting(self, connection: sqlite3.Connection) -> int:
        """Nothing that leads to a signature is done in an epoch that is over or may be, or without knowing the past.

        Returns:
            The floor.
        """
        acting, floor = connection.execute(_ACTING, (self._epoch,)).fetchone()
        if not acting:
            raise self._inactive(connection)
        return int(floor)

    def _inactive(self, connection: sqlite3.Connection) -> RoundError:
        (latest,) = connection.execute("SELECT epoch FROM owner").fetchone()
        found = obstacle(
            handover.select_undecided(connection), select_floor(connection, self._epoch), self._epoch
        )
        if latest == self._epoch and found is not None:
            return RoundError(found.message, reason=found.reason, remedy=found.remedy)
        return RoundError(
            f"epoch {self._epoch} is over, the journal is in epoch {latest}",
            reason=Reason.HANDOVER_ENDED,
            remedy="start the party again with the current consortium file",
        )
