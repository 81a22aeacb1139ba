"""`backup export` and `backup import`: keeping what nobody else has."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json, PassphraseFile
from mpc_party.console import print_json, tell

BackupPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the backup's passphrase, if it has one of its own; else it has the folder's."
    ),
]
AskBackupPassphrase = Annotated[
    bool, typer.Option("--ask-backup-passphrase", help="Be asked for a passphrase of the backup's own.")
]

app = typer.Typer(
    help="Keep what nobody else has in a safe place, and take it back.",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def backup() -> None:
    """Keep what nobody else has in a safe place, and take it back.

    A backup holds this member's keys, consortium file, and shares of group key and model, sealed under a passphrase. It never
    holds the journal: an old one would have forgotten what was promised since.
    """


@app.command(name="export")
def export_(
    *,
    out: Annotated[Path, typer.Option(help="Where to write the backup; must not exist.")],
    backup_passphrase_file: BackupPassphraseFile = None,
    ask_backup_passphrase: AskBackupPassphrase = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Write a backup of this member's folder. The party may go on running.

    Make one after `keygen`, after each change of epoch, and after each new model. Settings (party.toml) are not in it.
    """
    from mpc_party.member.backup import export_backup
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase of the folder")
    own = passphrase
    if ask_backup_passphrase or backup_passphrase_file is not None:
        own = passphrase_from(
            file=backup_passphrase_file, environment=None, prompt="New passphrase of the backup", confirm=True
        )
    written = export_backup(folder, passphrase, own, out)
    if json:
        print_json(
            {
                "backup": str(out),
                "member": written.member,
                "consortium": written.consortium.hash.hex(),
                "epoch": written.consortium.epoch,
                "last_round": written.last_round,
                "group_key": written.has_key,
                "model": written.has_model,
            }
        )
        return
    tell(f"Backup of {written.member}, epoch {written.consortium.epoch}: {out}")
    lacking = [
        what for what, there in (("group key", written.has_key), ("model", written.has_model)) if not there
    ]
    if lacking:
        tell(f"The consortium has no {' and no '.join(lacking)} yet: make another backup when it has.")


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    *,
    after_round: Annotated[
        int | None,
        typer.Option(
            help="The highest round that any member has seen: this party takes part in later ones only.",
            min=0,
            max=2**63 - 1,
        ),
    ] = None,
    backup_passphrase_file: BackupPassphraseFile = None,
    ask_backup_passphrase: AskBackupPassphrase = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Take a backup back, into an empty folder or to replace files that are lost. Nothing that is there is replaced.

    Stop the party first. Where the journal is lost, the party does not start until --after-round says where it may go on: the
    number is in another member's `mpc-party status`, and in `mpc-coordinator history`. One that is too low could make this
    party take part in a round twice.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.restoring import import_backup
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase of the folder")
    own = passphrase
    if ask_backup_passphrase or backup_passphrase_file is not None:
        own = passphrase_from(
            file=backup_passphrase_file, environment=None, prompt="Passphrase of the backup"
        )
    done = import_backup(folder, file, passphrase, own, after_round)
    if json:
        print_json(
            {
                "member": done.member,
                "epoch": done.consortium.epoch,
                "written": list(done.written),
                "last_round": done.last_round,
                "safe": done.known,
                "next": done.remedy,
            }
        )
        return
    tell(
        f"{done.member}, epoch {done.consortium.epoch}, in {folder.path}: {', '.join(done.written) or 'nothing was missing'}"
    )
    if done.remedy is None:
        tell(f"This party takes part in rounds after {done.last_round}.")
    else:
        tell(f"Not ready to run: {done.remedy}")
