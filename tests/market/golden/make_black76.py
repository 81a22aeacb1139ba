"""Write black76.json from QuantLib (1.44 wrote the file here), which is no dependency: `pip install QuantLib` first.

python tests/market/golden/make_black76.py
"""

import json
from itertools import product
from pathlib import Path

import QuantLib

MONEYNESS = (0.05, 0.5, 0.7, 0.9, 0.99, 1.0, 1.01, 1.1, 1.4, 2.0, 20.0)
VOLS = (0.05, 0.2, 0.6, 1.5, 4.0)
TIMES = (1 / 8760, 1 / 365, 0.1, 1.0, 3.0)


def row(moneyness: float, vol: float, time: float, *, call: bool) -> list[float | bool]:
    kind = QuantLib.Option.Call if call else QuantLib.Option.Put
    payoff = QuantLib.PlainVanillaPayoff(kind, moneyness)
    black = QuantLib.BlackCalculator(payoff, 1.0, vol * time**0.5, 1.0)
    return [
        moneyness, vol, time, call,
        black.value(), black.deltaForward(), black.gammaForward(), black.vega(time),
    ]  # fmt: skip


if __name__ == "__main__":
    cases = product(MONEYNESS, VOLS, TIMES, (True, False))
    rows = [row(moneyness, vol, time, call=call) for moneyness, vol, time, call in cases]
    text = ",\n".join(json.dumps(line) for line in rows)
    columns = json.dumps(["moneyness", "vol", "time", "call", "premium", "delta", "gamma", "vega"])
    document = f'{{"quantlib": "{QuantLib.__version__}", "columns": {columns}, "rows": [\n{text}\n]}}\n'
    Path(__file__).with_name("black76.json").write_text(document)
