"""A change of epoch as the journal sees it, in two phases.

    attested    written before this member's signature over the ceremony's transcript leaves: from now on others may
                complete the new epoch without it. The old epoch promises and signs nothing.
    committed   all signatures are there: the owner goes to the new epoch in the same write, and never back.
    aborted     somebody has said that it will never sign: the old epoch goes on, and this ceremony is never attested.

    nothing  --attest-->  attested  --commit-->  committed
    nothing or attested   --abort-->  aborted

At most one is undecided at a time. Rows are never deleted.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from mpc_party.journal.errors import JournalError
from mpc_party.journal.floor import Floor, raise_floor
from mpc_party.protocol.errors import Reason

_BYTES: Final = 32
REMEDY_UNDECIDED: Final = (
    "run the same `mpc-party reshare` or `mpc-party refresh` again, together with the others; or `mpc-party join FILE"
    " --transcript FILE`, if another member has the completed consortium file and the transcript"
)


class HandoverState(StrEnum):
    """How far a change of epoch has come, here."""

    ATTESTED = "attested"
    ABORTED = "aborted"
    COMMITTED = "committed"


@dataclass(frozen=True)
class Handover:
    """One change of epoch. `plan` and `to_epoch` are None where the ceremony was refused before it was attested."""

    ceremony: bytes
    state: HandoverState
    from_epoch: int
    to_epoch: int | None
    plan: bytes | None


_SELECT = "SELECT ceremony, state, from_epoch, to_epoch, plan FROM handovers WHERE "


def select_undecided(connection: sqlite3.Connection) -> Handover | None:
    """The one that is attested and neither committed nor aborted."""
    return _found(connection.execute(_SELECT + "state = 'attested'").fetchone())


def select_handover(connection: sqlite3.Connection, ceremony: bytes) -> Handover | None:
    """What became of one ceremony."""
    return _found(connection.execute(_SELECT + "ceremony = ?", (ceremony,)).fetchone())


def attest(connection: sqlite3.Connection, epoch: int, ceremony: bytes, plan: bytes, to_epoch: int) -> None:
    """See `Journal.attest_handover`; in the caller's transaction, for an owner in `epoch`."""
    _require_bytes(ceremony)
    _require_bytes(plan)
    if to_epoch <= epoch:
        raise ValueError(f"a handover leads to a later epoch than {epoch}, not to {to_epoch}")
    before, undecided = select_handover(connection, ceremony), select_undecided(connection)
    wanted = Handover(ceremony, HandoverState.ATTESTED, epoch, to_epoch, plan)
    if before == wanted:
        return
    if before is not None and before.state is not HandoverState.ATTESTED:
        raise _ended(before)
    if undecided is not None:
        raise undecided_error(undecided)
    _require_owner(connection, epoch)
    connection.execute(
        "INSERT INTO handovers (ceremony, state, from_epoch, to_epoch, plan, attested_at)"
        " VALUES (?, 'attested', ?, ?, ?, ?)",
        (ceremony, epoch, to_epoch, plan, _now()),
    )


def abort(connection: sqlite3.Connection, epoch: int, ceremony: bytes) -> None:
    """See `Journal.abort_handover`."""
    _require_bytes(ceremony)
    before = select_handover(connection, ceremony)
    if before is not None and before.state is HandoverState.COMMITTED:
        raise _ended(before)
    connection.execute(
        "INSERT INTO handovers (ceremony, state, from_epoch, decided_at) VALUES (?1, 'aborted', ?2, ?3)"
        " ON CONFLICT (ceremony) DO UPDATE SET state = 'aborted', decided_at = ?3 WHERE state = 'attested'",
        (ceremony, epoch, _now()),
    )


def commit(connection: sqlite3.Connection, ceremony: bytes, floor: int) -> None:
    """See `Journal.commit_handover`."""
    _require_bytes(ceremony)
    before = select_handover(connection, ceremony)
    if before is None or before.to_epoch is None:
        raise JournalError(
            f"the handover {ceremony.hex()[:8]} was not attested here",
            reason=Reason.HANDOVER_ENDED,
            remedy="begin a new ceremony together with the others",
        )
    if before.state is HandoverState.COMMITTED:
        return
    if before.state is HandoverState.ABORTED:
        raise _ended(before)
    # A round that was promised here stays closed, whatever the others have seen.
    (promised,) = connection.execute("SELECT coalesce(max(round), 0) FROM rounds").fetchone()
    agreed = Floor(floor, f"handover {ceremony.hex()[:8]} from epoch {before.from_epoch}")
    raise_floor(connection, before.to_epoch, replace(agreed, round=max(floor, promised)))
    connection.execute(
        "UPDATE handovers SET state = 'committed', decided_at = ? WHERE ceremony = ?", (_now(), ceremony)
    )
    connection.execute("UPDATE owner SET epoch = ?", (before.to_epoch,))


def undecided_error(undecided: Handover) -> JournalError:
    """What is said where something must wait for the end of a handover."""
    return JournalError(
        f"the change from epoch {undecided.from_epoch} to epoch {undecided.to_epoch} (ceremony"
        f" {undecided.ceremony.hex()[:8]}) is undecided: others may have completed it",
        reason=Reason.HANDOVER_UNDECIDED,
        remedy=REMEDY_UNDECIDED,
    )


def _ended(before: Handover) -> JournalError:
    return JournalError(
        f"the ceremony {before.ceremony.hex()[:8]} is {before.state} here, for ever",
        reason=Reason.HANDOVER_ENDED,
        remedy="begin a new ceremony together with the others",
    )


def _require_owner(connection: sqlite3.Connection, epoch: int) -> None:
    (latest,) = connection.execute("SELECT epoch FROM owner").fetchone()
    if latest != epoch:
        raise JournalError(
            f"the journal is in epoch {latest}, no longer in epoch {epoch}",
            reason=Reason.HANDOVER_ENDED,
            remedy="use the current consortium file",
        )


def _found(row: tuple[bytes, str, int, int | None, bytes | None] | None) -> Handover | None:
    return None if row is None else Handover(row[0], HandoverState(row[1]), *row[2:])


def _require_bytes(value: bytes) -> None:
    if len(value) != _BYTES:
        raise ValueError(f"{_BYTES} bytes are needed, not {len(value)}")


def _now() -> int:
    return time.time_ns() // 1_000_000
