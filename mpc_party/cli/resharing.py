"""`reshare`, `refresh`, `recover` and `transcript verify`: keys that outlive their holders."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json, Listen, PassphraseFile
from mpc_party.console import print_json, stderr, tell, working

if TYPE_CHECKING:
    from mpc_party.member.resharing import Reshared

Wait = Annotated[float, typer.Option(help="Seconds to wait for the other members.", min=0, max=86_400)]

transcripts = typer.Typer(help="Transcripts of ceremonies, checked offline.", no_args_is_help=True)


def reshare(
    next_file: Annotated[Path, typer.Argument(help="The next consortium file, from the operator.")],
    *,
    old_file: Annotated[
        Path | None,
        typer.Option("--from", help="The file in force, for a member that joins and has none yet."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help="A present member that stays away; once for each, the same at all."),
    ] = None,
    wait: Wait = 600.0,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Hand the group's key and the model to the members of the next epoch: join, leave, replace, another threshold.

    All members of both epochs run it at the same time, their parties stopped; only members that leave may stay away, all naming
    them with --without. The address stays. The operator makes NEXT_FILE with `mpc-coordinator create --previous FILE`.

    The contract's epoch must follow, or it accepts no report of the new epoch. In this order:
    1. sign the rotation, a quorum: `mpc-party sign-action rotate --group-key ADDRESS --new-epoch N --out FILE`, and if the
    governing members change, `sign-action members`; schedule each: `mpc-coordinator act schedule FILE...`;
    2. when the delay is over, stop the parties and run this ceremony;
    3. `mpc-coordinator act execute`, the rotation first: a change of members voids whatever else is scheduled, and the rotation
    drops reports that are not final yet;
    4. send the operator the new consortium file, and start the parties and the coordinator again.

    Old shares are overwritten and removed when the new epoch is decided; on solid-state disks and journaling file systems
    old blocks may outlive that, and backups do: remove those of the old epoch yourself. A member that is killed runs the same
    command again, as do the others; or it takes another's result: `mpc-party join FILE --transcript FILE`.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.resharing import run_reshare_command
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with _progress() as say:
        done = run_reshare_command(
            folder,
            passphrase,
            next_file,
            old_file=old_file,
            without=without or (),
            wait=wait,
            listen=listen,
            say=say,
        )
    _tell_reshared(done, folder.consortium_file, json=json)


def refresh(
    *,
    to_epoch: Annotated[
        int | None,
        typer.Option(help="For who is in that epoch already, and helps others to end the same refresh."),
    ] = None,
    wait: Wait = 600.0,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Renew all shares of the key and the model, for the same members: what was stolen of the old ones is of no use any more.

    All members run it at the same time, their parties stopped. Key and address stay, the epoch counts up, and the contract's
    must follow: sign and schedule the rotation before, run the refresh when its delay is over, execute it, start the parties
    (see `mpc-party reshare --help`). Whoever had t shares before has nothing; so old backups should go, too.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.resharing import run_refresh_command
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with _progress() as say:
        done = run_refresh_command(folder, passphrase, to_epoch=to_epoch, wait=wait, listen=listen, say=say)
    _tell_reshared(done, folder.consortium_file, json=json)


def recover(
    name: Annotated[str, typer.Argument(help="The member that has lost its shares.")],
    *,
    with_: Annotated[
        list[str],
        typer.Option("--with", help="A member that helps: t+1 of them or more, the same at all."),
    ],
    newer: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="At NAME, where its own file is of an earlier epoch: the consortium file in force.",
        ),
    ] = None,
    wait: Wait = 600.0,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Give one member its lost shares of the key and the model back; NAME and those that help run it at the same time.

    NAME needs its identity and the consortium file. Make sure, over another channel, that it is NAME who asks: with its identity and
    your help, anybody has its shares. No new epoch, and nothing changes for the others. Its journal begins above the last
    round that the others know of; name n-t others or more if its journal is lost as well, or it stays unsafe to sign.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.recovering import run_recover_command
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with _progress() as say:
        done = run_recover_command(
            folder, passphrase, name, with_, newer=newer, wait=wait, listen=listen, say=say
        )
    body = done.transcript.body
    if json:
        print_json(
            {
                "epoch": body.new_epoch,
                "recovered": name,
                "floor": done.floor,
                "safe": done.safe,
                "fingerprint": body.fingerprint,
                "transcript": str(done.file),
            }
        )
        return
    if done.helped:
        tell(f"{name} has its shares again. Nothing has changed here.")
    else:
        tell(f"The shares are here again. Rounds up to {done.floor} are closed.")
        if not done.safe:
            tell(
                "This member promises no round yet: too few others took part to know what its lost journal promised."
            )
            tell("Recover again with n-t others or more, or say where it is safe: see `mpc-party status`.")
    _tell_fingerprint(body.fingerprint, done.file)


@transcripts.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A ceremony's transcript.")],
    *,
    consortium: Annotated[
        Path, typer.Option(help="The consortium file that the ceremony completed, or the one before it.")
    ],
    json: Json = False,
) -> None:
    """Check a ceremony's transcript offline: all signatures, and that it is of this consortium file. Needs no folder."""
    from mpc_party.protocol.consortium_file import load_consortium
    from mpc_party.resharing.checking import check_against
    from mpc_party.resharing.transcript import load_transcript

    transcript = load_transcript(file)
    found = check_against(transcript, load_consortium(consortium))
    body = transcript.body
    absent = [name for seat, name in enumerate(body.names) if seat not in body.participants]
    signers = [body.names[seat] for seat in body.participants]
    if json:
        print_json(
            {
                "kind": body.kind,
                "old_epoch": body.old_epoch,
                "new_epoch": body.new_epoch,
                "public_key": body.public_key.hex(),
                "signers": signers,
                "absent": absent,
                "floor": body.floor,
                "unknown": list(found.unknown),
                "fingerprint": body.fingerprint,
                "hash": body.hash.hex(),
            }
        )
        return
    before = "" if body.old_epoch in {None, body.new_epoch} else f" from epoch {body.old_epoch}"
    tell(f"A {body.kind}{before} to epoch {body.new_epoch}, signed by {', '.join(signers)}.")
    if absent:
        tell(f"Absent: {', '.join(absent)}.")
    if body.floor:
        tell(f"Rounds begin after {body.floor}.")
    if found.unknown:
        tell(
            f"Not in this consortium file, so only the transcript says whose keys these are: {', '.join(found.unknown)};"
            f" the file {'after' if found.before else 'before'} the ceremony names them."
        )
    tell(f"Its fingerprint is {body.fingerprint}")


