"""The compiled settlement contract: what is deployed, how deployed code is recognised, and what its errors mean."""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

import msgspec
from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from mpc_party.protocol.errors import ConfigError

FILE: Final = "HedgeSettlement.json"
_ERROR_STRING: Final = bytes.fromhex("08c379a0")  # Error(string)
_PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)
# solc writes an immutable into the code after PUSH32, where the artifact has zeros.
_IMMUTABLE: Final = re.compile(rb"\x7f\x00{32}")

_REMEDIES: Final = {
    "EnforcedPause": "the members have paused the contract; ask them",
    "ExpiryPassed": "an expiry of the book lies before the observation; propose a fresh book",
    "NotGroupKey": "the contract holds another group key than the one that signed; deploy again, or rotate the key",
    "ObservedBeforePrevious": "the market source went back in time; start it after the last published observation",
    "ObservedInFuture": "the market's clock is ahead of the chain's; for a recording, run the chain on its clock",
    "ReportExpired": "the report came too late; the next round brings a fresh one",
    "ReportTooOld": "the market's clock is behind the chain's; for a recording, run the chain on its clock",
    "RoundNotNewer": "the contract has this round or a later one already",
    "ValidityOutOfBounds": "the program's report_validity differs from the contract's; deploy again",
    "WrongConsortium": "the contract belongs to another consortium; look at the [settlement] section",
    "WrongEpoch": "the group key has been rotated; fetch the present consortium file",
}


@dataclass(frozen=True)
class Artifact:
    """One compiled contract: `abi`, creation code and runtime code."""

    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed: bytes

    def matches(self, code: bytes) -> bool:
        """Whether this code on the chain is the contract, whatever its immutables hold."""
        if len(code) != len(self.deployed):
            return False
        masked = bytearray(code)
        for match in _IMMUTABLE.finditer(self.deployed):
            masked[match.start() + 1 : match.end()] = bytes(32)
        return bytes(masked) == self.deployed

    @cached_property
    def errors(self) -> dict[bytes, tuple[str, tuple[tuple[str, str], ...]]]:
        """Custom errors by selector: name, and (type, name) of each argument."""
        table = {}
        for entry in self.abi:
            if entry["type"] == "error":
                arguments = tuple((item["type"], item["name"]) for item in entry["inputs"])
                signature = f"{entry['name']}({','.join(kind for kind, _ in arguments)})"
                table[bytes(keccak(signature.encode()))[:4]] = (entry["name"], arguments)
        return table

    def explain(self, data: bytes) -> tuple[str, str | None]:
        """What revert data says, `Name(argument=value, ...)`, and what to do about it, where that is known."""
        selector, body = data[:4], data[4:]
        try:
            if selector == _ERROR_STRING:
                return str(abi_decode(["string"], body)[0])[:200], None
            if selector == _PANIC:
                return f"Panic({abi_decode(['uint256'], body)[0]:#x})", None
            if selector not in self.errors:
                return f"unknown error 0x{data[:36].hex()}" if data else "no reason given", None
            name, arguments = self.errors[selector]
            values = abi_decode([kind for kind, _ in arguments], body)
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return f"undecodable error 0x{data[:36].hex()}", None
        shown = ", ".join(
            f"{label}={'0x' + value.hex() if isinstance(value, bytes) else value}"
            for (_, label), value in zip(arguments, values, strict=True)
        )
        return f"{name}({shown})", _REMEDIES.get(name)


@cache
def load_artifact() -> Artifact:
    """The settlement contract's artifact, as installed or as checked out.

    Raises:
        ConfigError: it is missing or damaged.
    """
    try:
        raw = msgspec.json.decode((_folder() / FILE).read_bytes())
        artifact = Artifact(raw["abi"], _code(raw["bytecode"]), _code(raw["deployedBytecode"]))
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        raise _damaged(FILE, error) from None
    if not artifact.bytecode or not artifact.deployed:
        raise ConfigError(f"the compiled contract {FILE} holds no code")
    return artifact


@cache
def load_abi(name: str) -> list[dict[str, Any]]:
    """The ABI alone of one checked-in contract or interface, for instance `IHedgeFeed`.

    Raises:
        ConfigError: it is missing or damaged.
    """
    file = f"{name}.json"
    try:
        return list(msgspec.json.decode((_folder() / file).read_bytes())["abi"])
    except (OSError, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise _damaged(file, error) from None


def _damaged(file: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"the compiled contract {file} is missing or damaged ({type(error).__name__}: {error})",
        remedy="install the package again, or run contracts/scripts/export_artifacts.py",
    )


def _folder() -> Traversable:
    try:
        return files("coordinator.artifacts")
    except ModuleNotFoundError:
        # A checkout that is on the path without being installed.
        return Path(__file__).resolve().parent.parent / "contracts" / "artifacts"


def _code(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
