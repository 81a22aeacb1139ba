"""`run` and `refit`: taking part in what all members compute together."""

from typing import Annotated

import typer

from mpc_party.cli.options import DEFAULT_HOME, Coverage, DeskSeed, Home, Json, Listen, Noise, PassphraseFile
from mpc_party.console import configure_logging, print_json, tell, working


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
    from mpc_party.member.moments import parse_utc
    from mpc_party.member.refitting import RefitOptions, run_refit
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
