"""Writing into a secret tensor: whole, by index, by places. Methods of `ReplicatedTensor`.

Plain values that are written are those of position 0, as in CrypTen, where they are shared anew: what each party draws
from a random generator of its own, as `nn.init` does, then still makes one consistent sharing. The operators of
arithmetic take plain values as known to all parties alike, and do not share them.
"""

from typing import Any, Self

import torch

from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.sharing import PrivateInput, constant, share_many
from mpc_party.secure.tensors.crypten_compat import CrypTensor
from mpc_party.secure.tensors.holder import Holder, operand

SOURCE = 0  # the position whose plain values count


class Writing(Holder):
    """What changes a tensor or a copy of it. Collective where plain values are written, else local; nothing is revealed.

    Cost of plain values: one round, a word per element from position 0 to the next party (t words where t > 1).
    """

    _owner: "Writing | None"  # of which this is the `data`

    def on_tape(self) -> bool:
        """Whether autograd records what is done with this tensor."""
        tensor: Any = self
        return bool(CrypTensor.AUTOGRAD_ENABLED and tensor.requires_grad)

    def hold(self, shares: ReplicatedShares) -> None:
        """Take these shares on, with the tensor of which this is the `data`. Local."""
        if not isinstance(shares, ReplicatedShares):
            raise TypeError("a secret tensor holds replicated shares")
        self._tensor = shares
        if self._owner is not None:
            self._owner.hold(shares)

    def copy_(self, other: Any) -> Self:  # noqa: ANN401 - a secret tensor
        """Take the value of another secret tensor, broadcast to this one's shape; memory is not shared. Local.

        Raises:
            ValueError: it does not fit.
        """
        shares = other.shares
        if self._tensor is not None and shares.shape != self.shares.shape:
            try:
                shares = shares.expand(self.shares.shape)
            except RuntimeError as error:
                raise ValueError(
                    f"a value of shape {tuple(shares.shape)} does not fit into one of {tuple(self.shares.shape)}"
                ) from error
        self.hold(shares.clone())
        return self

    def set(self, value: Any) -> Self:  # noqa: ANN401 - a secret tensor, or plain values
        """Take the value of a secret tensor, or plain values of position 0. The initialisers of `nn.init` end here.

        Position 0 knows what it draws, and so the weights that a training starts with.
        """
        return self.copy_(self.wrap(self.written(value)))

    def __setitem__(self, index: Any, value: Any) -> None:  # noqa: ANN401 - whatever torch takes; as set
        """Write a secret tensor, or plain values of position 0, in place.

        Raises:
            RuntimeError: autograd records this tensor or the value, which would forget the writing.
        """
        if self.on_tape() or (isinstance(value, Writing) and value.on_tape()):
            raise RuntimeError("Autograd is not supported for in-place functions.")
        self.shares[index] = self.written(value)

    def scatter(self, dim: int, index: torch.Tensor, src: Any) -> Self:  # noqa: ANN401 - as set
        """A copy with the elements of `src` at the places of `index`, as torch.scatter; plain ones are those of position 0."""
        return self.wrap(self.shares.clone().scatter_(dim, index, self.written(src)))

    def index_add(self, dim: int, index: torch.Tensor, tensor: Any) -> Self:  # noqa: ANN401 - secret or public
        """A copy with rows of `tensor` added at `index`. Local: plain ones are the same at all parties, as for `add`."""
        if index.dim() != 1:
            raise ValueError("index needs to be a vector")
        return self.wrap(self.shares.clone().index_add_(dim, index, _added(tensor)))

    def scatter_add(self, dim: int, index: torch.Tensor, other: Any) -> Self:  # noqa: ANN401 - secret or public
        """As torch.scatter_add. Local: as `index_add`."""
        return self.wrap(self.shares.clone().scatter_add_(dim, index, _added(other)))

    def written(self, value: Any) -> ReplicatedShares:  # noqa: ANN401 - as set
        """The shares of a secret, or of position 0's plain values."""
        held = operand(value)
        if isinstance(held, ReplicatedShares):
            return held
        plain = torch.as_tensor(held).detach()
        return share_many([PrivateInput(SOURCE, tuple(plain.shape), plain)])[0]


def _added(value: Any) -> Any:  # noqa: ANN401 - as operand
    held = operand(value)
    return constant(torch.as_tensor(held)) if isinstance(held, torch.Tensor | int | float) else held
