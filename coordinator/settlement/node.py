"""A JSON-RPC node behind a URL: the connection, and what its failures are called."""

from collections.abc import Callable, Mapping
from functools import cache
from json import JSONDecodeError
from typing import TypeVar, cast
from urllib.parse import urlsplit

import requests
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from web3 import HTTPProvider, Web3
from web3.exceptions import (
    ContractLogicError,
    TimeExhausted,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.types import RPCEndpoint, RPCResponse

from coordinator.artifact import Artifact, load_artifact
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import one_line
from mpc_party.protocol.nesting import decode_json

T = TypeVar("T")

CONNECT_SECONDS = 5.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class _Provider(HTTPProvider):
    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        return cast("RPCResponse", decode_json(raw_response))


class Node:
    """One node. `ask` is the only way in: whatever goes wrong comes out as one typed error.

    Args:
        url: http:// or https://.
        call_seconds: of silence that one call may take.
        artifact: whose errors the node's refusals carry.

    Raises:
        ConfigError: no such URL.
        SettlementError: CHAIN_UNREACHABLE; the node is asked for its chain id.
    """

    def __init__(self, url: str, call_seconds: float, artifact: Artifact) -> None:
        self._url = url
        self._artifact = artifact
        self.web3 = _connect(url, call_seconds)
        self.chain_id = self.ask(lambda: int(self.web3.eth.chain_id))

    def ask(self, call: Callable[[], T]) -> T:
        """Run one web3 call.

        Raises:
            SettlementError: SETTLEMENT_REVERTED if contract or node refuse, CHAIN_UNREACHABLE if there is no node, or
                none that makes sense.
            TimeExhausted, TransactionNotFound: web3's own, for those who ask about transactions.
        """
        try:
            return call()
        except (TimeExhausted, TransactionNotFound):
            raise
        except ContractLogicError as error:
            raise self._refusal(error) from None
        except Web3RPCError as error:
            raise SettlementError(
                f"the node refuses: {_rpc_message(error)}",
                remedy="see that the coordinator's account has funds on this chain",
            ) from None
        except (Web3Exception, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _unreachable(self._url, error) from None

    def code(self, address: str) -> bytes:
        """What stands at an address, empty where nothing does."""
        return self.ask(lambda: bytes(self.web3.eth.get_code(to_checksum_address(address))))

    def _refusal(self, error: ContractLogicError) -> SettlementError:
        data = _error_data(error)
        if not data:
            return SettlementError(f"the contract refuses: {one_line(str(error.message))}")
        # A contract passes on what another one of the suite says.
        known = next(
            (each for each in (self._artifact, *_suite()) if data[:4] in each.errors), self._artifact
        )
        text, remedy = known.explain(data)
        try:
            name, arguments = known.decode_error(data) or (None, {})
        except (DecodingError, OverflowError):
            name, arguments = None, {}
        return SettlementError(
            f"the contract refuses: {text}", remedy=remedy, error=name, arguments=arguments
        )

    def follow_clock(self, timestamp: int) -> None:
        """Bring a development chain to at least this time, as a recorded market needs it.

        Raises:
            SettlementError: CHAIN_MISMATCH, the node's clock lies behind and cannot be set.
        """
        latest = self.ask(lambda: self.web3.eth.get_block("latest")["timestamp"])
        if latest >= timestamp:
            return
        # A block with this time, because calls are executed as of the latest block.
        self._develop("evm_setNextBlockTimestamp", [timestamp])
        self._develop("evm_mine", [])

    def _develop(self, method: str, parameters: list[int]) -> None:
        response = self.ask(lambda: self.web3.provider.make_request(RPCEndpoint(method), parameters))
        if "error" in response:
            raise SettlementError(
                "this chain's clock cannot be set, and the recorded market's is another",
                reason=Reason.CHAIN_MISMATCH,
                remedy="settle a recording on `mpc-coordinator chain` or on Anvil, or run on a live market",
            )


@cache
def _suite() -> tuple[Artifact, ...]:
    return tuple(load_artifact(name) for name in ("ConsortiumMembers", "ConsortiumBond"))


def _connect(url: str, call_seconds: float) -> Web3:
    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and (parts.port is None or parts.port > 0)
        )
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{shown_url(url)!r} is no RPC URL", remedy="give http://host:port or https://host")
    session = requests.Session()
    # A proxy for the outside world has no business with a node on this machine.
    session.trust_env = parts.hostname not in LOOPBACK
    provider = _Provider(
        url,
        session=session,
        request_kwargs={"timeout": (min(CONNECT_SECONDS, call_seconds), call_seconds)},
        # A retry that nobody sees hides a broken node, and a transaction must not be sent twice.
        exception_retry_configuration=None,
        # web3 asks for the chain id before every call; transactions name theirs, so that asking once is enough.
        cache_allowed_requests=True,
        cacheable_requests={RPCEndpoint("eth_chainId")},
    )
    # A contract must not make this process fetch URLs (EIP-3668).
    provider.global_ccip_read_enabled = False
    return Web3(provider)


def _unreachable(url: str, cause: Exception) -> SettlementError:
    if isinstance(cause, requests.Timeout):
        what = "does not answer in time"
    elif isinstance(cause, requests.HTTPError) and cause.response is not None:
        what = f"answers HTTP {cause.response.status_code}"
    elif isinstance(cause, (JSONDecodeError, UnicodeDecodeError)):
        what = "does not speak JSON-RPC"
    elif isinstance(cause, requests.ConnectionError):
        what = "cannot be reached"
    else:
        what = f"gives an answer that makes no sense ({type(cause).__name__})"
    return SettlementError(
        f"the node at {shown_url(url)} {what}",
        reason=Reason.CHAIN_UNREACHABLE,
        remedy="start one with `mpc-coordinator chain`, or give another with --rpc-url",
    )


def _error_data(error: ContractLogicError) -> bytes:
    data = error.data
    if isinstance(data, dict):
        data = data.get("data")
    if not isinstance(data, str):
        return b""
    try:
        return bytes.fromhex(data.removeprefix("0x"))
    except ValueError:
        return b""


def shown_url(url: str) -> str:
    """Scheme, host and port: paths, queries and credentials of RPC URLs hold API keys."""
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "the URL"
    return (
        f"{parts.scheme}://{parts.hostname}{port}"
        if parts.hostname
        else url.partition("@")[2][:40] or url[:40]
    )


def _rpc_message(error: Web3RPCError) -> str:
    response = error.rpc_response or {}
    inner = response.get("error", {}) if isinstance(response, Mapping) else {}
    text = inner.get("message", "") if isinstance(inner, Mapping) else ""
    return " ".join(str(text or error.message or "no reason given").split())[:300]
