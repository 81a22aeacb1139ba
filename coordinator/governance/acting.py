"""Bringing the members' actions to the chain: anyone may, with a quorum's signatures out of action files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
from web3.contract import Contract

from coordinator.onchain import Onchain, Sent
from coordinator.settlement.types import SettlementError
from mpc_party.protocol.action_file import ActionFile, load_action_file
from mpc_party.protocol.actions import (
    Action,
    CancelAction,
    RotateGroupKey,
    SetMembers,
    SetParameters,
    Unpause,
)
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.errors import ConfigError, Reason, ReportError


class State(StrEnum):
    """What has become of an action."""

    UNKNOWN = "unknown"  # not scheduled
    WAITING = "waiting"  # scheduled; its delay has not passed
    READY = "ready"  # can be carried out
    DONE = "done"  # carried out, or cancelled
    VOID = "void"  # not carried out in its time, or scheduled after its deadline


@dataclass(frozen=True)
class Standing:
    """An action at the members' contract. Times in Unix seconds, None where it is not scheduled."""

    state: State
    executable_at: int | None
    expires_at: int | None

    def summary(self) -> dict[str, object]:
        """For JSON."""
        return {
            "state": str(self.state),
            "executable_at": self.executable_at,
            "expires_at": self.expires_at,
        }


def collect(paths: Sequence[Path]) -> list[ActionFile]:
    """The signatures of one action, ascending by signer as the contract wants them, each signer once.

    Raises:
        ConfigError: no files, a file that is none, or files of several actions.
    """
    files = [load_action_file(path) for path in paths]
    if not files:
        raise ConfigError("no action files")
    for path, file in zip(paths, files, strict=True):
        if file.subject != files[0].subject:
            raise ConfigError(
                f"{path} is of action 0x{file.hash.hex()[:16]}..., {paths[0]} of 0x{files[0].hash.hex()[:16]}..., or they "
                "are for different chains or contracts",
                remedy="all members must sign the same action: `mpc-party sign-action --from`",
            )
    return list(
        {int(file.signer, 16): file for file in sorted(files, key=lambda it: int(it.signer, 16))}.values()
    )


def attached(file: ActionFile, signer: str, signature: str) -> ActionFile:
    """The same action with another member's signature, which was made elsewhere.

    Raises:
        ConfigError: no address, or no hex.
    """
    check_address(signer, "--signer")
    try:
        data = bytes.fromhex(signature.removeprefix("0x"))
    except ValueError:
        data = b""
    if not data:
        raise ConfigError("--signature: not hex")
    return msgspec.structs.replace(file, signer=signer, signature=data)


