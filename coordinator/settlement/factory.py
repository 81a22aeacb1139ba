"""The deterministic deployment proxy: a contract of a few bytes that creates others by CREATE2, at one address on every chain.

Whoever calls it with a salt and creation code has the contract created at an address that follows from these two alone. It
was put there by a transaction that belongs to no chain (before EIP-155), signed by a made-up signature whose key nobody
knows, so that anybody can repeat it anywhere: https://github.com/Arachnid/deterministic-deployment-proxy.
"""

from typing import Final

from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from coordinator.settlement.node import Node
from coordinator.settlement.sender import Sender
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.errors import Reason

FACTORY: Final = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
FACTORY_CODE: Final = bytes.fromhex(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe0"
    "3601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
# The transaction: nonce 0, 100,000 gas at 100 gwei, creation of that code, v = 27 and r = s = 0x2222...
FACTORY_SENDER: Final = "0x3fAB184622Dc19b6109349B94811493BF2a45362"
FACTORY_TRANSACTION: Final = bytes.fromhex(
    "f8a58085174876e800830186a08080b853604580600e600039806000f350fe" + FACTORY_CODE.hex() + "1b"
    "a0" + 32 * "22" + "a0" + 32 * "22"
)
FACTORY_COST: Final = 100_000 * 100 * 10**9  # wei


def create2_address(salt: bytes, creation: bytes) -> str:
    """Where the proxy creates this (EIP-1014), as an EIP-55 address."""
    digest = keccak(b"\xff" + bytes.fromhex(FACTORY[2:]) + salt + bytes(keccak(creation)))
    return str(to_checksum_address(bytes(digest)[12:]))


def ensure_factory(node: Node, sender: Sender) -> int:
    """Put the proxy in place where a chain lacks it; gives the gas that took.

    Raises:
        SettlementError: CHAIN_MISMATCH: the chain cannot have it. Else as of `Sender.send`.
    """
    code = node.code(FACTORY)
    if code == FACTORY_CODE:
        return 0
    if code or node.ask(lambda: node.web3.eth.get_transaction_count(to_checksum_address(FACTORY_SENDER))):
        raise _impossible("something else stands in its place")
    gas = 0
    held = node.ask(lambda: int(node.web3.eth.get_balance(to_checksum_address(FACTORY_SENDER))))
    if held < FACTORY_COST:
        gas += int(sender.send(b"", FACTORY_SENDER, value=FACTORY_COST - held)["gasUsed"])
    try:
        receipt = sender.send_raw(FACTORY_TRANSACTION)
    except SettlementError as error:
        if error.reason is Reason.CHAIN_UNREACHABLE:
            raise
        raise _impossible(error.message) from None
    if node.code(FACTORY) != FACTORY_CODE:
        raise _impossible("its transaction has left no code")
    return gas + int(receipt["gasUsed"])


def _impossible(why: str) -> SettlementError:
    return SettlementError(
        f"the deployment proxy {FACTORY} is not on this chain, and its transaction does not bring it: {why}",
        reason=Reason.CHAIN_MISMATCH,
        remedy="have the chain's operator install it, or a node take transactions without a chain id "
        "(geth: --rpc.allow-unprotected-txs), and run this again",
    )
