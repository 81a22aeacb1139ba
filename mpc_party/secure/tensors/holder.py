"""What the parts of `ReplicatedTensor` share: shares held in `_tensor`, and the way from operands to results."""

from typing import Any, Self

import torch

from mpc_party.secure import arithmetic
from mpc_party.secure.encoding import FixedPoint
from mpc_party.secure.shares import ReplicatedShares, Shares


class Holder:
    """Holds replicated shares. CrypTen's own functions reach for the attribute `_tensor` by that name."""

    _tensor: Any

    @property
    def shares(self) -> ReplicatedShares:
        """The shares underneath."""
        shares: ReplicatedShares = self._tensor
        return shares

    def wrap(self, shares: ReplicatedShares) -> Self:
        """A new tensor around shares. Local."""
        raise NotImplementedError

    def adopted(self, tensor: Any) -> Self:  # noqa: ANN401 - CrypTen has no types
        """What one of CrypTen's own functions returned for this tensor."""
        result: Self = tensor
        return result

    def closed(self, expression: Shares | FixedPoint) -> Self:
        """A new tensor of an expression on shares, brought back to the session's scale. See `reduce`."""
        if not isinstance(expression, Shares):
            raise TypeError(f"unsupported operand: {type(expression).__name__}")
        return self.wrap(arithmetic.reduce(expression))


def operand(value: Any) -> Any:  # noqa: ANN401 - shares of a secret, or the public value itself
    """What the operators of shares take for what CrypTen's callers pass: the shares of a tensor, or a public value."""
    if isinstance(value, Holder):
        return value.shares
    return value.detach() if isinstance(value, torch.Tensor) else value
