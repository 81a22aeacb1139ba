"""`init`, `join` and `keygen`: from nothing to a share of the group's key."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json, Listen, PassphraseFile
from mpc_party.console import print_json, tell, working


def init(
    name: Annotated[str, typer.Argument(help="Your member name: a-z, 0-9 and -.")],
    mesh: Annotated[str, typer.Option(help="Where the other members reach you: HOST:PORT.")],
    *,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Make this member's keys, sealed under a passphrase, and the card to send to the operator.

    Nothing in the card is secret. Tell the operator its signing key over another channel.
    """
    from mpc_party.member.founding import require_no_identity, store_identity
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.identity import Identity
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    require_no_identity(folder)
    identity = Identity.generate(name, mesh)  # checks name and address before anything is asked
    passphrase = passphrase_from(file=passphrase_file, prompt=f"New passphrase of {name}", confirm=True)
    path = store_identity(folder, identity, passphrase)
    if json:
        print_json(
            {
                "name": name,
                "card": str(path),
                "signing_key": identity.signing_key,
                "account": identity.account,
            }
        )
    else:
        tell(f"Keys of {name} are sealed in {folder.path}. Send the operator {path}")
        tell(f"and tell over another channel the signing key {identity.signing_key}")


def join(
    consortium: Annotated[Path, typer.Argument(help="The consortium file, from the operator.")],
    *,
    model_share: Annotated[Path | None, typer.Option(help="Your share of the model, from its owner.")] = None,
    transcript: Annotated[
        Path | None,
        typer.Option(help="Of the change of epoch that CONSORTIUM completes, from another member."),
    ] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Check a consortium file and take it up; with --model-share also this member's share of the model.

    A file of the same consortium and epoch may complete the one taken up before, never change its members,
    threshold or key. A running party goes on with the old one: start it again.

    With --transcript, a member that was killed in `reshare` or `refresh` after it had signed, and does not know how it ended,
    comes into the new epoch by the file that another member completed.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.joining import take_up, take_up_epoch
    from mpc_party.protocol.errors import ConfigError
    from mpc_party.protocol.passphrase import passphrase_from

    if transcript is not None and model_share is not None:
        raise ConfigError("--model-share: a change of epoch brings its own; leave it out, or --transcript")
    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    identity = folder.identity(passphrase)
    if transcript is None:
        joined = take_up(folder, identity, passphrase, consortium, model_share)
    else:
        joined = take_up_epoch(folder, identity, consortium, transcript)
    if json:
        print_json({"consortium": joined.name, "epoch": joined.epoch, "hash": joined.hash.hex()})
    else:
        tell(f"Joined {joined.name}, epoch {joined.epoch}, {len(joined.members)} members.")
        tell("Compare its fingerprint with the other members:")
        tell(f"  {joined.hash.hex()}")


def keygen(
    *,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the other members.", min=0, max=86_400)
    ] = 120.0,
    after_round: Annotated[
        int,
        typer.Option(
            help="Rounds begin after this one; the same at all. For a chain that has seen rounds of another key.",
            min=0,
            max=2**48 - 1,
        ),
    ] = 0,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Generate the group's signing key together with all other members, at the same time.

    Nobody ever holds the key: each member gets a share, sealed in its folder, and the consortium file gets the
    public key with every member's attestation. Send that file to the operator. All sign a transcript of the ceremony; read
    its fingerprint to each other.
    """
    from mpc_party.member.ceremony import run_ceremony
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.passphrase import passphrase_from
    from mpc_party.resharing.transcript import load_transcript

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with working("Connecting to the other members ...") as say:
        completed = run_ceremony(
            folder, passphrase, wait=wait, listen=listen, say=say, after_round=after_round
        )
    address = completed.group_address
    transcript = folder.path / f"keygen-{completed.epoch}.transcript"
    fingerprint = load_transcript(transcript).body.fingerprint
    if json:
        print_json(
            {
                "address": address,
                "consortium": str(folder.consortium_file),
                "transcript": str(transcript),
                "fingerprint": fingerprint,
            }
        )
    else:
        tell(f"The group's address is {address}; all members must see the same one.")
        tell(f"The transcript's fingerprint is {fingerprint}; read it to each other, it is in {transcript}")
        tell(f"Send the operator {folder.consortium_file}")
