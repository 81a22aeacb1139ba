"""How well the policy network hedges under costs, beside Black-Scholes delta and PFHedge's hedgers on the same paths.

    python -m tests.benchmarks.bench_policy [--pfhedge /path/to/python] [--paths 200000] [--json]

Sells one call at the money over 20 daily steps in each simulator (Brownian, Heston, both with PFHedge's defaults),
hedges it at a proportional cost of 1e-3 charged as PFHedge charges it (the first trade and every change; what is held
at expiry is not sold), and prints, in 1e-4 of the spot: the mean loss of the worst 5 and 1 per cent of paths, its
difference to Black-Scholes delta's with a standard error (paired bootstrap), standard deviation, mean cost, turnover,
and ES95 when the last hedge is sold at the same cost too. The premium is included.

Trains first: one network for the chain (both simulators, several vols, maturities, strikes: the default settings), and
one for each simulator. `--pfhedge` names a Python that has PFHedge 0.23 (it needs numpy < 2), which trains its hedgers
on its own simulation of the same markets with ExpectedShortfall(0.05), 200 epochs of 10,000 paths.
`--quick` trains briefly and tests on few paths, to see that it runs.

At the default settings and 200,000 test paths, in 1e-4 of the spot:
                                           Brownian                      Heston
                                           ES95  difference     cost     ES95  difference     cost
    Black-Scholes delta                   126.45                18.92   130.88                18.88
    policy, one for the chain             109.13  -17.32 +- .26 17.14   114.15  -16.73 +- .30 17.20
    policy, its flow features at 0                                      116.99  -13.89 +- .30 17.11
    policy, this simulator's own          108.87  -17.58 +- .26 17.17   112.81  -18.07 +- .29 16.95
    policy, in a desk's band *            108.73  -17.72 +- .27 16.40   113.51  -17.37 +- .31 16.10
    PFHedge no-transaction-band *         117.83   -8.62 +- .18 15.40   123.43   -7.45 +- .19 14.99
    PFHedge mlp *                         359.20 +232.75 +-1.05  7.81   330.66 +199.78 +-0.99  9.43
    PFHedge whalley-wilmott *             344.93 +218.48 +- .66  5.57   315.48 +184.60 +- .66  5.68
PFHedge's own Black-Scholes hedger agrees with ours to 1e-6. Its Whalley-Wilmott has the default aversion of 1, far from
what ES95 wants. 200 epochs, its README's number, are too few: with `--epochs 1000` its MLP comes to 118.71
(Brownian) and 116.59 (Heston), its no-transaction-band network to 111.10 and 115.95. The MLP starts from random weights
and the band from random widths, where the policy starts from Black-Scholes and saw 600 batches of 4,096 paths of each
simulator, and more options. Against that better band the policy is ahead by 2.0 +- .14 in Brownian and by 1.8 +- .19 in
Heston; but there only by its flow features, which PFHedge's hedgers do not see: without them it is 1.0 behind.
What the starred hedgers trade less shows in their costs: they know their previous hedge.

The chain's network on 200 options of both simulators (vols 0.2 to 1.2, 5 to 60 days, strikes within one standard
deviation): ES95 at or below Black-Scholes delta's on 192, 14 % less in the median; worse on 8, all calls out of the
money over 40 and 60 days in Heston, by up to 13 %. It is for sold options: for a bought one ES95 is 127.5 and 131.2
(Brownian, Heston) where Black-Scholes delta has 109.0 and 112.1, and its mirror image 97.8 and 104.7.
Training the chain's network takes 261 s of one core.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import msgspec
import numpy as np

from models.paths import MARKETS
from models.policy.band import whalley_wilmott_width, within_band
from models.policy.config import Scenario
from models.policy.evaluation import (
    difference_error,
    held_out_inputs,
    held_out_paths,
    measures,
    policy_hedge,
    wealth_of,
)
from models.policy.network import PolicyNetwork
from models.policy.training import PolicyConfig, train

CHILD = Path(__file__).with_name("pfhedge_hedgers.py")
AVERSIONS = (1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6)
BASIS = 1e4
PREVIOUS = "*"  # marks hedgers that know their own previous hedge


def say(line):
    print(line, file=sys.stderr, flush=True)


def trained(config, what):
    """A network trained with these settings, at the precision at which it is dealt."""
    say(f"training {what} ...")
    policy = train(config, say)
    say(f"{what}: {policy.metrics['seconds']} s")
    return PolicyNetwork.from_weights(policy.weights), policy.metrics["seconds"]


def aversion_of_band(config, scenario, target):
    """The aversion whose band around a target is best on validation paths; a desk chooses it so, without the test's."""
    held_out = msgspec.structs.replace(config, seed=config.seed + 1, test_paths=config.validation_paths)
    inputs = held_out_inputs(held_out, scenario)
    hedge = target(inputs)
    step_years = scenario.market.step_years
    found = {
        aversion: measures(
            within_band(hedge, whalley_wilmott_width(inputs, config.cost, aversion, step_years)),
            inputs,
            config,
        )["es95"]
        for aversion in AVERSIONS
    }
    return min(found, key=found.get)


