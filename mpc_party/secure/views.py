"""Views, reductions and rearrangements of shares: the same on every component, so local and exact.

The methods are those of torch.Tensor that CrypTen's function library calls on what it wraps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, TypeVar

import torch

Index = Any  # whatever torch takes between brackets


class Views:
    """Tensor methods on `words` of shape (components, *shape), with dimensions counted without the leading one."""

    __slots__ = ()

    words: torch.Tensor

    def _like(self, words: torch.Tensor, fraction_bits: int | None = None) -> Self:
        raise NotImplementedError

    def _padded(self, dims: int) -> torch.Tensor:
        """The words with leading dimensions of 1 inserted behind the components, for broadcasting."""
        missing = dims - self.dim()
        if missing <= 0:
            return self.words
        return self.words.reshape(self.words.shape[0], *[1] * missing, *self.shape)

    def _spread(self, shape: Sequence[int]) -> torch.Tensor:
        """The words broadcast to a shape, as a view."""
        return self._padded(len(shape)).expand(-1, *shape)

    # Properties

    @property
    def shape(self) -> torch.Size:
        """The shape of the secret tensor."""
        return self.words.shape[1:]

    def size(self, dim: int | None = None) -> Any:  # noqa: ANN401 - torch.Size or int, as torch has it
        """The shape, or one entry of it."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """How many dimensions the secret tensor has."""
        return self.words.dim() - 1

    def numel(self) -> int:
        """How many elements the secret tensor has."""
        return self.words[0].numel()

    nelement = numel

    def __len__(self) -> int:
        if self.dim() == 0:
            raise TypeError("len() of a 0-dimensional shared tensor")
        return self.shape[0]

    # Views

    def __getitem__(self, index: Index) -> Self:
        parts = index if isinstance(index, tuple) else (index,)
        if all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts):
            return self._like(self.words[(slice(None), *parts)])
        if isinstance(index, list):
            index = tuple(index) if any(isinstance(part, slice) for part in index) else index
        return self._each(lambda w: w[index])

    def reshape(self, *shape: Any) -> Self:  # noqa: ANN401 - sizes, or one sequence of them
        """As torch.reshape."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._like(self.words.reshape(self.words.shape[0], *sizes))

    view = reshape

    def unsqueeze(self, dim: int) -> Self:
        """As torch.unsqueeze."""
        return self._like(self.words.unsqueeze(_shifted(dim)))

    def transpose(self, dim0: int, dim1: int) -> Self:
        """As torch.transpose."""
        return self._like(self.words.transpose(_shifted(dim0), _shifted(dim1)))

    def t(self) -> Self:
        """As torch.t: at most two dimensions."""
        return self if self.dim() < 2 else self._like(self.words.transpose(1, 2))

    def permute(self, *dims: Any) -> Self:  # noqa: ANN401 - as reshape
        """As torch.permute."""
        order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        return self._like(self.words.permute(0, *[_shifted(d) for d in order]))

    def expand(self, *sizes: Any) -> Self:  # noqa: ANN401 - as reshape
        """As torch.Tensor.expand."""
        shape = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        return self._like(self._padded(len(shape)).expand(-1, *shape))

    def squeeze(self, dim: int | None = None) -> Self:
        """As torch.squeeze."""
        if dim is None:
            return self.reshape([n for n in self.shape if n != 1])
        return self._like(self.words.squeeze(_shifted(dim)))

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """As torch.flatten."""
        return self._each(lambda w: w.flatten(start_dim, end_dim))

    def cumsum(self, dim: int) -> Self:
        """As torch.cumsum, in the ring."""
        return self._like(self.words.cumsum(_shifted(dim)))

    def index_select(self, dim: int, index: torch.Tensor) -> Self:
        """As torch.index_select."""
        return self._like(self.words.index_select(_shifted(dim), index))

    def sum(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Self:  # noqa: FBT001, FBT002 - torch's
        """As torch.sum, in the ring."""
        if dim is None:
            return self._like(self.words.reshape(self.words.shape[0], -1).sum(1))
        dims = (dim,) if isinstance(dim, int) else tuple(dim)
        return self._like(self.words.sum([_shifted(d) for d in dims], keepdim=keepdim))

    def clone(self) -> Self:
        """A copy that shares no memory."""
        return self._like(self.words.clone())

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """As torch.split."""
        sizes = split_size if isinstance(split_size, int) else list(split_size)
        return tuple(self._like(part) for part in torch.split(self.words, sizes, _shifted(dim)))

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """As torch.unbind."""
        return tuple(self._like(part) for part in self.words.unbind(_shifted(dim)))

    @classmethod
    def cat(cls, shares: Sequence[Self], dim: int = 0) -> Self:
        """As torch.cat, of shares of one scale."""
        return _joined(torch.cat, shares, dim)

    @classmethod
    def stack(cls, shares: Sequence[Self], dim: int = 0) -> Self:
        """As torch.stack, of shares of one scale."""
        return _joined(torch.stack, shares, dim)

    # In place, for CrypTen's scatter and index_add

    def __setitem__(self, index: Index, value: Self) -> None:
        for own, other in zip(self.words, _same_scale(self, value).words, strict=True):
            own[index] = other

    def index_add_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.index_add_."""
        for own, other in zip(self.words, _same_scale(self, source).words, strict=True):
            own.index_add_(dim, index, other)
        return self

    def scatter_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.scatter_."""
        for own, other in zip(self.words, _same_scale(self, source).words, strict=True):
            own.scatter_(dim, index, other)
        return self

    def scatter_add_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.scatter_add_."""
        for own, other in zip(self.words, _same_scale(self, source).words, strict=True):
            own.scatter_add_(dim, index, other)
        return self

    def pad(self, pad: Sequence[int], mode: str = "constant", value: float = 0) -> Self:
        """As torch.nn.functional.pad with zeros, which need no encoding."""
        if mode != "constant" or value != 0:
            raise NotImplementedError("shares are padded with zeros only")
        return self._each(lambda w: torch.nn.functional.pad(w, list(pad)))

    def _each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """Apply a rearrangement to each component."""
        return self._like(torch.stack([function(w) for w in self.words]))


def _shifted(dim: int) -> int:
    return dim + 1 if dim >= 0 else dim


_V = TypeVar("_V", bound="Views")


def _joined(function: Callable[..., torch.Tensor], shares: Sequence[_V], dim: int) -> _V:
    words = [_same_scale(shares[0], other).words for other in shares]
    return shares[0]._like(function(words, _shifted(dim)))  # noqa: SLF001 - the class of this module


def _same_scale(first: Any, other: Any) -> Any:  # noqa: ANN401 - Shares, which this module does not know
    if type(first) is not type(other) or first.fraction_bits != other.fraction_bits:
        raise ValueError("shares of different kinds or scales: bring them to one with at_scale or reduce")
    if first.session is not other.session:
        raise ValueError("shares of different sessions cannot meet")
    return other


def _rearrangement(name: str) -> Callable[..., Any]:
    def method(self: Views, *args: Any, **kwargs: Any) -> Views:  # noqa: ANN401 - passed on to torch
        return self._each(lambda w: getattr(w, name)(*args, **kwargs))

    method.__name__ = name
    method.__doc__ = f"As torch.Tensor.{name}, on every component."
    return method


for _name in (
    "flip", "gather", "narrow", "repeat", "roll", "take", "trace", "unfold",
):  # fmt: skip
    setattr(Views, _name, _rearrangement(_name))
