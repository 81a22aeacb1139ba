"""Challenging a signed report at its contract: anyone's work, with public data alone.

A challenge by law needs a bond that is forfeited where the contract does not uphold it. So nothing is sent that the contract has
not upheld in a call first: the judge is asked about every candidate, then the contract about the whole challenge, from the
account that will send it. What remains is that somebody else is faster: then the transaction reverts, and the bond stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3.contract import Contract

from coordinator.challenges.exhibits import Candidate, candidates, read_instrument
from coordinator.challenges.registry import Registry
from coordinator.challenges.signed_report import SignedReport
from coordinator.feeds.instrument_name import instrument_name
from coordinator.onchain import Onchain, Sent
from coordinator.settlement.types import SettlementError
from mpc_party.hedging.laws import Law
from mpc_party.protocol.actions import Tolerances
from mpc_party.protocol.errors import ConfigError, ReportError
from mpc_party.protocol.words import InstrumentFields, pack_instrument, split_words

MOST_ASKED: Final = 256  # candidates about which the judge is asked, the surest first
# What the contract refuses after it has found key and signature good.
_JUDGED: Final = {"BookNotRegistered", "ExhibitsDoNotFit"}
LATE: Final = 60  # seconds before the end of the time for challenges in which none is begun


@dataclass(frozen=True)
class Terms:
    """What a challenge at a contract is judged by, and costs. Times in Unix seconds, money in wei.

    `group_key`: of `epoch`; the zero address where it was proved to have lied.
    """

    consortium: bytes
    group_key: str
    epoch: int
    tolerances: Tolerances
    tolerances_since: (
        int  # from when on the latest are in force; an earlier report is judged by those of its time
    )
    horizon: int
    bond: int


@dataclass(frozen=True)
class Challenge:
    """A challenge that the contract upholds. `ids`: numbers of the exhibits, 0 where the registry has none yet."""

    candidate: Candidate
    ids: tuple[int, ...]
    names: tuple[str, ...]

    def summary(self) -> dict[str, object]:
        """For JSON."""
        share = self.candidate.share
        return {
            "law": self.candidate.law.name,
            "instruments": list(self.names),
            "share": share if share < float("inf") else None,
            "reason": self.candidate.reason,
        }


@dataclass(frozen=True)
class Upheld:
    """What came of a challenge. `gas`: of all transactions, a book's registration among them."""

    sent: Sent
    gas: int


