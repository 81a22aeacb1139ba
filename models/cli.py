"""`mpc-models`: what a model's owner does: train a model, evaluate it, deal it."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mpc_party.console import configure_logging, print_json, run, tell, working

app = typer.Typer(
    help="Hedging models: train one, see what it is worth, deal it into shares that no single member can read.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


class Kind(StrEnum):
    """Kinds of models, as `mpc_party.hedging.model` has them."""

    MINIMUM_VARIANCE = "minimum-variance-quadratic"
    POLICY = "quadratic-policy-6-16-16"


class PriceName(StrEnum):
    """What an option is worth: `mpc_party.market.intervals.Price`."""

    MARK = "mark"
    MID = "mid"


TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]
MarketOption = Annotated[
    str | None,
    typer.Option(
        help="Where option chains come from: recorded:FILE, or a simulated market with --from and --to."
    ),
]
FromOption = Annotated[datetime | None, typer.Option("--from", formats=TIMES, help="First moment, UTC.")]
ToOption = Annotated[datetime | None, typer.Option("--to", formats=TIMES, help="Last moment, UTC.")]
PriceOption = Annotated[
    PriceName,
    typer.Option(help="What an option is worth: the venue's mark, or the middle of bid and ask (noisier)."),
]
ConfigOption = Annotated[
    Path | None, typer.Option(help="Of a policy: simulators, cost, training (configs/train.example.toml).")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the metrics as JSON.")]


@app.callback()
def models() -> None:
    """Hedging models: train one, see what it is worth, deal it into shares that no single member can read.

    What `train` and `evaluate` write is the model owner's secret, and readable by that user alone.

    Exit status: 0 done; 1 refused; 2 wrong command line or file; 130 interrupted.
    """
    configure_logging("warning")


@app.command()
def deal(
    model: Annotated[Path, typer.Option(help="The model file, as `train` writes it. Secret.")],
    consortium: Annotated[Path, typer.Option(help="The consortium file; it gets the public commitment.")],
    out: Annotated[Path, typer.Option(help="Folder for the share files, one per member.")],
    *,
    replace: Annotated[bool, typer.Option(help="Replace a model that the file already names.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Split a model into one encrypted share file per member, and commit to it in the consortium file.

    Send each member its own file (`NAME.model-share.age`; only that member's key opens it) and all of them the
    consortium file. They take both with `mpc-party join`. A share is useless alone, and a corrupted one is refused.
    """
    from models.deal import deal_model, share_file
    from models.model_file import load_model
    from mpc_party.protocol.consortium_file import load_consortium, save_consortium
    from mpc_party.protocol.errors import ConfigError

    current = load_consortium(consortium)
    if current.model is not None and not replace:
        raise ConfigError(
            f"consortium file {consortium}: names a model already",
            remedy="give --replace to deal another one",
        )
    with working("Dealing the model into shares ..."):
        dealt = deal_model(current, load_model(model), out)
        save_consortium(consortium, dealt)
    files = {name: str(share_file(out, name)) for name in dealt.names}
    if json:
        print_json({"commitment": dealt.model, "consortium": str(consortium), "shares": files})
        return
    tell(f"Model commitment {dealt.model}, now in {consortium}")
    for name, path in files.items():
        tell(f"  for {name}: {path}")


