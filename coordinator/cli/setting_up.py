"""`create`, `deploy` and `contracts`: the consortium file, from the members' cards to the contracts."""

from decimal import Decimal, InvalidOperation
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
from mpc_party.console import ExitCode, print_json, stderr, working

DEAD_ADDRESS = "0x000000000000000000000000000000000000dEaD"

Quorum = Annotated[
    int | None, typer.Option(help="Members that govern the contracts together.", show_default="all but t")
]
ActionDelay = Annotated[
    int, typer.Option(min=0, help="Seconds from the members' decision until it can be carried out.")
]
ChallengeWindow = Annotated[int, typer.Option(min=1, help="Seconds until a report is final.")]
ChallengeBond = Annotated[str, typer.Option(help="Ether that a challenge by law needs beside it.")]
BondDelay = Annotated[int, typer.Option(min=0, help="Seconds until a part of the members' bond can leave.")]
Reward = Annotated[int, typer.Option(help="The challenger's part of a seized bond, of 10,000.")]
Sink = Annotated[str, typer.Option(help="Where forfeited and seized money goes.")]
Salt = Annotated[int, typer.Option(min=0, help="Another number gives another set of contracts.")]
Collateral = Annotated[
    str | None, typer.Option(help="Deploy a margin vault, too, for this ERC-20.", show_default="none")
]


