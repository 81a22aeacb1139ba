"""`mpc-party`: what a member does."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.console import configure_logging, print_json, run, tell, working

app = typer.Typer(
    help="A consortium member's party: keys, ceremonies, and the process that takes part in rounds.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Home = Annotated[
    Path, typer.Option(envvar="MPC_PARTY_HOME", help="This member's folder.", show_default="~/.mpc-party")
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File with the passphrase; else the variable MPC_PASSPHRASE, else you are asked."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Listen = Annotated[str | None, typer.Option(help="Bind here instead of the mesh address in the file.")]
DeskSeed = Annotated[str | None, typer.Option(help="Seed of this desk's private view of it.")]
Coverage = Annotated[float | None, typer.Option(help="Share of the chain that this desk sees.")]
Noise = Annotated[float | None, typer.Option(help="Error of this desk's quotes, relative to vol.")]
DEFAULT_HOME = Path("~/.mpc-party")


@app.callback()
def party() -> None:
    """A consortium member's party: keys, ceremonies, and the process that takes part in rounds.

    The order of things: `init` once; send your card to the operator; `join` the consortium file that comes back; `keygen`
    together with the others; `join` again with the completed file and your share of the model; `run`. `status` says what is
    missing and what to do next.

    Exit status: 0 done; 1 refused, or a check failed; 2 wrong command line, file or passphrase; 3 broker or other
    members cannot be reached; 130 interrupted.
    """
    # Warnings go to standard error like all else that is said to a person: standard output is for --json.
    configure_logging("warning")


@app.command()
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


@app.command()
def join(
    consortium: Annotated[Path, typer.Argument(help="The consortium file, from the operator.")],
    *,
    model_share: Annotated[Path | None, typer.Option(help="Your share of the model, from its owner.")] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Check a consortium file and take it up; with --model-share also this member's share of the model.

    A file of the same consortium and epoch may complete the one taken up before, never change its members,
    threshold or key. A running party goes on with the old one: start it again.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.joining import take_up
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    identity = folder.identity(passphrase)
    joined = take_up(folder, identity, passphrase, consortium, model_share)
    if json:
        print_json({"consortium": joined.name, "epoch": joined.epoch, "hash": joined.hash.hex()})
    else:
        tell(f"Joined {joined.name}, epoch {joined.epoch}, {len(joined.members)} members.")
        tell("Compare its fingerprint with the other members:")
        tell(f"  {joined.hash.hex()}")


@app.command()
def keygen(
    *,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the other members.", min=0, max=86_400)
    ] = 120.0,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Generate the group's signing key together with all other members, at the same time.

    Nobody ever holds the key: each member gets a share, sealed in its folder, and the consortium file gets the
    public key with every member's attestation. Send that file to the operator.
    """
    from mpc_party.member.ceremony import run_ceremony
    from mpc_party.member.home import PartyHome
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with working("Connecting to the other members ...") as say:
        completed = run_ceremony(folder, passphrase, wait=wait, listen=listen, say=say)
    address = completed.group_address
    if json:
        print_json({"address": address, "consortium": str(folder.consortium_file)})
    else:
        tell(f"The group's address is {address}; all members must see the same one.")
        tell(f"Send the operator {folder.consortium_file}")


@app.command(name="run")
def run_party(
    *,
    market: Annotated[
        str | None,
        typer.Option(help="Quotes: recorded:FILE, capture:FILE, simulated:SEED, heston:SEED, deribit:BTC."),
    ] = None,
    flow: Annotated[
        str | None, typer.Option(help="Order flow: binance:BTCUSDT, capture:FILE or heston:SEED.")
    ] = None,
    positions: Annotated[
        str | None, typer.Option(help="CSV file with this desk's positions: instrument,contracts.")
    ] = None,
    desk_seed: DeskSeed = None,
    coverage: Coverage = None,
    noise: Noise = None,
    broker_url: Annotated[
        str | None, typer.Option(help="Reach the broker here instead of the file's URL.")
    ] = None,
    listen: Listen = None,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Annotated[bool, typer.Option("--json", help="Log one JSON object a line.")] = False,
) -> None:
    """Take part in rounds until interrupted.

    Settings not given here come from `party.toml` in the folder. Ctrl-C ends a running round as aborted, tells
    the others, and leaves the journal usable.
    """
    from mpc_party.member.home import PartyHome
    from mpc_party.member.running import Options, run_until_interrupted
    from mpc_party.protocol.passphrase import passphrase_from

    configure_logging(log_level, json_lines=json)
    folder = PartyHome.at(home)
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    options = Options(
        market=market,
        flow=flow,
        positions=positions,
        desk_seed=desk_seed,
        coverage=coverage,
        noise=noise,
        broker_url=broker_url,
        listen=listen,
    )
    run_until_interrupted(folder, passphrase, options)