class Court:
    """A ledger, where reports are challenged.

    Args:
        chain: with an account, for whoever wants to send.
        address: of the ledger.

    Raises:
        ConfigError: no address.
        SettlementError: CHAIN_MISMATCH: there is no ledger; CHAIN_UNREACHABLE.
    """

    def __init__(self, chain: Onchain, address: str) -> None:
        self.chain = chain
        self.ledger: Contract = chain.contract("HedgeSettlement", address, "contract")
        self.address = str(self.ledger.address)
        self.registry = Registry(chain, self.ledger)
        self._judge: Contract = chain.contract(
            "ReportJudge", str(chain.ask(self.ledger, "JUDGE")), "the contract's judge"
        )

    def foreign(self) -> list[str]:
        """Which of ledger and judge are not this release's code: what they say in a call need not be what they do."""
        parts = ((self.ledger, "HedgeSettlement"), (self._judge, "ReportJudge"))
        return [f"{name} at {part.address}" for part, name in parts if not self.chain.is_release(part, name)]

    def terms(self, observed_at: int | None = None) -> Terms:
        """As they are now; with the tolerances by which a report of that observation is judged.

        Raises:
            SettlementError: SETTLEMENT_REVERTED where none were in force then; CHAIN_UNREACHABLE.
        """

        def ask(name: str) -> Any:  # noqa: ANN401 - web3's own types
            return self.chain.ask(self.ledger, name)

        judged_by = (
            ask("tolerances")
            if observed_at is None
            else self.chain.ask(self.ledger, "tolerancesAt", observed_at)
        )
        return Terms(
            consortium=bytes(ask("consortium")),
            group_key=str(ask("groupKey")),
            epoch=int(ask("epoch")),
            tolerances=Tolerances(*map(int, judged_by)),
            tolerances_since=int(ask("tolerancesSince")),
            horizon=int(ask("CHALLENGE_HORIZON")),
            bond=int(ask("CHALLENGE_BOND")),
        )

    def find(
        self, signed: SignedReport, book: bytes, terms: Terms, wanted: Sequence[Candidate] | None = None
    ) -> Challenge | None:
        """The surest candidate that the contract's judge upholds; None where it upholds none.

        Args:
            signed: the report.
            book: its instrument words.
            terms: of this contract.
            wanted: candidates to ask about; None for all there are.

        Raises:
            ReportError: the book is not the report's, or no contract could register it.
            SettlementError: CHAIN_UNREACHABLE, or SETTLEMENT_REVERTED where exhibits do not fit their law.
        """
        found = candidates(signed.report, book, terms.tolerances) if wanted is None else wanted
        words = list(split_words(book))
        for candidate in found[:MOST_ASKED]:
            if candidate.rows and not self._judged_broken(signed, words, candidate, terms):
                continue
            ids = [int(self.chain.ask(self.ledger, "idOf", words[row])) for row in candidate.rows]
            names = tuple(_name(words[row]) for row in candidate.rows)
            return Challenge(candidate, tuple(ids), names)
        return None

    def require_open(self, signed: SignedReport, terms: Terms) -> None:
        """Refuse what the contract would refuse, whatever the words say: consortium, time, the epoch's key and the signature.

        Raises:
            SettlementError: SETTLEMENT_REVERTED: another consortium's, too late, or not signed by a key that can be
                challenged; CHAIN_UNREACHABLE.
        """
        if signed.report.consortium != terms.consortium:
            raise SettlementError(
                f"the report is of consortium 0x{signed.report.consortium.hex()}, not this contract's"
            )
        observed, now = signed.report.observed_at, self.chain.timestamp()
        if now + LATE > observed + terms.horizon:
            raise SettlementError(
                f"the report was observed {now - observed} seconds ago; it can be challenged for {terms.horizon}"
            )
        try:
            signed.signer(self.chain.chain_id, self.address)
        except ReportError as error:
            raise SettlementError(f"the report is not signed: {error.message}") from None
        self._require_key(signed, terms)

    def would_uphold(self, signed: SignedReport, found: Challenge, terms: Terms) -> bool:
        """Whether the contract upholds the challenge of the paying account now; its book is registered.

        Raises:
            SettlementError: the contract refuses to judge; CHAIN_UNREACHABLE.
            ConfigError: no account.
        """
        return bool(
            self.chain.ask(
                self.ledger,
                "challenge",
                *_arguments(signed, found),
                sender=self.chain.account,
                value=terms.bond,
            )
        )

    def challenge(self, signed: SignedReport, book: bytes, found: Challenge, terms: Terms) -> Upheld:
        """Register the book if nobody has, try the challenge, send it.

        Raises:
            SettlementError: the contract does not uphold it any more, and no bond was paid; CHAIN_UNREACHABLE.
            ConfigError: no account, or too little in it.
        """
        self.require_open(signed, terms)
        self._require_funds(terms.bond)
        before = self.chain.sender.gas
        if not self.registry.book_id(signed.report.book):
            self.registry.register(book)
            rows = found.candidate.rows
            numbers = self.registry.ids(book)
            found = Challenge(found.candidate, tuple(numbers[row] for row in rows), found.names)
        if not self.would_uphold(signed, found, terms):
            raise SettlementError(
                "the contract does not uphold this challenge; nothing was sent, no bond is lost"
            )
        sent = self.chain.send(self.ledger, "challenge", *_arguments(signed, found), value=terms.bond)
        if not self.chain.events_in(sent, self.ledger, "ChallengeUpheld"):
            raise SettlementError(
                f"the challenge was upheld when it was tried, and not in block {sent.block}: its bond is forfeited",
                remedy="see what changed at the contract in that block",
            )
        return Upheld(sent, self.chain.sender.gas - before)

    def equivocate(self, one: SignedReport, other: SignedReport) -> Sent:
        """Prove that the group key signed two reports for one round.

        Raises:
            SettlementError: they prove nothing; CHAIN_UNREACHABLE.
            ReportError: a number of one of them does not fit a header.
        """
        return self.chain.send(self.ledger, "equivocate", one.header(), other.header())

    def would_prove(self, one: SignedReport, other: SignedReport) -> None:
        """Try `equivocate` without sending. Errors as there."""
        self.chain.ask(self.ledger, "equivocate", one.header(), other.header(), sender=self.chain.payer)

    def _judged_broken(
        self, signed: SignedReport, words: Sequence[bytes], candidate: Candidate, terms: Terms
    ) -> bool:
        report = signed.report
        params, forwards = list(split_words(report.params)), list(split_words(report.forwards))
        of = {int.from_bytes(word[15:20]): word for word in forwards}
        exhibits = [
            (words[row], params[row], of[read_instrument(words[row]).expiry]) for row in candidate.rows
        ]
        tolerances = tuple(getattr(terms.tolerances, name) for name in terms.tolerances.__struct_fields__)
        arguments = (int(candidate.law), report.observed_at, exhibits, tolerances)
        return bool(self.chain.ask(self._judge, "breaks", *arguments))

    def _require_key(self, signed: SignedReport, terms: Terms) -> None:
        """Have the contract itself say that the key of the report's epoch can be challenged, and has signed it."""
        try:
            header = signed.header()
        except ReportError:
            # Numbers wider than a header has room for can be challenged all the same.
            if self.chain.payer is None:
                return
            words, signature, law = signed.abi(), signed.signature, int(Law.RANGE)
            how = {"sender": self.chain.payer, "value": terms.bond}
            self._expect(_JUDGED, "challenge", words, signature, law, (), **how)
            return
        # A report equivocates with itself only by the last of the checks, and those before it are a challenge's.
        self._expect({"SameDigest"}, "equivocate", header, header)

    def _expect(self, errors: set[str], name: str, *arguments: object, **how: Any) -> None:  # noqa: ANN401 - as `ask`
        try:
            self.chain.ask(self.ledger, name, *arguments, **how)
        except SettlementError as error:
            if error.error not in errors:
                raise

    def _require_funds(self, bond: int) -> None:
        has = self.chain.balance(self.chain.account)
        if has <= bond:
            raise ConfigError(
                f"a challenge needs {shown_wei(bond)} beside it and the gas; {self.chain.account} has {shown_wei(has)}"
            )


