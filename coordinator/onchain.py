"""A consortium's contracts at one node, seen with one account: asked, tried and sent to. All calls block.

`coordinator.settlement` is the coordinator's own way to the ledger, for reports in their order. This one is for whoever acts on
the contracts by hand: one transaction at a time, with a value, tried before it is sent.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from web3.contract import Contract
from web3.exceptions import TransactionNotFound
from web3.logs import DISCARD
from web3.types import LogReceipt, TxParams, TxReceipt

from coordinator.artifact import load_abi, load_artifact
from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import Patience, SettlementError
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.errors import ConfigError, Reason

BATCH: Final = 100  # calls in one request
_KNOWN: Final = ("HedgeSettlement", "ConsortiumMembers", "ConsortiumBond", "ReportJudge")


@dataclass(frozen=True)
class Sent:
    """A transaction that succeeded."""

    transaction: str
    block: int
    gas: int
    logs: list[LogReceipt]

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {"transaction": self.transaction, "block": self.block, "gas": self.gas}


class _Counting(Sender):
    """Knows how much gas its transactions took."""

    gas = 0

    def send(
        self, data: bytes, to: str | None, key: bytes | None = None, *, value: int = 0, pending: bool = False
    ) -> Mapping[str, Any]:
        receipt = super().send(data, to, key, value=value, pending=pending)
        self.gas += int(receipt["gasUsed"])
        return receipt


class Onchain:
    """The node, and the account.

    Args:
        rpc_url: of any JSON-RPC node.
        account: pays for transactions; None to look only.
        chain_id: what the node's chain must be; None takes any.

    Raises:
        ConfigError: no such URL.
        SettlementError: CHAIN_UNREACHABLE, CHAIN_MISMATCH.
    """

    def __init__(
        self,
        rpc_url: str,
        account: LocalAccount | None = None,
        *,
        chain_id: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        patience = patience or Patience()
        ledger = load_artifact()
        # One list of errors, so that refusals have names whichever contract they come from.
        known = replace(ledger, abi=[entry for name in _KNOWN for entry in load_abi(name)])
        self._node = Node(rpc_url, patience.call, known)
        self._account = account
        self.sender = _Counting(self._node, account, patience)
        self.chain_id = self._node.chain_id
        if chain_id is not None and chain_id != self.chain_id:
            raise SettlementError(
                f"the node is on chain {self.chain_id}, the contract on {chain_id}",
                reason=Reason.CHAIN_MISMATCH,
                remedy="give the node of that chain with --rpc-url",
            )

    @property
    def node(self) -> Node:
        """The node itself."""
        return self._node

    @property
    def account(self) -> str:
        """Who pays.

        Raises:
            ConfigError: nobody.
        """
        if self._account is None:
            raise ConfigError("no account to pay with", remedy="give a keystore with --keystore")
        return str(self._account.address)

    @property
    def payer(self) -> str | None:
        """Who pays, if anybody does."""
        return None if self._account is None else str(self._account.address)

    def contract(self, name: str, address: str, what: str) -> Contract:
        """One of our contracts at an address that has code.

        Args:
            name: of its artifact.
            address: EIP-55.
            what: how to name it in an error.

        Raises:
            ConfigError: no address.
            SettlementError: CHAIN_MISMATCH: there is nothing; CHAIN_UNREACHABLE.
        """
        check_address(address, what)
        at = to_checksum_address(address)
        if not self._node.code(at):
            raise SettlementError(
                f"there is no contract at {address} on chain {self.chain_id}",
                reason=Reason.CHAIN_MISMATCH,
                remedy="check the address and the node's chain",
            )
        return self._node.web3.eth.contract(address=at, abi=load_abi(name), decode_tuples=True)

    def ask(
        self,
        contract: Contract,
        name: str,
        *arguments: object,
        sender: str | None = None,
        value: int = 0,
        block: int | None = None,
    ) -> Any:  # noqa: ANN401 - web3's own types
        """Call a function without a transaction.

        Raises:
            SettlementError: SETTLEMENT_REVERTED with the contract's own error, CHAIN_UNREACHABLE.
        """
        call: TxParams = {} if sender is None else {"from": to_checksum_address(sender)}
        if value:
            call["value"] = value  # type: ignore[typeddict-item] # Wei is an int
        function = contract.functions[name](*arguments)
        return self._node.ask(
            lambda: function.call(call, block_identifier="latest" if block is None else block)
        )

    def ask_many(self, contract: Contract, name: str, arguments: Iterable[tuple[object, ...]]) -> list[Any]:
        """Call one function many times, in few requests; none of the calls may revert.

        Raises:
            SettlementError: as `ask`.
        """
        todo, found = list(arguments), []
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]

            def run(part: list[tuple[object, ...]] = part) -> list[Any]:
                with self._node.web3.batch_requests() as batch:
                    for one in part:
                        batch.add(contract.functions[name](*one))
                    return list(batch.execute())

            found += self._node.ask(run)
        return found

    def send(self, contract: Contract, name: str, *arguments: object, value: int = 0) -> Sent:
        """Send a transaction and wait for its block.

        Raises:
            SettlementError: SETTLEMENT_REVERTED with the contract's own error, and nothing was paid; CHAIN_UNREACHABLE.
            ConfigError: no account.
        """
        data = HexBytes(contract.encode_abi(name, list(arguments)))
        receipt = self.sender.send(data, str(contract.address), value=value)
        return Sent(
            HexBytes(receipt["transactionHash"]).to_0x_hex(),
            int(receipt["blockNumber"]),
            int(receipt["gasUsed"]),
            list(receipt["logs"]),
        )

    # What has happened

    def timestamp(self) -> int:
        """Of the latest block."""
        return int(self._node.ask(lambda: self._node.web3.eth.get_block("latest"))["timestamp"])

    def height(self) -> int:
        """The latest block's number, asked anew."""
        return int(self._node.ask(lambda: self._node.web3.eth.get_block("latest"))["number"])

    def has_code(self, address: str) -> bool:
        """Whether an account is a contract."""
        return bool(self._node.code(address))

    def balance(self, address: str) -> int:
        """Wei of an account."""
        at = to_checksum_address(address)
        return int(self._node.ask(lambda: self._node.web3.eth.get_balance(at)))

    def logs(self, contract: Contract, names: Iterable[str], first: int, last: int) -> list[Any]:
        """Events of these names in a range of blocks, decoded, in their order."""
        found = [
            log
            for name in names
            for log in self._node.ask(
                lambda name=name: contract.events[name]().get_logs(from_block=first, to_block=last)  # type: ignore[misc]
            )
        ]
        return sorted(found, key=lambda log: (log["blockNumber"], log["logIndex"]))

    def calldata(self, transaction: bytes) -> bytes | None:
        """The data that a transaction was sent with; None where the node does not know it any more."""
        try:
            found = self._node.ask(lambda: self._node.web3.eth.get_transaction(HexBytes(transaction)))
        except TransactionNotFound:
            return None
        return bytes(HexBytes(found["input"]))

    def is_release(self, contract: Contract, name: str) -> bool:
        """Whether the code at an address is that of this release's contract of a name."""
        return load_artifact(name).matches(self._node.code(str(contract.address)))

    def events_in(self, sent: Sent, contract: Contract, name: str) -> list[Mapping[str, Any]]:
        """Arguments of a contract's events of that name in a transaction."""
        receipt = cast("TxReceipt", {"logs": sent.logs})
        found = contract.events[name]().process_receipt(receipt, errors=DISCARD)
        return [log["args"] for log in found if log["address"] == contract.address]
