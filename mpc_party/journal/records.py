"""What the journal tells about past rounds, to its party and to whoever looks from beside."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
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
    """A commitment to the party's input of a round, and the salt that opens it. Keep the salt private."""

    commitment: bytes
    salt: bytes = field(repr=False)


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


def read_rounds(path: Path, limit: int = 50) -> list[RoundRecord]:
    """The newest rounds of a journal that another process may be writing. Read-only, takes no lock.

    Raises:
        JournalError: there is no such file, or it is not a journal.
    """
    if not path.exists():
        raise JournalError(f"there is no journal at {path}", remedy="start the party first")
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with database_errors(path), closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as connection:
        require_version(connection, path, allow_empty=False)
        return select_rounds(connection, limit)