@app.command()
def train(
    kind: Annotated[Kind, typer.Option(help="What to train.")],
    out: Annotated[Path, typer.Option(help="The model file to write. Secret, mode 0600.")],
    market: MarketOption = None,
    config: ConfigOption = None,
    half_life: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=10_000.0, help="Days after which an interval counts half; without it, chosen."
        ),
    ] = None,
    *,
    price: PriceOption = PriceName.MARK,
    start: FromOption = None,
    end: ToOption = None,
    replace: Annotated[bool, typer.Option(help="Replace an existing model file.")] = False,
    json: JsonOption = False,
) -> None:
    """Train a model, and write its weights to a file for `evaluate` and `deal`.

    minimum-variance-quadratic learns from --market how implied vols move with
    the forward. It is fitted anew before every interval from the intervals
    before it, so that the gain in hedging-error variance that is printed,
    with its 95 % interval, is out of sample; the file gets the fit after the
    last. Where that interval holds 0, this market does not show that the
    model is better than plain delta.

    quadratic-policy-6-16-16 learns on simulated paths to hedge under costs;
    minutes on one core.
    """
    from mpc_party.protocol.errors import ConfigError

    if out.exists() and not replace:
        raise ConfigError(f"model file {out}: exists already", remedy="give --replace to train over it")
    if not out.parent.is_dir():
        raise ConfigError(f"model file {out}: no folder {out.parent}", remedy="make it first")
    from models.history import read_history
    from models.minimum_variance import LEAST_HISTORY
    from models.model_file import save_model
    from models.policy.config import DEFAULT_SEED
    from models.training import load_policy_config, train_minimum_variance, train_policy

    with working("Training ...") as say:
        if kind is Kind.POLICY:
            _refuse(kind, market=market, half_life=half_life)
            settings = load_policy_config(config)
            trained, known_seed = train_policy(settings, say), settings.seed == DEFAULT_SEED
        else:
            _refuse(kind, config=config)
            if market is None:
                raise ConfigError(f"{kind} is fitted to a market", remedy="give --market recorded:FILE")
            history = read_history(
                market, price.value, _seconds(start), _seconds(end), 2 * LEAST_HISTORY, say
            )
            trained, known_seed = train_minimum_variance(history, half_life, say), False
        save_model(out, trained.model, overwrite=replace)
    if json:
        print_json({"kind": kind.value, "model": str(out), "metrics": trained.metrics})
        return
    if kind is Kind.MINIMUM_VARIANCE:
        _tell_gain("Out of sample, fitted before every interval", trained.metrics)
    else:
        ratio = trained.metrics["validation_risk_ratio"]
        tell(f"Risk on validation paths: {ratio:.4f} of Black-Scholes delta's, costs included")
    if known_seed:
        tell(
            "  Trained with the default seed, so that anybody can train the same weights: set `seed` to deal it."
        )
    tell(f"Model written to {out}; next: mpc-models evaluate, then mpc-models deal")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="The model file. Secret.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json and the plots.")],
    market: MarketOption = None,
    config: ConfigOption = None,
    *,
    price: PriceOption = PriceName.MARK,
    start: FromOption = None,
    end: ToOption = None,
    json: JsonOption = False,
) -> None:
    """See what a model is worth against plain delta, in figures and plots.

    On --market: the gain in hedging-error variance over all intervals, by
    expiry, delta and type, with 95 % intervals, as hedged by these very
    weights (which may have seen this market: --from a moment after training
    shows a forecast) and, for minimum-variance-quadratic, by fits before
    every interval. A policy is also run on simulated test paths under costs.

    metrics.json (its keys: models/evaluation.py) holds no weight, but what a
    few numbers say of a small model narrows it down, and the plot of deltas
    shows it: keep the folder to yourself.
    """
    from models.evaluation import METRICS_FILE
    from models.evaluation import evaluate as evaluate_model
    from models.history import read_history
    from models.minimum_variance import LEAST_HISTORY
    from models.model_file import load_model
    from models.training import load_policy_config
    from mpc_party.hedging.model import MINIMUM_VARIANCE
    from mpc_party.protocol.errors import ConfigError

    loaded = load_model(model)
    if loaded.kind == MINIMUM_VARIANCE:
        _refuse(loaded.kind, config=config)
        if market is None:
            raise ConfigError(f"{loaded.kind} is evaluated on a market", remedy="give --market recorded:FILE")
    settings = load_policy_config(config)
    with working("Evaluating ...") as say:
        history = None
        if market is not None:
            history = read_history(
                market, price.value, _seconds(start), _seconds(end), 2 * LEAST_HISTORY, say
            )
        metrics = evaluate_model(loaded, market, history, settings, out, say)
    if json:
        print_json(metrics)
        return
    if "model" in metrics:
        _tell_gain("These weights, which may have seen this market", metrics["model"])
    if "walk_forward" in metrics:
        _tell_gain("Fitted before every interval instead", metrics["walk_forward"])
    for name, figures in metrics.get("simulated", {}).get("simulators", {}).items():
        tell(
            f"{name} paths: ES95 {figures['policy']['es95']:.6f}, Black-Scholes delta "
            f"{figures['black_scholes']['es95']:.6f} (of the spot, costs included)"
        )
    tell(f"Written to {out}: {', '.join([METRICS_FILE, *metrics['plots']])}")


def _tell_gain(what: str, metrics: dict[str, Any]) -> None:
    gain = metrics["gain"]
    side = "below" if gain["value"] >= 0.0 else "above"
    tell(
        f"{what}: hedging-error variance {100 * abs(gain['value']):.1f} % {side} plain delta's "
        f"(gain of {100 * gain['low']:.1f} to {100 * gain['high']:.1f} % at 95 % confidence), "
        f"{metrics['intervals']} intervals, {metrics['rows']} options"
    )
    if gain["high"] < 0.0:
        tell("  On this market the model is worse than plain delta.")
    elif gain["low"] <= 0.0:
        tell("  The interval holds 0: this market does not show that the model is better than plain delta.")


def _refuse(kind: str, **given: object) -> None:
    from mpc_party.protocol.errors import ConfigError

    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')} says nothing to {kind}", remedy="leave it out")


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp())


def main() -> None:
    """Entry point of `mpc-models`."""
    run(app, "mpc-models")


if __name__ == "__main__":
    main()
