"""Following what is brought to a ledger, and judging it: what makes a wrong report expensive is that somebody looks.

The words of a report stay in the data of the transaction that brought it; the ledger keeps its digest and says it in an event,
so that what is found in the data is checked bit for bit. Reports that the breaker rejected are looked at, too: they are signed,
and can be challenged all the same. Nothing here is remembered from one run to the next.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from eth_hash.auto import keccak

from coordinator.challenges.challenging import Challenge, Court, Terms, Upheld
from coordinator.challenges.exhibits import NEAR, Candidate, nearest
from coordinator.challenges.signed_report import SignedReport, in_calldata
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.errors import Reason, ReportError

EVENTS: Final = ("ReportAccepted", "ReportRejected")
BLOCKS_PER_CALL: Final = 1000
# Looked at again at every turn: a chain may put other blocks in the place of its last ones.
BLOCKS_AGAIN: Final = 32


@dataclass(frozen=True)
class Seen:
    """A report that was brought to the ledger.

    Attributes:
        accepted: or else rejected by the breaker.
        digest: as the ledger has it.
        round: of the report.
        block: in which it came.
        transaction: which brought it.
        signed: the report; None where its words were not found.
        book: its instrument words, where they are known.
        nearest: what comes nearest to a challenge, where that can be told.
        trouble: why it cannot, for a person; also a signature that is not the group key's.
    """

    accepted: bool
    digest: bytes
    round: int
    block: int
    transaction: bytes
    signed: SignedReport | None
    book: bytes | None
    nearest: Candidate | None
    trouble: str | None

    @property
    def suspect(self) -> bool:
        """Whether the judge should be asked."""
        return self.nearest is not None and not self.nearest.share <= NEAR

    def summary(self) -> dict[str, object]:
        """For JSON."""
        found = self.nearest
        finite = found is not None and found.share < float("inf")
        return {
            "round": self.round,
            "accepted": self.accepted,
            "digest": f"0x{self.digest.hex()}",
            "block": self.block,
            "transaction": f"0x{self.transaction.hex()}",
            "instruments": None if self.signed is None else self.signed.report.instruments,
            "nearest_law": None if found is None else found.law.name,
            "law_share": None if found is None or not finite else found.share,
            "lawful": None if found is None else not self.suspect,
            "trouble": self.trouble,
        }

    def line(self) -> str:
        """For a person."""
        state = "accepted" if self.accepted else "rejected by the breaker"
        head = f"round {self.round} {state} in block {self.block}"
        if self.nearest is None:
            return f"{head}: not judged: {self.trouble}"
        if self.suspect:
            return f"{head}: BREAKS {self.nearest.reason}"
        return f"{head}: lawful; nearest to a challenge by {self.nearest.law.name}, {self.nearest.share:.1%} of the way"


class Watcher:
    """What was brought to one ledger, from a block on.

    Args:
        court: the ledger.
        books: instrument words that are known from elsewhere; others are looked up at the registry.
        first: block at which to begin; None for what comes from now on.
    """

    def __init__(self, court: Court, books: Iterable[bytes] = (), first: int | None = None) -> None:
        self._court = court
        self._books = {bytes(keccak(book)): book for book in books}
        self._next = court.chain.height() + 1 if first is None else first
        self._known: dict[bytes, int] = {}

    def poll(self) -> Iterator[Seen]:
        """What has come since the last call, in its order.

        Raises:
            SettlementError: CHAIN_UNREACHABLE; what was not given out comes at the next call.
        """
        head = self._court.chain.height()
        start = self._next
        terms: Terms | None = None
        while start <= head:
            last = min(start + BLOCKS_PER_CALL - 1, head)
            for log in self._court.chain.logs(self._court.ledger, EVENTS, start, last):
                digest = bytes(log["args"]["digest"])
                if digest in self._known:
                    continue
                terms = terms or self._court.terms()
                seen = self._seen(log, digest, terms)
                self._known[digest] = seen.block
                yield seen
            start = last + 1
            self._next = max(self._next, start - BLOCKS_AGAIN)
        horizon = self._next - BLOCKS_AGAIN
        self._known = {digest: block for digest, block in self._known.items() if block >= horizon}

    def _seen(self, log: Any, digest: bytes, terms: Terms) -> Seen:  # noqa: ANN401 - web3's own types
        arguments = log["args"]
        accepted = str(log["event"]) == EVENTS[0]
        number = int(arguments["state"]) >> 208 if accepted else int(arguments["round"])
        transaction = bytes(log["transactionHash"])
        chain, address = self._court.chain, self._court.address
        data = chain.calldata(transaction)
        signed = next(
            (
                found
                for found in in_calldata(data or b"", terms.consortium)
                if found.digest(chain.chain_id, address) == digest
            ),
            None,
        )
        book, found, trouble = None, None, None
        if data is None:
            trouble = "the node does not know the transaction any more"
        elif signed is None:
            trouble = "the transaction's data does not hold its words: another contract made them"
        else:
            try:
                self._require_key(signed, terms)
                book = self._book(signed.report.book)
                if book is None:
                    trouble = (
                        f"its book 0x{signed.report.book.hex()[:16]}... is not registered; "
                        "give a report file about it with --book"
                    )
                else:
                    observed = signed.report.observed_at
                    judged_by = (
                        terms if observed >= terms.tolerances_since else self._court.terms(observed)
                    ).tolerances
                    found = nearest(signed.report, book, judged_by)
            except ReportError as error:
                trouble = error.message
        return Seen(
            accepted, digest, number, int(log["blockNumber"]), transaction, signed, book, found, trouble
        )

    def _require_key(self, signed: SignedReport, terms: Terms) -> None:
        """The ledger has checked the signature; this checks that we found the one that it checked."""
        signer = signed.signer(self._court.chain.chain_id, self._court.address)
        known = terms.epoch == signed.report.epoch and int(terms.group_key, 16) != 0
        if known and signer != terms.group_key:
            raise ReportError(f"the signature is {signer}'s, not the group key's")

    def _book(self, book: bytes) -> bytes | None:
        known = self._books.get(book)
        return self._court.registry.words(book) if known is None else known


@dataclass(frozen=True)
class Outcome:
    """What was done about a report. `challenge`: that the judge upholds; `upheld`: what came of it; or `trouble`."""

    seen: Seen
    challenge: Challenge | None = None
    upheld: Upheld | None = None
    trouble: str | None = None

    def summary(self) -> dict[str, object]:
        """For JSON."""
        done = None
        if self.challenge is not None:
            sent = {} if self.upheld is None else self.upheld.sent.summary()
            done = {**self.challenge.summary(), "upheld": self.upheld is not None, **sent}
        return {**self.seen.summary(), "challenge": done, "challenge_trouble": self.trouble}


def act(court: Court, seen: Seen) -> Outcome:
    """Challenge a suspect report, if the judge upholds it. What goes wrong with one report is said and ends nothing."""
    if not seen.suspect or seen.signed is None or seen.book is None:
        return Outcome(seen)
    challenge = None
    try:
        terms = court.terms(seen.signed.report.observed_at)
        challenge = court.find(seen.signed, seen.book, terms)
        if challenge is None:
            return Outcome(seen, trouble="the judge upholds nothing against it")
        return Outcome(seen, challenge, court.challenge(seen.signed, seen.book, challenge, terms))
    except (SettlementError, ReportError) as error:
        return Outcome(seen, challenge, trouble=str(error))


def follow(
    watcher: Watcher,
    handle: Callable[[Seen], None],
    *,
    every: float,
    seconds: float | None = None,
    count: int | None = None,
    complain: Callable[[str], None] = lambda _text: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Look at a ledger again and again.

    Args:
        watcher: of the ledger.
        handle: what to do with each report.
        every: seconds between two looks.
        seconds: after which to stop; None for never.
        count: of reports after which to stop; None for never.
        complain: of a node that does not answer: it is asked again.
        clock: seconds, for tests.
        sleep: waits, for tests.

    Returns:
        How many reports there were.
    """
    end = None if seconds is None else clock() + seconds
    done = 0
    while True:
        try:
            for seen in watcher.poll():
                handle(seen)
                done += 1
                if count is not None and done >= count:
                    return done
        except SettlementError as error:
            if error.reason is not Reason.CHAIN_UNREACHABLE:
                raise
            complain(str(error))
        left = every if end is None else min(every, end - clock())
        if left <= 0:
            return done
        sleep(left)
