"""`auditor` and `audit`: whether a past report follows from what its committee had committed to."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import DEFAULT_HOME, ConsortiumFile, Home, Json
from mpc_party.console import ExitCode, print_json, tell


def auditor(
    *,
    out: Annotated[Path, typer.Option(help="Where to write the key; mode 0600.")] = Path("auditor.key"),
    json: Json = False,
) -> None:
    """Make an auditor's key; print the recipient for `mpc-party disclose`.

    The key opens everything that members disclose to it. Keep it to yourself;
    its file is not sealed.
    """
    from datetime import UTC, datetime

    from coordinator.auditing import make_auditor_key

    recipient = make_auditor_key(out, datetime.now(UTC))
    if json:
        print_json({"key": str(out), "recipient": recipient})
    else:
        tell(f"The auditor's key is in {out}. Members disclose to:")
        typer.echo(recipient)


def audit(
    report: Annotated[
        Path,
        typer.Argument(help="The round's report file: `mpc-coordinator history --export ROUND --out FILE`."),
    ],
    *,
    key: Annotated[Path, typer.Option(help="The auditor's key, from `mpc-coordinator auditor`.")],
    disclosure: Annotated[
        list[Path], typer.Option(help="A member's disclosure; once for each member of the committee.")
    ],
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Replay a disclosed round, and say whether its report follows from it.

    Checks each disclosure's signature, that the disclosed inputs are those
    committed to before the round and the weights those dealt, and compares
    every field of every instrument. A member whose disclosure contradicts its
    commitment is named. Where all fit and the report differs, the computation
    was spoiled by one of the committee, and it cannot be told by whom. Whether
    inputs were honest views of the market is not checked.

    You see the committee's market inputs of that round and the model's
    weights; nobody's positions.

    Exit status: 0 it follows; 1 it does not, or a disclosure was refused; 2 a
    file is missing or wrong.
    """
    from coordinator.auditing import audit as audit_round
    from coordinator.auditing import read_disclosures, refusal, show_finding
    from coordinator.home import CoordinatorHome
    from coordinator.report_file import load_report_file
    from mpc_party.audit.auditor_key import AuditorKey
    from mpc_party.audit.errors import AuditError
    from mpc_party.protocol.consortium_file import load_consortium

    path = CoordinatorHome(home.expanduser()).consortium_file if consortium is None else consortium
    group, file, opener = load_consortium(path), load_report_file(report), AuditorKey.load(key)
    try:
        finding = audit_round(file, group, opener, read_disclosures(disclosure))
    except AuditError as error:
        if json:
            print_json(refusal(error))
        raise
    if json:
        print_json(finding.summary())
    else:
        show_finding(finding)
    if not finding.follows:
        raise typer.Exit(ExitCode.FAILED)
