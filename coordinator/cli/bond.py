"""`bond`: the consortium's pooled bond."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.challenge import collect
from coordinator.cli.options import DEFAULT_HOME, DEFAULT_RPC_URL, Home, Json, PassphraseFile, RpcUrl
from coordinator.cli.where import Keystore
from mpc_party.console import print_json, tell
from mpc_party.protocol.errors import ConfigError

if TYPE_CHECKING:
    from coordinator.challenges.bonding import Bond
    from coordinator.onchain import Sent

Address = Annotated[str, typer.Option("--bond", help="The consortium's bond (ConsortiumBond).")]
WEI = 10**18

app = typer.Typer(
    no_args_is_help=True,
    help="The consortium's pooled bond, which a proof of fraud takes: put in, take out, seize, collect.",
)


@app.command()
def add(
    amount: Annotated[str, typer.Argument(help="Ether, such as 12.5.")],
    *,
    bond: Address,
    account: Annotated[str | None, typer.Option(help="In whose name; else the payer's own.")] = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Put ether into the bond. It is at stake at once, and until it is taken out again."""
    wei = _wei(amount)
    sent = _opened(bond, rpc_url, home, keystore, passphrase_file).add(wei, account)
    _say(sent, f"Bonded {amount} ether", json=json)


@app.command()
def request(
    amount: Annotated[str, typer.Argument(help="Ether, or `all`.")],
    *,
    bond: Address,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Ask for ether back. It stays at stake until it is taken; a second request starts the delay anew for both."""
    wei = None if amount == "all" else _wei(amount)
    pool = _opened(bond, rpc_url, home, keystore, passphrase_file)
    sent = pool.request(wei)
    _say(
        sent,
        f"Asked for {amount}{'' if wei is None else ' ether'}; `bond status` says from when on it can be taken",
        json=json,
    )


@app.command()
def take(
    *,
    bond: Address,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Take out what was asked for, once its delay has passed."""
    _say(_opened(bond, rpc_url, home, keystore, passphrase_file).take(), "Taken", json=json)


@app.command()
def cancel(
    *,
    bond: Address,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Take a request back; its ether stays in the bond."""
    _say(
        _opened(bond, rpc_url, home, keystore, passphrase_file).cancel(),
        "The request is taken back",
        json=json,
    )


@app.command()
def status(
    *,
    bond: Address,
    account: Annotated[str | None, typer.Option(help="Whose part to show.")] = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    json: Json = False,
) -> None:
    """Show what is at stake, and an account's part of it. Needs no key."""
    from coordinator.challenges.bonding import Bond
    from coordinator.challenges.challenging import shown_wei
    from coordinator.onchain import Onchain

    seen = Bond(Onchain(rpc_url), bond).status(account)
    if json:
        print_json(seen.summary())
        return
    tell(
        f"At stake: {shown_wei(seen.pooled)}; {seen.reward_share:.0%} of it to whoever proves a fraud, the rest to {seen.sink}"
    )
    tell(f"Of the ledger {seen.ledger}; taking out takes {seen.delay / 86_400:g} days")
    if seen.seizure_outstanding:
        tell("A fraud was proved: the bond can be seized, and nothing else can be done with it. `bond seize`")
    if account is not None:
        tell(
            f"{account}: {shown_wei(seen.held)}, {shown_wei(seen.leaving)} on its way out, reward {shown_wei(seen.reward)}"
        )
        if seen.ready_at:
            tell(f"  can be taken from {datetime.fromtimestamp(seen.ready_at, UTC):%Y-%m-%d %H:%M:%S} UTC on")


@app.command()
def seize(
    *,
    bond: Address,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Take the bond after a proof of fraud: a part waits for whoever proved it, the rest to be swept. Anyone may."""
    _say(_opened(bond, rpc_url, home, keystore, passphrase_file).seize(), "Seized", json=json)


@app.command()
def sweep(
    *,
    bond: Address,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Send what was seized and belongs to no challenger to the sink. Anyone may."""
    _say(_opened(bond, rpc_url, home, keystore, passphrase_file).sweep(), "Swept into the sink", json=json)


app.command()(collect)


def _opened(
    bond: str, rpc_url: str, home: Path, keystore: Path | None, passphrase_file: Path | None
) -> "Bond":
    from coordinator.challenges.bonding import Bond
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account

    return Bond(Onchain(rpc_url, paying_account(home, keystore, passphrase_file)), bond)


def _say(sent: "Sent", what: str, *, json: bool) -> None:
    if json:
        print_json(sent.summary())
    else:
        tell(f"{what}. Block {sent.block}, {sent.gas:,} gas.")


def _wei(text: str) -> int:
    try:
        amount = Decimal(text)
        wei = int(amount * WEI)
    except (InvalidOperation, ValueError, OverflowError):
        raise ConfigError(f"{text[:40]!a} is no amount of ether") from None
    if not amount.is_finite() or wei <= 0 or wei != amount * WEI:
        raise ConfigError(f"{text[:40]!a} is no amount of ether above 0 with at most 18 decimals")
    return wei
