"""`mpc-party sign-action` and `pause`, as a whole: the folder, what is known of the chain, the words, the signature."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from mpc_party.console import print_json, tell
from mpc_party.member.deciding import (
    default_deadline,
    hash_of,
    in_words,
    read_salt,
    require_in_time,
    require_ours,
    settlement_of,
    sign_action,
)
from mpc_party.member.feed_chain import FeedChain, Paused
from mpc_party.member.home import PartyHome
from mpc_party.member.moments import parse_utc
from mpc_party.protocol.action_file import ActionFile, load_action_file, save_action_file
from mpc_party.protocol.actions import Action
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.consortium_rules import check_address
from mpc_party.protocol.errors import ConfigError, ReportError
from mpc_party.protocol.passphrase import passphrase_from


@dataclass(frozen=True)
class Signing:
    """What all kinds of actions are signed with; see the command line's options."""

    home: Path
    consortium: Path | None
    out: Path
    members: str | None
    rpc_url: str | None
    salt: str | None
    deadline: str | None
    passphrase_file: Path | None
    yes: bool
    json: bool

    def salted(self) -> tuple[bytes, int]:
        """Salt and deadline, given or fresh."""
        at = default_deadline() if self.deadline is None else parse_utc(self.deadline, "--deadline")
        return read_salt(self.salt), at


def sign_new(options: Signing, make: Callable[[Consortium], Action]) -> None:
    """Make an action and sign it.

    Args:
        options: as given.
        make: gives the action for this member's consortium.

    Raises:
        ConsortiumError: something given does not fit, or the folder does not open.
    """
    folder, consortium = _consortium(options.home, options.consortium)
    _sign(options, folder, consortium, make(consortium), None)


def sign_same(options: Signing, proposal: Path) -> None:
    """Check another member's action and sign the same one.

    Raises:
        ConsortiumError: it is not about this member's contracts, or something given does not fit.
    """
    if options.salt is not None or options.deadline is not None:
        raise ConfigError("--salt and --deadline are the proposal's: all sign the same")
    folder, consortium = _consortium(options.home, options.consortium)
    file = load_action_file(proposal)
    _sign(options, folder, consortium, file.action, file)


def pause_feed(
    home: Path, consortium_file: Path | None, rpc_url: str, passphrase_file: Path | None
) -> tuple[str, Paused]:
    """Stop the consortium's feed by a transaction of this member; gives the feed's address, too.

    Raises:
        ConsortiumError: the account is no member's, or the chain does not take it.
    """
    folder, consortium = _consortium(home, consortium_file)
    settlement = settlement_of(consortium)
    chain = FeedChain(rpc_url, settlement)
    identity = folder.identity(passphrase_from(file=passphrase_file, prompt="Passphrase"))
    chain.require_member(identity.account)
    return settlement.contract, chain.pause(identity.evm_account())


def _sign(
    options: Signing, folder: PartyHome, consortium: Consortium, action: Action, proposal: ActionFile | None
) -> None:
    settlement = settlement_of(consortium)
    if options.out.exists():
        raise ConfigError(f"{options.out}: exists already", remedy="give another file with --out")
    chain = None if options.rpc_url is None else FeedChain(options.rpc_url, settlement)
    members = _members(options, chain)
    if proposal is not None:
        require_ours(proposal, settlement, members)
    require_in_time(action, int(time.time()))
    for line in in_words(action, consortium):
        tell(line)
    tell(f"Action {hash_of(action)} at the members' contract {members} on chain {settlement.chain_id}")
    if proposal is not None:
        tell(_proposer(proposal, consortium))
    if not options.yes:
        _confirm()
    identity = folder.identity(passphrase_from(file=options.passphrase_file, prompt="Passphrase, to sign it"))
    if chain is not None:
        chain.require_member(identity.account)
    file = sign_action(identity, action, settlement.chain_id, members)
    save_action_file(options.out, file)
    if options.json:
        print_json(
            {
                "file": str(options.out),
                "hash": hash_of(action),
                "digest": f"0x{file.digest.hex()}",
                "signer": file.signer,
                "deadline": getattr(action, "deadline", None),
            }
        )
        return
    tell(f"Signed as {identity.name} ({identity.account}) in {options.out}.")
    if proposal is None:
        tell(
            f"The other members: `mpc-party sign-action --from {options.out.name} --out FILE`. Send them that file."
        )
    tell("With a quorum's files, anyone: `mpc-coordinator act schedule FILE...`, later `act execute`.")


def _consortium(home: Path, file: Path | None) -> tuple[PartyHome, Consortium]:
    folder = PartyHome.at(home)
    return folder, folder.consortium() if file is None else load_consortium(file)


def _members(options: Signing, chain: FeedChain | None) -> str:
    """The members' contract: from the chain, or as told; where both are known they must agree."""
    if options.members is None and chain is None:
        raise ConfigError(
            "which members' contract?",
            remedy="give --rpc-url, so that the feed is asked, or --members ADDRESS as you know it yourself",
        )
    if options.members is not None:
        check_address(options.members, "--members")
        if chain is not None and chain.members != options.members:
            raise ConfigError(f"--members: the feed is governed by {chain.members}, not by {options.members}")
        return options.members
    if chain is None:
        raise AssertionError("one of the two is there")
    return chain.members


def _proposer(proposal: ActionFile, consortium: Consortium) -> str:
    name = next((one.name for one in consortium.members if one.account == proposal.signer), None)
    try:
        proposal.require_account_signature()
    except ReportError:
        return f"Proposed as {proposal.signer}; its signature is not an account's own, which only the chain can check"
    return f"Proposed and signed by {name or 'somebody who is no member in your file'} ({proposal.signer})"


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to say yes", remedy="read it, and give --yes")
    typer.confirm("Sign this?", abort=True, err=True)
