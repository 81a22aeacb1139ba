"""JSON-RPC 2.0 requests answered from an `EmbeddedChain`: the standard methods that clients use, and no others.

Whatever a request holds, the answer is a JSON-RPC answer: -32700 not JSON, -32600 no request, -32601 no such method,
-32602 wrong parameters, 3 reverted (with the revert data, so that clients decode custom errors), -32000 refused.
Specification: https://www.jsonrpc.org/specification and https://ethereum.github.io/execution-apis/.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from eth.abc import StateAPI
from eth.exceptions import PyEVMError
from eth_tester.exceptions import BlockNotFound, TransactionNotFound, ValidationError
from eth_utils.exceptions import ValidationError as EvmValidationError

from coordinator.chain.evm import PRIORITY_FEE, EmbeddedChain, ExecutionRevertedError
from coordinator.chain.parameters import (
    InvalidParameterError,
    address,
    block_tag,
    call_object,
    data,
    hash32,
    log_filter,
    quantity,
)
from coordinator.chain.results import block_result, camel_case, log_result, transaction_result
from mpc_party.protocol.nesting import decode_json

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMETERS = -32_700, -32_600, -32_601, -32_602
INTERNAL_ERROR, REFUSED, REVERTED = -32_603, -32_000, 3
MAX_BATCH = 100
MAX_BLOCKS_MINED = 1000
MAX_LOG_RANGE = 10_000
MAX_FEE_HISTORY = 1024

_log = structlog.get_logger("chain")


class _RpcError(Exception):
    def __init__(self, code: int, message: str, error_data: str | None = None) -> None:
        super().__init__(message)
        self.answer: dict[str, Any] = {"code": code, "message": message}
        if error_data is not None:
            self.answer["data"] = error_data


class JsonRpc:
    """Answers request bodies. Not thread-safe: the server lets one request in at a time."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self._chain = chain
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "mpc-coordinator/embedded-py-evm",
            "net_version": lambda: str(chain.chain_id),
            "net_listening": lambda: True,
            "eth_chainId": lambda: hex(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": self._accounts,
            "eth_blockNumber": lambda: hex(chain.tester.get_block_by_number("latest")["number"]),
            "eth_gasPrice": lambda: hex(chain.base_fee() + PRIORITY_FEE),
            "eth_maxPriorityFeePerGas": lambda: hex(PRIORITY_FEE),
            "eth_feeHistory": self._fee_history,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": lambda of, at="latest": hex(self._state(at).get_balance(address(of))),
            "eth_getTransactionCount": lambda of, at="latest": hex(self._state(at).get_nonce(address(of))),
            "eth_getCode": lambda of, at="latest": "0x" + self._state(at).get_code(address(of)).hex(),
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": lambda call, _at="pending": hex(chain.estimate_gas(call_object(call))),
            "eth_sendRawTransaction": lambda raw: chain.send_raw_transaction(data(raw)),
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "evm_increaseTime": self._increase_time,
            "evm_setNextBlockTimestamp": self._set_next_block_timestamp,
            "evm_mine": self._mine,
        }

    def answer(self, body: bytes) -> bytes:
        """The response body for a request body; empty when there is nothing to answer (notifications)."""
        try:
            request = decode_json(body)
        except ValueError:
            return _encode(_failure(None, PARSE_ERROR, "the body is not JSON"))
        if not isinstance(request, list):
            response = self._one(request)
            return b"" if response is None else _encode(response)
        if not 0 < len(request) <= MAX_BATCH:
            return _encode(_failure(None, INVALID_REQUEST, f"a batch holds 1 to {MAX_BATCH} requests"))
        responses = [r for r in map(self._one, request) if r is not None]
        return _encode(responses) if responses else b""

    def _one(self, request: object) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failure(None, INVALID_REQUEST, "not a JSON-RPC 2.0 request")
        identity = request.get("id")
        if not isinstance(identity, (int, float, str, type(None))) or isinstance(identity, bool):
            return _failure(None, INVALID_REQUEST, "the id must be a number, a string or null")
        parameters = request.get("params", [])
        try:
            result = self._dispatch(request["method"], parameters)
        except _RpcError as error:
            response: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "error": error.answer}
        else:
            response = {"jsonrpc": "2.0", "id": identity, "result": result}
        return response if "id" in request else None

    def _dispatch(self, method: str, parameters: object) -> object:
        function = self._methods.get(method)
        if function is None:
            raise _RpcError(NO_METHOD, f"no method {method[:60]!r} here")
        if not isinstance(parameters, list):
            raise _RpcError(INVALID_PARAMETERS, "params must be an array")
        try:
            inspect.signature(function).bind(*parameters)
        except TypeError:
            raise _RpcError(INVALID_PARAMETERS, f"{method}: wrong number of parameters") from None
        try:
            return function(*parameters)
        except InvalidParameterError as error:
            raise _RpcError(INVALID_PARAMETERS, f"{method}: {error}") from None
        except ExecutionRevertedError as error:
            raise _RpcError(REVERTED, error.message, "0x" + error.data.hex()) from None
        except BlockNotFound:
            raise _RpcError(REFUSED, "no such block") from None
        except (ValidationError, EvmValidationError, PyEVMError, ValueError) as error:
            raise _RpcError(REFUSED, f"{method}: {_one_line(error)}") from None
        except Exception:  # noqa: BLE001 - a bug in one method must not take the chain down; it is logged
            _log.exception("method failed", method=method)
            raise _RpcError(INTERNAL_ERROR, f"{method} failed; see the chain's log") from None

    # Queries

    @staticmethod
    def _accounts() -> list[str]:
        return []  # the node holds no keys

    def _state(self, at: object) -> StateAPI:
        return self._chain.machine(block_tag(at)).state

    def _storage(self, of: object, slot: object, at: object = "latest") -> str:
        value = self._state(at).get_storage(address(of), quantity(slot, 256))
        return f"0x{value:064x}"

    def _block_by_number(self, tag: object, full: object = False) -> object:  # noqa: FBT002 - as the protocol has it
        try:
            block = self._chain.tester.get_block_by_number(block_tag(tag), full_transactions=bool(full))
        except BlockNotFound:
            return None
        result = block_result(block)
        if tag == "pending":
            result["timestamp"] = hex(self._chain.next_timestamp())
        return result

    def _block_by_hash(self, block_hash: object, full: object = False) -> object:  # noqa: FBT002 - as above
        try:
            return block_result(
                self._chain.tester.get_block_by_hash(hash32(block_hash), full_transactions=bool(full))
            )
        except BlockNotFound:
            return None

    def _transaction(self, transaction_hash: object) -> object:
        try:
            return transaction_result(self._chain.tester.get_transaction_by_hash(hash32(transaction_hash)))
        except TransactionNotFound:
            return None

    def _receipt(self, transaction_hash: object) -> object:
        try:
            receipt = self._chain.tester.get_transaction_receipt(hash32(transaction_hash))
        except TransactionNotFound:
            return None
        logs = [log_result(entry) for entry in receipt["logs"]]
        bare = {key: value for key, value in receipt.items() if key not in {"logs", "state_root"}}
        return {**camel_case(bare), "logs": logs, "logsBloom": "0x" + "00" * 256}

    def _logs(self, criteria: object) -> object:
        wanted = log_filter(criteria)
        if (block_hash := wanted.pop("block_hash", None)) is not None:
            number = self._chain.tester.get_block_by_hash(block_hash)["number"]
            wanted |= {"from_block": number, "to_block": number}
        head = self._chain.tester.get_block_by_number("latest")["number"]
        first, last = (_height(wanted.get(key, "latest"), head) for key in ("from_block", "to_block"))
        if first > head:
            return []
        if first > last or last - first > MAX_LOG_RANGE:
            raise InvalidParameterError(f"the range of blocks must ascend and span at most {MAX_LOG_RANGE}")
        wanted |= {"from_block": first, "to_block": min(last, head)}
        return [log_result(entry) for entry in self._chain.tester.get_logs(**wanted)]

    def _fee_history(self, count: object, newest: object, percentiles: object = None) -> object:
        wanted = quantity(count, 64)
        if not 1 <= wanted <= MAX_FEE_HISTORY:
            raise InvalidParameterError(f"between 1 and {MAX_FEE_HISTORY} blocks")
        tag = block_tag(newest)
        last = self._chain.tester.get_block_by_number("latest" if tag == "pending" else tag)["number"]
        first = max(0, last - wanted + 1)
        blocks = [self._chain.tester.get_block_by_number(number) for number in range(first, last + 1)]
        history: dict[str, Any] = {
            "oldestBlock": hex(first),
            "baseFeePerGas": [hex(b["base_fee_per_gas"]) for b in blocks] + [hex(self._chain.base_fee())],
            "gasUsedRatio": [b["gas_used"] / b["gas_limit"] for b in blocks],
        }
        if isinstance(percentiles, list) and percentiles:
            history["reward"] = [[hex(PRIORITY_FEE)] * len(percentiles) for _ in blocks]
        return history

    def _call(self, call: object, at: object = "latest") -> str:
        return "0x" + self._chain.call(call_object(call), block_tag(at)).hex()

    # Development

    def _increase_time(self, seconds: object) -> str:
        self._chain.increase_time(quantity(seconds, 64))
        return hex(self._chain.next_timestamp())

    def _set_next_block_timestamp(self, timestamp: object) -> None:
        self._chain.set_next_block_timestamp(quantity(timestamp, 64))

    def _mine(self, options: object = None) -> str:
        blocks = options.get("blocks", 1) if isinstance(options, Mapping) else 1
        timestamp = options.get("timestamp") if isinstance(options, Mapping) else options
        number = quantity(blocks, 64)
        if not 1 <= number <= MAX_BLOCKS_MINED:
            raise InvalidParameterError(f"between 1 and {MAX_BLOCKS_MINED} blocks")
        if timestamp is not None:
            self._chain.set_next_block_timestamp(quantity(timestamp, 64))
        self._chain.mine(number)
        return "0x0"


def _failure(identity: float | str | None, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}


def _height(block: str | int, head: int) -> int:
    if isinstance(block, int):
        return block
    return 0 if block == "earliest" else head


def _encode(response: object) -> bytes:
    return json.dumps(response, separators=(",", ":")).encode()


def _one_line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
