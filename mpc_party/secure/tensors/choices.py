"""Choosing among secrets: maxima, where they are, pooling by them, and random choices. Methods of `ReplicatedTensor`."""

from typing import Any, Self

import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.comparison import equal, greater_than
from mpc_party.secure.functions.maxima import largest_along
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.sharing import constant, random_fractions
from mpc_party.secure.tensors.crypten_compat import settings
from mpc_party.secure.tensors.holder import Holder
from mpc_party.secure.tensors.pooling import Pair, Windows


class Choices(Holder):
    """Maxima and minima, exact as `comparison` is. All are collective; nothing is revealed.

    `functions.max_method` "pairwise" compares all pairs at once, in the fewest rounds; CrypTen's other names all mean the
    tournament of `largest_along`. Rounds of a value: those of `largest_along`. Of its place: also an equality, a
    comparison, `random_fractions` and `reduce`, because one of equal values is chosen at random, as in CrypTen.
    """

    def max(self, dim: int | None = None, keepdim: bool = False, one_hot: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - CrypTen's
        """The largest value; along `dim` also where it is, as a one-hot tensor of the whole shape or as an index."""
        if dim is None:
            return self.wrap(_largest(self.shares.flatten(), 0))
        values = _largest(self.shares, dim)
        place = _place(self.shares, values, dim)
        shown = place if one_hot else _index(place, dim, keepdim=keepdim)
        kept = keepdim and self.shares.dim() > 0
        return self.wrap(values.unsqueeze(dim) if kept else values), self.wrap(shown)

    def min(self, dim: int | None = None, keepdim: bool = False, one_hot: bool = True) -> Any:  # noqa: ANN401, FBT001, FBT002 - CrypTen's
        """The smallest value, as `max`."""
        negated: Any = self.wrap(-self.shares)
        result = negated.max(dim=dim, keepdim=keepdim, one_hot=one_hot)
        return result.neg() if dim is None else (result[0].neg(), result[1])

    def argmax(self, dim: int | None = None, keepdim: bool = False, one_hot: bool = True) -> Self:  # noqa: FBT001, FBT002 - CrypTen's
        """Where the largest value is: one-hot over the whole tensor or along `dim`, or an index."""
        x = self.shares
        flat = x.flatten() if dim is None else x
        along = 0 if dim is None else dim
        place = _place(flat, _largest(flat, along), along)
        if one_hot:
            return self.wrap(place.reshape(x.shape))
        return self.wrap(_index(place, along, keepdim=keepdim and dim is not None))

    def argmin(self, dim: int | None = None, keepdim: bool = False, one_hot: bool = True) -> Self:  # noqa: FBT001, FBT002 - CrypTen's
        """Where the smallest value is, as `argmax`."""
        return self.wrap(-self.shares).argmax(dim=dim, keepdim=keepdim, one_hot=one_hot)

    def weighted_index(self, dim: int | None = None) -> Self:
        """One-hot along `dim`, or over all, at random with the tensor's values as weights. See `random_fractions`.

        Weights are not negative and add up to less than 2^(63 - 2f), with f fraction bits. One is chosen, and none of weight
        0, unless all are. Probabilities are off by 2^-f at most, so that a weight below that part of the sum may have none.
        """
        if dim is None:
            flat = self.shares.flatten()
            return self.wrap(_weighted_index(flat, 0).reshape(self.shares.shape))
        return self.wrap(_weighted_index(self.shares, dim))

    # Pooling

    def avg_pool2d(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002 - CrypTen's signature
    ) -> Self:
        """As torch.nn.functional.avg_pool2d, also with `ceil_mode`, which CrypTen has not. Rounds: that of one `reduce`."""
        windows = Windows.of(self.shares.shape, kernel_size, stride, padding, ceil_mode=ceil_mode)
        return self._divided(windows.sums(self.shares), windows.areas)

    def _avg_pool2d_backward(self, windows: Windows) -> Self:
        """The gradient of `avg_pool2d` of an input of that shape. Rounds: that of one `reduce`."""
        shares = self._divided(self.shares, windows.areas).shares.unsqueeze(-1)
        area = windows.kernel[0] * windows.kernel[1]
        return self.wrap(windows.spread(shares.expand(*shares.shape[:-1], area)))

    def _divided(self, sums: ReplicatedShares, areas: torch.Tensor) -> Self:
        quotient: Any = self.wrap(sums)
        whole = int(areas.flatten()[0])
        result: Self = quotient.div(whole if bool((areas == whole).all()) else areas)
        return result

    def max_pool2d(
        self,
        kernel_size: Pair,
        padding: Pair | None = 0,
        stride: Pair | None = None,
        dilation: Pair = 1,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002 - CrypTen's signature
        return_indices: bool = False,  # noqa: FBT001, FBT002 - CrypTen's signature
    ) -> Any:  # noqa: ANN401 - one tensor or two
        """As torch.nn.functional.max_pool2d, exact, for words above -2^62. Note CrypTen's order of arguments.

        Args:
            kernel_size, padding, stride, dilation, ceil_mode: as in torch.
            return_indices: also a one-hot tensor (..., H, W, *kernel_size) of the place in each window.

        Rounds: those of `largest_along` of a window, and for the indices those of a place: see `Choices`.
        """
        windows = Windows.of(self.shares.shape, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode)
        rows = windows.rows(self.shares)
        values = _largest(rows, -1)
        if not return_indices:
            return self.wrap(values)
        place = _place(rows, values, -1)
        return self.wrap(values), self.wrap(place.reshape(*values.shape, *windows.kernel))

    def _max_pool2d_backward(
        self,
        indices: Any,  # noqa: ANN401 - a tensor of this type
        kernel_size: Pair,
        padding: Pair | None = None,
        stride: Pair | None = None,
        dilation: Pair = 1,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002 - CrypTen's signature
        output_size: torch.Size | None = None,
    ) -> Self:
        """The gradient of `max_pool2d`, from its one-hot indices. Rounds: that of one `reduce`.

        Raises:
            ValueError: without `output_size`, which does not follow from the windows.
        """
        if output_size is None:
            raise ValueError("the gradient of max_pool2d needs the size of the input")
        windows = Windows.of(
            torch.Size(output_size), kernel_size, stride, padding, dilation, ceil_mode=ceil_mode
        )
        places = indices.shares.flatten(-2)
        rows = reduce(self.shares.unsqueeze(-1) * places, self.shares.fraction_bits)
        return self.wrap(windows.spread(rows))


def _largest(x: ReplicatedShares, dim: int) -> ReplicatedShares:
    largest = largest_along(x, dim, method=settings.functions.max_method)
    return largest.clone() if x.dim() == 0 or x.size(dim) == 1 else largest  # which was a view of x itself


def _place(x: ReplicatedShares, largest: ReplicatedShares, dim: int) -> ReplicatedShares:
    """One-hot along `dim`: one of the places where x is the largest, at random."""
    if x.dim() == 0:
        return constant(torch.ones(()), 0)
    return _weighted_index(equal(x, largest.unsqueeze(dim)), dim)


def _weighted_index(weights: ReplicatedShares, dim: int) -> ReplicatedShares:
    sums = weights.cumsum(dim)
    total = sums.narrow(dim, sums.size(dim) - 1, 1)
    product = random_fractions(tuple(total.shape)) * total
    # Not truncated: rounded up, it might reach the total, or a sum that is no larger for weights of 0.
    threshold = reduce(product, product.fraction_bits)
    reached = greater_than(sums, threshold)
    before = reached.narrow(dim, 0, reached.size(dim) - 1)
    first = reached.narrow(dim, 0, 1)
    return reached - ReplicatedShares.cat([first * 0, before], dim=dim)


def _index(one_hot: ReplicatedShares, dim: int, *, keepdim: bool) -> ReplicatedShares:
    if one_hot.dim() == 0:
        return one_hot * 0
    numbers = torch.arange(one_hot.size(dim))
    shape = [1] * one_hot.dim()
    shape[dim] = -1
    return (one_hot * numbers.reshape(shape)).sum(dim, keepdim=keepdim)
