"""`evidence verify` and `evidence show`: files that say who is at fault where key generation or signing failed."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json
from mpc_party.console import ExitCode, print_json, tell

app = typer.Typer(
    help="Files that show who is at fault where key generation or signing failed.", no_args_is_help=True
)
File = Annotated[Path, typer.Argument(help="The evidence file.")]


@app.command()
def verify(
    file: File,
    *,
    consortium: Annotated[
        Path | None, typer.Option(help="The consortium file of its epoch; else the one in your folder.")
    ] = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Judge an evidence file, offline: needs no key and no passphrase, only the consortium file of its epoch.

    "signed" follows from the member's own signatures; "attested" is what t + 1
    members saw; "claimed" is what fewer say, and one liar is enough for that.
    Exit status 0 if somebody's own signatures prove its fault, 1 if nobody's do
    or the file is damaged.
    """
    from mpc_party.member.judging import consortium_for, judge_file

    judged = judge_file(file, consortium_for(consortium, home))
    if json:
        print_json(judged.summary())
    else:
        for line in judged.lines():
            tell(line)
    raise typer.Exit(ExitCode.OK if judged.proves else ExitCode.FAILED)


@app.command()
def show(file: File, *, json: Json = False) -> None:
    """List what an evidence file holds: whose statements, and which messages. Verifies nothing."""
    from mpc_party.member.evidence_files import read_evidence
    from mpc_party.member.judging import content_lines, contents

    held = contents(read_evidence(file))
    if json:
        print_json(held)
    else:
        for line in content_lines(held):
            tell(line)
