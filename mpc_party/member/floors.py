"""Where this member's rounds begin, said from outside the journal."""

from mpc_party.journal import Floor, Journal
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium


def close_rounds(folder: PartyHome, consortium: Consortium, after_round: int, why: str) -> None:
    """Close all rounds of the consortium's epoch up to one; makes the journal where there is none. Not while the party runs.

    For an epoch that begins where rounds have been run before it: by another group key, or by a journal that is lost.

    Args:
        folder: the member's.
        consortium: of the epoch.
        after_round: the highest round that anybody has seen, from 0 to 2^63 - 1.
        why: for people, at most 200 characters.

    Raises:
        JournalError: ALREADY_RUNNING; the journal has seen a later epoch, or cannot be written.
        ValueError: out of range.
    """
    beginning = Floor(after_round, why)
    with Journal.open(
        folder.journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch, beginning=beginning
    ) as journal:
        journal.raise_floor(after_round, why)