def pfhedge_hedges(python, config, epochs, paths):
    """PFHedge's hedges on the test paths, by simulator and hedger; empty when there is no such Python."""
    if python is None:
        say("PFHedge's hedgers are left out: name a Python that has it with --pfhedge")
        return {}
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scenario in config.references():
            simulated = held_out_paths(config, scenario)
            stem = folder / scenario.market.name
            np.save(f"{stem}.spot.npy", simulated.spot.astype(np.float32))
            np.save(f"{stem}.variance.npy", (simulated.vol**2).astype(np.float32))
        try:
            done = subprocess.run(
                [python, str(CHILD), str(folder), str(epochs), str(paths), str(config.cost)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                cwd=folder,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"PFHedge's hedgers are left out: {error}")
            return {}
        for scenario in config.references():
            market = scenario.market.name
            result[market] = {
                hedger: np.load(folder / f"{market}.{hedger}.npy").astype(np.float64)
                for hedger in done.stdout.split()
            }
    return result


def row(hedge, inputs, config, standard):
    """One line of the table."""
    figures = measures(hedge, inputs, config)
    wealth = wealth_of(hedge, inputs, config)
    figures["es95_final_trade_charged"] = measures(
        hedge, inputs, msgspec.structs.replace(config, charge_final_trade=True)
    )["es95"]
    figures["es95_difference"] = figures["es95"] - measures(inputs.delta, inputs, config)["es95"]
    figures["es95_difference_standard_error"] = difference_error(wealth, standard, "benchmark")
    return figures


def table(config, chain, special, others):
    """All rows of all simulators, {simulator: {hedger: figures}}; and ES95 of a long position in the same form."""
    result, long = {}, {}
    for scenario in config.references():
        market = scenario.market.name
        inputs = held_out_inputs(config, scenario)
        no_flow = inputs._replace(features=inputs.features * np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))
        hedges = {
            "Black-Scholes delta": inputs.delta,
            "policy, one for the chain": policy_hedge(chain, inputs),
            "policy, its flow features at 0": policy_hedge(chain, no_flow),
            "policy, this simulator's own": policy_hedge(special[market], inputs),
        }
        if market == "brownian":  # which has no flow
            del hedges["policy, its flow features at 0"]
        for name, target in (
            ("Black-Scholes", lambda at: at.delta),
            ("policy", lambda at: policy_hedge(chain, at)),
        ):
            aversion = aversion_of_band(config, scenario, target)
            width = whalley_wilmott_width(inputs, config.cost, aversion, scenario.market.step_years)
            hedges[f"{name}, in a desk's band {PREVIOUS}"] = within_band(target(inputs), width)
        for name, hedge in others.get(market, {}).items():
            hedges[f"PFHedge {name}{'' if name == 'black-scholes' else ' ' + PREVIOUS}"] = hedge
        standard = wealth_of(inputs.delta, inputs, config)
        result[market] = {name: row(hedge, inputs, config, standard) for name, hedge in hedges.items()}
        policy = hedges["policy, one for the chain"]
        long[market] = {
            name: measures(hedge, inputs, config, short=False)["es95"]
            for name, hedge in (
                ("Black-Scholes delta", inputs.delta),
                ("policy", policy),
                ("mirrored policy", 2.0 * inputs.delta - policy),
            )
        }
    return result, long


