"""What this party has promised and signed, durably: written before it acts, read again after a crash.

Three promises are kept across crashes by what stands here: no round is promised twice or out of order, no second
digest is approved in a round, and no nonce is used twice. One SQLite file per party; one process at a time.

Between epochs it keeps a fourth: who has signed a change of epoch signs nothing in the old one, until it is certain that the
change does not happen.

It also keeps, encrypted to the member itself, what opens the newest rounds to an auditor.

A lost journal is a lost memory: with a new, empty one the party could repeat a round. So a damaged journal is
refused and never replaced silently.
"""

from mpc_party.journal.errors import JournalError
from mpc_party.journal.floor import Floor
from mpc_party.journal.handover import Handover, HandoverState
from mpc_party.journal.journal import Journal
from mpc_party.journal.records import (
    OpeningRecord,
    RoundRecord,
    RoundState,
    SnapshotCommitment,
    read_opening,
    read_rounds,
)
from mpc_party.journal.standing import Standing, read_standing

__all__ = [
    "Floor",
    "Handover",
    "HandoverState",
    "Journal",
    "JournalError",
    "OpeningRecord",
    "RoundRecord",
    "RoundState",
    "SnapshotCommitment",
    "Standing",
    "read_opening",
    "read_rounds",
    "read_standing",
]
