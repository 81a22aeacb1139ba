"""Evaluating a model: metrics.json and plots in a folder, all for the model's owner alone.

Keys of metrics.json; figures by `models.metrics.hedging_metrics`:

    kind            of the model
    market          absent without one: {"source", "underlying", "price", "from", "to", "moments"}, times in Unix seconds
    model           absent without a market: the model's own weights over all intervals. Where it was trained on this
                    market it has seen them: then this is no forecast
    walk_forward    minimum-variance models: fits before every interval from the past alone, which is a forecast
    simulated       policies: `models.policy.evaluation.evaluate`, without the outcomes path by path
    plots           file names
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from models import plots
from models.adjustment import adjustment
from models.history import History, Say
from models.metrics import FRACTION_BITS, Floats, fixed_point, hedging_metrics, report_adjustment
from models.model_file import ModelFile
from models.policy.config import PolicyConfig
from models.slices import slices
from models.training import candidates_for, walk, walk_forward_metrics
from mpc_party.hedging.model import MINIMUM_VARIANCE, encode_weights
from mpc_party.market.errors import MarketDataError
from mpc_party.market.intervals import HedgingRows
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import write_atomic

METRICS_FILE = "metrics.json"


def evaluate(
    model: ModelFile,
    source: str | None,
    history: History | None,
    config: PolicyConfig,
    out: Path,
    say: Say,
) -> dict[str, Any]:
    """Evaluate a model, and write metrics and plots into a folder, which is made where it is missing.

    Args:
        model: of either kind.
        source: how the market is named in the metrics.
        history: the market's past; a minimum-variance model needs one.
        config: for a policy: simulators, cost and test paths.
        out: the folder.
        say: is given lines of progress.

    Returns:
        What metrics.json holds.

    Raises:
        ConfigError: a model that cannot be dealt, no market for one that needs it, or a folder that cannot be written.
        MarketDataError: a market on which nothing can be measured.
    """
    encode_weights(model.kind, model.weights, FRACTION_BITS)
    if model.kind == MINIMUM_VARIANCE and history is None:
        raise ConfigError("a minimum-variance model is evaluated on a market", remedy="give --market")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {out}: {error.strerror}") from None
    metrics: dict[str, Any] = {"kind": model.kind}
    drawn: list[str] = []
    if history is not None:
        metrics |= _on_market(model, source or "", history, out, drawn, say)
    if model.kind != MINIMUM_VARIANCE:
        metrics["simulated"] = _on_simulators(model, config, out, drawn, say)
    metrics["plots"] = drawn
    text = json.dumps(metrics, indent=2, allow_nan=False) + "\n"
    write_atomic(out / METRICS_FILE, text.encode(), secret=True)
    return metrics


def _on_market(
    model: ModelFile, source: str, history: History, out: Path, drawn: list[str], say: Say
) -> dict[str, Any]:
    say("Hedging every interval with the model ...")
    dealt = ModelFile(model.kind, tuple(fixed_point(np.array(model.weights))))
    adjustments = [_adjustment(model, interval) for interval in history.rows]
    rounded = [report_adjustment(interval, _adjustment(dealt, interval)) for interval in history.rows]
    metrics: dict[str, Any] = {
        "market": {
            "source": source,
            "underlying": history.underlying,
            "price": history.price,
            "from": history.times[0],
            "to": history.times[-1],
            "moments": len(history.times),
        },
    }
    try:
        metrics["model"] = hedging_metrics(history.rows, adjustments, rounded, "model")
    except ValueError as error:
        raise MarketDataError(
            f"market {source[:80]!a}: {error}", remedy="give a market whose options change in value"
        ) from None
    if model.kind == MINIMUM_VARIANCE:
        say("Fitting before every interval, for comparison ...")
        candidates = candidates_for(None)
        metrics["walk_forward"] = walk_forward_metrics(history, walk(history, candidates), candidates)
    say("Drawing ...")
    plain = np.concatenate([interval.error for interval in history.rows])
    moves = np.concatenate([interval.move for interval in history.rows])
    plots.plot_hedging_errors(out / "hedging-errors.png", plain, plain - np.concatenate(adjustments) * moves)
    drawn.append("hedging-errors.png")
    shown = slices(history.last, model)
    if shown:
        plots.plot_surface(out / "surface.png", shown, f"{history.underlying}, last moment: vols")
        plots.plot_deltas(out / "deltas.png", shown, f"{history.underlying}, last moment: deltas")
        drawn += ["surface.png", "deltas.png"]
    return metrics


def _on_simulators(
    model: ModelFile, config: PolicyConfig, out: Path, drawn: list[str], say: Say
) -> dict[str, Any]:
    from models.policy.evaluation import evaluate as evaluate_policy  # noqa: PLC0415 - PyTorch takes seconds

    say("Hedging simulated paths ...")
    result = dict(evaluate_policy(list(model.weights), config, say))
    plots.plot_profit_and_loss(out / "profit-and-loss.png", result.pop("profit_and_loss"))
    drawn.append("profit-and-loss.png")
    return result


def _adjustment(model: ModelFile, interval: HedgingRows) -> Floats:
    return adjustment(model, interval.delta, interval.density, interval.time, interval.vol)
