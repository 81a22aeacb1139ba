"""Training: Adam on fresh simulated paths, from Black-Scholes on, until the validation risk falls no more.

The network's inputs do not contain the previous hedge, so the hedges of all steps are computed at once. Everything
random comes from the seed, and the result is the same on the same machine and number of threads.
Source: Buehler, Gonon, Teichmann, Wood, "Deep hedging", Quantitative Finance 19, 2019.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from models.paths import MARKETS
from models.policy.config import DEFAULT_SEED, PolicyConfig, Say, Scenario
from models.policy.features import call_inputs
from models.policy.network import PolicyNetwork, quantised
from models.policy.risk import entropic_risk, expected_shortfall, profit_and_loss
from mpc_party.hedging.model import FEATURES
from mpc_party.market.streams import uniform

__all__ = ["PolicyConfig", "TrainedPolicy", "train"]

_BOX_POINTS = 1024
_REACH_PENALTY = 0.1


@dataclass(frozen=True)
class TrainedPolicy:
    """What training gives.

    Attributes:
        weights: 401 numbers at 16 fraction bits, in the order of `mpc_party.hedging.model`. Secret; the repr has none.
        metrics: what may be shown: epochs, seconds (and those on the processor), validation risk relative to Black-Scholes delta's, by scenario.
    """

    weights: list[float] = field(repr=False)
    metrics: dict[str, Any]


class _Batch(NamedTuple):
    """One scenario's paths as tensors; `standard` is Black-Scholes delta's risk on them."""

    features: torch.Tensor
    delta: torch.Tensor
    density: torch.Tensor
    spot: torch.Tensor
    payoff: torch.Tensor
    premium: float
    deviation: float
    standard: float


def train(config: PolicyConfig, say: Say) -> TrainedPolicy:
    """Train a policy network.

    Args:
        config: see `PolicyConfig`.
        say: is given a line of progress at every check, and one before when the seed is the default.
    """
    if config.seed == DEFAULT_SEED:
        say(
            "the seed is the default one, with which anybody can train these weights; set another to keep them secret"
        )
    before = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        return _train(config, say)
    finally:
        torch.set_num_threads(before)


def _train(config: PolicyConfig, say: Say) -> TrainedPolicy:
    started, worked = time.monotonic(), time.process_time()
    network = PolicyNetwork(config.seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, config.epochs, eta_min=0.1 * config.learning_rate
    )
    checked = _validation_scenarios(config)
    validation = [
        _batch(config, scenario, f"validation/{scenario.name}", config.validation_paths)
        for scenario in checked
    ]
    best, best_weights, best_epoch, stale = 1.0, quantised(network.weights()), 0, 0
    epoch = 0
    for epoch in range(1, config.epochs + 1):
        optimiser.zero_grad()
        loss = _box_loss(config, network, epoch) + _reach_loss(network)
        scenarios = _drawn(config, epoch)
        for index, scenario in enumerate(scenarios):
            batch = _batch(config, scenario, f"training/{epoch}/{index}", config.paths)
            part = _relative_risk(config, network, batch) / len(scenarios)
            part.backward()  # type: ignore[no-untyped-call] # torch has no type for it
        loss.backward()  # type: ignore[no-untyped-call] # as above
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        network.project()
        if epoch % config.check_every and epoch != config.epochs:
            continue
        weights = quantised(network.weights())
        risks = _validate(config, weights, validation)
        mean = float(np.mean(risks))
        if mean < best:
            best, best_weights, best_epoch, stale = mean, weights, epoch, 0
        else:
            stale += 1
        say(
            f"epoch {epoch} of at most {config.epochs}: risk {mean:.4f} of Black-Scholes delta's on validation paths "
            f"(best {best:.4f} at {best_epoch})"
        )
        if stale >= config.patience:
            break
    risks = _validate(config, best_weights, validation)
    metrics: dict[str, Any] = {
        "loss": config.loss,
        "epochs": epoch,
        "best_epoch": best_epoch,
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "validation_risk_ratio": best,
        "validation_risk_ratio_by_scenario": {
            scenario.name: risk for scenario, risk in zip(checked, risks, strict=True)
        },
        "bounds": PolicyNetwork.from_weights(best_weights).bounds(),
    }
    return TrainedPolicy(best_weights, metrics)


def _batch(config: PolicyConfig, scenario: Scenario, label: str, paths: int) -> _Batch:
    market = scenario.market
    inputs = call_inputs(
        market.simulate(f"policy/{config.seed}/{label}", paths, scenario.steps),
        scenario.strike,
        market.step_years,
    )
    features, delta, density, spot, payoff = (
        torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for array in inputs[:5]
    )
    wealth = _wealth(config, delta, spot, payoff) + inputs.premium
    deviation = float(wealth.std())
    standard = float(_risk(config, wealth, deviation))
    return _Batch(features, delta, density, spot, payoff, inputs.premium, deviation, standard)


def _wealth(
    config: PolicyConfig, hedge: torch.Tensor, spot: torch.Tensor, payoff: torch.Tensor
) -> torch.Tensor:
    return profit_and_loss(hedge, spot, payoff, config.cost, charge_final_trade=config.charge_final_trade)


def _risk(config: PolicyConfig, wealth: torch.Tensor, deviation: float) -> torch.Tensor:
    if config.loss == "entropic":
        return entropic_risk(wealth, config.risk_aversion / deviation)
    return expected_shortfall(wealth, config.tail)


def _relative_risk(config: PolicyConfig, network: PolicyNetwork, batch: _Batch) -> torch.Tensor:
    """1 + (risk - Black-Scholes delta's) / Black-Scholes delta's standard deviation: one scale for all options."""
    hedge = batch.delta + batch.density * network(batch.features)
    wealth = _wealth(config, hedge, batch.spot, batch.payoff) + batch.premium
    return 1.0 + (_risk(config, wealth, batch.deviation) - batch.standard) / batch.deviation


def _validate(config: PolicyConfig, weights: Sequence[float], batches: Sequence[_Batch]) -> list[float]:
    network = PolicyNetwork.from_weights(weights, torch.float32)
    with torch.no_grad():
        return [float(_relative_risk(config, network, batch)) for batch in batches]


def _box_loss(config: PolicyConfig, network: PolicyNetwork, epoch: int) -> torch.Tensor:
    low = np.array([known.low for known in FEATURES])
    high = np.array([known.high for known in FEATURES])
    points = uniform(f"policy/{config.seed}/box/{epoch}", _BOX_POINTS * len(FEATURES))
    features = low + (high - low) * points.reshape(_BOX_POINTS, len(FEATURES))
    adjustment: torch.Tensor = network(torch.from_numpy(features.astype(np.float32)))
    return config.box_penalty * adjustment.square().mean()


def _reach_loss(network: PolicyNetwork) -> torch.Tensor:
    """Grows once a bound is past half of what dealing allows: projecting alone would cut off what has been learned."""
    return _REACH_PENALTY * (2.0 * network.reach()).clamp(min=1.0).log().square().sum()


def _drawn(config: PolicyConfig, epoch: int) -> list[Scenario]:
    """The epoch's scenarios: the references, and mixed ones."""
    references = list(config.references())
    draws = uniform(f"policy/{config.seed}/scenarios/{epoch}", 4 * config.mixed_scenarios)
    for market, vol, steps, moneyness in draws.reshape(-1, 4):
        name = config.markets[int(market * len(config.markets))]
        references.append(
            Scenario(
                MARKETS[name].at_vol(config.vols[int(vol * len(config.vols))]),
                config.maturities[int(steps * len(config.maturities))],
                config.moneyness[int(moneyness * len(config.moneyness))],
            )
        )
    return references


def _validation_scenarios(config: PolicyConfig) -> list[Scenario]:
    """The references, and as many mixed ones as four epochs have."""
    mixed = {
        scenario.name: scenario
        for epoch in range(4)
        for scenario in _drawn(config, -1 - epoch)[len(config.markets) :]
    }
    return [*config.references(), *mixed.values()]
