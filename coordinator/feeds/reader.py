"""For protocol developers: what a consortium's contract says now, and whether a report file is the consortium's.

`Feed` reads any contract with the interface `IHedgeFeed` through a JSON-RPC node; it needs no key, no consortium file,
and believes the node. `verify_report` needs no node: whoever knows the group key's address can check a report that was
handed over off the chain. Units are those of the words, see `mpc_party.protocol.words`.
"""

from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from coordinator.artifact import load_abi, load_artifact
from coordinator.check import DecodedReport, decode_book
from coordinator.report_file import ReportFile
from coordinator.settlement import Patience, SettlementError
from coordinator.settlement.node import Node
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.eip712 import report_digest, verify_signature
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.words import (
    InstrumentFields,
    ParamFields,
    pack_instrument,
    unpack_instrument,
    unpack_param,
)


@dataclass(frozen=True)
class FeedState:
    """A feed at one block. `timestamp`: the block's; `live`: the feed takes reports; `latest_sequence`: 0 before any."""

    block: int
    timestamp: int
    live: bool
    latest_sequence: int


@dataclass(frozen=True)
class FeedReading:
    """One instrument in one final report. Times in Unix seconds; `forward` in 1e-8 of the quote currency."""

    instrument_id: int
    param: ParamFields
    forward: int
    sequence: int
    round: int
    observed_at: int
    valid_until: int
    accepted_at: int

    def unfit(self, state: FeedState, max_age: int) -> str | None:
        """Why this reading should not be acted on at that block, None if nothing speaks against it.

        Args:
            state: of the feed, at the block at which the reading was taken.
            max_age: seconds that may lie between the market data and its use.
        """
        # First, because a feed whose latest report has expired is not live either.
        if state.timestamp > self.valid_until:
            return f"the report expired {state.timestamp - self.valid_until} seconds ago"
        if not state.live:
            return "the feed is not live: paused, stopped by a proof of fraud, flagged by the breaker, or without a valid report"
        if self.sequence != state.latest_sequence:
            return f"it is of stored report {self.sequence}, the latest final one is {state.latest_sequence}"
        if state.timestamp - self.observed_at > max_age:
            return f"its market data is {state.timestamp - self.observed_at} seconds old"
        return None


class Feed:
    """A contract with the interface `IHedgeFeed`.

    Args:
        rpc_url: of any JSON-RPC node.
        contract: its address, with EIP-55 checksum.
        chain_id: what the node's chain must be; None takes any.

    Raises:
        ConfigError: no such URL or address.
        SettlementError: CHAIN_UNREACHABLE; CHAIN_MISMATCH where the chain is another or has no code at the address.
    """

    def __init__(
        self, rpc_url: str, contract: str, *, chain_id: int | None = None, patience: Patience | None = None
    ) -> None:
        check_address(contract, "contract")
        self.address = contract
        # The ledger's own errors, so that its refusals have names.
        self._node = Node(rpc_url, (patience or Patience()).call, load_artifact())
        self.chain_id = self._node.chain_id
        if chain_id is not None and chain_id != self.chain_id:
            raise SettlementError(
                f"the node is on chain {self.chain_id}, the feed on {chain_id}", reason=Reason.CHAIN_MISMATCH
            )
        address = to_checksum_address(contract)
        if not self._node.ask(lambda: bytes(self._node.web3.eth.get_code(address))):
            raise SettlementError(
                f"there is no contract at {self.address} on chain {self.chain_id}",
                reason=Reason.CHAIN_MISMATCH,
                remedy="check the address and the node's chain",
            )
        self._functions = self._node.web3.eth.contract(
            address=address, abi=load_abi("IHedgeFeed"), decode_tuples=True
        ).functions

    def state(self, block: int | None = None) -> FeedState:
        """The feed at a block: the latest where None. Readings of the same block belong to it.

        Raises:
            SettlementError: CHAIN_UNREACHABLE, or SETTLEMENT_REVERTED where the contract is no feed.
        """
        found = self._node.ask(lambda: self._node.web3.eth.get_block("latest" if block is None else block))
        number = int(found["number"])
        return FeedState(
            block=number,
            timestamp=int(found["timestamp"]),
            live=bool(self._ask("isLive", block=number)),
            latest_sequence=int(self._ask("latestSequence", block=number)),
        )

    def reading(
        self, instrument_id: int, *, sequence: int | None = None, block: int | None = None
    ) -> FeedReading:
        """An instrument's reading in stored report `sequence`: in the latest final one where None.

        Raises:
            SettlementError: SETTLEMENT_REVERTED where the feed has no such reading; CHAIN_UNREACHABLE.
            ReportError: the contract gives a word that no report holds.
        """
        found = (
            self._ask("reading", instrument_id, block=block)
            if sequence is None
            else self._ask("readingAt", instrument_id, sequence, block=block)
        )
        return FeedReading(
            instrument_id=instrument_id,
            param=unpack_param(bytes(found.param)),
            forward=int(found.forward),
            sequence=int(found.sequence),
            round=int(found.round),
            observed_at=int(found.observedAt),
            valid_until=int(found.validUntil),
            accepted_at=int(found.acceptedAt),
        )

    def instrument(self, instrument_id: int) -> InstrumentFields:
        """What an instrument's number stands for.

        Raises:
            SettlementError: SETTLEMENT_REVERTED where it stands for nothing; CHAIN_UNREACHABLE.
        """
        return unpack_instrument(bytes(self._ask("instrument", instrument_id)))

    def id_of(self, instrument: InstrumentFields) -> int | None:
        """An instrument's number at this feed, None where it has none.

        Raises:
            SettlementError: CHAIN_UNREACHABLE.
            ReportError: there can be no such instrument.
        """
        return int(self._ask("idOf", pack_instrument(instrument))) or None

    def _ask(self, name: str, *arguments: object, block: int | None = None) -> Any:  # noqa: ANN401 - web3's own types
        call = self._functions[name](*arguments)
        return self._node.ask(lambda: call.call(block_identifier="latest" if block is None else block))


def verify_report(file: ReportFile, *, chain_id: int, contract: str, group_key: str) -> DecodedReport:
    """Check a report file against what the caller knows from elsewhere, and join it with its book.

    A report that has expired verifies: look at `valid_until`.

    Args:
        file: see `coordinator.report_file.load_report_file`.
        chain_id: of the consortium's contract.
        contract: its address.
        group_key: the address of the key that signs.

    Raises:
        ReportError: another chain or contract (CHAIN_MISMATCH), words or book that do not fit, another digest than the
            file says, or a signature that is not the group key's (SIGNATURE_INVALID).
    """
    if (file.chain_id, file.contract.lower()) != (chain_id, contract.lower()):
        raise ReportError(
            f"the report is for contract {file.contract} on chain {file.chain_id}, not for {contract} on {chain_id}",
            reason=Reason.CHAIN_MISMATCH,
        )
    report = file.hedge_report()
    digest = report_digest(report, chain_id, contract)
    if f"0x{digest.hex()}" != file.digest:
        raise ReportError(f"the report's digest is 0x{digest.hex()}, the file says {file.digest}")
    verify_signature(digest, file.signature_bytes(), group_key)
    return decode_book(report, file.book())
