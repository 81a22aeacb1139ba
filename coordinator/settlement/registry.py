"""Books brought to a contract's registry, so that reports about them can be stored, read and challenged."""

from collections.abc import Sequence
from typing import Final

import structlog
from eth_hash.auto import keccak
from hexbytes import HexBytes
from web3.contract import Contract

from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.words import split_words

# A new instrument costs some 47,000 gas, and a transaction may have 2^24 (EIP-7825).
INSTRUMENTS_PER_CALL: Final = 256

_log = structlog.get_logger("registry")


def register_book(node: Node, sender: Sender, contract: Contract, book: bytes) -> int:
    """Register a book of instrument words with whatever of it is new; gives its id. Nothing is sent where it is known.

    Raises:
        SettlementError: SETTLEMENT_REVERTED, CHAIN_UNREACHABLE.
    """
    known = _book_id(node, contract, book)
    if known:
        return known
    words = list(split_words(book))
    ids: list[int] = []
    for start in range(0, len(words), INSTRUMENTS_PER_CALL):
        ids += _register(node, sender, contract, words[start : start + INSTRUMENTS_PER_CALL])
    sender.send(HexBytes(contract.encode_abi("registerBook", [ids])), str(contract.address))
    book_id = _book_id(node, contract, book)
    _log.info("book registered", book=f"0x{bytes(keccak(book)).hex()}", id=book_id, instruments=len(ids))
    return book_id


def _register(node: Node, sender: Sender, contract: Contract, words: Sequence[bytes]) -> list[int]:
    ids = _ids(node, contract, words)
    # New instruments would get the numbers above all that there are: where the highest is there, all are.
    if not _is_there(node, contract, max(ids)):
        sender.send(HexBytes(contract.encode_abi("register", [list(words)])), str(contract.address))
        ids = _ids(node, contract, words)
    return ids


def _ids(node: Node, contract: Contract, words: Sequence[bytes]) -> list[int]:
    return [int(each) for each in node.ask(contract.functions.register(list(words)).call)]


def _is_there(node: Node, contract: Contract, number: int) -> bool:
    try:
        node.ask(contract.functions.instrument(number).call)
    except SettlementError as error:
        if error.error == "UnknownInstrument":
            return False
        raise
    return True


def _book_id(node: Node, contract: Contract, book: bytes) -> int:
    return int(node.ask(contract.functions.bookIdOf(bytes(keccak(book))).call))
