"""`create` and `deploy`: the consortium file, from the members' cards to the contract."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli.options import (
    DEFAULT_HOME,
    DEFAULT_RPC_URL,
    ConsortiumFile,
    Home,
    Json,
    PassphraseFile,
    RpcUrl,
)
from mpc_party.console import print_json, stderr, working


def create(
    member: Annotated[
        list[Path], typer.Option(help="A member's card (NAME.member.toml); once per member, in order.")
    ],
    *,
    name: Annotated[str, typer.Option(help="The consortium's name.")],
    broker: Annotated[str, typer.Option(help="mqtt:// or mqtts:// URL that all of them reach.")],
    threshold: Annotated[
        int, typer.Option(help="t: how many members may be corrupt; 2t < n. Only 1 for now.")
    ] = 1,
    max_instruments: Annotated[int | None, typer.Option(help="Instruments in one round, at most.")] = None,
    report_validity: Annotated[
        int | None, typer.Option(help="Seconds for which a report may be relied on, from its observation.")
    ] = None,
    max_quote_age: Annotated[int | None, typer.Option(help="Seconds after which a quote is stale.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write it.", show_default="consortium.toml in the folder")
    ] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Make the consortium file from the members' cards, and this coordinator's keys if it has none.

    Compare each card's signing key with its member over another channel first. Send the file to all members; they
    take it up with `mpc-party join` and generate the group's key with `mpc-party keygen`.
    """
    from coordinator.creating import create_consortium
    from coordinator.home import CoordinatorHome
    from mpc_party.protocol.consortium_file import save_consortium
    from mpc_party.protocol.errors import ConfigError
    from mpc_party.protocol.identity import CoordinatorIdentity
    from mpc_party.protocol.passphrase import passphrase_from

    folder = CoordinatorHome(home.expanduser())
    path = folder.consortium_file if out is None else out
    if path.exists():
        raise ConfigError(f"{path} exists", remedy="keep it, or write another one with --out")
    fresh = not folder.identity_file.exists()
    passphrase = passphrase_from(
        file=passphrase_file,
        prompt="New passphrase of the coordinator" if fresh else "Passphrase",
        confirm=fresh,
    )
    identity = CoordinatorIdentity.generate() if fresh else folder.identity(passphrase)
    consortium = create_consortium(
        name=name,
        cards=member,
        broker=broker,
        threshold=threshold,
        coordinator=identity.signing_key,
        program={
            "max_instruments": max_instruments,
            "report_validity": report_validity,
            "max_quote_age": max_quote_age,
        },
    )
    if fresh:
        folder.make()
        identity.save(folder.identity_file, passphrase)
    save_consortium(path, consortium)
    if json:
        print_json(
            {
                "consortium": str(path),
                "id": consortium.id,
                "hash": consortium.hash.hex(),
                "roster_hash": consortium.roster_hash.hex(),
                "account": identity.account,
                "members": list(consortium.names),
            }
        )
        return
    stderr.print(
        f"Consortium {name}: {', '.join(consortium.names)}. Send {path} to all members.", markup=False
    )
    stderr.print(f"Its fingerprint is {consortium.hash.hex()}", markup=False)
    stderr.print(
        f"Transactions are paid by {identity.account}: give it funds on the chain before `deploy`.",
        markup=False,
    )


def deploy(
    *,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    quorum: Annotated[
        int | None, typer.Option(help="Members that govern the contract together.", show_default="all but t")
    ] = None,
    replace: Annotated[
        bool, typer.Option(help="Deploy another contract than the file names already.")
    ] = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Deploy the settlement contract for the consortium's group key, and write it into the consortium file.

    The deployed code is compared with the compiled contract of this release. Send the completed file to all members.
    """
    import msgspec

    from coordinator.home import CoordinatorHome
    from mpc_party.protocol.consortium_file import load_consortium, save_consortium
    from mpc_party.protocol.errors import ConfigError
    from mpc_party.protocol.passphrase import passphrase_from

    folder = CoordinatorHome(home.expanduser())
    path = folder.consortium_file if consortium is None else consortium
    current = load_consortium(path)
    if current.settlement is not None and not replace:
        raise ConfigError(
            f"{path} names a contract already: {current.settlement.contract}",
            remedy="give --replace to deploy another one",
        )
    _ = current.group_address  # refused before anything is asked for, if there is no key yet
    identity = folder.identity(passphrase_from(file=passphrase_file, prompt="Passphrase"))
    identity.require_role(current)
    with working("Deploying the settlement contract ..."):
        from coordinator.settlement import Settlement

        bare = msgspec.structs.replace(current, settlement=None)
        deployment = Settlement(rpc_url, bare, identity.evm_account()).deploy(quorum)
        completed = msgspec.structs.replace(current, settlement=deployment.section)
        save_consortium(path, completed)
    section, receipt = deployment.section, deployment.receipt
    if json:
        print_json(
            {
                "chain_id": section.chain_id,
                "contract": section.contract,
                "gas": receipt.gas,
                "block": receipt.block,
                "consortium": str(path),
                "hash": completed.hash.hex(),
            }
        )
        return
    stderr.print(
        f"Contract {section.contract} on chain {section.chain_id}, {receipt.gas:,} gas; now in {path}",
        markup=False,
    )
    stderr.print(f"Send that file to all members. Its fingerprint is {completed.hash.hex()}", markup=False)
