"""`mpc-party`: what a member does.

`founding` makes keys and joins a consortium, `rounds` takes part in them, `looking` shows what this member's folder holds,
`market` records a market, `governing` decides about the contracts, `evidence` tells who is at fault where signing failed.
"""

import typer

from mpc_party.cli import evidence, founding, governing, looking, market, rounds
from mpc_party.console import configure_logging, run

app = typer.Typer(
    help="A consortium member's party: keys, ceremonies, and the process that takes part in rounds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def party() -> None:
    """A consortium member's party: keys, ceremonies, and the process that takes part in rounds.

    The order of things: `init` once; send your card to the operator; `join` the consortium file that comes back; `keygen`
    together with the others; `join` again with the completed file and your share of the model; `run`. `status` says what is
    missing and what to do next.

    Exit status: 0 done; 1 refused, or a check failed; 2 wrong command line, file or passphrase; 3 broker or other
    members cannot be reached; 130 interrupted.
    """
    # Warnings go to standard error like all else that is said to a person: standard output is for --json.
    configure_logging("warning")


app.command()(founding.init)
app.command()(founding.join)
app.command()(founding.keygen)
app.command(name="run")(rounds.run_party)
app.command()(rounds.refit)
app.command()(looking.disclose)
app.command()(looking.exposure)
app.command()(looking.status)
app.command()(market.record)
app.add_typer(governing.app, name="sign-action")
app.command()(governing.pause)
app.add_typer(evidence.app, name="evidence")


def main() -> None:
    """Entry point of `mpc-party`."""
    run(app, "mpc-party")


__all__ = ["app", "main"]