def forced(
    book: bytes, law: Law | None, instruments: Sequence[InstrumentFields], found: Sequence[Candidate]
) -> list[Candidate]:
    """The candidates that are of a law and about instruments, or just the one that is asked for.

    Args:
        book: instrument words.
        law: None for any.
        instruments: with a law, the exhibits themselves, in the order that it wants; without one, of which any must be in it.
        found: what was found.

    Raises:
        ConfigError: an instrument is not in the book.
    """
    rows = tuple(_row(book, one) for one in instruments)
    if law is not None and rows:
        return [Candidate(law, rows, float("nan"), f"law {law.name}, as asked for")]
    return [
        one
        for one in found
        if (law is None or one.law is law or not one.rows)
        and (not rows or not one.rows or set(rows) & set(one.rows))
    ]


def shown_wei(amount: int) -> str:
    """For a person."""
    return f"{amount / 10**18:.6g} ether"


def _row(book: bytes, instrument: InstrumentFields) -> int:
    wanted = pack_instrument(instrument)
    for row, word in enumerate(split_words(book)):
        if word == wanted:
            return row
    raise ConfigError(f"{instrument_name(instrument)} is not in the report's book")


def _name(word: bytes) -> str:
    it = read_instrument(word)
    underlying = it.underlying.rstrip(b"\0").decode("latin-1")
    return instrument_name(InstrumentFields(underlying, it.kind == 1, it.expiry, it.strike))


def _arguments(signed: SignedReport, found: Challenge) -> tuple[object, ...]:
    return (signed.abi(), signed.signature, int(found.candidate.law), list(found.ids))
