"""PFHedge's hedgers on paths that another program has written: run by `bench_policy.py` in PFHedge's own environment.

    python pfhedge_hedgers.py FOLDER EPOCHS PATHS COST

For each simulator, reads FOLDER/SIMULATOR.spot.npy and .variance.npy, trains on PFHedge's own simulation of the same
market with the criterion ExpectedShortfall(0.05), as its README does otherwise (Adam at its default rate, fresh paths
each epoch), and writes the hedges on the paths read, FOLDER/SIMULATOR.HEDGER.npy, float32 (paths, steps). The names of
the hedgers go to standard output, progress to standard error.
"""

# ruff: noqa: T201 - it prints what it does
from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from pfhedge.instruments import BrownianStock, EuropeanOption, HestonStock
from pfhedge.nn import BlackScholes, Clamp, ExpectedShortfall, Hedger, MultiLayerPerceptron, WhalleyWilmott
from torch.nn.functional import leaky_relu

CHUNK = 20_000
STOCKS = {"brownian": BrownianStock, "heston": HestonStock}


class NoTransactionBandNet(torch.nn.Module):
    """The no-transaction-band network of PFHedge's README (Imaki et al. 2021)."""

    def __init__(self, derivative):
        super().__init__()
        self.delta = BlackScholes(derivative)
        self.mlp = MultiLayerPerceptron(out_features=2)
        self.clamp = Clamp()

    def inputs(self):
        return [*self.delta.inputs(), "prev_hedge"]

    def forward(self, inputs):
        previous = inputs[..., [-1]]
        delta = self.delta(inputs[..., :-1])
        width = self.mlp(inputs[..., :-1])
        lowest, highest = (
            delta - leaky_relu(width[..., [0]]),
            delta + leaky_relu(width[..., [1]]),
        )
        return self.clamp(previous, min=lowest, max=highest)


def hedgers(derivative):
    """Name, hedger, and whether it is trained."""
    criterion = ExpectedShortfall(0.05)
    for name, model, trained in (
        ("black-scholes", BlackScholes(derivative), False),
        ("whalley-wilmott", WhalleyWilmott(derivative), False),
        ("mlp", MultiLayerPerceptron(), True),
        ("no-transaction-band", NoTransactionBandNet(derivative), True),
    ):
        inputs = (
            model.inputs()
            if hasattr(model, "inputs")
            else ["log_moneyness", "expiry_time", "volatility", "prev_hedge"]
        )
        yield name, Hedger(model, inputs, criterion=criterion), trained


def main():
    folder, epochs, paths, cost = (
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        float(sys.argv[4]),
    )
    torch.set_num_threads(1)
    names = []
    for simulator, stock_type in STOCKS.items():
        if not (folder / f"{simulator}.spot.npy").exists():
            continue
        spot = torch.from_numpy(np.load(folder / f"{simulator}.spot.npy"))
        variance = torch.from_numpy(np.load(folder / f"{simulator}.variance.npy"))
        derivative = EuropeanOption(stock_type(cost=cost))
        names = []
        for name, hedger, trained in hedgers(derivative):
            torch.manual_seed(1)
            started = time.monotonic()
            if trained:
                hedger.fit(derivative, n_epochs=epochs, n_paths=paths, verbose=False)
            written = []
            with torch.no_grad():
                for start in range(0, len(spot), CHUNK):
                    derivative.ul().register_buffer("spot", spot[start : start + CHUNK])
                    if simulator == "heston":
                        derivative.ul().register_buffer("variance", variance[start : start + CHUNK])
                    written.append(hedger.compute_hedge(derivative)[:, 0, :-1].numpy())
            np.save(folder / f"{simulator}.{name}.npy", np.concatenate(written))
            print(f"{simulator} {name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            names.append(name)
    print(" ".join(names))


if __name__ == "__main__":
    main()
