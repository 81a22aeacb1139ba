"""Measuring a policy out of sample: profit and loss on test paths, beside Black-Scholes delta on the same paths.

The weights are rounded to 16 fraction bits first, because that is what is dealt. Money is in units of the spot at the
start; profit and loss includes the premium, which is the Black-Scholes price at the vol of the start. Network and
arithmetic are in float64, in the clear. Fixed point at 16 bits moves a hedge by 2e-5 at most, and an error of 2e-4 in
the joint computation's delta and density by 2e-4 (emulated on 20,000 points of the features' box, trained network).
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.paths import Paths
from models.policy.config import PolicyConfig, Say, Scenario
from models.policy.features import Inputs, call_inputs
from models.policy.network import FRACTION_BITS, PolicyNetwork, quantised
from models.policy.risk import expected_shortfall, profit_and_loss, trading_cost
from mpc_party.market.streams import uniform

Floats = NDArray[np.float64]

RESAMPLES: Final = 200
SHOWN_PATHS: Final = 20_000
_CHUNK: Final = 20_000  # paths at a time through the network


def evaluate(weights: Sequence[float], config: PolicyConfig, say: Say) -> dict[str, Any]:
    """Test a policy on `config.test_paths` paths of each simulator's reference scenario.

    Args:
        weights: 401 numbers in the order of `mpc_party.hedging.model`.
        config: simulators, cost, steps and seed. Test paths are other ones than those of training and validation.
        say: is given a line per simulator.

    Returns:
        JSON types: "fraction_bits", "test_paths", "steps", "cost", "charge_final_trade", and by simulator, in
        "simulators": "black_scholes" and "policy" (see `measures`), "es95_difference" (policy minus Black-Scholes,
        negative is better), its "es95_difference_standard_error" by a paired bootstrap over paths, and
        "at_or_below_black_scholes". "long_position_es95" is of a desk that has bought the option: by "black_scholes"
        delta, by the "policy" (trained for a sold one, and worse than Black-Scholes here), and by its mirror image,
        twice the Black-Scholes delta less the policy's hedge ("mirrored_policy"). "profit_and_loss" has the outcomes of the first 20,000 test paths for a histogram,
        by simulator and then by "black_scholes" and "policy". None of it contains a weight.

    Raises:
        ConfigError: not 401 finite numbers.
    """
    network = PolicyNetwork.from_weights(quantised(weights))
    simulators: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    for scenario in config.references():
        inputs = held_out_inputs(config, scenario)
        hedge = policy_hedge(network, inputs)
        wealth = {
            "black_scholes": wealth_of(inputs.delta, inputs, config),
            "policy": wealth_of(hedge, inputs, config),
        }
        name = scenario.market.name
        entry: dict[str, Any] = {
            "black_scholes": measures(inputs.delta, inputs, config),
            "policy": measures(hedge, inputs, config),
        }
        entry["long_position_es95"] = {
            who: measures(held, inputs, config, short=False)["es95"]
            for who, held in (
                ("black_scholes", inputs.delta),
                ("policy", hedge),
                ("mirrored_policy", 2.0 * inputs.delta - hedge),
            )
        }
        entry["es95_difference"] = entry["policy"]["es95"] - entry["black_scholes"]["es95"]
        entry["es95_difference_standard_error"] = difference_error(
            wealth["policy"], wealth["black_scholes"], f"{config.seed}/{scenario.name}"
        )
        entry["at_or_below_black_scholes"] = bool(entry["es95_difference"] <= 0.0)
        simulators[name] = entry
        shown[name] = {who: values[:SHOWN_PATHS].tolist() for who, values in wealth.items()}
        say(
            f"{name}: ES95 {entry['policy']['es95']:.6f}, Black-Scholes delta {entry['black_scholes']['es95']:.6f} "
            f"(difference {entry['es95_difference']:+.6f}, standard error "
            f"{entry['es95_difference_standard_error']:.6f})"
        )
    return {
        "fraction_bits": FRACTION_BITS,
        "test_paths": config.test_paths,
        "steps": config.steps,
        "cost": config.cost,
        "charge_final_trade": config.charge_final_trade,
        "simulators": simulators,
        "profit_and_loss": shown,
    }


def held_out_paths(config: PolicyConfig, scenario: Scenario) -> Paths:
    """The test paths of a scenario."""
    label = f"policy/{config.seed}/test/{scenario.name}"
    return scenario.market.simulate(label, config.test_paths, scenario.steps)


def held_out_inputs(config: PolicyConfig, scenario: Scenario) -> Inputs:
    """The test paths of a scenario, as a hedger of its option sees them."""
    return call_inputs(held_out_paths(config, scenario), scenario.strike, scenario.market.step_years)


def policy_hedge(network: PolicyNetwork, inputs: Inputs) -> Floats:
    """The policy's hedge, (paths, steps), in the network's precision."""
    parts = []
    dtype = network.first.weight.dtype
    with torch.no_grad():
        for start in range(0, len(inputs.features), _CHUNK):
            features = torch.from_numpy(inputs.features[start : start + _CHUNK]).to(dtype)
            parts.append(network(features).double().numpy())
    return np.asarray(inputs.delta + inputs.density * np.concatenate(parts), dtype=np.float64)


def wealth_of(hedge: Floats, inputs: Inputs, config: PolicyConfig, *, short: bool = True) -> Floats:
    """Profit and loss per path, premium included, (paths,), of the hedged short option; or of the hedged long one."""
    sign = 1.0 if short else -1.0
    wealth = profit_and_loss(
        torch.from_numpy(sign * hedge),
        torch.from_numpy(inputs.spot),
        torch.from_numpy(sign * inputs.payoff),
        config.cost,
        charge_final_trade=config.charge_final_trade,
    )
    return np.asarray(wealth.numpy() + sign * inputs.premium, dtype=np.float64)


def measures(hedge: Floats, inputs: Inputs, config: PolicyConfig, *, short: bool = True) -> dict[str, float]:
    """One hedge in figures, in units of the spot at the start; of a short option, or of a long one.

    Returns:
        "es95", "es99" (mean of the worst 5 and 1 per cent, as a loss), "mean" and "standard_deviation" of profit and
        loss, "cost" (mean cost of trading), "turnover" (mean units traded, the first trade included).
    """
    wealth = torch.from_numpy(wealth_of(hedge, inputs, config, short=short))
    cost = trading_cost(
        torch.from_numpy(hedge),
        torch.from_numpy(inputs.spot),
        config.cost,
        charge_final_trade=config.charge_final_trade,
    )
    trades = np.abs(np.diff(hedge, axis=1)).sum(axis=1) + np.abs(hedge[:, 0])
    return {
        "es95": float(expected_shortfall(wealth, 0.05)),
        "es99": float(expected_shortfall(wealth, 0.01)),
        "mean": float(wealth.mean()),
        "standard_deviation": float(wealth.std()),
        "cost": float(cost.mean()),
        "turnover": float(trades.mean()),
    }


def difference_error(first: Floats, second: Floats, label: str, tail: float = 0.05) -> float:
    """Standard error of the difference of two expected shortfalls on the same paths, by a paired bootstrap.

    Both are resampled by the same paths, because what they have in common cancels.
    """
    paths, differences = len(first), []
    pair = torch.from_numpy(np.stack([first, second]))
    for resample in range(RESAMPLES):
        draws = uniform(f"policy/bootstrap/{label}/{resample}", paths)
        drawn = pair[:, torch.from_numpy((draws * paths).astype(np.int64))]
        differences.append(
            float(expected_shortfall(drawn[0], tail)) - float(expected_shortfall(drawn[1], tail))
        )
    return float(np.std(differences, ddof=1))
