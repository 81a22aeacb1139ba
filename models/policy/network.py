"""The policy network in PyTorch: six features, two layers of 16 squares, one output; 401 weights.

h1 = (W1 f + b1)^2, h2 = (W2 h1 + b2)^2, g = w3 . h2 + b3, and the hedge is delta + density g: what
`mpc_party.hedging.model` calls `quadratic-policy-6-16-16`, here in the clear, for whoever trains it.
"""

from collections.abc import Sequence

import numpy as np
import torch

from mpc_party.hedging.model import (
    ACTIVATION_REACH,
    COUNTS,
    FEATURES,
    HIDDEN,
    MODEL_REACH,
    POLICY,
    policy_bounds,
    policy_weights,
)
from mpc_party.market.streams import normal
from mpc_party.protocol.errors import ConfigError

MARGIN = 0.98  # of the bounds, left for the rounding of weights to fixed point
FRACTION_BITS = 16  # of the weights as they are dealt


class PolicyNetwork(torch.nn.Module):
    """The network. A new one hedges exactly as Black-Scholes does: its last layer is 0."""

    def __init__(self, seed: int, dtype: torch.dtype = torch.float32) -> None:
        """Draw the first two layers from a SHAKE-256 stream of the seed; the last one is 0.

        Scales 1/2 and 1/8 leave the pre-activations of typical features between -1 and 1.
        """
        super().__init__()
        self.first = torch.nn.Linear(len(FEATURES), HIDDEN, dtype=dtype)
        self.second = torch.nn.Linear(HIDDEN, HIDDEN, dtype=dtype)
        self.last = torch.nn.Linear(HIDDEN, 1, dtype=dtype)
        noise = normal(f"policy/weights/{seed}", COUNTS[POLICY])
        parts = policy_weights(noise)
        self._set(
            parts._replace(
                first=0.5 * parts.first,
                first_bias=0.5 * parts.first_bias,
                second=0.125 * parts.second,
                second_bias=0.5 * parts.second_bias,
                last=0.0 * parts.last,
                last_bias=0.0 * parts.last_bias,
            )
        )

    @classmethod
    def from_weights(cls, weights: Sequence[float], dtype: torch.dtype = torch.float64) -> "PolicyNetwork":
        """The network with these 401 weights, in the order of `mpc_party.hedging.model`.

        Raises:
            ConfigError: not 401 finite numbers.
        """
        flat = np.array(weights, dtype=np.float64)
        if flat.shape != (COUNTS[POLICY],) or not np.isfinite(flat).all():
            raise ConfigError(f"a {POLICY} model needs {COUNTS[POLICY]} finite weights")
        network = cls(0, dtype)
        network._set(policy_weights(flat))
        return network

    def _parts(self) -> tuple[torch.Tensor, ...]:
        layers = (self.first, self.second, self.last)
        return tuple(part for layer in layers for part in (layer.weight, layer.bias))

    def _set(self, parts: Sequence[np.ndarray]) -> None:
        with torch.no_grad():
            for parameter, part in zip(self._parts(), parts, strict=True):
                parameter.copy_(torch.from_numpy(np.ascontiguousarray(part)).reshape(parameter.shape))

    def weights(self) -> list[float]:
        """The 401 weights: W1 by rows, b1, W2 by rows, b2, w3, b3. Secret."""
        flat = torch.cat([parameter.detach().double().reshape(-1) for parameter in self._parts()])
        return [float(weight) for weight in flat]

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """g, shape (...), from features (..., 6)."""
        hidden = self.second(self.first(features).square()).square()
        result: torch.Tensor = self.last(hidden).squeeze(-1)
        return result

    def bounds(self) -> tuple[float, float, float]:
        """Bounds over the features' box of both layers before their squares, and of |g|, by interval arithmetic."""
        return policy_bounds(np.array(self.weights()))

    def reach(self) -> torch.Tensor:
        """The same three bounds as a share of what is allowed, shape (3,), with gradients; for a penalty."""
        low, high = (
            torch.tensor([getattr(known, end) for known in FEATURES], dtype=self.first.weight.dtype)
            for end in ("low", "high")
        )
        centre, radius = (low + high) / 2, (high - low) / 2
        reaches = []
        for layer, limit in ((self.first, ACTIVATION_REACH), (self.second, ACTIVATION_REACH)):
            centre, radius = layer(centre), layer.weight.abs() @ radius
            reaches.append((centre.abs() + radius).max() / limit)
            highest = (centre.abs() + radius).square()
            lowest = (centre.abs() - radius).clamp(min=0.0).square()
            centre, radius = (highest + lowest) / 2, (highest - lowest) / 2
        last = self.last(centre).abs() + self.last.weight.abs() @ radius
        return torch.stack([*reaches, last.squeeze() / MODEL_REACH])

    def project(self) -> None:
        """Scale layers down until the bounds hold that dealing requires, with a margin for rounding. Mostly a no-op."""
        layers = (
            (0, self.first, ACTIVATION_REACH),
            (1, self.second, ACTIVATION_REACH),
            (2, self.last, MODEL_REACH),
        )
        for index, layer, reach in layers:
            found = self.bounds()[index]  # anew for each: a scaled layer lowers what follows
            if found > MARGIN * reach:
                with torch.no_grad():
                    layer.weight.mul_(MARGIN * reach / found)
                    layer.bias.mul_(MARGIN * reach / found)


def quantised(weights: Sequence[float], fraction_bits: int = FRACTION_BITS) -> list[float]:
    """The weights as they come out of fixed point: what is dealt."""
    scale = float(1 << fraction_bits)
    return [float(value) for value in np.rint(np.array(weights, dtype=np.float64) * scale) / scale]
