"""The secret hedge model of this program: the minimum-variance quadratic of Hull and White.

hedge delta = delta + vega / (forward sqrt(T)) * (a + b d + c d^2), with a, b, c dealt as shares and d the delta of the call
at this strike, also for a put: the adjustment is vega times how the vol moves with the forward, which is one for both.
Source: Hull, White, "Optimal delta hedging for options", Journal of Banking and Finance 82, 2017, eq. (5).
"""

from collections.abc import Sequence

import numpy as np

from mpc_party.hedging.outputs import MODEL_REACH
from mpc_party.hedging.public import to_ring
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.model_share import ModelHeader

KIND = "minimum-variance-quadratic"
WEIGHTS = ("a", "b", "c")


def encode_weights(weights: Sequence[float], fraction_bits: int) -> list[int]:
    """The weights as ring integers.

    Raises:
        ConfigError: not three finite numbers with |a| + |b| + |c| <= 8, the range that opened values are checked for.
    """
    array = np.array(weights, dtype=np.float64)
    if array.shape != (len(WEIGHTS),) or not np.isfinite(array).all() or np.abs(array).sum() > MODEL_REACH:
        raise ConfigError(
            f"the model needs three finite weights a, b, c with |a| + |b| + |c| <= {MODEL_REACH:g}",
            remedy="scale the features, not the weights",
        )
    return [int(word) for word in to_ring(array, fraction_bits)]


def check_header(header: ModelHeader, *, consortium: bytes, epoch: int, fraction_bits: int) -> None:
    """Refuse a share of a model that this program, consortium or epoch does not use.

    Raises:
        ConsortiumError: MODEL_MISMATCH, naming the first field that differs.
    """
    for field, found, expected in (
        ("kind", header.kind, KIND),
        ("count", header.count, len(WEIGHTS)),
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
