"""`read`: what a feed says of an instrument, and whether to rely on it."""

from typing import Annotated

import typer

from coordinator.cli.options import DEFAULT_HOME, DEFAULT_RPC_URL, ConsortiumFile, Home, Json, RpcUrl
from coordinator.cli.where import ContractAddress, place
from mpc_party.console import ExitCode, print_json, tell
from mpc_party.protocol.errors import ConfigError


def read(
    instrument: Annotated[
        str | None, typer.Argument(help="Such as BTC-28MAR27-90000-C, or its number at the feed.")
    ] = None,
    *,
    book: Annotated[bool, typer.Option("--book", help="All instruments of the latest report.")] = False,
    max_age: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds that the market data may be old.", show_default="its validity"),
    ] = None,
    contract: ContractAddress = None,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Show the latest final reading of an instrument, or of a whole book, and whether it is fit for use. Needs no key.

    Exit status: 0 fit; 1 not fit, or there is no reading; 2 and 3 as ever.
    """
    from coordinator.feeds.reader import Feed
    from coordinator.feeds.reading import read as read_one
    from coordinator.feeds.reading import read_book
    from coordinator.onchain import Onchain

    if (instrument is None) is not book:
        raise ConfigError("give an instrument, or --book")
    where = place(contract, consortium, home)
    feed = Feed(rpc_url, where.contract, chain_id=where.chain_id)
    if instrument is not None:
        found = [read_one(feed, instrument, max_age)]
    else:
        found = read_book(feed, Onchain(rpc_url), max_age)
    for one in found:
        if json:
            print_json(one.summary())
        else:
            for line in one.lines():
                tell(line)
    if any(one.unfit is not None for one in found):
        raise typer.Exit(ExitCode.FAILED)