@app.command()
def refit(
    *,
    market: Annotated[
        str | None, typer.Option(help="History of the market, as for `run`: recorded:FILE, capture:FILE ...")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="UTC time such as 2026-01-31T18:00Z; else all there is.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="UTC time; else all there is.")] = None,
    half_life: Annotated[
        float | None, typer.Option(help="Days after which an interval counts half; else 14.")
    ] = None,
    ridge: Annotated[
        float | None, typer.Option(help="Pull towards plain delta, of the mean diagonal; else 0.05.")
    ] = None,
    intervals: Annotated[
        int | None, typer.Option(help="Fewest intervals that a desk must have; else 20.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="Begin at this UTC time, the same at all members; for schedulers.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for the other members.", min=0, max=86_400)
    ] = 600.0,
    desk_seed: DeskSeed = None,
    coverage: Coverage = None,
    noise: Noise = None,
    listen: Listen = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Fit the hedge model anew together with all other members, at the same time; nobody sees data or weights.

    Stop `run` first: the refit uses its mesh address. All members give the same --from, --to, --half-life, --ridge
    and --intervals. Each gets a new consortium file, the same at all, and its share of the new model; the ones
    before stay beside as `.previous`. Start `run` again, and send the operator the consortium file.
    """
    from mpc_party.console import stderr
    from mpc_party.member.home import PartyHome
    from mpc_party.member.refitting import RefitOptions, parse_utc, run_refit
    from mpc_party.protocol.passphrase import passphrase_from

    folder = PartyHome.at(home)
    options = RefitOptions(
        market=market,
        desk_seed=desk_seed,
        coverage=coverage,
        noise=noise,
        start=None if start is None else parse_utc(start, "--from"),
        end=None if end is None else parse_utc(end, "--to"),
        half_life=half_life,
        ridge=ridge,
        intervals=intervals,
        at=None if at is None else parse_utc(at, "--at"),
        wait=wait,
        listen=listen,
    )
    passphrase = passphrase_from(file=passphrase_file, prompt="Passphrase")
    with working("Opening the folder ...") as show:
        # A scheduler's log gets the states as lines.
        refitted = run_refit(folder, passphrase, options, say=show if stderr.is_terminal else tell)
    model = refitted.record.model
    if json:
        print_json({"model": model, "consortium": str(folder.consortium_file)})
    else:
        tell(f"The new model's commitment is {model}; all members must see the same one.")
        tell(f"Send the operator {folder.consortium_file}, and start `mpc-party run` again.")


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def record(
    market: Annotated[str, typer.Option(help="A live market, such as deribit:BTC.")],
    out: Annotated[Path, typer.Option(help="CSV file to append to; compressed where it ends in .gz.")],
    *,
    every: Annotated[float, typer.Option(help="Seconds between two moments.", min=1, max=86_400)] = 60.0,
    count: Annotated[
        int | None, typer.Option(help="Stop after this many moments; else at Ctrl-C.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Record a live option chain, to be replayed later with --market recorded:FILE.

    Appends to a recording of the same underlying. Ctrl-C ends it between two
    moments; a full disk leaves the moments before it. A kill or a power cut in
    the middle of a write may leave half a moment: such a file is refused.
    """
    from mpc_party.member.recording import record as record_chain

    with working("Connecting ...") as say:
        done = record_chain(market, out.expanduser(), every=every, count=count, say=say)
    if json:
        print_json(
            {
                "file": str(out),
                "moments": done.moments,
                "rows": done.rows,
                "missed": done.missed,
                "bytes": done.bytes,
            }
        )
    else:
        tell(f"{done.moments} moments ({done.rows} rows) in {out}, {done.missed} missed.")


def main() -> None:
    """Entry point of `mpc-party`."""
    run(app, "mpc-party")


if __name__ == "__main__":
    main()
