"""A Safe, from the artifacts of the npm package, for tests of what owns one and of what one owns."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import pytest
from eth_account.messages import SignableMessage, encode_typed_data
from hexbytes import HexBytes
from web3 import Web3

from tests.support.contract_tools import CONTRACTS

SAFE = CONTRACTS / "node_modules" / "@safe-global" / "safe-contracts" / "build" / "artifacts" / "contracts"
ZERO = "0x" + "00" * 20
TRANSACTION = {
    "to": "address", "value": "uint256", "data": "bytes", "operation": "uint8", "safeTxGas": "uint256",
    "baseGas": "uint256", "gasPrice": "uint256", "gasToken": "address", "refundReceiver": "address",
    "nonce": "uint256",
}  # fmt: skip


def require_safe() -> None:
    if not SAFE.exists():
        # Where they must be there, their absence is a failure and not a skipped test.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "the Safe's contracts are not installed: `make contracts` installs them"
        )


def safe_artifact(folder: str, name: str) -> tuple[list[Any], HexBytes]:
    found = json.loads((SAFE / folder / f"{name}.sol" / f"{name}.json").read_text())
    return found["abi"], HexBytes(found["bytecode"])


def deployed(web3: Web3, abi: list[Any], code: bytes) -> Any:
    built = web3.eth.contract(abi=abi, bytecode=code).constructor()
    receipt = web3.eth.wait_for_transaction_receipt(built.transact({"from": web3.eth.accounts[0]}))
    return web3.eth.contract(address=receipt["contractAddress"], abi=abi)


class Safe:
    """A Safe that takes all of its owners, behind its usual proxy and fallback handler."""

    def __init__(self, web3: Web3, owners: Sequence[str]) -> None:
        singleton = deployed(web3, *safe_artifact(".", "Safe"))
        factory = deployed(web3, *safe_artifact("proxies", "SafeProxyFactory"))
        handler = deployed(web3, *safe_artifact("handler", "CompatibilityFallbackHandler"))
        setup = singleton.encode_abi(
            "setup", [list(owners), len(owners), ZERO, b"", handler.address, ZERO, 0, ZERO]
        )
        create = factory.functions.createProxyWithNonce(singleton.address, setup, 7)
        self.address = create.call()
        web3.eth.wait_for_transaction_receipt(create.transact({"from": web3.eth.accounts[0]}))
        self.web3 = web3
        self.contract = web3.eth.contract(address=self.address, abi=singleton.abi)

    def domain(self) -> dict[str, Any]:
        return {"chainId": self.web3.eth.chain_id, "verifyingContract": self.address}

    def transaction(self, to: str, value: int = 0, data: bytes = b"") -> tuple[object, ...]:
        """The fields of `TRANSACTION` for the Safe's next transaction."""
        return (to, value, data, 0, 0, 0, 0, ZERO, ZERO, self.contract.functions.nonce().call())

    def message(self, transaction: Sequence[object]) -> SignableMessage:
        """What each owner signs, made from the type and not by the contract."""
        types = {"SafeTx": [{"name": name, "type": kind} for name, kind in TRANSACTION.items()]}
        return encode_typed_data(self.domain(), types, dict(zip(TRANSACTION, transaction, strict=True)))

    def hash(self, transaction: Sequence[object]) -> bytes:
        """What the contract says that owners sign, 32 bytes."""
        return bytes(self.contract.functions.getTransactionHash(*transaction).call())

    def execute(self, transaction: Sequence[object], signatures: Sequence[bytes]) -> None:
        """Bring a signed transaction, as anyone may. The signatures come in the order of their owners' addresses."""
        call = self.contract.functions.execTransaction(*transaction[:-1], b"".join(signatures))
        receipt = self.web3.eth.wait_for_transaction_receipt(
            call.transact({"from": self.web3.eth.accounts[0]})
        )
        assert receipt["status"] == 1
