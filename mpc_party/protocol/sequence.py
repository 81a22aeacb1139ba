"""Sequence numbers that survive restarts, and the guard that accepts each message once.

A sequence number has 63 bits: the *session* in the upper 41, a counter in the lower 22. A sender starts a new
session whenever it connects to the broker, and numbers sessions by the clock (milliseconds since 2024, which
lasts until 2093), above all of its earlier ones; so that a restarted sender goes on above where it was without
having stored anything. The counter starts at 0; the last counter of each session, `WILL`, belongs to the last
will that is signed when the session begins: whenever the broker publishes it, it is above all that the session
said and below all that the next session says, and ends the session's presence for good.

Senders count all their messages in one sequence; receivers compare within one topic, because a broker keeps the
order of one publisher's messages within a topic only.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from mpc_party.protocol.errors import MessageError, Reason

COUNTER_BITS: Final = 22
EPOCH_MS: Final = 1_704_067_200_000  # 2024-01-01T00:00:00Z
WILL: Final = (1 << COUNTER_BITS) - 1
RESERVE: Final = 1 << 16  # what is left when a new session is due


def session_of(sequence: int) -> int:
    """The session that a sequence number belongs to."""
    return sequence >> COUNTER_BITS


class Sequencer:
    """A sender's sequence numbers."""

    def __init__(self) -> None:
        self._session = 0
        self._counter = WILL  # none left: a session must be begun first

    @property
    def session(self) -> int:
        """The current session; 0 before the first."""
        return self._session

    @property
    def exhausted(self) -> bool:
        """Whether a new session is due: after four million messages, weeks at several a second."""
        return self._counter >= WILL - RESERVE

    def begin_session(self, now_ms: int, above: int = 0) -> int:
        """Start a session later than the last one and than `above`; return its will's sequence number.

        Args:
            now_ms: Unix milliseconds.
            above: a session number that is taken.
        """
        self._session = max(now_ms - EPOCH_MS, self._session + 1, above + 1)
        self._counter = 0
        return self._session << COUNTER_BITS | WILL

    def next(self) -> int:
        """The next sequence number of the session.

        Raises:
            OverflowError: no session has been begun, or its numbers are used up.
        """
        if self._counter == WILL:
            raise OverflowError("no session has been begun, or its sequence numbers are used up")
        sequence = self._session << COUNTER_BITS | self._counter
        self._counter += 1
        return sequence


class ReplayGuard:
    """Accepts, per topic (and hence per sender), strictly increasing sequence numbers only.

    It lives in memory. After a restart, what the broker has kept and what has not expired is seen once more;
    the journal knows the rounds that were promised, so that this changes nothing.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, bytes]] = {}  # topics are few: the envelope was verified before

    def check(self, topic: str, sequence: int, signature: bytes) -> bool:
        """Whether a verified message is new.

        Args:
            topic: the topic it was verified for.
            sequence: its sequence number.
            signature: its signature, by which the same message is recognised.

        Returns:
            True if it is new; False if it is the very message that was accepted last on this topic, as QoS 1
            redelivers it and as a retained status is seen again after each reconnect.

        Raises:
            MessageError: MESSAGE_REPLAYED if its number is not above the last one.
        """
        last = self._last.get(topic)
        if last is not None and sequence <= last[0]:
            if last == (sequence, signature):
                return False
            raise MessageError(
                f"sequence number {sequence} is not above {last[0]}", reason=Reason.MESSAGE_REPLAYED
            )
        self._last[topic] = (sequence, signature)
        return True


class DropCounts(Mapping[str, int]):
    """How many messages were dropped, by reason: a Reason's code, "duplicate", "expired-unsent" or "overflow"."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        """Count one."""
        self._counts[str(reason)] += 1

    def __getitem__(self, reason: str) -> int:
        """The count of one reason, 0 if there was none."""
        return self._counts[reason]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"DropCounts({dict(self._counts)})"
