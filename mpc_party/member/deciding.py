"""A member's part in governing its consortium's contracts: typed actions, told in words and signed with its own account.

Nothing here needs a node. What a member signs is bound to a chain, to the members' contract, and (all but a change of members)
to the feed: a member takes all three from what it knows itself, and refuses another's proposal that has others.
"""

import secrets
import time
from pathlib import Path
from typing import Final

import msgspec
from eth_typing import Hash32

from mpc_party.member.moments import utc
from mpc_party.protocol.action_file import ActionFile
from mpc_party.protocol.actions import (
    Action,
    CancelAction,
    LedgerConfig,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Tolerances,
    Unpause,
    action_digest,
    action_hash,
)
from mpc_party.protocol.consortium import Consortium, Settlement
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.errors import ConfigError, Reason, ReportError
from mpc_party.protocol.files import read_text_limited
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.toml import MAX_FILE, convert, parse_toml

WEEK: Final = 7 * 86_400
OVERLAP_LIMIT: Final = 86_400  # `GroupKeys.OVERLAP_LIMIT`
MEMBERS_LIMIT: Final = 32  # `ConsortiumMembers.MEMBERS_LIMIT`
_SALT_BYTES: Final = 32


class _Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    config: LedgerConfig
    tolerances: Tolerances


def settlement_of(consortium: Consortium) -> Settlement:
    """Where the consortium's reports are accepted.

    Raises:
        ConfigError: CONSORTIUM_INCOMPLETE: nowhere yet.
    """
    if consortium.settlement is None:
        raise ConfigError(
            "the consortium file has no [settlement] yet",
            reason=Reason.CONSORTIUM_INCOMPLETE,
            remedy="`mpc-coordinator deploy` adds it",
        )
    return consortium.settlement


def fresh_salt() -> bytes:
    """What makes an action another one than any before."""
    return secrets.token_bytes(_SALT_BYTES)


def read_salt(text: str | None) -> bytes:
    """A salt in hex, or a fresh one.

    Raises:
        ConfigError: not 32 bytes of hex.
    """
    if text is None:
        return fresh_salt()
    return read_word(text, "--salt")


def read_word(text: str, option: str) -> bytes:
    """32 bytes of hex.

    Raises:
        ConfigError: they are none.
    """
    try:
        word = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        word = b""
    if len(word) != _SALT_BYTES:
        raise ConfigError(f"{option}: not 32 bytes of hex: {text[:80]!a}")
    return word


def rotation(
    feed: str, new_group_key: str, new_epoch: int, overlap: int, salt: bytes, deadline: int
) -> RotateGroupKey:
    """Decide on another group key.

    Raises:
        ConfigError: no address, an epoch below 2, or an overlap that the ledger refuses.
    """
    check_address(new_group_key, "--group-key")
    if new_epoch < 2:
        raise ConfigError(f"--new-epoch: the epoch after the first is 2, not {new_epoch}")
    if not 0 <= overlap <= OVERLAP_LIMIT:
        raise ConfigError(f"--overlap: {overlap} seconds, at most {OVERLAP_LIMIT} are allowed")
    return RotateGroupKey(feed, new_group_key, new_epoch, overlap, salt, deadline)


def membership(accounts: list[str], quorum: int, salt: bytes, deadline: int) -> SetMembers:
    """Decide on other members.

    Raises:
        ConfigError: no addresses, one twice, too many, or a quorum that they cannot meet.
    """
    for account in accounts:
        check_address(account, "--member")
    if len(set(accounts)) < len(accounts):
        raise ConfigError("--member: an account stands there twice")
    if not 0 < len(accounts) <= MEMBERS_LIMIT:
        raise ConfigError(f"{len(accounts)} members: a consortium has 1 to {MEMBERS_LIMIT}")
    if not 0 < quorum <= len(accounts):
        raise ConfigError(f"--quorum: {quorum} of {len(accounts)} members")
    return SetMembers(tuple(accounts), quorum, salt, deadline)


