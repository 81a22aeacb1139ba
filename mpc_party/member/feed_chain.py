"""A member's own way to its consortium's contracts: who governs a feed, and the stop that one member may pull alone.

Importing web3 takes a second and a half: it is done when a node is asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from mpc_party.protocol.consortium import Settlement
from mpc_party.protocol.eip712 import keccak_of
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import one_line

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from hexbytes import HexBytes
    from web3.contract import Contract
    from web3.types import TxReceipt

T = TypeVar("T")

CALL_SECONDS: Final = 20.0
RECEIPT_SECONDS: Final = 120.0
GAS_MARGIN: Final = 1.2
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_PAUSED_ALREADY: Final = keccak_of(b"FeedPaused()")[:4]


def _function(name: str, kind: str, *, takes: str | None = None, gives: str | None = None) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": kind,
        "inputs": [] if takes is None else [{"name": "of", "type": takes}],
        "outputs": [] if gives is None else [{"name": "", "type": gives}],
    }


_FEED: Final = [_function("MEMBERS", "view", gives="address"), _function("isLive", "view", gives="bool")]
_MEMBERS: Final = [
    _function("isMember", "view", takes="address", gives="bool"),
    _function("pause", "nonpayable", takes="address"),
]


@dataclass(frozen=True)
class Paused:
    """A feed is stopped. `transaction`, `block` and `gas` are None where it was before."""

    members: str
    transaction: str | None = None
    block: int | None = None
    gas: int | None = None


class FeedChain:
    """A consortium's feed and its members' contract at one node. All calls block.

    Raises:
        ConfigError: no such URL.
        ConsortiumError: CHAIN_UNREACHABLE, CHAIN_MISMATCH: another chain, or no feed that members govern.
    """

    def __init__(self, rpc_url: str, settlement: Settlement) -> None:
        from requests import Session  # noqa: PLC0415 - comes with web3
        from web3 import HTTPProvider, Web3  # noqa: PLC0415 - see the module

        if not rpc_url.startswith(("http://", "https://")):
            raise ConfigError("--rpc-url: no http:// or https:// URL")
        session = Session()
        # A proxy for the outside world has no business with a node on this machine.
        session.trust_env = urlsplit(rpc_url).hostname not in _LOOPBACK
        # A retry that nobody sees hides a broken node.
        provider = HTTPProvider(
            rpc_url,
            session=session,
            request_kwargs={"timeout": CALL_SECONDS},
            exception_retry_configuration=None,
        )
        # A contract must not make this process fetch URLs (EIP-3668).
        provider.global_ccip_read_enabled = False
        self._web3 = Web3(provider)
        self._settlement = settlement
        chain_id = self._ask(lambda: int(self._web3.eth.chain_id))
        if chain_id != settlement.chain_id:
            raise ConsortiumError(
                f"the node is on chain {chain_id}, the consortium's feed on {settlement.chain_id}",
                reason=Reason.CHAIN_MISMATCH,
                remedy="give another node with --rpc-url",
            )
        feed = self._contract(settlement.contract, _FEED)
        self.members = str(self._ask(feed.functions.MEMBERS().call))
        self._members = self._contract(self.members, _MEMBERS)

    def require_member(self, account: str) -> None:
        """Refuse an account that does not govern.

        Raises:
            ConfigError: KEY_UNKNOWN.
        """
        if not self._ask(self._members.functions.isMember(account).call):
            raise ConfigError(
                f"{account} is not a member at {self.members}",
                reason=Reason.KEY_UNKNOWN,
                remedy="give the folder of a member with --home",
            )

    def pause(self, account: "LocalAccount") -> Paused:
        """Stop the feed, by a transaction that this account pays.

        Raises:
            ConsortiumError: SETTLEMENT_REVERTED with the reason, CHAIN_UNREACHABLE.
        """
        eth = self._web3.eth
        call = self._members.functions.pause(self._settlement.contract)
        try:
            estimate = self._ask(lambda: int(call.estimate_gas({"from": account.address})))
        except _RefusedError as error:
            if error.data[:4] == _PAUSED_ALREADY:
                return Paused(self.members)
            raise
        block, priority, nonce = self._ask(
            lambda: (
                eth.get_block("latest"),
                int(eth.max_priority_fee),
                int(eth.get_transaction_count(account.address, "pending")),
            )
        )
        transaction = {
            "to": self.members,
            "data": call._encode_transaction_data(),  # noqa: SLF001 - what `build_transaction` does, without asking the node
            "value": 0,
            "chainId": self._settlement.chain_id,
            "nonce": nonce,
            "gas": int(estimate * GAS_MARGIN),
            "maxPriorityFeePerGas": priority,
            # It has to get in at once, whatever a block costs now.
            "maxFeePerGas": 4 * int(block.get("baseFeePerGas", 0)) + 2 * priority,
        }
        signed = account.sign_transaction(transaction)
        sent = self._ask(lambda: eth.send_raw_transaction(signed.raw_transaction))
        receipt = self._landed(sent)
        if receipt["status"] != 1:
            raise ConsortiumError(
                f"transaction {sent.to_0x_hex()} reverted in block {receipt['blockNumber']}",
                reason=Reason.SETTLEMENT_REVERTED,
                remedy="somebody may have paused the feed first; look at it, and try again",
            )
        return Paused(self.members, sent.to_0x_hex(), int(receipt["blockNumber"]), int(receipt["gasUsed"]))

    def _landed(self, sent: "HexBytes") -> "TxReceipt":
        from web3.exceptions import TimeExhausted  # noqa: PLC0415 - see the module

        def wait() -> "TxReceipt | None":
            try:
                return self._web3.eth.wait_for_transaction_receipt(sent, timeout=RECEIPT_SECONDS)
            except TimeExhausted:
                return None

        receipt = self._ask(wait)
        if receipt is None:
            raise ConsortiumError(
                f"transaction {sent.to_0x_hex()} is not in a block after {RECEIPT_SECONDS:g} s",
                reason=Reason.CHAIN_UNREACHABLE,
                remedy="it may still come: look for it, and ask another member to pause, too",
            )
        return receipt

    def _contract(self, address: str, abi: list[dict[str, Any]]) -> "Contract":
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 - comes with web3

        at = to_checksum_address(address)
        if not self._ask(lambda: bytes(self._web3.eth.get_code(at))):
            raise ConsortiumError(
                f"there is no contract at {address} on chain {self._settlement.chain_id}",
                reason=Reason.CHAIN_MISMATCH,
                remedy="check --rpc-url and the [settlement] section of the consortium file",
            )
        return self._web3.eth.contract(address=at, abi=abi)

    @staticmethod
    def _ask(call: Callable[[], T]) -> T:
        from web3.exceptions import ContractLogicError, Web3Exception, Web3RPCError  # noqa: PLC0415 - as above

        try:
            return call()
        except ContractLogicError as error:
            raise _RefusedError(_data(error.data), str(error.message)) from None
        except Web3RPCError as error:
            raise ConsortiumError(
                f"the node refuses: {one_line(str(error.message))}",
                reason=Reason.SETTLEMENT_REVERTED,
                remedy="see that the member's account has funds on this chain",
            ) from None
        except (Web3Exception, OSError, ValueError, TypeError, KeyError) as error:
            raise ConsortiumError(
                f"the node cannot be reached, or makes no sense ({type(error).__name__})",
                reason=Reason.CHAIN_UNREACHABLE,
                remedy="give another node with --rpc-url",
            ) from None


class _RefusedError(ConsortiumError):
    """A contract's refusal, with its revert data."""

    default_reason = Reason.SETTLEMENT_REVERTED

    def __init__(self, data: bytes, message: str) -> None:
        shown = f"error 0x{data[:36].hex()}" if data else one_line(message)
        super().__init__(
            f"the contract refuses: {shown}", remedy="see that it is the consortium's own contract"
        )
        self.data = data


def _data(data: object) -> bytes:
    if isinstance(data, dict):
        data = data.get("data")
    try:
        return bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else b""
    except ValueError:
        return b""
