"""Training: from a market or a configuration to a model file's contents and what may be said of them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from models.history import History, Say
from models.metrics import FRACTION_BITS, fixed_point, hedging_metrics, report_adjustment
from models.minimum_variance import CANDIDATES, LEAST_HISTORY, RIDGE, Candidate, WalkForward, walk_forward
from models.model_file import ModelFile
from models.policy.config import PolicyConfig
from mpc_party.hedging.model import MINIMUM_VARIANCE, POLICY, encode_weights
from mpc_party.market.errors import MarketDataError
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.files import read_text_limited
from mpc_party.protocol.toml import MAX_FILE, convert, parse_toml


class Trained(NamedTuple):
    """A model, checked to be one that can be dealt, and its metrics as JSON, without weights."""

    model: ModelFile
    metrics: dict[str, Any]


def train_minimum_variance(history: History, half_life: float | None, say: Say) -> Trained:
    """Fit the minimum-variance quadratic; its metrics are those of the walk-forward fits, out of sample.

    Args:
        history: the market's past.
        half_life: in days; None chooses it, and the ridge, before every interval by the errors so far.
        say: is given a line of progress.

    Raises:
        MarketDataError: the history determines no model.
        ConfigError: the weights are out of the range that can be dealt.
    """
    say("Fitting before every interval ...")
    candidates = candidates_for(half_life)
    walked = walk(history, candidates)
    weights = tuple(float(weight) for weight in walked.final)
    encode_weights(MINIMUM_VARIANCE, weights, FRACTION_BITS)
    say("Drawing the bootstrap's series ...")
    metrics = walk_forward_metrics(history, walked, candidates)
    return Trained(ModelFile(MINIMUM_VARIANCE, weights), metrics)


def candidates_for(half_life: float | None) -> tuple[Candidate, ...]:
    """What a walk-forward fit chooses from: one candidate where the half-life is given."""
    return CANDIDATES if half_life is None else (Candidate(half_life, RIDGE),)


def walk(history: History, candidates: tuple[Candidate, ...]) -> WalkForward:
    """`walk_forward` over a history.

    Raises:
        MarketDataError: the history determines no model.
    """
    try:
        return walk_forward(history.rows, candidates, LEAST_HISTORY)
    except ValueError as error:
        raise MarketDataError(
            f"no model can be fitted: {error}",
            reason=Reason.MARKET_DATA_STALE,
            remedy="give a longer recording, one in which the forward moves",
        ) from None


def walk_forward_metrics(
    history: History, walked: WalkForward, candidates: tuple[Candidate, ...]
) -> dict[str, Any]:
    """`hedging_metrics` of the weights held over each interval, and the last fit's "half_life" (days) and "ridge"."""
    adjustments, rounded = [], []
    for interval, weights in zip(history.rows, walked.weights, strict=True):
        powers = interval.delta[:, None] ** np.arange(3)
        adjustments.append(interval.density * (powers @ weights))
        rounded.append(report_adjustment(interval, interval.density * (powers @ fixed_point(weights))))
    metrics = hedging_metrics(history.rows, adjustments, rounded, "walk-forward")
    last = candidates[walked.last]
    return {**metrics, "least_history": LEAST_HISTORY, "half_life": last.half_life, "ridge": last.ridge}


def load_policy_config(path: Path | None) -> PolicyConfig:
    """Read a training configuration; None gives the defaults.

    Raises:
        ConfigError: no such file, or one of its fields is wrong.
    """
    if path is None:
        return PolicyConfig()
    what = f"training configuration {path}"
    return convert(
        parse_toml(read_text_limited(path, MAX_FILE, "training configuration"), what), PolicyConfig, what
    )


def train_policy(config: PolicyConfig, say: Say) -> Trained:
    """Train the policy network by simulation.

    Raises:
        ConfigError: the weights are out of the range that can be dealt.
    """
    from models.policy.training import train  # noqa: PLC0415 - PyTorch takes seconds to import

    trained = train(config, say)
    encode_weights(POLICY, trained.weights, FRACTION_BITS)
    return Trained(ModelFile(POLICY, tuple(trained.weights)), trained.metrics)
