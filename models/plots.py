"""Plots of a model's evaluation, as PNG files for its owner alone: a curve of hedge delta gives the model away.

Drawn by matplotlib's Agg on figures of their own, so that no display is needed and nothing is left behind.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from models.slices import Slice
from mpc_party.protocol.files import write_atomic

Floats = NDArray[np.float64]

PLAIN: Final = "#888888"
MODEL: Final = "#1f6fb2"
QUOTE: Final = "#c2571a"
BINS: Final = 81


def plot_hedging_errors(path: Path, plain: Floats, model: Floats) -> None:
    """The distribution of hedging errors, in basis points of the forward: plain delta against the model."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    reach = 1e4 * max(float(np.quantile(np.abs(plain), 0.995)), 1e-9)
    _histograms(axes, 1e4 * plain, 1e4 * model, (-reach, reach), ("Black-Scholes delta", "model"))
    axes.set_yscale("log")
    axes.set_xlabel(
        "hedging error of one interval (0.01 % of the forward; the outermost bars hold what is beyond)"
    )
    axes.set_ylabel("options")
    _save(figure, path)


def plot_surface(path: Path, shown: Sequence[Slice], title: str) -> None:
    """Quoted vols and the fit on them, one panel an expiry."""
    figure, panels = _panels(shown, title)
    for axes, one in zip(panels, shown, strict=True):
        axes.plot(
            one.quoted_moneyness,
            100 * one.quoted_vol,
            ".",
            color=QUOTE,
            markersize=4,
            label="middle of quotes",
        )
        axes.plot(one.moneyness, 100 * one.vol, color=MODEL, label="fit")
        axes.set_ylabel("vol (%)")
        axes.legend(frameon=False)
    _save(figure, path)


def plot_deltas(path: Path, shown: Sequence[Slice], title: str) -> None:
    """Black-Scholes delta and hedge delta of calls by moneyness, one panel an expiry."""
    figure, panels = _panels(shown, title)
    for axes, one in zip(panels, shown, strict=True):
        axes.plot(one.moneyness, one.delta, color=PLAIN, label="Black-Scholes delta")
        axes.plot(one.moneyness, one.hedge_delta, color=MODEL, label="hedge delta")
        axes.set_ylabel("delta of the call")
        axes.legend(frameon=False)
    _save(figure, path)


def plot_profit_and_loss(path: Path, outcomes: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Profit and loss on simulated test paths, one panel a simulator: Black-Scholes delta against the policy."""
    figure = Figure(figsize=(8, 3.6 * len(outcomes)), layout="constrained")
    for index, (simulator, wealth) in enumerate(outcomes.items(), start=1):
        axes = figure.add_subplot(len(outcomes), 1, index)
        plain, policy = np.array(wealth["black_scholes"]), np.array(wealth["policy"])
        low, high = np.quantile(np.concatenate([plain, policy]), [0.001, 0.999])
        _histograms(
            axes,
            100 * plain,
            100 * policy,
            (100 * float(low), 100 * float(high)),
            ("Black-Scholes delta", "policy"),
        )
        axes.set_title(simulator)
        axes.set_xlabel("profit and loss (% of the spot; the outermost bars hold what is beyond)")
        axes.set_ylabel("paths")
    _save(figure, path)


def _histograms(
    axes: Axes, plain: Floats, model: Floats, reach: tuple[float, float], names: tuple[str, str]
) -> None:
    edges = np.linspace(reach[0], reach[1], BINS + 1).tolist()
    axes.hist(np.clip(plain, *reach), edges, color=PLAIN, alpha=0.5, label=names[0])
    axes.hist(np.clip(model, *reach), edges, color=MODEL, histtype="step", linewidth=1.5, label=names[1])
    axes.legend(frameon=False)


def _panels(shown: Sequence[Slice], title: str) -> tuple[Figure, list[Axes]]:
    columns = min(len(shown), 3)
    lines = -(-len(shown) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.4 * lines + 0.4), layout="constrained")
    figure.suptitle(title)
    panels = [figure.add_subplot(lines, columns, index) for index in range(1, len(shown) + 1)]
    for axes, one in zip(panels, shown, strict=True):
        axes.set_title(f"{one.days:.0f} days" if one.days >= 2 else f"{24 * one.days:.0f} hours")
        axes.set_xlabel("log(strike / forward)")
    return figure, panels


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    write_atomic(path, image.getvalue(), secret=True)
