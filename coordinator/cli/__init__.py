"""`mpc-coordinator`: what the operator of the coordinator does.

`setting_up` makes and completes the consortium file, `local` runs a broker and a chain on this machine, `rounds` runs
rounds, `reports` reads what came of them, `audit` asks whether a report follows from what was committed to. `challenge`,
`watch` and `read` are anyone's, `bond` is for who answers with money, `act` brings the members' decisions to the chain.
"""

import typer

from coordinator.cli import (
    act,
    audit,
    bond,
    challenge,
    drift,
    local,
    read,
    reports,
    rounds,
    setting_up,
    watch,
)
from mpc_party.console import configure_logging, run

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)


@app.callback()
def coordinator() -> None:
    """A consortium's coordinator: launches rounds, follows them, settles the signed reports on the chain.

    It sees no secret and can sign nothing. The order of things: `create` the consortium file from the members'
    cards; the members run their key generation, the model's owner deals the model; `deploy` the contracts; then
    `round` or `serve`. `history` and `verify` read what came of it; `auditor` and `audit` replay a past
    round that its committee discloses. `demo` does all of that on this machine.

    For anyone, with a node and no part in the consortium: `read` a feed, `watch` what is brought to it, `challenge` a report
    that breaks a law, prove an `equivocation`, `collect` the reward; `act` brings what the members signed to the chain.

    Exit status: 0 done; 1 refused, or a round did not settle; 2 wrong command line, file or passphrase; 3 broker,
    chain or members cannot be reached; 130 interrupted.
    """
    configure_logging("warning")


app.command()(setting_up.create)
app.command()(setting_up.deploy)
app.command()(setting_up.contracts)
app.command(name="round")(rounds.run_one)
app.command()(rounds.serve)
app.command()(reports.history)
app.command()(reports.verify)
app.command()(drift.drift)
app.command()(audit.auditor)
app.command()(audit.audit)
app.command()(challenge.challenge)
app.command()(challenge.equivocation)
app.command()(challenge.collect)
app.command()(watch.watch)
app.command()(read.read)
app.add_typer(bond.app, name="bond")
app.add_typer(act.app, name="act")
app.command()(local.broker)
app.command()(local.chain)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)(local.demo)


def main() -> None:
    """Entry point of `mpc-coordinator`."""
    run(app, "mpc-coordinator")


__all__ = ["app", "main"]
