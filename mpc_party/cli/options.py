"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path, typer.Option(envvar="MPC_PARTY_HOME", help="This member's folder.", show_default="~/.mpc-party")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File with the passphrase; else the variable MPC_PASSPHRASE, else you are asked."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Listen = Annotated[str | None, typer.Option(help="Bind here instead of the mesh address in the file.")]
DeskSeed = Annotated[str | None, typer.Option(help="Seed of this desk's private view of it.")]
Coverage = Annotated[float | None, typer.Option(help="Share of the chain that this desk sees.")]
Noise = Annotated[float | None, typer.Option(help="Error of this desk's quotes, relative to vol.")]
DEFAULT_HOME = Path("~/.mpc-party")
