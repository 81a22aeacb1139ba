"""The journal that a running party writes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from mpc_party.journal.epoch import EpochJournal
from mpc_party.journal.errors import database_errors
from mpc_party.journal.floor import Floor
from mpc_party.journal.lock import ProcessLock
from mpc_party.journal.records import (
    OpeningRecord,
    RoundRecord,
    RoundState,
    SnapshotCommitment,
    select_opening,
    select_rounds,
)
from mpc_party.journal.schema import open_database
from mpc_party.journal.standing import highest_promised
from mpc_party.protocol.errors import Reason, RoundError

_FOLLOWS: Final = {
    RoundState.PROMISED: {RoundState.SIGNED, RoundState.SETTLED, RoundState.ABORTED},
    RoundState.SIGNED: {RoundState.SETTLED, RoundState.ABORTED},
    # Others may have finished and settled what this party could not.
    RoundState.ABORTED: {RoundState.SETTLED},
    RoundState.SETTLED: set(),
}
_HASH_BYTES: Final = 32
KEEP_ROUNDS: Final = 20_000  # openings kept: about 28 hours of rounds every five seconds


class Journal(EpochJournal):
    """One party's memory in one epoch. Every writing method returns when the write is on the disk (about 0.3 ms).

    Safe to call from several threads. Write first, act then: a promise is in the journal before it is made.
    Where a write fails, the caller must not act.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: ProcessLock, epoch: int, keep_rounds: int
    ) -> None:
        super().__init__(path, connection, lock, epoch)
        self._keep_rounds = keep_rounds

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        consortium: bytes,
        epoch: int,
        keep_rounds: int = KEEP_ROUNDS,
        beginning: Floor | None = None,
    ) -> Journal:
        """Open or create the journal of this party, and hold it until `close` or the end of the process.

        With an undecided handover it opens in the epoch before, to be read and decided; see `require_ready`.

        Args:
            path: the file; `<path>.lock` is created beside it, and SQLite's `-wal` and `-shm`.
            consortium: the 32-byte id that the consortium keeps for ever.
            epoch: of the consortium file in force; all methods speak of rounds in this epoch.
            keep_rounds: how many rounds, besides the one in hand, can be opened later; what is older is forgotten.
            beginning: floor of the epoch, if this opening makes the journal or enters the epoch; else not used.

        Raises:
            JournalError: ALREADY_RUNNING, JOURNAL_UNUSABLE, CONSORTIUM_MISMATCH (another consortium's journal, or an
                epoch earlier than one it has seen), or HANDOVER_UNDECIDED (a later epoch than the one it must decide about).
        """
        if keep_rounds < 0:
            raise ValueError("keep_rounds must not be negative")
        with database_errors(path):
            lock = ProcessLock(path.with_name(path.name + ".lock"))
        try:
            connection = open_database(path, consortium=consortium, epoch=epoch, beginning=beginning)
        except BaseException:
            lock.release()
            raise
        return cls(path, connection, lock, epoch, keep_rounds)

    def promise_round(self, round_number: int, proposal_digest: bytes) -> None:
        """Promise to take part in a round, once, and in no earlier one from now on. Forgets the oldest openings.

        Raises:
            RoundError: ROUND_ALREADY_PROMISED, if this or a later round of the epoch has been promised or closed;
                HANDOVER_UNDECIDED, HANDOVER_ENDED or RESTORED_UNSAFE, as whatever else leads to a signature.
        """
        _require_hash(proposal_digest)
        with self._transaction() as connection:
            floor, highest = self._require_acting(connection), highest_promised(connection, self._epoch)
            last = max(floor, highest)
            if round_number <= last:
                closed = "which has been promised" if last == highest else "up to which rounds are closed"
                raise RoundError(
                    f"round {round_number} is not above round {last}, {closed}",
                    reason=Reason.ROUND_ALREADY_PROMISED,
                    remedy=f"propose round {last + 1} or a later one",
                )
            connection.execute(
                "INSERT INTO rounds (epoch, round, proposal, promised_at, state) VALUES (?, ?, ?, ?, ?)",
                (self._epoch, round_number, proposal_digest, _now(), RoundState.PROMISED.value),
            )
            # Openings only: a promise and a spent nonce are never forgotten.
            connection.execute(
                "DELETE FROM openings WHERE id <= (SELECT max(id) FROM openings) - ?", (self._keep_rounds,)
            )

    def record_snapshot(self, round_number: int, commitment: bytes, *, opening: bytes) -> None:
        """Keep this party's commitment to its input, and what opens it, before the commitment leaves.

        Args:
            round_number: an open round.
            commitment: 32 bytes.
            opening: sealed by `mpc_party.audit.opening.seal_opening`.

        Raises:
            RoundError: PROPOSAL_REFUSED, if the round is not open or has another commitment.
        """
        _require_hash(commitment)
        with self._transaction() as connection:
            self._require_open(connection, round_number)
            stored = self._column(connection, round_number, "snapshot")
            if stored is not None and stored != commitment:
                raise RoundError(f"round {round_number} has another commitment to its snapshot")
            connection.execute(
                "UPDATE rounds SET snapshot = ? WHERE epoch = ? AND round = ?",
                (commitment, self._epoch, round_number),
            )
            if stored is None:  # the first opening of a commitment is as good as the next
                connection.execute(
                    "INSERT INTO openings (epoch, round, opening) VALUES (?, ?, ?)",
                    (self._epoch, round_number, opening),
                )

    def record_exposure(
        self, round_number: int, exposure: bytes | None, commitments: Sequence[bytes] = ()
    ) -> None:
        """Keep what a round opened to this party alone, and the commitments that it was run with.

        Args:
            round_number: a round of this epoch with an opening; without one, nothing is kept.
            exposure: sealed by `mpc_party.audit.opening.seal_exposure`; None where nothing was opened to this party.
            commitments: the committee's, 32 bytes each, in its order. They are public. The report has their Merkle
                root only; with the list, an audit can say whose opening does not fit.

        Raises:
            RoundError: PROPOSAL_REFUSED, if the round was not promised.
        """
        for commitment in commitments:
            _require_hash(commitment)
        with self._transaction() as connection:
            self._state(connection, round_number)
            connection.execute(
                "UPDATE openings SET exposure = ?, commitments = ? WHERE epoch = ? AND round = ?",
                (exposure, b"".join(commitments), self._epoch, round_number),
            )

    def opening(self, round_number: int) -> OpeningRecord | None:
        """What is kept to open a round of this epoch; None if there is nothing."""
        with self._reading() as connection:
            return select_opening(connection, self._epoch, round_number)

    def snapshot(self, round_number: int) -> SnapshotCommitment | None:
        """The commitment of a round, if there is one."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT snapshot, snapshot_salt FROM rounds WHERE epoch = ? AND round = ?",
                (self._epoch, round_number),
            ).fetchone()
        return None if row is None or row[0] is None else SnapshotCommitment(row[0], row[1])

    def approve_digest(self, round_number: int, digest: bytes) -> None:
        """Approve the digest of a round; again if it is the same, never another.

        Raises:
            RoundError: APPROVAL_MISMATCH for another digest; PROPOSAL_REFUSED if the round is not open.
        """
        _require_hash(digest)
        with self._transaction() as connection:
            self._approve(connection, round_number, digest)

    def spend_nonce(self, round_number: int, nonce_id: bytes) -> None:
        """Mark a nonce used, before the share made with it leaves. One per round, and each once for ever.

        Raises:
            RoundError: NONCE_SPENT; PROPOSAL_REFUSED if the round is not open or has no approved digest.
        """
        _require_hash(nonce_id)
        with self._transaction() as connection:
            self._spend(connection, round_number, nonce_id)

    def approve_and_spend(self, round_number: int, digest: bytes, nonce_id: bytes) -> None:
        """Do what `approve_digest` and `spend_nonce` do, in one write: both or neither.

        Raises:
            RoundError: as they do.
        """
        _require_hash(digest)
        _require_hash(nonce_id)
        with self._transaction() as connection:
            self._approve(connection, round_number, digest)
            self._spend(connection, round_number, nonce_id)

    def record_outcome(
        self,
        round_number: int,
        state: RoundState,
        *,
        reason: Reason | None = None,
        culprit: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Say how a promised round ended. A repetition of the state it is in changes nothing.

        Args:
            round_number: a promised round.
            state: SIGNED, SETTLED or ABORTED. ABORTED and SIGNED may become SETTLED, SIGNED may become ABORTED.
            reason: why it was aborted.
            culprit: name of the member at fault, where that is known.
            details: public facts in JSON types, such as times; replaces earlier ones if given.

        Raises:
            RoundError: PROPOSAL_REFUSED, if the round was not promised or cannot go from its state to this one.
        """
        encoded = None if details is None else msgspec.json.encode(dict(details)).decode()
        with self._transaction() as connection:
            current = self._state(connection, round_number)
            if state == current:
                return
            if state not in _FOLLOWS[current]:
                raise RoundError(f"round {round_number} is {current}: it cannot become {state}")
            connection.execute(
                "UPDATE rounds SET state = ?, reason = ?, culprit = ?, details = coalesce(?, details), ended_at = ?"
                " WHERE epoch = ? AND round = ?",
                (state.value, reason, culprit, encoded, _now(), self._epoch, round_number),
            )

    def rounds(self, limit: int = 50) -> list[RoundRecord]:
        """The newest rounds first, over all epochs."""
        with self._reading() as connection:
            return select_rounds(connection, limit)

    def _approve(self, connection: sqlite3.Connection, round_number: int, digest: bytes) -> None:
        self._require_open(connection, round_number)
        approved = self._column(connection, round_number, "digest")
        if approved is not None and approved != digest:
            raise RoundError(
                f"round {round_number} has another digest approved already", reason=Reason.APPROVAL_MISMATCH
            )
        connection.execute(
            "UPDATE rounds SET digest = ? WHERE epoch = ? AND round = ?", (digest, self._epoch, round_number)
        )

    def _spend(self, connection: sqlite3.Connection, round_number: int, nonce_id: bytes) -> None:
        spent = connection.execute(
            "SELECT round FROM spent_nonces WHERE nonce = ? OR (epoch = ? AND round = ?)",
            (nonce_id, self._epoch, round_number),
        ).fetchone()
        if spent is not None:
            raise RoundError(
                f"a nonce has been used in round {spent[0]}",
                reason=Reason.NONCE_SPENT,
                remedy="start a new round",
            )
        self._require_open(connection, round_number)
        if self._column(connection, round_number, "digest") is None:
            raise RoundError(f"round {round_number} has no approved digest to sign")
        connection.execute(
            "INSERT INTO spent_nonces (nonce, epoch, round, spent_at) VALUES (?, ?, ?, ?)",
            (nonce_id, self._epoch, round_number, _now()),
        )

    def _column(self, connection: sqlite3.Connection, round_number: int, name: str) -> Any:  # noqa: ANN401 - SQLite's
        row = connection.execute(
            f"SELECT {name} FROM rounds WHERE epoch = ? AND round = ?",  # noqa: S608 - a literal of this module
            (self._epoch, round_number),
        ).fetchone()
        return None if row is None else row[0]

    def _state(self, connection: sqlite3.Connection, round_number: int) -> RoundState:
        state = self._column(connection, round_number, "state")
        if state is None:
            raise RoundError(f"round {round_number} of epoch {self._epoch} has not been promised")
        return RoundState(state)

    def _require_open(self, connection: sqlite3.Connection, round_number: int) -> None:
        """A round that was promised and has not ended: nothing is approved or spent after an abort."""
        floor = self._require_acting(connection)
        state = self._state(connection, round_number)
        if state is not RoundState.PROMISED:
            raise RoundError(f"round {round_number} is {state} already")
        if round_number <= floor:
            raise RoundError(f"round {round_number} is closed")


def _require_hash(value: bytes) -> None:
    if len(value) != _HASH_BYTES:
        raise ValueError(f"{_HASH_BYTES} bytes are needed, not {len(value)}")


def _now() -> int:
    return time.time_ns() // 1_000_000
