"""The work that every system is given: shapes, values, and what the answer is in float64.

Runs in the peers' environments too, so that it needs no more than numpy.

    relu              the network 8-64-64-1 without biases, a ReLU after each hidden layer; inputs and weights secret
    square            the same with squares
    delta             Black-76 delta of a call, N(d1), at a secret vol; strike, forward and expiry public
    delta_polynomial  the same by our polynomial, at the peers: what of a ratio is the method and what the engine
    relu_elements     one ReLU over a flat tensor

All run from inputs that are shared already to the result opened to all three parties. For the delta the peers are
given the vol and evaluate the closed form; ours is given its logarithm, as in a round, and evaluates a polynomial.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LAYERS = ((8, 64), (64, 64), (64, 1))
ELEMENTS = 65_536

# Listed BTC options: how far from the money, when they expire, and how volatile they are.
MONEYNESS = 0.5  # |log(forward / strike)| at most
DAYS = (7.0, 180.0)
VOL = (0.2, 1.5)
DEGREE = 8

NETWORKS = ("relu", "square")
WORKS = (*NETWORKS, "delta", "delta_polynomial", "relu_elements")


@dataclass(frozen=True)
class Options:
    """Calls, each at a vol of its own; arrays of shape (batch,), times in years."""

    log_moneyness: np.ndarray
    root_time: np.ndarray
    vol: np.ndarray

    @property
    def scaled_log_vol(self) -> np.ndarray:
        """In [-1, 1]: the variable of the polynomial."""
        return (np.log(self.vol) - _centre()) / _half_width()

    def delta(self, vol: np.ndarray) -> np.ndarray:
        """N(d1) in float64 at vols that broadcast against (batch,)."""
        d1 = self.log_moneyness / (vol * self.root_time) + vol * self.root_time / 2
        return np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)))(d1)

    def coefficients(self, degree: int = DEGREE) -> np.ndarray:
        """Chebyshev coefficients of the delta in the scaled log-vol, (degree + 1, batch): public, from public data."""
        count = 2 * degree + 8
        angle = np.pi * (np.arange(count) + 0.5) / count
        values = self.delta(np.exp(_centre() + _half_width() * np.cos(angle))[:, None])
        cosines = np.cos(np.arange(degree + 1)[:, None] * angle) * (2.0 / count)
        cosines[0] *= 0.5
        return cosines @ values


def _centre() -> float:
    return (math.log(VOL[0]) + math.log(VOL[1])) / 2


def _half_width() -> float:
    return (math.log(VOL[1]) - math.log(VOL[0])) / 2


def options(batch: int) -> Options:
    """The same at all parties and systems."""
    draw = _values("options", batch)
    return Options(
        draw.uniform(-MONEYNESS, MONEYNESS, batch),
        np.sqrt(draw.uniform(*DAYS, batch) / 365.0),
        draw.uniform(*VOL, batch),
    )


def network_inputs(batch: int) -> list[np.ndarray]:
    """Rows (batch, 8), then the three weight matrices, scaled so that activations stay near 1."""
    draw = _values("network", batch)
    weights = [draw.normal(0, shape[0] ** -0.5, shape) for shape in LAYERS]
    return [draw.normal(0, 0.5, (batch, LAYERS[0][0])), *weights]


def elements(batch: int) -> np.ndarray:
    """What the single ReLU is of, (batch,)."""
    return _values("elements", batch).normal(0, 1, batch)


def secrets_of(work: str, batch: int) -> list[np.ndarray]:
    """The secret inputs of a work."""
    if work in NETWORKS:
        return network_inputs(batch)
    if work == "relu_elements":
        return [elements(batch)]
    if work == "delta":
        return [options(batch).vol]
    if work == "delta_polynomial":
        return [options(batch).scaled_log_vol]
    raise ValueError(f"no work is called {work!r}; there are {', '.join(WORKS)}")


def reference(work: str, batch: int) -> np.ndarray:
    """The answer in float64."""
    if work == "relu_elements":
        return np.maximum(elements(batch), 0)
    if work in NETWORKS:
        hidden, *weights = network_inputs(batch)
        for layer, weight in enumerate(weights):
            hidden = hidden @ weight
            if layer < len(weights) - 1:
                hidden = np.maximum(hidden, 0) if work == "relu" else hidden**2
        return hidden
    book = options(batch)
    return book.delta(book.vol)


def _values(name: str, batch: int) -> np.random.Generator:  # noqa: TID251 - test values, nothing secret
    """A repeatable source, one per kind of input and batch."""
    return np.random.default_rng([batch, *name.encode()])  # noqa: TID251 - test values, nothing secret
