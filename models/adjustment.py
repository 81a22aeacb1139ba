"""What a model adds to the Black-Scholes delta, in the clear, for a model's owner: density * g."""

import numpy as np
from numpy.typing import NDArray

from models.model_file import ModelFile
from mpc_party.hedging.model import FEATURES, MINIMUM_VARIANCE, policy_weights

Floats = NDArray[np.float64]

REFERENCE_VOL = 0.5  # of the vol feature


def adjustment(model: ModelFile, delta: Floats, density: Floats, time: Floats, vol: Floats) -> Floats:
    """Hedge delta - delta per option, (n,).

    Args:
        model: of either kind; a policy sees order flow at rest (its imbalance and realised vol features are 0).
        delta: of the call at the strike, (n,).
        density: phi(d1), (n,).
        time: to expiry in years, (n,).
        vol: annual, (n,).
    """
    weights = np.array(model.weights, dtype=np.float64)
    if model.kind == MINIMUM_VARIANCE:
        return np.asarray(density * (delta[:, None] ** np.arange(3) @ weights), dtype=np.float64)
    parts = policy_weights(weights)
    still = np.zeros_like(delta)
    features = np.stack(
        [
            delta - 0.5,
            density,
            np.minimum(np.sqrt(time), 2.0) / 2.0,
            np.log(vol / REFERENCE_VOL) / 2.0,
            still,
            still,
        ],
        axis=1,
    )
    features = np.clip(features, [known.low for known in FEATURES], [known.high for known in FEATURES])
    hidden = (features @ parts.first.T + parts.first_bias) ** 2
    hidden = (hidden @ parts.second.T + parts.second_bias) ** 2
    return np.asarray(density * (hidden @ parts.last + parts.last_bias[0]), dtype=np.float64)
