"""`status`, `exposure` and `disclose`: what this member's own folder holds, for itself and for an auditor."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json, PassphraseFile
from mpc_party.console import print_json, tell


def status(
    *,
    limit: Annotated[int, typer.Option(help="How many rounds to show.", min=1, max=10_000)] = 10,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Show what this folder holds, what is missing and what to do next, and the last rounds. Needs no passphrase."""
    from mpc_party.member.home import PartyHome
    from mpc_party.member.overview import overview, show

    seen = overview(PartyHome.at(home), limit)
    if json:
        print_json(seen)
    else:
        show(seen)


def exposure(
    *,
    round_number: Annotated[int | None, typer.Option("--round", help="Else the newest.", min=1)] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Show this member's own net exposure, which a round opened to nobody else.

    In contracts times forwards of the first expiry; of positions in the book.
    """
    from mpc_party.member.disclosing import own_exposure, show_exposure
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.passphrase import passphrase_from

    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    found = own_exposure(PartyHome.at(home), passphrase, round_number)
    if json:
        print_json(found.summary())
    else:
        show_exposure(found)


def disclose(
    *,
    round_number: Annotated[int, typer.Option("--round", help="The round to open.", min=1)],
    auditor: Annotated[str, typer.Option(help="Who may read it: the auditor's age recipient, age1...")],
    out: Annotated[Path, typer.Option(help="Where to write the disclosure.")],
    epoch: Annotated[int | None, typer.Option(help="Its epoch; else the one in force.", min=1)] = None,
    consortium: Annotated[
        Path | None, typer.Option(help="The consortium file of that round, if another is in force now.")
    ] = None,
    model_share: Annotated[
        Path | None, typer.Option(help="Your share of that round's model, if you have another now.")
    ] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Open your market inputs of a round and your share of the model to an auditor.

    The file is encrypted to the auditor's key and signed with yours. Positions
    and exposure stay closed. From t + 1 members the auditor has the whole model.
    """
    from mpc_party.member.disclosing import announcement, check_auditor, disclose
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.consortium_file import load_consortium
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    check_auditor(auditor)
    file = folder.consortium() if consortium is None else load_consortium(consortium)
    for line in announcement(file, auditor):
        tell(line)
    disclosed = disclose(
        folder,
        passphrase_from(file=passphrase_file, prompt="Passphrase, to disclose it"),
        consortium=None if consortium is None else file,
        round_number=round_number,
        epoch=epoch,
        auditor=auditor,
        model_share=model_share,
        out=out,
    )
    if json:
        print_json(disclosed.summary())
    else:
        for line in disclosed.lines():
            tell(line)