def create(
    member: Annotated[
        list[Path] | None,
        typer.Option(
            help="A member's card (NAME.member.toml); once per member, in order; with --previous, who joins."
        ),
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="The consortium's name.")] = None,
    broker: Annotated[
        str | None, typer.Option(help="mqtt:// or mqtts:// URL that all of them reach.")
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(
            help="t: how many members may be corrupt; 2t < n. 2t + 1 of them compute each round.",
            show_default="1, or that of --previous",
        ),
    ] = None,
    previous: Annotated[
        Path | None,
        typer.Option(help="The file in force: make the one of the next epoch, for `mpc-party reshare`."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(help="With --previous: a member that stays; once for each.", show_default="all"),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="With --previous: a member that leaves; once for each.")
    ] = None,
    max_instruments: Annotated[int | None, typer.Option(help="Instruments in one round, at most.")] = None,
    report_validity: Annotated[
        int | None, typer.Option(help="Seconds for which a report may be relied on, from its observation.")
    ] = None,
    max_quote_age: Annotated[int | None, typer.Option(help="Seconds after which a quote is stale.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write it.",
            show_default="consortium.toml in the folder; with --previous, consortium.next.toml",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Make the consortium file from the members' cards, and this coordinator's keys if it has none.

    Compare each card's signing key with its member over another channel first. Send the file to all members; they
    take it up with `mpc-party join` and generate the group's key with `mpc-party keygen`.

    With --previous, make the next epoch's file of the same consortium. All its members stay, in their order, but those named
    with --remove, or only those named with --keep; cards given with --member join behind them. Threshold and broker stay
    unless they are given, the coordinator is this one; name, program and contract stay. Members take it to
    `mpc-party reshare`, which adds key and model; members that join need the file in force, too.
    """
    from coordinator.creating import NEXT_FILE, create_consortium, create_successor
    from coordinator.home import CoordinatorHome
    from mpc_party.protocol.consortium_file import save_consortium
    from mpc_party.protocol.errors import ConfigError
    from mpc_party.protocol.identity import CoordinatorIdentity
    from mpc_party.protocol.passphrase import passphrase_from

    program = {
        "max_instruments": max_instruments,
        "report_validity": report_validity,
        "max_quote_age": max_quote_age,
    }
    if previous is None:
        _require_given({"--member": member, "--name": name, "--broker": broker})
        _refuse_given({"--keep": keep, "--remove": remove}, "only with --previous")
    else:
        stays = {f"--{field.replace('_', '-')}": value for field, value in program.items()}
        _refuse_given({"--name": name, **stays}, "stays what it is in the next epoch")
    folder = CoordinatorHome(home.expanduser())
    usual = folder.consortium_file if previous is None else folder.path / NEXT_FILE
    path = usual if out is None else out
    if path.exists():
        raise ConfigError(f"{path} exists", remedy="keep it, or write another one with --out")
    fresh = not folder.identity_file.exists()
    passphrase = passphrase_from(
        file=passphrase_file,
        prompt="New passphrase of the coordinator" if fresh else "Passphrase",
        confirm=fresh,
    )
    identity = CoordinatorIdentity.generate() if fresh else folder.identity(passphrase)
    if previous is None:
        consortium = create_consortium(
            name=name or "",
            cards=member or (),
            broker=broker or "",
            threshold=1 if threshold is None else threshold,
            coordinator=identity.signing_key,
            program=program,
        )
    else:
        consortium = create_successor(
            previous,
            cards=member or (),
            keep=keep or (),
            remove=remove or (),
            threshold=threshold,
            broker=broker,
            coordinator=identity.signing_key,
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
                "epoch": consortium.epoch,
                "hash": consortium.hash.hex(),
                "roster_hash": consortium.roster_hash.hex(),
                "account": identity.account,
                "members": list(consortium.names),
            }
        )
        return
    stderr.print(
        f"Consortium {consortium.name}: {', '.join(consortium.names)}. Send {path} to all members.",
        markup=False,
    )
    stderr.print(f"Its fingerprint is {consortium.hash.hex()}", markup=False)
    if previous is not None:
        stderr.print(
            f"Epoch {consortium.epoch}, threshold {consortium.threshold}. Members that join need {previous} as well; the ceremony"
            " is `mpc-party reshare`, and its --help says how the contract follows.",
            markup=False,
        )
        return
    stderr.print(
        f"Transactions are paid by {identity.account}: give it funds on the chain before `deploy`.",
        markup=False,
    )


def _require_given(options: dict[str, object]) -> None:
    from mpc_party.protocol.errors import ConfigError

    missing = [name for name, value in options.items() if not value]
    if missing:
        raise ConfigError(f"{missing[0]} is missing", remedy="see `mpc-coordinator create --help`")


def _refuse_given(options: dict[str, object], why: str) -> None:
    from mpc_party.protocol.errors import ConfigError

    given = [name for name, value in options.items() if value is not None]
    if given:
        raise ConfigError(f"{given[0]}: {why}")


def deploy(
    *,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    quorum: Quorum = None,
    action_delay: ActionDelay = 86_400,
    challenge_window: ChallengeWindow = 600,
    challenge_bond: ChallengeBond = "0.1",
    bond_delay: BondDelay = 864_000,
    reward: Reward = 2_000,
    sink: Sink = DEAD_ADDRESS,
    salt: Salt = 0,
    collateral: Collateral = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say where everything would stand; ask no node, send nothing.")
    ] = False,
    replace: Annotated[
        bool, typer.Option(help="Deploy other contracts than the file names already.")
    ] = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Deploy the consortium's contracts, and write the ledger's address into the consortium file.

    Judge, members, ledger and bond (and a margin vault for --collateral) come to stand at addresses that follow from
    the consortium file and these options. What stands there already is kept: after an interruption, run this
    again. All code is compared with the compiled contracts of this release, and what it was founded with is read
    back. Send the completed file to all members.
    """
    import msgspec

    from coordinator.home import CoordinatorHome
    from coordinator.settlement.founding import SuiteOptions, make_plan
    from mpc_party.protocol.consortium_file import load_consortium, save_consortium
    from mpc_party.protocol.errors import ConfigError
    from mpc_party.protocol.passphrase import passphrase_from

    folder = CoordinatorHome(home.expanduser())
    path = folder.consortium_file if consortium is None else consortium
    current = load_consortium(path)
    options = SuiteOptions(
        quorum,
        action_delay,
        challenge_window,
        _wei(challenge_bond),
        bond_delay,
        reward,
        sink,
        salt,
        collateral,
    )
    plan = make_plan(current, options)  # refused before anything is asked for, if there is no key yet
    if dry_run:
        addresses = {each.name: each.address for each in plan.contracts}
        if json:
            print_json({"salt": "0x" + plan.salt.hex(), "contracts": addresses})
            return
        for name, address in addresses.items():
            stderr.print(f"{name:20} {address}", markup=False)
        return
    if current.settlement is not None and not replace:
        raise ConfigError(
            f"{path} names a contract already: {current.settlement.contract}",
            remedy="give --replace to deploy another one",
        )
    identity = folder.identity(passphrase_from(file=passphrase_file, prompt="Passphrase"))
    identity.require_role(current)
    with working("Deploying the contracts ..."):
        from coordinator.settlement import Settlement

        bare = msgspec.structs.replace(current, settlement=None)
        deployment = Settlement(rpc_url, bare, identity.evm_account()).deploy(options)
        completed = msgspec.structs.replace(current, settlement=deployment.section)
        save_consortium(path, completed)
    section = deployment.section
    if json:
        print_json(
            {
                "chain_id": section.chain_id,
                "contract": section.contract,
                "contracts": {
                    each.name: {
                        "address": each.address,
                        "codehash": "0x" + each.codehash.hex(),
                        "gas": each.gas,
                        "kept": each.kept,
                    }
                    for each in deployment.contracts
                },
                "gas": deployment.gas,
                "block": deployment.block,
                "consortium": str(path),
                "hash": completed.hash.hex(),
            }
        )
        return
    for each in deployment.contracts:
        what = "was there already" if each.kept else f"{each.gas:,} gas"
        stderr.print(f"{each.name:20} {each.address}  {what}", markup=False)
    stderr.print(
        f"Contract {section.contract} on chain {section.chain_id}, {deployment.gas:,} gas in all; now in {path}",
        markup=False,
    )
    stderr.print(f"Send that file to all members. Its fingerprint is {completed.hash.hex()}", markup=False)


def contracts(
    *,
    consortium: ConsortiumFile = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    quorum: Quorum = None,
    action_delay: ActionDelay = 86_400,
    challenge_window: ChallengeWindow = 600,
    challenge_bond: ChallengeBond = "0.1",
    bond_delay: BondDelay = 864_000,
    reward: Reward = 2_000,
    sink: Sink = DEAD_ADDRESS,
    salt: Salt = 0,
    collateral: Collateral = None,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Show the consortium's contracts: their code compared with this release's, and how they do.

    Judge and members are those that the file's contract names. Bond and vault are looked for where `deploy` puts them: give it
    the same options.
    """
    import msgspec

    from coordinator.home import CoordinatorHome
    from coordinator.settlement import Settlement
    from coordinator.settlement.founding import SuiteOptions
    from coordinator.settlement.overview import overview
    from coordinator.showing import show_contracts
    from mpc_party.protocol.consortium_file import load_consortium

    folder = CoordinatorHome(home.expanduser())
    current = load_consortium(folder.consortium_file if consortium is None else consortium)
    options = SuiteOptions(
        quorum,
        action_delay,
        challenge_window,
        _wei(challenge_bond),
        bond_delay,
        reward,
        sink,
        salt,
        collateral,
    )
    found = overview(Settlement(rpc_url, current), current, options)
    if json:
        said = msgspec.to_builtins(found, enc_hook=None, builtin_types=(bytes,))
        for each in said["contracts"]:
            each["codehash"] = None if each["codehash"] is None else "0x" + each["codehash"].hex()
        print_json(said)
    else:
        show_contracts(found)
    if not found.genuine:
        raise typer.Exit(ExitCode.FAILED)


def _wei(ether: str) -> int:
    from mpc_party.protocol.errors import ConfigError

    try:
        wei = Decimal(ether) * 10**18
    except InvalidOperation:
        wei = Decimal("NaN")
    if not wei.is_finite() or wei < 0 or wei != wei.to_integral_value() or wei >= 2**128:
        raise ConfigError(
            f"--challenge-bond {ether}: not an amount in ether", remedy="give a number such as 0.1"
        )
    return int(wei)
