"""`sign-action` and `pause`: a member's part in governing the contracts."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Home, Json, PassphraseFile
from mpc_party.console import print_json, tell
from mpc_party.protocol.errors import ConfigError

ConsortiumFile = Annotated[
    Path | None, typer.Option("--consortium", help="The consortium file; else the one in the folder.")
]
Out = Annotated[Path, typer.Option(help="Where to write the signed action, such as action.alice.json.")]
Members = Annotated[
    str | None, typer.Option("--members", help="The members' contract, as you know it; or give --rpc-url.")
]
RpcUrl = Annotated[
    str | None,
    typer.Option(envvar="MPC_RPC_URL", help="A node that is asked who governs the feed, and whether you do."),
]
Salt = Annotated[str | None, typer.Option(help="32 bytes of hex; else random.")]
Deadline = Annotated[str | None, typer.Option(help="UTC time by which it must be scheduled; else in a week.")]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]

app = typer.Typer()


@app.callback(invoke_without_command=True)
def sign_action(
    context: typer.Context,
    *,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="Another member's signed action: check it, sign the same.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write yours.")] = None,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Sign a typed action of the members with your own account, after it was told in words.

    The first member makes it: `sign-action rotate`, `members`, `parameters`, `unpause` or `cancel`. The others check and sign
    the same one: `sign-action --from FILE --out FILE`. Chain, feed and members' contract are taken from what you know
    yourself, never from the file. `mpc-coordinator act` brings it to the chain.
    """
    if context.invoked_subcommand is not None:
        if from_file is not None or out is not None:
            raise ConfigError(
                "--from and --out before a kind of action", remedy="give options after the kind"
            )
        return
    if from_file is None or out is None:
        raise ConfigError(
            "what to sign?",
            remedy="give a kind of action (see --help), or another member's file with --from and yours with --out",
        )
    from mpc_party.member.governing import Signing, sign_same

    sign_same(
        Signing(home, consortium, out, members, rpc_url, None, None, passphrase_file, yes, json), from_file
    )


@app.command()
def rotate(
    *,
    group_key: Annotated[str, typer.Option(help="Address of the group key to put in force.")],
    new_epoch: Annotated[
        int | None, typer.Option(help="Its epoch; else the next one after the consortium file's.")
    ] = None,
    overlap: Annotated[
        int, typer.Option(min=0, help="Seconds for which reports of the key before are still accepted.")
    ] = 0,
    out: Out,
    salt: Salt = None,
    deadline: Deadline = None,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put another group key in force, or the same one in a new epoch: also what ends a stop by a proof of fraud."""
    from mpc_party.member.deciding import rotation, settlement_of
    from mpc_party.member.governing import Signing, sign_new

    options = Signing(home, consortium, out, members, rpc_url, salt, deadline, passphrase_file, yes, json)
    sign_new(
        options,
        lambda file: rotation(
            settlement_of(file).contract,
            group_key,
            file.epoch + 1 if new_epoch is None else new_epoch,
            overlap,
            *options.salted(),
        ),
    )


@app.command(name="members")
def set_members(
    *,
    member: Annotated[list[str], typer.Option(help="A member's account; once for each, in order.")],
    quorum: Annotated[int, typer.Option(help="How many must sign an action.")],
    out: Out,
    salt: Salt = None,
    deadline: Deadline = None,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Put other members in charge. A member may be a contract, such as a Safe."""
    from mpc_party.member.deciding import membership
    from mpc_party.member.governing import Signing, sign_new

    options = Signing(home, consortium, out, members, rpc_url, salt, deadline, passphrase_file, yes, json)
    sign_new(options, lambda _file: membership(member, quorum, *options.salted()))


@app.command()
def parameters(
    file: Annotated[Path, typer.Argument(help="TOML with all numbers of [config] and [tolerances].")],
    *,
    out: Out,
    salt: Salt = None,
    deadline: Deadline = None,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Set what the feed accepts, and what its reports may be off by."""
    from mpc_party.member.deciding import parameters as parameters_of
    from mpc_party.member.deciding import settlement_of
    from mpc_party.member.governing import Signing, sign_new

    options = Signing(home, consortium, out, members, rpc_url, salt, deadline, passphrase_file, yes, json)
    sign_new(options, lambda group: parameters_of(settlement_of(group).contract, file, *options.salted()))


@app.command()
def unpause(
    *,
    out: Out,
    salt: Salt = None,
    deadline: Deadline = None,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """End the feed's pause."""
    from mpc_party.member.deciding import settlement_of
    from mpc_party.member.governing import Signing, sign_new
    from mpc_party.protocol.actions import Unpause

    options = Signing(home, consortium, out, members, rpc_url, salt, deadline, passphrase_file, yes, json)
    sign_new(options, lambda group: Unpause(settlement_of(group).contract, *options.salted()))


@app.command()
def cancel(
    *,
    of: Annotated[Path | None, typer.Option(help="A file of the action to void.")] = None,
    action: Annotated[str | None, typer.Option(help="Or its hash, 0x and 64 hex digits.")] = None,
    out: Out,
    members: Members = None,
    rpc_url: RpcUrl = None,
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Void an action for ever, scheduled or not, without a delay."""
    from mpc_party.member.deciding import in_words, read_word
    from mpc_party.member.governing import Signing, sign_new
    from mpc_party.protocol.action_file import load_action_file
    from mpc_party.protocol.actions import CancelAction

    if (of is None) is (action is None):
        raise ConfigError("give --of FILE or --action HASH, one of them")
    if of is not None:
        file = load_action_file(of)
        tell("What is to be void:")
        for line in in_words(file.action):
            tell(f"  {line}")
        word = file.hash
    else:
        word = read_word(action or "", "--action")
    options = Signing(home, consortium, out, members, rpc_url, None, None, passphrase_file, yes, json)
    sign_new(options, lambda _group: CancelAction(word))


def pause(
    *,
    rpc_url: Annotated[str, typer.Option(envvar="MPC_RPC_URL", help="JSON-RPC endpoint of an EVM node.")],
    consortium: ConsortiumFile = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Stop the consortium's feed at once: a transaction of yours alone, which your account pays.

    Nothing is accepted until the members unpause it (`sign-action unpause`), which takes a quorum and the delay. Challenges
    go on.
    """
    from mpc_party.member.governing import pause_feed

    feed, done = pause_feed(home, consortium, rpc_url, passphrase_file)
    if json:
        print_json(
            {
                "feed": feed,
                "members": done.members,
                "transaction": done.transaction,
                "block": done.block,
                "gas": done.gas,
            }
        )
    elif done.transaction is None:
        tell(f"The feed {feed} is paused already.")
    else:
        tell(f"The feed {feed} is paused since block {done.block}, {done.gas:,} gas.")
