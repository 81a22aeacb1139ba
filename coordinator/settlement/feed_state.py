"""Fields of a ledger's state word, as `ReportAccepted` carries it: contracts/src/types/FeedState.sol."""

from typing import NamedTuple

_LAG_ZERO = 1 << 16


class FeedWord(NamedTuple):
    """After a report was accepted: its round and times (Unix seconds), its number, and how many are stored."""

    round: int
    observed_at: int
    accepted_at: int
    valid_until: int
    sequence: int
    stored: int


def unpack_state(word: int) -> FeedWord:
    """Read the word."""
    observed_at = (word >> 168) & (2**40 - 1)
    return FeedWord(
        round=word >> 208,
        observed_at=observed_at,
        accepted_at=observed_at + ((word >> 148) & (2**20 - 1)) - _LAG_ZERO,
        valid_until=observed_at + ((word >> 124) & (2**24 - 1)),
        sequence=(word >> 92) & (2**32 - 1),
        stored=(word >> 60) & (2**32 - 1),
    )
