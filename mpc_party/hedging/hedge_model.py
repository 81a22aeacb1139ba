"""The secret hedge model as a `crypten.nn` module on replicated shares: what turns delta into the hedge's adjustment.

Models are CrypTen modules, so that a larger one (a network trained in PyTorch's terms) takes this one's place
without a change to the program.
"""

from mpc_party.secure import ReplicatedShares
from mpc_party.secure.crypten_compat import nn, no_grad
from mpc_party.secure.tensor import ReplicatedTensor


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
        """The adjustment per instrument, shape (n,). Collective: 6 rounds, 9 words per instrument in all."""
        slope = self.c * delta + self.b
        result: ReplicatedTensor = (slope * delta + self.a) * density
        return result


def hedge_adjustment(
    delta: ReplicatedShares, density: ReplicatedShares, model: ReplicatedShares
) -> ReplicatedShares:
    """Run the model on shares of the call's delta and of the density, both (n,); weights (3,). Collective."""
    module = MinimumVarianceQuadratic(ReplicatedTensor.from_shares(model))
    with no_grad():
        adjusted: ReplicatedTensor = module(
            ReplicatedTensor.from_shares(delta), ReplicatedTensor.from_shares(density)
        )
    return adjusted.shares
