"""The secret hedge models as `crypten.nn` modules on replicated shares: what turns delta into the hedge's adjustment.

The kinds and what each of their weights means stand in `model`. Features and weights are shares; nothing is opened here.
"""

from typing import Any

from mpc_party.hedging.model import MINIMUM_VARIANCE, POLICY, policy_parts
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.secure import ReplicatedShares
from mpc_party.secure.tensors.crypten_compat import nn, no_grad
from mpc_party.secure.tensors.tensor import ReplicatedTensor


class MinimumVarianceQuadratic(nn.Module):  # type: ignore[misc] # CrypTen has no types
    """density * (a + b delta + c delta^2) with secret weights a, b, c, by Horner's rule.

    Source: Hull, White, "Optimal delta hedging for options", 2017, eq. (5): vega / (forward sqrt(T)) is the density.
    """

    def __init__(self, weights: ReplicatedTensor) -> None:
        """Take the weights, shape (3,): a, b, c."""
        super().__init__()
        for index, name in enumerate(("a", "b", "c")):
            self.register_parameter(name, weights[index])
        self.encrypted = True  # the weights come as shares; `encrypt()` would share them anew from the clear

    def forward(self, delta: ReplicatedTensor, density: ReplicatedTensor) -> ReplicatedTensor:
        """The adjustment per instrument, shape (n,). Collective: 3 rounds, 9 words per instrument in all."""
        slope = self.c * delta + self.b
        result: ReplicatedTensor = (slope * delta + self.a) * density
        return result


class QuadraticPolicy(nn.Module):  # type: ignore[misc] # CrypTen has no types
    """density * g(features), g a network of two layers of squares with secret weights: see `model`.

    Source: Buehler, Gonon, Teichmann, Wood, "Deep hedging", Quantitative Finance 19, 2019, section 4.
    """

    def __init__(self, weights: ReplicatedTensor) -> None:
        """Take the weights, shape (401,), in the order of `model.PolicyWeights`."""
        super().__init__()
        names = ("first", "first_bias", "second", "second_bias", "last", "last_bias")
        for name, (part, shape) in zip(names, policy_parts(), strict=True):
            self.register_parameter(name, ReplicatedTensor.from_shares(weights.shares[part].reshape(*shape)))
        self.encrypted = True

    def forward(self, features: ReplicatedTensor, density: ReplicatedTensor) -> ReplicatedTensor:
        """The adjustment per instrument, (n,), from features (n, 6). Collective: 6 rounds, 198 words per instrument."""
        hidden = (features.matmul(self.first.t()) + self.first_bias).square()
        hidden = (hidden.matmul(self.second.t()) + self.second_bias).square()
        result: ReplicatedTensor = (hidden.matmul(self.last) + self.last_bias) * density
        return result


def hedge_adjustment(
    kind: str, model: ReplicatedShares, columns: dict[str, ReplicatedShares]
) -> ReplicatedShares:
    """Run the model of this kind. Collective.

    Args:
        kind: which of `model.COUNTS`.
        model: shares of its weights.
        columns: shares of shape (n,): `call_delta`, `density`, `root_time`, `log_vol`, `imbalance` and `realised`,
            as `model.FEATURES` has them (the call's delta not yet shifted).

    Returns:
        hedge delta less delta, (n,).
    """
    density = ReplicatedTensor.from_shares(columns["density"])
    delta = columns["call_delta"]
    with no_grad():
        if kind == MINIMUM_VARIANCE:
            module: Any = MinimumVarianceQuadratic(ReplicatedTensor.from_shares(model))
            adjusted: ReplicatedTensor = module(ReplicatedTensor.from_shares(delta), density)
        elif kind == POLICY:
            names = ("density", "root_time", "log_vol", "imbalance", "realised")
            features = ReplicatedShares.stack([delta - 0.5, *(columns[name] for name in names)], dim=1)
            module = QuadraticPolicy(ReplicatedTensor.from_shares(model))
            adjusted = module(ReplicatedTensor.from_shares(features), density)
        else:
            raise ConsortiumError(f"no hedge model of kind {kind!a}", reason=Reason.MODEL_MISMATCH)
    return adjusted.shares
