"""Books at a contract's registry: found there, and brought there by whoever needs them."""

from eth_hash.auto import keccak
from web3.contract import Contract

from coordinator.onchain import Onchain
from coordinator.settlement.registry import register_book
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.words import split_words


class Registry:
    """The registry of instruments and books, which is part of the ledger."""

    def __init__(self, chain: Onchain, ledger: Contract) -> None:
        self._chain = chain
        self._ledger = ledger
        self._books: dict[bytes, bytes] = {}

    def book_id(self, book: bytes) -> int:
        """The number of a book by its hash, 0 where it is not registered."""
        return int(self._chain.ask(self._ledger, "bookIdOf", book))

    def ids(self, book: bytes) -> list[int]:
        """The numbers of a book's instruments, 0 for those that have none."""
        return [
            int(number)
            for number in self._chain.ask_many(self._ledger, "idOf", [(word,) for word in split_words(book)])
        ]

    def register(self, book: bytes) -> None:
        """Register a book's instruments and the book, as far as they are not.

        Raises:
            SettlementError: as `Onchain.send`.
        """
        register_book(self._chain.node, self._chain.sender, self._ledger, book)

    def words(self, book: bytes) -> bytes | None:
        """The instrument words of a registered book, by its hash; None where it is not registered.

        No function of the contract lists a book: each instrument is asked for its place in it, in batches, once.

        Raises:
            ReportError: what the registry says does not give this hash.
            SettlementError: as `Onchain.ask`.
        """
        if (known := self._books.get(book)) is not None:
            return known
        number = self.book_id(book)
        if not number:
            return None
        ids = self.listed(number)
        words = b"".join(
            bytes(word) for word in self._chain.ask_many(self._ledger, "instrument", [(i,) for i in ids])
        )
        if keccak(words) != book:
            raise ReportError(f"the registry's book {number} is not the one of hash 0x{book.hex()}")
        self._books[book] = words
        return words

    def listed(self, number: int) -> list[int]:
        """The numbers of the instruments of book `number`, in its order."""
        every = range(1, self.instruments() + 1)
        places = self._chain.ask_many(self._ledger, "position", [(number, one) for one in every])
        found = {int(place[1]): one for one, place in zip(every, places, strict=True) if place[0]}
        return [found[index] for index in sorted(found)]

    def instruments(self) -> int:
        """How many instruments have a number."""
        low, high = 0, 1
        while self._is_known(high):
            low, high = high, 2 * high
        # `low` is known or 0, `high` is not.
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._is_known(middle) else (low, middle)
        return low

    def _is_known(self, number: int) -> bool:
        try:
            self._chain.ask(self._ledger, "instrument", number)
        except SettlementError as error:
            if error.error != "UnknownInstrument":
                raise
            return False
        return True
