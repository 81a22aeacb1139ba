"""`watch`: what is brought to a ledger, judged as it comes."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.challenge import warn
from coordinator.cli.options import (
    DEFAULT_HOME,
    DEFAULT_RPC_URL,
    ConsortiumFile,
    Home,
    PassphraseFile,
    RpcUrl,
)
from coordinator.cli.where import ContractAddress, Keystore, place
from mpc_party.console import ExitCode, print_json, tell


def watch(
    *,
    challenge: Annotated[
        bool, typer.Option("--challenge", help="Challenge what breaks a law, from your account.")
    ] = False,
    book: Annotated[
        list[Path] | None,
        typer.Option(help="A report file about a book that is not registered, for its instruments."),
    ] = None,
    from_block: Annotated[
        int | None, typer.Option(min=0, help="Begin at this block.", show_default="what comes from now on")
    ] = None,
    every: Annotated[float, typer.Option(min=0.05, max=3600, help="Seconds between two looks.")] = 3.0,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after so many seconds.", show_default="never")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many reports.", show_default="never")
    ] = None,
    contract: ContractAddress = None,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per report.")] = False,
) -> None:
    """Judge every report that is brought to a ledger, accepted or rejected, until Ctrl-C; with --challenge act on it.

    The words come from the transactions' data and are checked against the ledger's digest and the group key's signature; the
    laws are looked at with the contract's own tolerances. One line per report: its nearest law, and how near it comes.
    With --challenge a report that breaks one is challenged as `challenge` does it: only what the contract upholds in a call.

    Exit status: 0 all were lawful, or could not be judged; 1 one broke a law; 2 and 3 as ever.
    """
    from coordinator.challenges.challenging import Court
    from coordinator.challenges.watching import Outcome, Seen, Watcher, act, follow
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account
    from coordinator.report_file import load_report_file

    where = place(contract, consortium, home)
    books = [load_report_file(path).book() for path in book or []]
    account = paying_account(home, keystore, passphrase_file) if challenge else None
    court = Court(Onchain(rpc_url, account, chain_id=where.chain_id), where.contract)
    if challenge:
        warn(court)
    suspects = 0

    def handle(seen: Seen) -> None:
        nonlocal suspects
        suspects += seen.suspect
        outcome = act(court, seen) if challenge else Outcome(seen)
        if json:
            print_json(outcome.summary())
            return
        tell(seen.line())
        if outcome.upheld is not None:
            tell(f"  challenged: upheld in block {outcome.upheld.sent.block}, {outcome.upheld.gas:,} gas")
        elif outcome.trouble is not None:
            tell(f"  not challenged: {outcome.trouble}")

    follow(
        Watcher(court, books, from_block), handle, every=every, seconds=seconds, count=count, complain=tell
    )
    if suspects:
        raise typer.Exit(ExitCode.FAILED)
