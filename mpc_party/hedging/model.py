"""The secret hedge models that a round can run: their kinds, how many weights each has, and in what range they may lie.

`minimum-variance-quadratic`: hedge delta = delta + density * (a + b d + c d^2), with d the delta of the call at this
strike, also for a put: the adjustment is vega times how the vol moves with the forward, which is one for both.
Source: Hull, White, "Optimal delta hedging for options", Journal of Banking and Finance 82, 2017, eq. (5).

`quadratic-policy-6-16-16`: hedge delta = delta + density * g, where g is a network of two layers of 16 squares over six
features (`FEATURES`): h1 = (W1 f + b1)^2, h2 = (W2 h1 + b2)^2, g = w3 . h2 + b3. Weights in that order, matrices by
rows. Squares cost one round under sharing, a ReLU four. A desk's previous hedge is no feature: it is that desk's
secret, and the report is one for all.
Source: Buehler, Gonon, Teichmann, Wood, "Deep hedging", Quantitative Finance 19, 2019, section 4 (the policy as a network).

Both are dealt as shares, so that no member knows a weight. What is opened is checked against a range (`outputs`),
which holds because weights are checked here before they are dealt: |adjustment| <= 8 density.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mpc_party.hedging.public import to_ring
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader

Floats = NDArray[np.float64]

MODEL_REACH: Final = 8.0  # bound on |adjustment| / density
ACTIVATION_REACH: Final = (
    16.0  # bound on |W f + b| in both layers: squares stay below 2^8, far from the ring's ends
)

MINIMUM_VARIANCE: Final = "minimum-variance-quadratic"
POLICY: Final = "quadratic-policy-6-16-16"
WEIGHTS: Final = ("a", "b", "c")  # of the minimum-variance quadratic
HIDDEN: Final = 16


class FeatureRange(NamedTuple):
    """One input of the policy network, and what it lies between."""

    name: str
    low: float
    high: float


FEATURES: Final = (
    FeatureRange("call delta - 0.5", -0.5, 0.5),
    FeatureRange("density phi(d1)", 0.0, 0.4),
    FeatureRange("min(sqrt(years), 2) / 2", 0.0, 1.0),
    FeatureRange("log(vol / 0.5) / 2", -2.0, 2.0),
    FeatureRange("order-flow imbalance", -1.0, 1.0),
    FeatureRange("log(realised vol / median reference vol)", -1.0, 1.0),
)
COUNTS: Final = {
    MINIMUM_VARIANCE: len(WEIGHTS),
    POLICY: HIDDEN * len(FEATURES) + HIDDEN + HIDDEN * HIDDEN + HIDDEN + HIDDEN + 1,
}


class PolicyWeights(NamedTuple):
    """The network's weights apart: (16, 6), (16,), (16, 16), (16,), (16,) and (1,); arrays, tensors or shares."""

    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    last: Floats
    last_bias: Floats


_SHAPES: Final = ((HIDDEN, len(FEATURES)), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN,), (1,))


def policy_parts() -> list[tuple[slice, tuple[int, ...]]]:
    """Where each part of `PolicyWeights` lies in the flat weights, and its shape."""
    ends = np.cumsum([int(np.prod(shape)) for shape in _SHAPES]).tolist()
    return [
        (slice(start, end), shape) for start, end, shape in zip([0, *ends[:-1]], ends, _SHAPES, strict=True)
    ]


def policy_weights(flat: Floats) -> PolicyWeights:
    """The parts of 401 flat weights."""
    return PolicyWeights(*(flat[part].reshape(shape) for part, shape in policy_parts()))


def policy_bounds(flat: Floats) -> tuple[float, float, float]:
    """Bounds over the features' box, by interval arithmetic: of |W1 f + b1|, |W2 h1 + b2| and |g|."""
    first, second, last = policy_reaches(flat)
    return float(first.max()), float(second.max()), last


def policy_reaches(flat: Floats) -> tuple[Floats, Floats, float]:
    """The same per unit: (16,), (16,), and |g|."""
    parts = policy_weights(flat)
    low = np.array([feature.low for feature in FEATURES])
    high = np.array([feature.high for feature in FEATURES])
    reaches = []
    for matrix, bias in ((parts.first, parts.first_bias), (parts.second, parts.second_bias)):
        low, high = _interval(matrix, low, high)
        low, high = low + bias, high + bias
        reaches.append(np.maximum(np.abs(low), np.abs(high)))
        crosses = (low < 0) & (high > 0)
        low, high = np.minimum(low**2, high**2), np.maximum(low**2, high**2)
        low[crosses] = 0.0
    low, high = _interval(parts.last[None], low, high)
    last = float(np.maximum(np.abs(low + parts.last_bias), np.abs(high + parts.last_bias)).max())
    return reaches[0], reaches[1], last


def _interval(matrix: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    positive, negative = np.maximum(matrix, 0.0), np.minimum(matrix, 0.0)
    return positive @ low + negative @ high, positive @ high + negative @ low


def encode_weights(kind: str, weights: Sequence[float], fraction_bits: int) -> list[int]:
    """The weights as ring integers.

    Raises:
        ConfigError: no such kind, not its number of finite weights, or weights whose adjustment could leave the range
            that opened values are checked for.
    """
    if kind not in COUNTS:
        raise ConfigError(f"no model kind {kind[:40]!a}", remedy=f"this version has {' and '.join(COUNTS)}")
    array = np.array(weights, dtype=np.float64)
    if array.shape != (COUNTS[kind],) or not np.isfinite(array).all():
        raise ConfigError(f"a {kind} model needs {COUNTS[kind]} finite weights")
    if kind == MINIMUM_VARIANCE and np.abs(array).sum() > MODEL_REACH:
        raise ConfigError(
            f"the model needs three finite weights a, b, c with |a| + |b| + |c| <= {MODEL_REACH:g}",
            remedy="scale the features, not the weights",
        )
    if kind == POLICY:
        first, second, last = policy_bounds(array)
        if max(first, second) > ACTIVATION_REACH or last > MODEL_REACH:
            raise ConfigError(
                f"the network can reach {first:.3g} and {second:.3g} before its squares and {last:.3g} after them; "
                f"allowed are {ACTIVATION_REACH:g} and {MODEL_REACH:g}",
                remedy="train with smaller weights (weight decay)",
            )
    return [int(word) for word in to_ring(array, fraction_bits)]


def check_header(header: ModelHeader, *, consortium: bytes, epoch: int, fraction_bits: int) -> None:
    """Refuse a share of a model that this program, consortium or epoch does not use.

    Raises:
        ConsortiumError: MODEL_MISMATCH, naming the first field that differs.
    """
    known = header.kind in COUNTS
    for field, found, expected in (
        ("kind", header.kind, header.kind if known else " or ".join(COUNTS)),
        ("count", header.count, COUNTS.get(header.kind)),
        ("consortium", header.consortium.hex(), consortium.hex()),
        ("epoch", header.epoch, epoch),
        ("fraction bits", header.fraction_bits, fraction_bits),
    ):
        if found != expected:
            raise ConsortiumError(
                f"the model share has {field} {found}, this consortium needs {expected}",
                reason=Reason.MODEL_MISMATCH,
                remedy="ask the model owner to deal for this consortium and epoch",
            )
