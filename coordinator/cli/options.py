"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path,
    typer.Option(
        envvar="MPC_COORDINATOR_HOME", help="The coordinator's folder.", show_default="~/.mpc-coordinator"
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File with the passphrase; else the variable MPC_PASSPHRASE, else you are asked."),
]
ConsortiumFile = Annotated[
    Path | None,
    typer.Option("--consortium", help="The consortium file.", show_default="consortium.toml in the folder"),
]
RpcUrl = Annotated[str, typer.Option(envvar="MPC_RPC_URL", help="JSON-RPC endpoint of an EVM node.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Market = Annotated[
    str,
    typer.Option(
        envvar="MPC_MARKET",
        help="Where instruments and forwards come from: recorded:FILE, capture:FILE, simulated:SEED, heston:SEED or deribit:BTC.",
    ),
]
BrokerOption = Annotated[
    str | None, typer.Option("--broker-url", help="Reach the broker here instead of the file's URL.")
]

DEFAULT_HOME = Path("~/.mpc-coordinator")
DEFAULT_RPC_URL = "http://127.0.0.1:8545"
