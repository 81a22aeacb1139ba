"""The chain itself: py-evm with a clock, one block per transaction, and revert data that reaches the caller."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from eth.abc import ComputationAPI, SignedTransactionAPI, VirtualMachineAPI
from eth.exceptions import Revert
from eth.vm.spoof import SpoofTransaction
from eth_tester import EthereumTester
from eth_tester.backends.pyevm.main import PyEVMBackend
from eth_utils.address import to_canonical_address, to_checksum_address

from mpc_party.protocol.errors import ConfigError

CHAIN_ID = 31_337  # the usual one of development chains
BLOCK_GAS_LIMIT = 60_000_000  # mainnet's in 2026; one transaction of 2^24 gas (EIP-7825) fits with room
TRANSACTION_GAS_CAP = 1 << 24  # EIP-7825, which the main chain enforces: what passes here passes there
GENESIS_BALANCE = 10**24  # a million ether, in wei
PRIORITY_FEE = 10**9  # wei
MAX_TIMESTAMP = 2**40 - 1


class ExecutionRevertedError(Exception):
    """The EVM refused a call. `data` is what the contract returned (empty for anything but REVERT)."""

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class Clock:
    """The chain's time in Unix seconds: a start plus what has passed since, plus jumps; never backwards."""

    def __init__(self, start_time: int | None) -> None:
        self._offset = (time.time() if start_time is None else float(start_time)) - time.monotonic()
        self._next: int | None = None

    def now(self) -> int:
        """Time by the clock, or what the next block was told to have."""
        return self._next if self._next is not None else int(time.monotonic() + self._offset)

    def advance(self, seconds: int) -> None:
        """Jump ahead."""
        self._offset += seconds

    def set_next(self, timestamp: int) -> None:
        """Give the next block exactly this timestamp; the clock goes on from there."""
        self._next = timestamp
        self._offset = timestamp - time.monotonic()

    def block_made(self) -> None:
        """A block has taken the time that was set for it."""
        self._next = None


