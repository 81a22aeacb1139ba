"""`round` and `serve`: rounds, once or on a schedule."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from coordinator.cli.options import (
    DEFAULT_HOME,
    DEFAULT_RPC_URL,
    BrokerOption,
    ConsortiumFile,
    Home,
    Json,
    Market,
    PassphraseFile,
    RpcUrl,
)
from mpc_party.console import ExitCode, configure_logging, print_json, stderr

Deadline = Annotated[
    float, typer.Option(min=0.2, max=600, help="Seconds that the parties have for one attempt.")
]
Attempts = Annotated[
    int, typer.Option(min=1, max=20, help="Attempts, each under a new number, before giving up.")
]
PublishOption = Annotated[
    Literal["digest", "stored"],
    typer.Option(
        help="What the contract keeps of a report: its digest, or its words for contracts that read instruments."
    ),
]


def run_one(
    *,
    market: Market,
    out: Annotated[
        Path | None, typer.Option(help="Write the signed report here, as `verify` reads it.")
    ] = None,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    broker_url: BrokerOption = None,
    deadline: Deadline = 15.0,
    attempts: Attempts = 4,
    publish: PublishOption = "digest",
    gather: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to wait for members to be online.")
    ] = 10.0,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "warning",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Run one round: propose, follow it, settle the signed report on the chain, read it back.

    An aborted attempt is retried under a new number, with another committee if a member is missing or at fault.
    """
    from coordinator.rounds import RoundOptions, run_rounds
    from coordinator.settlement.types import Publish

    configure_logging(log_level)
    options = RoundOptions(
        home=home.expanduser(),
        consortium=consortium,
        rpc_url=rpc_url,
        broker_url=broker_url,
        market=market,
        deadline=deadline,
        attempts=attempts,
        publish=Publish(publish),
        gather=gather,
    )
    outcome = run_rounds(options, passphrase_file, count=1, show_progress=not json)[0]
    if outcome.row is None:
        if outcome.error is not None:
            raise outcome.error
        raise typer.Exit(ExitCode.FAILED)
    if out is not None:
        from coordinator.exporting import export_report

        export_report(outcome.row, out)
    if json:
        print_json(outcome.row.summary())
    else:
        from coordinator.showing import show_round

        show_round(outcome.row)
        if out is not None:
            stderr.print(f"Report in {out}; check it with `mpc-coordinator verify {out}`", markup=False)


def serve(
    *,
    market: Market,
    every: Annotated[
        float, typer.Option(min=0, help="Seconds from the start of one round to the next.")
    ] = 5.0,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many rounds.", show_default="never")
    ] = None,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    broker_url: BrokerOption = None,
    deadline: Deadline = 15.0,
    attempts: Attempts = 4,
    publish: PublishOption = "digest",
    gather: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds to wait for members to be online.")
    ] = 60.0,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Serve Prometheus metrics on loopback.", show_default="off"),
    ] = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per round; log JSON lines.")
    ] = False,
) -> None:
    """Run rounds on a schedule until Ctrl-C, or --count of them.

    Ctrl-C ends the running round as aborted. A report that was signed and not settled is settled at the next start.
    With --count, the exit status is 1 unless every round settled.
    """
    from coordinator.rounds import RoundOptions, run_rounds
    from coordinator.service import Outcome
    from coordinator.settlement.types import Publish

    configure_logging(log_level, json_lines=json)
    options = RoundOptions(
        home=home.expanduser(),
        consortium=consortium,
        rpc_url=rpc_url,
        broker_url=broker_url,
        market=market,
        deadline=deadline,
        attempts=attempts,
        publish=Publish(publish),
        gather=gather,
        metrics_port=metrics_port,
    )

    def report(outcome: Outcome) -> None:
        if json:
            failed = {"round": None, "state": "failed", "reason": getattr(outcome.error, "reason", None)}
            print_json(failed if outcome.row is None else outcome.row.summary())

    outcomes = run_rounds(options, passphrase_file, count=count, every=every, on_outcome=report)
    if any(outcome.row is None for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)
