"""The compiled contracts: what is deployed, how deployed code is recognised, and what their errors mean."""

from collections.abc import Mapping
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

LEDGER: Final = "HedgeSettlement"
_ERROR_STRING: Final = bytes.fromhex("08c379a0")  # Error(string)
_PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)

_REMEDIES: Final = {
    "ActionDelayTooLong": "give a shorter --action-delay",
    "ActionExpired": "the members must sign and schedule it anew",
    "ActionKnown": "it was scheduled already; sign it with another salt to do it again",
    "ActionNotScheduled": "the members must sign and schedule it first; every argument counts",
    "ActionOfOtherMembers": "the members have changed since; those in charge must schedule it anew",
    "ActionTooEarly": "wait until the members' delay has passed",
    "BookNotRegistered": "register its instruments and the book first",
    "ChallengeBondMismatch": "send just what CHALLENGE_BOND says",
    "ConfigInvalid": "give a --challenge-window below the program's report_validity, and of at most 7 days",
    "DelayOutOfRange": "give a --bond-delay of 9 to 365 days",
    "DelayShorterThanWindow": "give an --action-delay that is no shorter than --challenge-window",
    "ExpiryCountOutOfBounds": "propose a book with fewer expiries",
    "FeedPaused": "the members have paused the contract; ask them",
    "InstrumentCountOutOfBounds": "the program's max_instruments differs from the contract's; the members must set it",
    "JudgeHasNoCode": "deploy the judge first, or run `deploy` again",
    "KeyRetired": "the group key has been rotated; fetch the present consortium file",
    "KeySlashed": "a proof of fraud has stopped this key; the members must put another one in force",
    "NotGroupKey": "the contract holds another group key than the one that signed; deploy again, or rotate the key",
    "NotMember": "use the account of a member of the contract",
    "ObservedBeforePrevious": "the market source went back in time; start it after the last published observation",
    "ObservedInFuture": "the market's clock is ahead of the chain's; for a recording, run the chain on its clock",
    "QuorumNotMet": "collect more members' signatures",
    "ReportExpired": "the report came too late; the next round brings a fresh one",
    "ReportNotAccepted": "it was never accepted under this number, or it was dropped",
    "ReportTooOld": "the market's clock is behind the chain's; for a recording, run the chain on its clock",
    "ReportTooSoon": "the contract takes reports no faster than its pace; run rounds less often",
    "RewardOutOfRange": "give a --reward above 0 and below 10000",
    "RoundNotNewer": "the contract has this round or a later one already",
    "SeizureOutstanding": "seize the bond for the proven fraud first",
    "StoredTooSoon": "the contract stores reports no faster than its storedPace",
    "TolerancesTooSoon": "tolerances change at most once in 8 days, while a report can be challenged by the ones before",
    "ToleranceAboveCeiling": "a program of fewer than 15 fraction_bits is too coarse to be held to its reports",
    "ToleranceBelowFloor": "honest reports need at least the floor",
    "UnbondingLapsed": "cancel the request, and ask again",
    "UnbondingTooEarly": "wait until the bond's delay has passed",
    "ValidityOutOfBounds": "the program's report_validity differs from the contract's; the members must set it",
    "WrongConsortium": "the contract belongs to another consortium; look at the [settlement] section",
    "WrongEpoch": "the group key has been rotated; fetch the present consortium file",
}


@dataclass(frozen=True)
class Artifact:
    """One compiled contract.

    Attributes:
        name: as in its source.
        abi: functions, events and errors.
        bytecode: what creates it, before the constructor's arguments.
        deployed: what stands on a chain then, with zeros where immutables are.
        immutables: (start, length) of every place in `deployed` that the constructor fills.
    """

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    deployed: bytes
    immutables: tuple[tuple[int, int], ...]

    def matches(self, code: bytes) -> bool:
        """Whether this code on the chain is the contract, whatever its immutables hold."""
        if not self.deployed or len(code) != len(self.deployed):
            return False
        masked = bytearray(code)
        for start, length in self.immutables:
            masked[start : start + length] = bytes(length)
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

    def decode_error(self, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Name and arguments of the contract's own error in revert data, None where it is none.

        Raises:
            DecodingError, OverflowError: the arguments do not decode.
        """
        found = self.errors.get(data[:4])
        if found is None:
            return None
        name, arguments = found
        values = abi_decode([kind for kind, _ in arguments], data[4:])
        return name, {label: value for (_, label), value in zip(arguments, values, strict=True)}

    def explain(self, data: bytes) -> tuple[str, str | None]:
        """What revert data says, `Name(argument=value, ...)`, and what to do about it, where that is known."""
        selector, body = data[:4], data[4:]
        try:
            if selector == _ERROR_STRING:
                return str(abi_decode(["string"], body)[0])[:200], None
            if selector == _PANIC:
                return f"Panic({abi_decode(['uint256'], body)[0]:#x})", None
            found = self.decode_error(data)
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return f"undecodable error 0x{data[:36].hex()}", None
        if found is None:
            return f"unknown error 0x{data[:36].hex()}" if data else "no reason given", None
        name, arguments = found
        shown = ", ".join(
            f"{label}={'0x' + value.hex() if isinstance(value, bytes) else value}"
            for label, value in arguments.items()
        )
        return f"{name}({shown})", _REMEDIES.get(name)


@cache
def load_artifact(name: str = LEDGER) -> Artifact:
    """One contract's artifact, as installed or as checked out: by default the ledger's.

    Raises:
        ConfigError: it is missing or damaged, or an interface, which has no code.
    """
    try:
        raw = msgspec.json.decode((_folder() / f"{name}.json").read_bytes())
        deployed = _code(raw["deployedBytecode"])
        artifact = Artifact(
            name,
            raw["abi"],
            _code(raw["bytecode"]),
            deployed,
            _immutables(raw["immutableReferences"], deployed),
        )
    except (OSError, msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(f"{name}.json", error) from None
    if not artifact.bytecode or not artifact.deployed:
        raise ConfigError(f"the compiled contract {name}.json holds no code")
    return artifact


def has_artifact(name: str) -> bool:
    """Whether this release has that contract at all."""
    return (_folder() / f"{name}.json").is_file()


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
    # A checkout's own come first: what is installed beside it may be another checkout's.
    beside = Path(__file__).resolve().parent.parent / "contracts" / "artifacts"
    return beside if beside.is_dir() else files("coordinator.artifacts")


def _code(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _immutables(
    references: Mapping[str, list[dict[str, int]]], deployed: bytes
) -> tuple[tuple[int, int], ...]:
    places = tuple(
        sorted((place["start"], place["length"]) for places in references.values() for place in places)
    )
    if any(deployed[start : start + length] != bytes(length) for start, length in places):
        raise ValueError("an immutable's place is not empty")
    return places
