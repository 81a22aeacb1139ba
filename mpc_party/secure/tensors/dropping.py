"""Dropout with places that all parties know and none chose, registered with CrypTen's autograd: see `gradients`.

CrypTen's reads a Mersenne Twister that `crypten.init` would seed alike everywhere. Here random shares are opened.
"""

# ruff: noqa: D102, FBT001, FBT002 - CrypTen's signatures; what `forward` and `backward` do is the class's text

from collections.abc import Sequence
from typing import Any

import torch

from mpc_party.secure.sharing import open_words_many, random_shares
from mpc_party.secure.tensors.crypten_compat import AutogradFunction, replace_gradient
from mpc_party.secure.tensors.holder import Holder

Tensor = Any  # ReplicatedTensor, which this module must not import
Context = Any  # CrypTen's AutogradContext


def _public_mask(shape: Sequence[int], p: float) -> torch.Tensor:
    """0 with probability p, else 1: the same at all parties, chosen by none. One opening of random words."""
    words = open_words_many([random_shares(tuple(shape))])[0]
    # Uniform in [-2^63, 2^63); a float64 threshold is exact enough.
    return (words.to(torch.float64) * 2.0**-64 + 0.5 >= p).to(torch.int64)


class _Dropout(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Zeros at random places, which all parties know, as in CrypTen: places say nothing about values."""

    @staticmethod
    def places(size: torch.Size) -> tuple[int, ...]:
        """The shape of what is kept or dropped as one."""
        return tuple(size)

    @classmethod
    def dropped(cls, tensor: Tensor, p: float, *, training: bool) -> tuple[Tensor, Any]:
        """The tensor with zeros and the rest scaled up by 1 / (1 - p); and the factors, which all parties know.

        Cost: one opening and one `reduce`; outside of training neither, and there are no factors.

        Raises:
            ValueError: p is no probability.
        """
        if not 0 <= p <= 1:
            raise ValueError("a dropout probability is between 0 and 1")
        if not training:
            return tensor.clone(), None
        mask = _public_mask(cls.places(tensor.size()), p)
        factor = mask / (1 - p) if p < 1 else mask * 0.0
        return tensor.mul(factor), factor

    @classmethod
    def run(cls, ctx: Context, tensor: Tensor, p: float, *, training: bool) -> Tensor:
        """Drop, and keep the factors for the gradient."""
        result, factor = cls.dropped(tensor, p, training=training)
        if factor is not None:
            ctx.save_for_backward(factor)
        return result

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        return gradient.mul(ctx.saved_tensors[0]) if ctx.saved_tensors else gradient.clone()


@replace_gradient("dropout")
class Dropout(_Dropout):
    """Each element by itself."""

    @staticmethod
    def forward(
        ctx: Context, tensor: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        del inplace
        return Dropout.run(ctx, tensor, p, training=training)


@replace_gradient("_feature_dropout")
class FeatureDropout(_Dropout):
    """Whole channels: the first two dimensions choose."""

    @staticmethod
    def places(size: torch.Size) -> tuple[int, ...]:
        """One choice for each sample and channel."""
        return (*size[:2], *[1] * (len(size) - 2))

    @staticmethod
    def forward(
        ctx: Context, tensor: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        del inplace
        return FeatureDropout.run(ctx, tensor, p, training=training)


class Dropping(Holder):
    """Dropout off the tape: the same as on it, where CrypTen has another one. Methods of `ReplicatedTensor`."""

    def dropout(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        """Each element is dropped with probability p: see `Dropout`. On the tape `inplace` has no effect."""
        return self._dropped(Dropout, p, training=training, inplace=inplace)

    def _feature_dropout(self, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return self._dropped(FeatureDropout, p, training=training, inplace=inplace)

    def _dropped(self, how: type[_Dropout], p: float, *, training: bool, inplace: bool) -> Tensor:
        tensor: Tensor = self
        result, _ = how.dropped(tensor, p, training=training)
        return tensor.copy_(result) if inplace else result
