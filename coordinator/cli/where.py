"""Which contract a command is about, and who pays: options of the commands that act on contracts."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from mpc_party.console import ExitCode, exit_code, tell
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason

ContractAddress = Annotated[
    str | None, typer.Option("--contract", help="The consortium's ledger; else the consortium file's.")
]
Keystore = Annotated[
    Path | None,
    typer.Option(
        help="Ethereum keystore (JSON, version 3) of the account that pays.",
        show_default="the coordinator's account",
    ),
]
BondAddress = Annotated[str | None, typer.Option("--bond", help="The consortium's bond (ConsortiumBond).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and send nothing.")]


class Place(NamedTuple):
    """A contract; `chain_id` None where any chain will do."""

    contract: str
    chain_id: int | None


class Refused(IntEnum):
    """Exit status beside those of `ExitCode`, for commands whose 1 is an answer."""

    REFUSED = 4


def place(contract: str | None, consortium: Path | None, home: Path) -> Place:
    """The contract that is meant: the one named, or that of a consortium file.

    Raises:
        ConfigError: none is named, or the file names none.
    """
    if contract is not None and consortium is not None:
        raise ConfigError("--contract and --consortium both name a contract", remedy="give one of them")
    if contract is not None:
        return Place(contract, None)
    from coordinator.home import CoordinatorHome
    from mpc_party.protocol.consortium_file import load_consortium

    path = CoordinatorHome(home.expanduser()).consortium_file if consortium is None else consortium
    if consortium is None and not path.exists():
        raise ConfigError("which contract?", remedy="give --contract ADDRESS or --consortium FILE")
    section = load_consortium(path).settlement
    if section is None:
        raise ConfigError(f"{path} has no [settlement] yet", reason=Reason.CONSORTIUM_INCOMPLETE)
    return Place(section.contract, section.chain_id)


@contextmanager
def refusals_apart() -> Iterator[None]:
    """Let what is refused end with its own exit status, where 1 says something else."""
    try:
        yield
    except ConsortiumError as error:
        if exit_code(error) is not ExitCode.FAILED:
            raise
        tell(f"mpc-coordinator: {error}")
        raise typer.Exit(Refused.REFUSED) from None
