"""`history` and `verify`: what became of the rounds, and whether a report is what it claims to be."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import DEFAULT_HOME, ConsortiumFile, Home, Json
from mpc_party.console import print_json, stderr


def history(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rounds, the latest ones.")] = 20,
    export: Annotated[
        int | None, typer.Option(help="Write the signed report of this round to --out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where --export writes to.")] = None,
    home: Home = DEFAULT_HOME,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per round, oldest first.")
    ] = False,
) -> None:
    """Show what became of the rounds: state, committee, time in each phase, traffic, gas, accuracy.

    With --export ROUND --out FILE it writes that round's signed report as `verify` reads it.
    """
    from coordinator.history import History
    from coordinator.home import CoordinatorHome
    from mpc_party.protocol.errors import ConfigError

    if (export is None) != (out is None):
        raise ConfigError("--export and --out go together")
    with History(CoordinatorHome(home.expanduser()).history_file, read_only=True) as opened:
        if export is not None and out is not None:
            from coordinator.exporting import export_report

            row = opened.get(export)
            if row is None:
                raise ConfigError(f"there is no round {export} in the history")
            export_report(row, out)
            stderr.print(f"Report of round {export} in {out}", markup=False)
            return
        rows = opened.rounds(limit)
    if json:
        for row in rows:
            print_json(row.summary())
        return
    from coordinator.showing import show_history

    show_history(rows)


def verify(
    report: Annotated[
        Path, typer.Argument(help="A report file, as `round --out` and `history --export` write it.")
    ],
    *,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Check a report and its signature offline, given only the consortium file.

    Checks that every word is in range, that the book is the one signed, that the EIP-712 digest is signed by the
    consortium's group key, that the greeks are those of Black-76 at the reported vol, and that the report breaks no law for
    which it could be challenged. No node is asked: whether the report was accepted, and whether it is the latest, is for
    the contract to say.
    """
    from coordinator.check import require_lawful, require_sane
    from coordinator.home import CoordinatorHome
    from coordinator.report_file import load_report_file, verify_report_file
    from mpc_party.protocol.consortium_file import load_consortium

    path = CoordinatorHome(home.expanduser()).consortium_file if consortium is None else consortium
    group = load_consortium(path)
    file = load_report_file(report)
    decoded = verify_report_file(file, group)
    errors = require_sane(decoded, group.program)
    nearest = require_lawful(file.hedge_report(), file.book())
    if json:
        print_json(
            {
                "valid": True,
                "round": file.report.round,
                "epoch": file.report.epoch,
                "observed_at": file.report.observed_at,
                "valid_until": file.report.valid_until,
                "instruments": len(decoded),
                "digest": file.digest,
                "signer": group.group_address,
                "max_delta_error": errors.delta,
                "nearest_law": nearest.law.name,
                "law_share": nearest.share,
            }
        )
        return
    from coordinator.showing import show_report

    show_report(decoded)
    stderr.print(
        f"Valid: round {file.report.round} of {group.name}, {len(decoded)} instruments, signed by {group.group_address}; "
        f"largest delta error {errors.delta:.2e}; nearest to a challenge by {nearest.law.name}, {nearest.share:.1%} of the way",
        markup=False,
    )
