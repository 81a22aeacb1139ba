"""What members decide about their contracts: typed actions, which they sign with their own accounts.

An action is scheduled at `ConsortiumMembers` with a quorum's signatures over `action_digest`, under its `action_hash`, and
carried out by anybody once the members' delay has passed. Structs are in the order of their EIP-712 types; building one
checks nothing, hashing it does.
"""

from typing import Final

import msgspec

from mpc_party.protocol.eip712 import domain_separator, encode_address, encode_uint, keccak_of, typed_digest
from mpc_party.protocol.errors import ReportError

MEMBERS_DOMAIN: Final = "MPC Hedge Members"
CONFIG_TYPE: Final = (
    "Config(uint16 maxAge,uint16 maxFutureSkew,uint24 maxValidity,uint24 challengeWindow,uint16 maxInstruments,"
    "uint16 maxJump,uint16 jumpHorizon)"
)
TOLERANCES_TYPE: Final = "Tolerances(uint24 delta,uint24 gamma,uint24 vega,uint24 premium,uint24 vol,uint16 hedgeReach,uint24 hedgeSlack)"
ROTATE_TYPE: Final = "RotateGroupKey(address feed,address newGroupKey,uint64 newEpoch,uint256 overlap,bytes32 salt,uint256 deadline)"
MEMBERS_TYPE: Final = "SetMembers(address[] members,uint256 quorum,bytes32 salt,uint256 deadline)"
PARAMETERS_TYPE: Final = (
    "SetParameters(address feed,Config config,Tolerances tolerances,bytes32 salt,uint256 deadline)"
    + CONFIG_TYPE
    + TOLERANCES_TYPE
)
UNPAUSE_TYPE: Final = "Unpause(address feed,bytes32 salt,uint256 deadline)"
CANCEL_TYPE: Final = "CancelAction(bytes32 action)"
_CONFIG_BITS: Final = (16, 16, 24, 24, 16, 16, 16)
_TOLERANCES_BITS: Final = (24, 24, 24, 24, 24, 16, 24)


class LedgerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ledger accepts, and when it counts: `Config` of ledger/Config.sol.

    Seconds but for `max_instruments` (a number) and `max_jump` (1e-4: how far the first forward may move from one report to
    the next, within `jump_horizon`).
    """

    max_age: int
    max_future_skew: int
    max_validity: int
    challenge_window: int
    max_instruments: int
    max_jump: int
    jump_horizon: int


class Tolerances(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a report may be off by before it can be challenged: `Tolerances` of IReportJudge.sol, with its units.

    By default what `ToleranceFloors.defaults` gives.
    """

    delta: int = 2_000
    gamma: int = 32_000
    vega: int = 2_000
    premium: int = 2_000
    vol: int = 8_000
    hedge_reach: int = 800
    hedge_slack: int = 20_000


class RotateGroupKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="rotate-group-key"):
    """Puts a group key in force in the next epoch. `overlap`: seconds for which the key before stays valid."""

    feed: str
    new_group_key: str
    new_epoch: int
    overlap: int
    salt: bytes
    deadline: int


class SetMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="set-members"):
    """Puts other members in charge."""

    members: tuple[str, ...]
    quorum: int
    salt: bytes
    deadline: int


class SetParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="set-parameters"):
    """Sets what a ledger accepts, and what its reports may be off by."""

    feed: str
    config: LedgerConfig
    tolerances: Tolerances
    salt: bytes
    deadline: int


class Unpause(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="unpause"):
    """Ends a pause."""

    feed: str
    salt: bytes
    deadline: int


class CancelAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cancel-action"):
    """Takes an action back, scheduled or not, for ever. `action`: its `action_hash`."""

    action: bytes


Action = RotateGroupKey | SetMembers | SetParameters | Unpause | CancelAction


def action_hash(action: Action) -> bytes:
    """Give an action's EIP-712 hashStruct (32 bytes): its name at `ConsortiumMembers.schedule` and `scheduled`.

    Raises:
        ReportError: a value that does not fit, or no address.
    """
    match action:
        case RotateGroupKey():
            return keccak_of(
                keccak_of(ROTATE_TYPE.encode()),
                encode_address(action.feed),
                encode_address(action.new_group_key),
                encode_uint(action.new_epoch, 64),
                encode_uint(action.overlap, 256),
                _word(action.salt),
                encode_uint(action.deadline, 256),
            )
        case SetMembers():
            return keccak_of(
                keccak_of(MEMBERS_TYPE.encode()),
                keccak_of(*map(encode_address, action.members)),
                encode_uint(action.quorum, 256),
                _word(action.salt),
                encode_uint(action.deadline, 256),
            )
        case SetParameters():
            return keccak_of(
                keccak_of(PARAMETERS_TYPE.encode()),
                encode_address(action.feed),
                _numbers_hash(CONFIG_TYPE, action.config, _CONFIG_BITS),
                _numbers_hash(TOLERANCES_TYPE, action.tolerances, _TOLERANCES_BITS),
                _word(action.salt),
                encode_uint(action.deadline, 256),
            )
        case Unpause():
            return keccak_of(
                keccak_of(UNPAUSE_TYPE.encode()),
                encode_address(action.feed),
                _word(action.salt),
                encode_uint(action.deadline, 256),
            )
        case CancelAction():
            return keccak_of(keccak_of(CANCEL_TYPE.encode()), _word(action.action))


def action_digest(action: Action, chain_id: int, members: str) -> bytes:
    """Give the 32 bytes that a member signs for this action at the members' contract on this chain.

    Raises:
        ReportError: as `action_hash` and `domain_separator`.
    """
    return typed_digest(domain_separator(chain_id, members, MEMBERS_DOMAIN), action_hash(action))


def _numbers_hash(kind: str, numbers: LedgerConfig | Tolerances, bits: tuple[int, ...]) -> bytes:
    values = msgspec.structs.astuple(numbers)
    return keccak_of(keccak_of(kind.encode()), *map(encode_uint, values, bits))


def _word(value: bytes) -> bytes:
    if len(value) != 32:
        raise ReportError(f"{len(value)} bytes, not 32")
    return value
