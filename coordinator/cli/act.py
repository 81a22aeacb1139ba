"""`act`: the members' signed actions, to the chain and on it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.options import DEFAULT_HOME, DEFAULT_RPC_URL, Home, Json, PassphraseFile, RpcUrl
from coordinator.cli.where import Keystore
from mpc_party.console import print_json, tell

if TYPE_CHECKING:
    from coordinator.governance.acting import Governance
    from mpc_party.protocol.action_file import ActionFile

Files = Annotated[
    list[Path], typer.Argument(help="Action files of one action, from `mpc-party sign-action`: a quorum's.")
]

app = typer.Typer(
    no_args_is_help=True,
    help="Bring the members' signed actions to the chain. Anyone may: their signatures are what counts.",
)


@app.command()
def schedule(
    files: Files,
    *,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Put an action on its way: it can be carried out once the members' delay has passed."""
    from coordinator.governance.acting import collect, shown_time

    signed = collect(files)
    if not json:
        _tell(signed)
    governance = _opened(signed[0], rpc_url, (home, keystore, passphrase_file))
    sent, at = governance.schedule(signed)
    doubt = governance.doubt(signed[0].action)
    if json:
        print_json({"hash": _hash(signed[0]), **sent.summary(), "executable_at": at, "doubt": doubt})
        return
    tell(
        f"Scheduled in block {sent.block}, {sent.gas:,} gas; it can be carried out from {shown_time(at)} on."
    )
    if doubt is not None:
        tell(f"As things are the feed would not take it: {doubt}")
    tell("Next: `mpc-coordinator act execute` with one of the files.")


@app.command()
def execute(
    file: Annotated[Path, typer.Argument(help="One action file of what was scheduled.")],
    *,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Carry out what was scheduled, once its time has come and for 14 days."""
    from coordinator.governance.acting import collect

    signed = collect([file])
    if not json:
        _tell(signed)
    sent = _opened(signed[0], rpc_url, (home, keystore, passphrase_file)).execute(signed[0])
    if json:
        print_json({"hash": _hash(signed[0]), **sent.summary()})
    else:
        tell(f"Carried out in block {sent.block}, {sent.gas:,} gas.")


@app.command()
def cancel(
    files: Files,
    *,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Void an action for ever, at once, by files of `mpc-party sign-action cancel`."""
    from coordinator.governance.acting import collect

    signed = collect(files)
    if not json:
        _tell(signed)
    sent = _opened(signed[0], rpc_url, (home, keystore, passphrase_file)).cancel(signed)
    if json:
        print_json({"hash": _hash(signed[0]), **sent.summary()})
    else:
        tell(f"Void since block {sent.block}, {sent.gas:,} gas.")


@app.command()
def show(
    files: Files,
    *,
    rpc_url: Annotated[
        str | None, typer.Option(envvar="MPC_RPC_URL", help="A node that is asked what became of it.")
    ] = None,
    typed_data: Annotated[
        bool,
        typer.Option(
            "--typed-data",
            help="Print what wallets sign (eth_signTypedData_v4), for a Safe or a hardware key.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Tell an action in words, who has signed it, and with --rpc-url what became of it. Needs no key."""
    from coordinator.governance.acting import collect, shown_time
    from coordinator.governance.typed_data import typed_data as document_of

    signed = collect(files)
    if typed_data:
        print_json(document_of(signed[0].action, signed[0].chain_id, signed[0].members))
        return
    standing = None
    if rpc_url is not None:
        standing = _opened(signed[0], rpc_url, None).standing(
            signed[0].hash, getattr(signed[0].action, "deadline", None)
        )
    if json:
        print_json(
            {
                "hash": _hash(signed[0]),
                "digest": f"0x{signed[0].digest.hex()}",
                "chain_id": signed[0].chain_id,
                "members": signed[0].members,
                "signers": [one.signer for one in signed],
                **({} if standing is None else standing.summary()),
            }
        )
        return
    _tell(signed)
    tell(f"What is signed: 0x{signed[0].digest.hex()}")
    if standing is not None:
        tell(f"It is {standing.state}.")
        if standing.executable_at is not None:
            tell(
                f"It can be carried out from {shown_time(standing.executable_at)} to {shown_time(standing.expires_at)}"
            )


@app.command()
def attach(
    file: Annotated[Path, typer.Argument(help="Any member's file of the action.")],
    *,
    signer: Annotated[
        str, typer.Option(help="The member's account: a Safe, another contract, a hardware key.")
    ],
    signature: Annotated[str, typer.Option(help="Its signature over what `act show` gives, hex.")],
    out: Annotated[Path, typer.Option(help="Where to write its action file.")],
    json: Json = False,
) -> None:
    """Make the action file of a member that signs elsewhere, such as a Safe (ERC-1271)."""
    from coordinator.governance.acting import attached
    from mpc_party.protocol.action_file import load_action_file, save_action_file

    made = attached(load_action_file(file), signer, signature)
    save_action_file(out, made)
    if json:
        print_json({"file": str(out), "hash": _hash(made), "signer": made.signer})
    else:
        _tell([made])
        tell(f"In {out}; whether the signature holds, the chain says at `act schedule`.")


def _opened(
    file: "ActionFile", rpc_url: str, payer: tuple[Path, Path | None, Path | None] | None
) -> "Governance":
    from coordinator.governance.acting import Governance
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account

    account = None if payer is None else paying_account(*payer)
    return Governance(Onchain(rpc_url, account, chain_id=file.chain_id), file.members)


def _tell(files: "list[ActionFile]") -> None:
    from mpc_party.member.deciding import in_words

    for line in in_words(files[0].action):
        tell(line)
    signers = ", ".join(one.signer for one in files)
    tell(f"Action {_hash(files[0])} at {files[0].members} on chain {files[0].chain_id}, signed by {signers}")


def _hash(file: "ActionFile") -> str:
    return f"0x{file.hash.hex()}"
