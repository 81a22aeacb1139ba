"""What a consortium's contracts are founded with, and where they come to stand: known before anything is sent.

Every contract is created by the deterministic deployment proxy (`factory`), so that its address follows from a salt and from
its creation code, which holds its constructor's arguments. Nothing here needs a node. `contracts/script/Deploy.s.sol` gives
the same addresses.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import EncodingError
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

from coordinator.artifact import Artifact, has_artifact, load_artifact
from coordinator.settlement.factory import create2_address
from mpc_party.protocol.actions import LedgerConfig, Tolerances
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.eip712 import encode_address
from mpc_party.protocol.errors import ConfigError, ReportError

JUDGE: Final = "ReportJudge"
MEMBERS: Final = "ConsortiumMembers"
LEDGER: Final = "HedgeSettlement"
BOND: Final = "ConsortiumBond"
VAULT: Final = "MarginVault"

DEAD: Final = "0x000000000000000000000000000000000000dEaD"  # nobody has its key
DAY: Final = 86_400
MAX_AGE: Final = 3_600  # seconds; the contract keeps it in 16 bits
MAX_FUTURE_SKEW: Final = 60
MAX_JUMP, JUMP_HORIZON = 1_500, 900  # 1e-4, seconds
_SALT_PREFIX: Final = b"mpc-hedge/deployment/v1"


@dataclass(frozen=True)
class SuiteOptions:
    """What the operator decides about the contracts.

    Attributes:
        quorum: members that govern together; None: all but t, which t corrupt members can neither be nor stop.
        action_delay: seconds from the members' decision until it can be carried out.
        challenge_window: seconds until a report is final.
        challenge_bond: wei that a challenge by law needs beside it.
        bond_delay: seconds until a part of the bond can leave.
        reward: the challenger's part of a seized bond, of 10,000.
        sink: where forfeited and seized money goes.
        salt: another number gives another set of contracts.
        collateral: the ERC-20 of a margin vault; None: no vault.
    """

    quorum: int | None = None
    action_delay: int = DAY
    challenge_window: int = 600
    challenge_bond: int = 10**17
    bond_delay: int = 10 * DAY
    reward: int = 2_000
    sink: str = DEAD
    salt: int = 0
    collateral: str | None = None


class VaultConfig(NamedTuple):
    """Times and rates of a margin vault: `VaultConfig` of vault/VaultTypes.sol, in its order and units."""

    settlement_lag: int = 3_600
    settlement_delay: int = 3 * 3_600
    proposal_period: int = 3_600
    fallback_delay: int = 7 * DAY
    solvent_time: int = 1_200
    insolvent_time: int = 1_200
    tick_gap: int = 120
    fee_rate: int = 10_000


@dataclass(frozen=True)
class Planned:
    """One contract to be: its artifact, its creation code with arguments, its address.

    Attributes:
        fixed: what its getters must say for ever, by name.
        initial: what they must say as long as nobody has decided otherwise.
    """

    artifact: Artifact
    creation: bytes
    address: str
    fixed: Mapping[str, Any]
    initial: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The contract's name."""
        return self.artifact.name


@dataclass(frozen=True)
class Plan:
    """All contracts in the order in which they are created, and the proxy's salt."""

    salt: bytes
    contracts: tuple[Planned, ...]

    def address(self, name: str) -> str | None:
        """Where a contract is to stand, None where it is not planned."""
        return next((each.address for each in self.contracts if each.name == name), None)


def ledger_config(consortium: Consortium, challenge_window: int) -> LedgerConfig:
    """What the ledger accepts, from the consortium's program."""
    validity = consortium.program.report_validity
    return LedgerConfig(
        max_age=min(validity, MAX_AGE),
        max_future_skew=MAX_FUTURE_SKEW,
        max_validity=validity,
        challenge_window=challenge_window,
        max_instruments=consortium.program.max_instruments,
        max_jump=MAX_JUMP,
        jump_horizon=JUMP_HORIZON,
    )


def ledger_tolerances(consortium: Consortium) -> Tolerances:
    """What reports may be off by: parties compute with fewer bits more coarsely, as ToleranceFloors.sol says."""
    scale = 1 << max(0, 16 - consortium.program.fraction_bits)
    defaults = Tolerances()
    return Tolerances(
        **{
            name: getattr(defaults, name) * (1 if name == "hedge_reach" else scale)
            for name in defaults.__struct_fields__
        }
    )