def _tell_reshared(done: "Reshared", file: Path, *, json: bool) -> None:
    from mpc_party.member.resharing import next_steps

    body = done.transcript.body
    if json:
        print_json(
            {
                "epoch": done.consortium.epoch,
                "address": done.consortium.group_address,
                "members": list(done.consortium.names),
                "member": done.stays,
                "consortium": str(file),
                "hash": done.consortium.hash.hex(),
                "transcript": str(done.file),
                "fingerprint": body.fingerprint,
                "floor": body.floor,
            }
        )
        return
    tell(
        f"Epoch {done.consortium.epoch} is in force: {', '.join(done.consortium.names)}, threshold {done.consortium.threshold}."
    )
    tell(f"The group's address is still {done.consortium.group_address}.")
    _tell_fingerprint(body.fingerprint, done.file)
    for step in next_steps(done):
        tell(step)


def _tell_fingerprint(text: str, file: Path) -> None:
    tell(f"The transcript's fingerprint is {text}; read it to each other, all must have the same one.")
    tell(f"It is in {file}")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """States on the terminal; as lines where nobody watches, such as a scheduler's log."""
    with working("Opening the folder ...") as show:
        yield show if stderr.is_terminal else tell


__all__ = ["recover", "refresh", "reshare", "transcripts"]
