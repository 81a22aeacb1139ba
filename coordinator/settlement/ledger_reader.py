"""What a ledger has of its reports, read back: from its storage, its events and the transactions that brought them.

The contract keeps most of a report's digest, and the words only of what is stored. The words of any other report are in the
data of the transaction that brought it, and are believed for no other reason than that they hash to that digest.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from eth_hash.auto import keccak
from hexbytes import HexBytes
from web3.contract import Contract
from web3.exceptions import TransactionNotFound

from coordinator.challenges.signed_report import in_calldata
from coordinator.settlement.feed_state import FeedWord, unpack_state
from coordinator.settlement.node import Node
from coordinator.settlement.types import SettlementError, StoredReport
from mpc_party.protocol.eip712 import domain_separator, report_struct_hash, typed_digest
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.report import HedgeReport

WORDS_PER_CALL: Final = 512
LOG_BLOCKS: Final = 1000  # that a search for a report goes back
_KEPT_DIGEST: Final = (1 << 216) - 1  # of a digest, what the contract's ring keeps
ACCEPTED: Final = bytes(keccak(b"ReportAccepted(bytes32,uint256)"))
REJECTED: Final = bytes(keccak(b"ReportRejected(uint256,bytes32,uint8,uint256)"))
_STATUS: Final = (
    "round",
    "observedAt",
    "acceptedAt",
    "validUntil",
    "sequence",
    "stored",
    "paused",
    "flagged",
)

_log = structlog.get_logger("settlement")


class LedgerReader:
    """Reads one ledger; sends nothing.

    Args:
        node: of its chain.
        contract: the ledger, checked.
        consortium: its identity, 32 bytes.
    """

    def __init__(self, node: Node, contract: Contract, consortium: bytes) -> None:
        self._node, self._contract, self._consortium = node, contract, consortium

    def status(self, block: int | None = None) -> Mapping[str, Any]:
        """`status()` by its fields' names, at a block: the latest where None."""
        call = self._contract.functions.status()
        return _fields(
            self._node.ask(lambda: call.call(block_identifier="latest" if block is None else block)), _STATUS
        )

    def read_back(self, block: int | None = None) -> StoredReport:
        """All that the contract has of its latest accepted report, at one block: the latest where None.

        Raises:
            SettlementError: SETTLEMENT_REVERTED before the first; CHAIN_MISMATCH where the transaction that brought it is not to
                be had, or does not fit; CHAIN_UNREACHABLE.
        """
        at = self._node.ask(lambda: int(self._node.web3.eth.block_number)) if block is None else block

        def read(function: Any) -> Any:  # noqa: ANN401 - web3's own types
            return self._node.ask(lambda: function.call(block_identifier=at))

        status = self.status(at)
        sequence = int(status["sequence"])
        if sequence == 0:
            raise SettlementError("the contract has accepted no report yet", remedy="run a round first")
        kept, accepted_at, final = read(self._contract.functions.accepted(sequence))
        digest, state, transaction = self.accepted_log(sequence, int(kept), at)
        report = self._brought(transaction, digest)
        stored = self._stored_params(read, int(status["stored"]), report)
        return StoredReport(
            round=state.round,
            epoch=report.epoch,
            observed_at=state.observed_at,
            valid_until=state.valid_until,
            accepted_at=int(accepted_at),
            digest=digest,
            book=report.book,
            model=report.model,
            inputs=report.inputs,
            forwards=report.forwards,
            params=report.params if stored is None else stored,
            sequence=sequence,
            final=bool(final),
            stored=None if stored is None else int(status["stored"]),
        )

    def holds(self, sequence: int, digest: bytes) -> bool:
        """Whether accepted report `sequence` is the one of this digest."""
        try:
            kept, _, _ = self._node.ask(self._contract.functions.accepted(sequence).call)
        except SettlementError as error:
            if error.error == "SequenceUnknown":
                return False
            raise
        return int(kept) == int.from_bytes(digest) & _KEPT_DIGEST

    def logs(self, digest: bytes, upto: int | None = None) -> list[Mapping[str, Any]]:
        """What the contract has logged of a report, as far back as one may ask of a node; nothing where it refuses."""
        accepted = [ACCEPTED, digest]
        rejected = [REJECTED, None, digest]
        try:
            return [*self._get_logs(accepted, upto), *self._get_logs(rejected, upto)]
        except SettlementError as error:
            if error.reason is Reason.CHAIN_UNREACHABLE:
                raise
            _log.warning("cannot find the transaction of a report", error=str(error))
            return []

    def _get_logs(self, topics: Sequence[bytes | None], upto: int | None) -> list[Mapping[str, Any]]:
        last = self._node.ask(lambda: int(self._node.web3.eth.block_number)) if upto is None else upto
        criteria: Any = {
            "address": self._contract.address,
            "fromBlock": max(0, last - LOG_BLOCKS),
            "toBlock": last,
            "topics": [None if topic is None else HexBytes(topic) for topic in topics],
        }
        return list(self._node.ask(lambda: self._node.web3.eth.get_logs(criteria)))

    def accepted_log(self, sequence: int, kept: int, at: int) -> tuple[bytes, FeedWord, HexBytes]:
        """Digest, state and transaction of accepted report `sequence`, of which the contract keeps `kept` of the digest.

        Raises:
            SettlementError: CHAIN_MISMATCH where the node shows no such event; CHAIN_UNREACHABLE.
        """
        for log in reversed(self._get_logs([ACCEPTED], at)):
            digest, state = bytes(log["topics"][1]), unpack_state(int.from_bytes(log["data"]))
            if state.sequence == sequence and int.from_bytes(digest) & _KEPT_DIGEST == kept:
                return digest, state, HexBytes(log["transactionHash"])
        raise _out_of_reach(sequence)

    def _brought(self, transaction: HexBytes, digest: bytes) -> HedgeReport:
        """The report of that digest in the data of the transaction that brought it."""
        separator = domain_separator(self._node.chain_id, str(self._contract.address))
        try:
            data = bytes(self._node.ask(lambda: self._node.web3.eth.get_transaction(transaction))["input"])
        except TransactionNotFound:
            data = b""
        for signed in in_calldata(data, self._consortium):
            if typed_digest(separator, report_struct_hash(signed.report)) == digest:
                return signed.report
        raise SettlementError(
            f"transaction {transaction.to_0x_hex()} does not show the report that the contract has accepted with it",
            reason=Reason.CHAIN_MISMATCH,
            remedy="ask a node that keeps transactions",
        )

    def _stored_params(self, read: Any, number: int, report: HedgeReport) -> bytes | None:  # noqa: ANN401 - a closure
        """The words that the contract keeps of this report, None where it keeps none."""
        functions = self._contract.functions
        if number == 0 or int(read(functions.snapshot(number, 0, 0))[0]) != report.round:
            return None
        return b"".join(
            bytes(word)
            for start in range(0, report.instruments, WORDS_PER_CALL)
            for word in read(
                functions.snapshot(number, start, min(WORDS_PER_CALL, report.instruments - start))
            )[3]
        )


def _fields(value: Any, names: Sequence[str]) -> Mapping[str, Any]:  # noqa: ANN401 - a struct as web3 gives it
    return value if isinstance(value, Mapping) else dict(zip(names, value, strict=True))


def _out_of_reach(sequence: int) -> SettlementError:
    return SettlementError(
        f"the node shows no transaction that brought report {sequence}",
        reason=Reason.CHAIN_MISMATCH,
        remedy=f"ask a node that keeps logs, within {LOG_BLOCKS} blocks of the report",
    )
