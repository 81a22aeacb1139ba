"""What the journal tells about past rounds, to its party and to whoever looks from beside."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from mpc_party.journal.errors import JournalError, database_errors
from mpc_party.journal.schema import require_version
from mpc_party.protocol.errors import Reason


class RoundState(StrEnum):
    """Where a round stands for this party."""

    PROMISED = "promised"  # begun; after a crash, never finished
    SIGNED = "signed"  # this party has the group's signature
    SETTLED = "settled"  # the contract has the report
    ABORTED = "aborted"


@dataclass(frozen=True)
class SnapshotCommitment:
    """A commitment to the party's input of a round. `salt`: only in rounds written by version 1; keep it private."""

    commitment: bytes
    salt: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class OpeningRecord:
    """What the party keeps to open a round later. `opening` and `exposure` are encrypted to the member's own key.

    `commitment`: this party's own, 32 bytes. `commitments`: the committee's, in its order; empty where the round ended
    before they were noted. `exposure`: None where the round opened nothing to this party.
    """

    epoch: int
    round: int
    state: RoundState
    commitment: bytes
    opening: bytes = field(repr=False)
    commitments: tuple[bytes, ...]
    exposure: bytes | None = field(repr=False)


@dataclass(frozen=True)
class RoundRecord:
    """One round. Times in Unix milliseconds; None for what has not happened."""

    epoch: int
    round: int
    proposal: bytes
    promised_at: int
    digest: bytes | None
    nonce_spent: bool
    state: RoundState
    reason: Reason | None
    culprit: str | None
    details: dict[str, Any]
    ended_at: int | None


_SELECT = """
SELECT epoch, round, proposal, promised_at, digest, nonce IS NOT NULL, state, reason, culprit, details, ended_at
FROM rounds LEFT JOIN spent_nonces USING (epoch, round)
ORDER BY epoch DESC, round DESC LIMIT ?
"""


def select_rounds(connection: sqlite3.Connection, limit: int) -> list[RoundRecord]:
    """The newest rounds first, over all epochs."""
    return [_record(row) for row in connection.execute(_SELECT, (limit,))]


def _record(row: Iterable[Any]) -> RoundRecord:
    epoch, number, proposal, promised_at, digest, spent, state, reason, culprit, details, ended_at = row
    return RoundRecord(
        epoch=epoch,
        round=number,
        proposal=proposal,
        promised_at=promised_at,
        digest=digest,
        nonce_spent=bool(spent),
        state=RoundState(state),
        reason=None if reason is None else Reason(reason),
        culprit=culprit,
        details={} if details is None else msgspec.json.decode(details, type=dict[str, Any]),
        ended_at=ended_at,
    )


_SELECT_OPENING = """
SELECT epoch, round, state, snapshot, opening, commitments, exposure FROM openings JOIN rounds USING (epoch, round)
WHERE (?1 IS NULL OR epoch = ?1) AND (?2 IS NULL OR round = ?2) AND (NOT ?3 OR exposure IS NOT NULL)
ORDER BY epoch DESC, round DESC LIMIT 1
"""


def select_opening(
    connection: sqlite3.Connection, epoch: int | None, round_number: int | None, *, exposed: bool = False
) -> OpeningRecord | None:
    """The newest opening kept that fits; None for whatever epoch or round."""
    row = connection.execute(_SELECT_OPENING, (epoch, round_number, exposed)).fetchone()
    if row is None:
        return None
    found, number, state, commitment, opening, joined, exposure = row
    listed = joined or b""
    commitments = tuple(listed[at : at + 32] for at in range(0, len(listed), 32))
    return OpeningRecord(found, number, RoundState(state), commitment, opening, commitments, exposure)


def read_opening(
    path: Path, epoch: int | None = None, round_number: int | None = None, *, exposed: bool = False
) -> OpeningRecord | None:
    """The newest opening that the journal keeps of this epoch and round. Read-only, takes no lock.

    Args:
        path: the journal, which another process may be writing.
        epoch: None for any.
        round_number: None for any.
        exposed: only one that has this party's exposure.

    Returns:
        None where nothing fits: never run, too old to be kept, or run by a version that kept no openings.

    Raises:
        JournalError: there is no such file, or it is not a journal.
    """
    with reading(path) as connection:
        if connection.execute("PRAGMA user_version").fetchone()[0] < 2:
            return None
        return select_opening(connection, epoch, round_number, exposed=exposed)


def read_rounds(path: Path, limit: int = 50) -> list[RoundRecord]:
    """The newest rounds of a journal that another process may be writing. Read-only, takes no lock.

    Raises:
        JournalError: there is no such file, or it is not a journal.
    """
    with reading(path) as connection:
        return select_rounds(connection, limit)


@contextmanager
def reading(path: Path, *, allow_empty: bool = False) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a journal that another process may be writing, or to one that nobody began to write.

    Raises:
        JournalError: there is no such file, or it is not a journal.
    """
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", remedy="start the party first")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with database_errors(path), closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
        require_version(connection, path, allow_empty=allow_empty)
        yield connection