def make_plan(consortium: Consortium, options: SuiteOptions) -> Plan:
    """Say what to create for this consortium, and where it comes to stand.

    Raises:
        ConfigError: no group key yet, an option that no contract takes, or a vault that this release does not have.
    """
    quorum = _quorum(consortium, options.quorum)
    _check_options(options)
    validity = consortium.program.report_validity
    if not 0 < options.challenge_window < validity:
        raise ConfigError(
            f"a challenge window of {options.challenge_window} s: reports are valid for {validity} s, and none would be final "
            "before it has expired",
            remedy="give a shorter --challenge-window",
        )
    salt = _salt(consortium, options)
    planned = functools.partial(_planned, salt)
    accounts = [member.account for member in consortium.members]
    config, tolerances = ledger_config(consortium, options.challenge_window), ledger_tolerances(consortium)
    group_key = consortium.group_address

    judge = planned(JUDGE, [], {}, {})
    members = planned(
        MEMBERS,
        [accounts, quorum, options.action_delay],
        {"actionDelay": options.action_delay},
        {"members": accounts, "quorum": quorum},
    )
    founding = (
        consortium.id_bytes,
        group_key,
        consortium.epoch,
        members.address,
        msgspec.structs.astuple(config),
        msgspec.structs.astuple(tolerances),
        judge.address,
        options.challenge_bond,
        options.sink,
    )
    ledger = planned(
        LEDGER,
        [founding],
        {
            "consortium": consortium.id_bytes,
            "MEMBERS": members.address,
            "JUDGE": judge.address,
            "CHALLENGE_BOND": options.challenge_bond,
            "SINK": to_checksum_address(options.sink),
        },
        {
            "groupKey": group_key,
            "epoch": consortium.epoch,
            "config": msgspec.structs.astuple(config),
            "tolerances": msgspec.structs.astuple(tolerances),
        },
    )
    companions = plan_companions(consortium, ledger.address, options)
    return Plan(salt, (judge, members, ledger, *companions))


def plan_companions(consortium: Consortium, ledger: str, options: SuiteOptions) -> tuple[Planned, ...]:
    """What is founded with the ledger's address alone: the bond and, where there is a collateral, the vault.

    Neither depends on who the members are: they stay where they stand when members, threshold, key or epoch change.

    Raises:
        ConfigError: an option that no contract takes, or a vault that this release does not have.
    """
    _check_options(options)
    planned = functools.partial(_planned, _salt(consortium, options))
    bond = planned(
        BOND,
        [ledger, options.sink, options.reward, options.bond_delay],
        {
            "LEDGER": ledger,
            "SINK": to_checksum_address(options.sink),
            "REWARD": options.reward,
            "DELAY": options.bond_delay,
        },
        {},
    )
    if options.collateral is None:
        return (bond,)
    if not has_artifact(VAULT):
        raise ConfigError("this release has no margin vault", remedy="leave out --collateral")
    vault = planned(
        VAULT,
        [options.collateral, [ledger], VaultConfig()],
        {"token": to_checksum_address(options.collateral), "feeds": [ledger]},
        {},
    )
    return bond, vault


def _salt(consortium: Consortium, options: SuiteOptions) -> bytes:
    return bytes(keccak(_SALT_PREFIX + consortium.id_bytes + options.salt.to_bytes(32)))


def _planned(
    salt: bytes, name: str, arguments: list[object], fixed: Mapping[str, Any], initial: Mapping[str, Any]
) -> Planned:
    artifact = load_artifact(name)
    creation = artifact.bytecode + _encoded(artifact, arguments)
    return Planned(artifact, creation, create2_address(salt, creation), fixed, initial)


def _encoded(artifact: Artifact, arguments: list[object]) -> bytes:
    constructor = next((entry for entry in artifact.abi if entry["type"] == "constructor"), {})
    inputs: list[dict[str, Any]] = constructor.get("inputs", [])
    try:
        return abi_encode([_type(item) for item in inputs], arguments)
    except EncodingError as error:
        raise ConfigError(f"{artifact.name} cannot be founded with this: {error}") from None


def _type(item: Mapping[str, Any]) -> str:
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind.removeprefix('tuple')}"


def _quorum(consortium: Consortium, given: int | None) -> int:
    members = len(consortium.members)
    quorum = members - consortium.threshold if given is None else given
    if not consortium.threshold < quorum <= members:
        raise ConfigError(f"a quorum of {quorum} of {members} members: it must be above the threshold")
    return quorum


def _check_options(options: SuiteOptions) -> None:
    if not 0 <= options.salt < 1 << 256:
        raise ConfigError("--salt must be a number of at most 256 bits")
    for name, address in (("--sink", options.sink), ("--collateral", options.collateral)):
        if address is not None:
            _check_address(name, address)


def _check_address(name: str, address: str) -> None:
    try:
        encode_address(address)
    except ReportError as error:
        raise ConfigError(f"{name}: {error.message}") from None