class Governance:
    """The members' contract that files of an action are for.

    Raises:
        ConfigError: no address.
        SettlementError: CHAIN_MISMATCH: another chain, or nothing there; CHAIN_UNREACHABLE.
    """

    def __init__(self, chain: Onchain, members: str) -> None:
        self._chain = chain
        self._contract: Contract = chain.contract("ConsortiumMembers", members, "members' contract")

    def standing(self, action: bytes, deadline: int | None) -> Standing:
        """What has become of an action, by its hash."""
        known = self._ask("scheduled", action)
        if known.done:
            return Standing(State.DONE, None, None)
        if not known.since:
            return Standing(State.UNKNOWN, None, None)
        ready = int(known.since) + int(self._ask("actionDelay"))
        end = ready + int(self._ask("ACTION_GRACE"))
        now = self._chain.timestamp()
        state = State.WAITING if now < ready else State.READY
        if now > end or (deadline is not None and known.since > deadline):
            state = State.VOID
        return Standing(state, ready, end)

    def schedule(self, files: Sequence[ActionFile]) -> tuple[Sent, int]:
        """Put an action on its way; gives when it can be carried out, too.

        Raises:
            ConfigError: too few signatures, one of somebody who is no member, or a wrong one; or its deadline is past.
            SettlementError: SETTLEMENT_REVERTED with the contract's own error; CHAIN_UNREACHABLE.
        """
        action = files[0].action
        if isinstance(action, CancelAction):
            raise ConfigError("this voids an action, at once", remedy="use `mpc-coordinator act cancel`")
        if (now := self._chain.timestamp()) > action.deadline:
            raise ConfigError(
                f"the action had to be scheduled by {action.deadline}, and it is {now} (Unix seconds)"
            )
        signers, signatures = self._quorum(files)
        sent = self._send("schedule", files[0].hash, signers, signatures)
        (event,) = self._chain.events_in(sent, self._contract, "ActionScheduled")
        return sent, int(event["executableAt"])

    def cancel(self, files: Sequence[ActionFile]) -> Sent:
        """Void an action. Errors as of `schedule`."""
        action = files[0].action
        if not isinstance(action, CancelAction):
            raise ConfigError(
                "these files sign an action, not its cancellation",
                remedy="members sign that with `mpc-party sign-action cancel --of FILE`",
            )
        signers, signatures = self._quorum(files)
        return self._send("cancel", action.action, signers, signatures)

    def execute(self, file: ActionFile) -> Sent:
        """Carry out what was scheduled.

        Raises:
            ConfigError: it is a cancellation.
            SettlementError: SETTLEMENT_REVERTED: it was not scheduled, it is too early or too late, or it is done, or with the
                contract's own error; CHAIN_UNREACHABLE.
        """
        name, arguments = call_of(file.action)
        standing = self.standing(file.hash, getattr(file.action, "deadline", None))
        if standing.state is State.WAITING:
            raise SettlementError(f"it can be carried out from {shown_time(standing.executable_at)} on")
        if standing.state is not State.READY:
            raise SettlementError(
                {
                    State.UNKNOWN: "the action is not scheduled",
                    State.DONE: "the action was carried out or cancelled",
                    State.VOID: "the action was not carried out in its time, or scheduled after its deadline",
                }[standing.state],
                remedy="see `mpc-coordinator act show`",
            )
        return self._send(name, *arguments)

    def doubt(self, action: Action) -> str | None:
        """Why the feed would refuse the action if it were carried out now; None where it would not, or there is no feed.

        A pause or an epoch may change until then: this is for a person to think about.
        """
        if isinstance(action, SetMembers | CancelAction):
            return None
        name, arguments = call_of(action)
        feed = self._chain.contract("HedgeSettlement", action.feed, "feed")
        # The feed's function takes what the members' contract takes, less feed, salt and deadline.
        try:
            self._chain.ask(feed, name, *arguments[1:-2], sender=str(self._contract.address))
        except SettlementError as error:
            if error.reason is not Reason.SETTLEMENT_REVERTED:
                raise
            return error.message
        return None

    def _quorum(self, files: Sequence[ActionFile]) -> tuple[list[str], list[bytes]]:
        needed = int(self._ask("quorum"))
        for file in files:
            if not self._ask("isMember", file.signer):
                raise ConfigError(
                    f"{file.signer} is not a member at {self._contract.address}", reason=Reason.KEY_UNKNOWN
                )
            if not self._chain.has_code(file.signer):
                try:
                    file.require_account_signature()
                except ReportError as error:
                    raise ConfigError(f"the file of {file.signer}: {error.message}") from None
        if len(files) < needed:
            raise ConfigError(
                f"{len(files)} signatures, and {needed} members decide together",
                remedy="collect more members' files: `mpc-party sign-action --from`",
            )
        return [file.signer for file in files], [file.signature for file in files]

    def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - web3's own types
        return self._chain.ask(self._contract, name, *arguments)

    def _send(self, name: str, *arguments: object) -> Sent:
        return self._chain.send(self._contract, name, *arguments)


def call_of(action: Action) -> tuple[str, tuple[object, ...]]:
    """The function of the members' contract that carries an action out, and its arguments.

    Raises:
        ConfigError: a cancellation, which is not carried out but given.
    """
    match action:
        case RotateGroupKey():
            rotation = (action.feed, action.new_group_key, action.new_epoch, action.overlap)
            return "rotateGroupKey", (*rotation, action.salt, action.deadline)
        case SetParameters():
            config, tolerances = map(msgspec.structs.astuple, (action.config, action.tolerances))
            return "setParameters", (action.feed, config, tolerances, action.salt, action.deadline)
        case SetMembers():
            return "setMembers", (list(action.members), action.quorum, action.salt, action.deadline)
        case Unpause():
            return "unpause", (action.feed, action.salt, action.deadline)
        case CancelAction():
            raise ConfigError("a cancellation has no delay", remedy="use `mpc-coordinator act cancel`")


def shown_time(seconds: int | None) -> str:
    """For a person."""
    if seconds is None:
        return "no time"
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"second {seconds} of Unix time"