class EmbeddedChain:
    """A development chain in memory.

    Not thread-safe: whoever serves it from several threads takes turns.

    Args:
        fund: addresses that hold a million ether from the first block on.
        start_time: the genesis block's Unix time; later blocks follow the clock from there. None: the present.
        chain_id: EIP-155 chain id.

    Raises:
        ConfigError: a funded address or the start time is not valid.
    """

    def __init__(
        self, *, fund: Sequence[str] = (), start_time: int | None = None, chain_id: int = CHAIN_ID
    ) -> None:
        if start_time is not None and not 0 < start_time <= MAX_TIMESTAMP:
            raise ConfigError(f"start time {start_time} is not a Unix time in seconds")
        self.chain_id = chain_id
        self._clock = Clock(start_time)
        account = {"balance": GENESIS_BALANCE, "nonce": 0, "code": b"", "storage": {}}
        nobody = {
            bytes(20): {**account, "balance": 0}
        }  # an empty genesis would fund the well-known keys 1 to 10
        state = nobody | {_address(address): account for address in fund}
        parameters = PyEVMBackend.generate_genesis_params(
            {"timestamp": self._clock.now(), "gas_limit": BLOCK_GAS_LIMIT}
        )
        self._backend = PyEVMBackend(genesis_parameters=parameters, genesis_state=state)
        type(self._backend.chain).chain_id = chain_id  # the class is made anew for every backend
        self.tester = EthereumTester(self._backend)

    # Time

    def next_timestamp(self) -> int:
        """The timestamp that a block made now would have."""
        return max(self._clock.now(), self._latest_timestamp() + 1)

    def increase_time(self, seconds: int) -> None:
        """Jump ahead by so many seconds; blocks from now on show it."""
        if not 0 <= seconds <= MAX_TIMESTAMP:
            raise ValueError("seconds must be between 0 and 2^40")
        self._clock.advance(seconds)

    def set_next_block_timestamp(self, timestamp: int) -> None:
        """Give the next block exactly this timestamp; the clock goes on from there."""
        if not self._latest_timestamp() < timestamp <= MAX_TIMESTAMP:
            raise ValueError(f"timestamp must be above the latest block's, {self._latest_timestamp()}")
        self._clock.set_next(timestamp)

    def mine(self, blocks: int = 1) -> None:
        """Make empty blocks."""
        for _ in range(blocks):
            self._set_pending_time()
            self.tester.mine_block()
            self._clock.block_made()

    # Transactions and calls

    def send_raw_transaction(self, raw: bytes) -> str:
        """Execute a signed transaction in a block of its own; returns its hash.

        A transaction that reverts is in the block all the same, with status 0, as on any chain.

        Raises:
            ValueError: not a transaction.
            ValidationError (eth_utils): the chain does not take it.
        """
        try:
            transaction = self._backend.chain.get_transaction_builder().decode(raw)
        except Exception:  # noqa: BLE001 - RLP, index and type errors alike: these bytes are no transaction
            raise ValueError("these bytes are no signed transaction") from None
        if transaction.chain_id not in {None, self.chain_id}:  # py-evm does not look
            raise ValueError(f"the transaction is for chain {transaction.chain_id}, this is {self.chain_id}")
        self._set_pending_time()
        with self._unchanged_on_failure():
            transaction_hash = str(self.tester.send_raw_transaction("0x" + raw.hex()))
        self._clock.block_made()
        return transaction_hash

    def call(self, transaction: Mapping[str, Any], block: str | int = "latest") -> bytes:
        """Execute without a trace and return the output.

        Raises:
            ExecutionRevertedError: with the revert data.
        """
        computation = self._execute(transaction, self.machine(block), TRANSACTION_GAS_CAP)
        _raise_error(computation)
        return bytes(computation.output)

    def estimate_gas(self, transaction: Mapping[str, Any]) -> int:
        """Gas that the transaction needs if it is sent now, in one execution and a little above the least.

        A call may pass on 63/64 of its gas (EIP-150), so that with calls nested d deep (64/63)^d times the gas used,
        before refunds, is enough. Only code that looks at how much gas is left can need more.

        Raises:
            ExecutionRevertedError: it fails with all the gas that a transaction may have.
        """
        computation = self._execute(transaction, self.machine("pending"), TRANSACTION_GAS_CAP)
        _raise_error(computation)
        # Refunds are paid after execution: the gas to bring is what was used before them.
        used = TRANSACTION_GAS_CAP - int(computation.get_gas_remaining())
        for _ in range(_depth(computation)):
            used = -(-used * 64 // 63)
        return min(used, TRANSACTION_GAS_CAP)

    @property
    def backend(self) -> PyEVMBackend:
        """eth-tester's backend, for state queries."""
        return self._backend

    def base_fee(self) -> int:
        """Base fee of the next block, wei."""
        return int(self._backend.chain.get_block().header.base_fee_per_gas)

    # Inside

    def _latest_timestamp(self) -> int:
        chain = self._backend.chain
        number = chain.get_block().number - 1  # the head of a py-evm chain is the pending block
        return int(chain.get_canonical_block_header_by_number(number).timestamp)

    def _set_pending_time(self) -> None:
        chain = self._backend.chain
        chain.header = chain.header.copy(timestamp=self.next_timestamp())

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        # A transaction that is refused halfway must not leave half a pending block.
        header = self._backend.chain.header
        try:
            yield
        except Exception:
            self._backend.chain.header = header
            raise

    def machine(self, block: str | int) -> VirtualMachineAPI:
        """The virtual machine as of a block (a number or a tag); "pending" is the block that would be made now."""
        chain = self._backend.chain
        if block == "pending":
            self._set_pending_time()
            header = chain.header
        else:
            number = self.tester.get_block_by_number(block)["number"]
            header = chain.get_canonical_block_header_by_number(number)
        return cast("VirtualMachineAPI", chain.get_vm(at_header=header))

    def _execute(
        self, transaction: Mapping[str, Any], machine: VirtualMachineAPI, gas: int
    ) -> ComputationAPI:
        sender = transaction.get("from", bytes(20))
        state = machine.state
        fee = machine.get_header().base_fee_per_gas or 0
        gas = min(gas, transaction.get("gas", gas))
        unsigned = self._backend.chain.get_transaction_builder().new_unsigned_dynamic_fee_transaction(
            chain_id=self.chain_id,
            nonce=state.get_nonce(sender),
            max_priority_fee_per_gas=0,
            max_fee_per_gas=fee,
            gas=gas,
            to=transaction.get("to", b""),
            value=transaction.get("value", 0),
            data=transaction.get("data", b""),
            access_list=(),
        )
        snapshot = state.snapshot()
        try:
            # A call costs nothing, but its value must be there: the sender is given the gas's price, no more.
            state.delta_balance(sender, gas * fee)
            return state.apply_transaction(
                cast("SignedTransactionAPI", SpoofTransaction(unsigned, from_=sender))
            )
        finally:
            state.revert(snapshot)


def _depth(computation: ComputationAPI) -> int:
    return max((1 + _depth(child) for child in computation.children), default=0)


def _address(text: str) -> bytes:
    try:
        address = to_canonical_address(text)
    except (ValueError, TypeError):
        raise ConfigError(f"{text[:60]!r} is not an address", remedy="give 0x and 40 hex digits") from None
    if text not in {to_checksum_address(address), text.lower()}:
        raise ConfigError(f"address {text} fails its checksum (EIP-55)", remedy="copy it again")
    return address


def _raise_error(computation: ComputationAPI) -> None:
    if not computation.is_error:
        return
    error = computation.error
    if isinstance(error, Revert):
        raise ExecutionRevertedError("execution reverted", bytes(computation.output))
    raise ExecutionRevertedError(f"execution failed: {type(error).__name__}", b"")
