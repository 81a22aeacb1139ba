"""Transactions of one account: estimate, fees, nonce, signature, and the wait for the receipt."""

from collections.abc import Mapping
from typing import Any, Final

from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak
from hexbytes import HexBytes
from web3.exceptions import TimeExhausted, TransactionNotFound

from coordinator.settlement.node import Node
from coordinator.settlement.types import Patience, SettlementError
from mpc_party.protocol.errors import ConfigError, Reason

TRANSACTION_GAS_CAP: Final = 1 << 24  # EIP-7825
GAS_MARGIN: Final = 1.15
_ALREADY_SENT: Final = ("already known", "already imported", "known transaction")


class Sender:
    """Sends one transaction at a time; its owner sees to that."""

    def __init__(self, node: Node, account: LocalAccount | None, patience: Patience) -> None:
        self._node = node
        self._account = account
        self._patience = patience
        self._sent: dict[bytes, HexBytes] = {}

    def account(self) -> LocalAccount:
        """Who pays.

        Raises:
            ConfigError: there is nobody.
        """
        if self._account is None:
            raise ConfigError(
                "no account to pay with", remedy="give the coordinator's home folder with --home"
            )
        return self._account

    def send(
        self, data: bytes, to: str | None, key: bytes | None = None, *, value: int = 0, pending: bool = False
    ) -> Mapping[str, Any]:
        """Sign, send, and wait for the receipt of a transaction that succeeds.

        Args:
            data: of the call, or creation code.
            to: the contract; None creates one.
            key: under which `resume` finds the transaction if this does not return.
            value: wei that go with it.
            pending: try it as of the block to come, not of the latest one: for what depends on the time.

        Raises:
            SettlementError: SETTLEMENT_REVERTED with the reason, CHAIN_UNREACHABLE.
        """
        account = self.account()
        call: dict[str, Any] = {"from": account.address, "data": HexBytes(data), "value": value}
        if to is not None:
            call["to"] = to
        # The estimate executes the call: a refusal comes back here, with its reason and at no cost.
        estimate = self._node.ask(
            lambda: int(self._node.web3.eth.estimate_gas(call, "pending" if pending else None))  # type: ignore[arg-type]
        )
        block, priority = self._node.ask(
            lambda: (self._node.web3.eth.get_block("latest"), int(self._node.web3.eth.max_priority_fee))
        )
        transaction = {
            **call,
            "chainId": self._node.chain_id,
            "nonce": self._node.ask(
                lambda: int(self._node.web3.eth.get_transaction_count(account.address, "pending"))
            ),
            "gas": min(int(estimate * GAS_MARGIN), max(estimate, TRANSACTION_GAS_CAP)),
            "maxPriorityFeePerGas": priority,
            "maxFeePerGas": 2 * int(block.get("baseFeePerGas", 0)) + priority,
        }
        signed = account.sign_transaction({k: v for k, v in transaction.items() if k != "from"})
        if key is not None:
            # Noted before it leaves: an answer that is lost does not make a second transaction.
            self._sent[key] = HexBytes(signed.hash)
        try:
            self._node.ask(lambda: self._node.web3.eth.send_raw_transaction(signed.raw_transaction))
        except SettlementError as error:
            if not any(phrase in error.message.lower() for phrase in _ALREADY_SENT):
                self._sent.pop(key or b"", None)
                raise
        receipt = self._wait(HexBytes(signed.hash))
        self._sent.pop(key or b"", None)
        return receipt

    def send_raw(self, raw: bytes) -> Mapping[str, Any]:
        """Send a transaction that somebody else has signed, and wait for its receipt.

        Raises:
            SettlementError: SETTLEMENT_REVERTED with the reason, CHAIN_UNREACHABLE.
        """
        transaction = HexBytes(bytes(keccak(raw)))
        try:
            self._node.ask(lambda: self._node.web3.eth.send_raw_transaction(raw))
        except SettlementError as error:
            if not any(phrase in error.message.lower() for phrase in _ALREADY_SENT):
                raise
        return self._wait(transaction)

    def resume(self, key: bytes) -> Mapping[str, Any] | None:
        """The receipt of a transaction that was sent under this key, if the node knows it; waits for its block."""
        transaction = self._sent.get(key)
        receipt = None
        if transaction is not None and self._is_known(transaction):
            receipt = self._wait(transaction)
        self._sent.pop(key, None)
        return receipt

    def _wait(self, transaction: HexBytes) -> Mapping[str, Any]:
        try:
            receipt = self._node.ask(
                lambda: self._node.web3.eth.wait_for_transaction_receipt(
                    transaction, timeout=self._patience.receipt, poll_latency=self._patience.poll
                )
            )
        except TimeExhausted:
            raise SettlementError(
                f"transaction {transaction.to_0x_hex()} is not in a block after {self._patience.receipt:g} s",
                reason=Reason.CHAIN_UNREACHABLE,
                remedy="see that the node is in sync and that the fee is enough",
            ) from None
        if receipt["status"] != 1:
            self._sent = {key: sent for key, sent in self._sent.items() if sent != transaction}
            raise SettlementError(
                f"transaction {transaction.to_0x_hex()} reverted in block {receipt['blockNumber']}",
                remedy="something changed between the simulation and the block; the next round tries again",
            )
        return receipt

    def _is_known(self, transaction: HexBytes) -> bool:
        try:
            self._node.ask(lambda: self._node.web3.eth.get_transaction(transaction))
        except TransactionNotFound:
            return False
        return True