def across_chain(config, network):
    """The one network on every option of the mixture, 4,000 paths each: how its ES95 stands to Black-Scholes delta's."""
    few = msgspec.structs.replace(config, test_paths=4000)
    ratios = {}
    for market, vol, steps, moneyness in product(
        config.markets, config.vols, config.maturities, config.moneyness
    ):
        scenario = Scenario(MARKETS[market].at_vol(vol), steps, moneyness)
        inputs = held_out_inputs(few, scenario)
        standard, policy = (
            measures(hedge, inputs, few)["es95"] for hedge in (inputs.delta, policy_hedge(network, inputs))
        )
        ratios[scenario.name] = policy / standard - 1.0
    return ratios


def show(result):
    for market, rows in result.items():
        print(
            f"\n{market:38} {'ES95':>7} {'difference':>16} {'ES99':>7} {'deviation':>10} {'cost':>6} "
            f"{'turnover':>9} {'ES95, last sold':>16}"
        )
        for name, figures in rows.items():
            es95, es99, deviation, cost, last, difference, error = (
                BASIS * figures[key]
                for key in (
                    "es95",
                    "es99",
                    "standard_deviation",
                    "cost",
                    "es95_final_trade_charged",
                    "es95_difference",
                    "es95_difference_standard_error",
                )
            )
            print(
                f"{name:38} {es95:7.2f} {f'{difference:+.2f} +- {error:.2f}':>16} {es99:7.2f} {deviation:10.2f} "
                f"{cost:6.2f} {figures['turnover']:9.3f} {last:16.2f}"
            )
    print(
        f"\n{PREVIOUS} knows its own previous hedge. The policy does not: that is each desk's secret, and the "
        "published hedge is one for all."
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--paths", type=int, default=200_000, help="test paths per simulator")
    parser.add_argument("--pfhedge", help="a Python that has PFHedge 0.23")
    parser.add_argument("--epochs", type=int, default=200, help="of PFHedge's training")
    parser.add_argument("--training-paths", type=int, default=10_000, help="of PFHedge's training, per epoch")
    parser.add_argument("--quick", action="store_true", help="train briefly, test on few paths")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    arguments = parser.parse_args()
    config = PolicyConfig(test_paths=arguments.paths)
    if arguments.quick:
        config = PolicyConfig(test_paths=20_000, epochs=40, paths=1024, validation_paths=4000)
    started = time.monotonic()
    chain, seconds = trained(config, "one network for the chain")
    special = {
        name: trained(msgspec.structs.replace(config, markets=(name,), mixed_scenarios=0), f"one for {name}")[
            0
        ]
        for name in config.markets
    }
    others = pfhedge_hedges(arguments.pfhedge, config, arguments.epochs, arguments.training_paths)
    result, long = table(config, chain, special, others)
    ratios = across_chain(config, chain)
    if arguments.json:
        print(
            json.dumps(
                {
                    "training_seconds": seconds,
                    "settings": msgspec.to_builtins(config),
                    "rows": result,
                    "long": long,
                    "chain": ratios,
                }
            )
        )
        return
    show(result)
    for market, figures in long.items():
        print(
            f"ES95 of a bought option, {market}: "
            + ", ".join(f"{k} {BASIS * v:.2f}" for k, v in figures.items())
        )
    worst = sorted(ratios, key=ratios.get)[-5:]
    print(
        f"The chain's network on {len(ratios)} options: ES95 at or below Black-Scholes delta's on "
        f"{sum(ratio <= 0.0 for ratio in ratios.values())}, median {100 * statistics.median(ratios.values()):+.1f} %; "
        f"the last five: " + ", ".join(f"{name} {100 * ratios[name]:+.1f} %" for name in worst)
    )
    print(
        f"{config.test_paths} test paths; {time.monotonic() - started:.0f} s in all, {seconds:.0f} s of them for "
        "the chain's network."
    )


if __name__ == "__main__":
    main()