def parameters(feed: str, path: Path, salt: bytes, deadline: int) -> SetParameters:
    """Decide on what is accepted and what it may be off by, out of a TOML file with all of [config] and [tolerances].

    Raises:
        ConfigError: no such file, or a field that is missing, unknown or no number.
    """
    what = f"parameters file {path}"
    data = parse_toml(read_text_limited(path, MAX_FILE, "parameters file"), what)
    found = convert(data, _Parameters, what)
    # Its defaults are for new consortia: whoever decides says each number.
    missing = set(Tolerances.__struct_fields__) - set(data["tolerances"])
    if missing:
        raise ConfigError(f"{what}: tolerances: missing {', '.join(sorted(missing))}")
    return SetParameters(feed, found.config, found.tolerances, salt, deadline)


def require_ours(file: ActionFile, settlement: Settlement, members: str) -> None:
    """Refuse a proposal that is not about this member's own contracts.

    Args:
        file: another member's.
        settlement: of this member's consortium file.
        members: address of the members' contract, as this member knows it.

    Raises:
        ConfigError: another chain, members' contract or feed.
    """
    if file.chain_id != settlement.chain_id:
        raise ConfigError(
            f"the action is for chain {file.chain_id}, the consortium is on {settlement.chain_id}"
        )
    if file.members != members:
        raise ConfigError(f"the action is for the members' contract {file.members}, yours is {members}")
    feed = getattr(file.action, "feed", settlement.contract)
    if feed != settlement.contract:
        raise ConfigError(f"the action is about the feed {feed}, the consortium's is {settlement.contract}")


def require_in_time(action: Action, now: int) -> None:
    """Refuse what cannot be scheduled any more.

    Raises:
        ConfigError: its deadline is past.
    """
    deadline = getattr(action, "deadline", None)
    if deadline is not None and deadline < now:
        raise ConfigError(f"the action had to be scheduled by {moment(deadline)}")


def sign_action(identity: Identity, action: Action, chain_id: int, members: str) -> ActionFile:
    """Sign with the member's own account.

    Raises:
        ConfigError: a value of it that no contract could hold.
    """
    try:
        digest = action_digest(action, chain_id, members)
    except ReportError as error:
        raise ConfigError(f"this action cannot be: {error.message}") from None
    signature = bytes(identity.evm_account().unsafe_sign_hash(Hash32(digest)).signature)
    file = ActionFile(chain_id, members, action, identity.account, signature)
    file.require_account_signature()
    return file


def in_words(action: Action, consortium: Consortium | None = None) -> list[str]:
    """What an action does, line by line, for whoever is about to sign it or to bring it to the chain."""
    names = {} if consortium is None else {member.account: member.name for member in consortium.members}

    def named(account: str) -> str:
        return f"{account} ({names[account]})" if account in names else account

    match action:
        case RotateGroupKey():
            said = [
                f"Put group key {action.new_group_key} in force at the feed {action.feed}, in epoch {action.new_epoch}.",
                f"  Reports of the key before are accepted for {action.overlap} more seconds, none if it was proved to lie.",
                "  Pending reports are dropped.",
            ]
        case SetMembers():
            said = [
                f"Put {len(action.members)} members in charge, of whom {action.quorum} decide together:",
                *(f"  {named(account)}" for account in action.members),
                "  Whatever else was scheduled is void.",
            ]
        case SetParameters():
            said = [
                f"Set what the feed {action.feed} accepts, and what its reports may be off by.",
                *_numbers("config", action.config),
                *_numbers("tolerances", action.tolerances),
                "  Pending reports are dropped; reports observed before are not judged any more.",
            ]
        case Unpause():
            said = [f"End the pause of the feed {action.feed}."]
        case CancelAction():
            return [f"Void action 0x{action.action.hex()} for ever, scheduled or not, at once."]
    return [*said, f"  To be scheduled by {moment(action.deadline)}; salt 0x{action.salt.hex()}"]


def moment(seconds: int) -> str:
    """A time that may lie beyond the calendar."""
    try:
        return utc(seconds)
    except (ValueError, OverflowError, OSError):
        return f"second {seconds} of Unix time"


def default_deadline() -> int:
    """In a week."""
    return int(time.time()) + WEEK


def hash_of(action: Action) -> str:
    """An action's name at the members' contract, in hex."""
    return f"0x{action_hash(action).hex()}"


def _numbers(section: str, values: LedgerConfig | Tolerances) -> list[str]:
    return [f"  {section}.{name} = {value}" for name, value in msgspec.structs.asdict(values).items()]
