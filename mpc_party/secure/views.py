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
    fraction_bits: int

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
        if all(
            part is None or part is Ellipsis or (isinstance(part, int | slice) and not isinstance(part, bool))
            for part in parts
        ):
            return self._like(self.words[(slice(None), *parts)])
        if isinstance(index, list):
            index = tuple(index) if any(isinstance(part, slice) for part in index) else index
        return self._each(lambda w: w[index])

    def reshape(self, *shape: Any) -> Self:  # noqa: ANN401 - sizes, or one sequence of them
        """As torch.reshape."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._like(self.words.reshape(self.words.shape[0], *sizes))

    view = reshape

    def _axis(self, dim: int, extra: int = 0) -> int:
        """A dimension of the secret tensor as one of the words: a negative one must not reach that of components.

        Raises:
            IndexError: as torch has it, also where the number would name the components.
        """
        dims = max(self.dim() + extra, 1)  # a 0-dimensional tensor has a dimension 0, and -1, for torch
        if not -dims <= dim < dims:
            raise IndexError(f"dimension {dim} is not within [{-dims}, {dims - 1}]")
        return dim % dims + 1

    def _axes(self, dims: Sequence[int]) -> list[int]:
        """Several different dimensions; none of a tensor that has none.

        Raises:
            RuntimeError: as torch has it, where one is named twice.
        """
        axes = [self._axis(d) for d in dims]
        if len(set(axes)) < len(axes):
            raise RuntimeError("a dimension is named twice")
        return axes if self.dim() else []

    def unsqueeze(self, dim: int) -> Self:
        """As torch.unsqueeze."""
        return self._like(self.words.unsqueeze(self._axis(dim, extra=1)))

    def transpose(self, dim0: int, dim1: int) -> Self:
        """As torch.transpose."""
        first, second = self._axis(dim0), self._axis(dim1)
        return self if self.dim() == 0 else self._like(self.words.transpose(first, second))

    def t(self) -> Self:
        """As torch.t: at most two dimensions."""
        if self.dim() > 2:
            raise ValueError(f"t() is for at most two dimensions, not {self.dim()}: use transpose")
        return self if self.dim() < 2 else self._like(self.words.transpose(1, 2))

    def permute(self, *dims: Any) -> Self:  # noqa: ANN401 - as reshape
        """As torch.permute."""
        order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        return self._like(self.words.permute(0, *[self._axis(d) for d in order]))

    def expand(self, *sizes: Any) -> Self:  # noqa: ANN401 - as reshape
        """As torch.Tensor.expand."""
        shape = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        return self._like(self._padded(len(shape)).expand(-1, *shape))

    def contiguous(self) -> Self:
        """As torch.Tensor.contiguous: the words of each component in one piece, as they go to the wire."""
        return self._like(self.words.contiguous())

    def squeeze(self, dim: int | Sequence[int] | None = None) -> Self:
        """As torch.squeeze."""
        if dim is None:
            return self.reshape([n for n in self.shape if n != 1])
        named = [dim] if isinstance(dim, int) else list(dim)
        axes = self._axes(named)
        return self._like(self.words.squeeze(tuple(axes))) if axes else self

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self:
        """As torch.flatten."""
        return self._each(lambda w: w.flatten(start_dim, end_dim))

    def cumsum(self, dim: int) -> Self:
        """As torch.cumsum, in the ring."""
        axis = self._axis(dim)
        return self.clone() if self.dim() == 0 else self._like(self.words.cumsum(axis))

    def index_select(self, dim: int, index: torch.Tensor) -> Self:
        """As torch.index_select."""
        return self._like(self.words.index_select(self._axis(dim), index))

    def sum(self, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Self:  # noqa: FBT001, FBT002 - torch's
        """As torch.sum, in the ring."""
        named = [dim] if isinstance(dim, int) else list(dim or range(self.dim()))
        axes = self._axes(named)
        return self._like(self.words.sum(axes, keepdim=keepdim)) if axes else self.clone()

    def clone(self) -> Self:
        """A copy that shares no memory, and repeats none: what `expand` repeated are words of their own."""
        return self._like(self.words.clone(memory_format=torch.contiguous_format))

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]:
        """As torch.split."""
        sizes = split_size if isinstance(split_size, int) else list(split_size)
        return tuple(self._like(part) for part in torch.split(self.words, sizes, self._axis(dim)))

    def unbind(self, dim: int = 0) -> tuple[Self, ...]:
        """As torch.unbind."""
        return tuple(self._like(part) for part in self.words.unbind(self._axis(dim)))

    def narrow(self, dim: int, start: int, length: int) -> Self:
        """As torch.narrow."""
        return self._like(self.words.narrow(self._axis(dim), start, length))

    def flip(self, *dims: Any) -> Self:  # noqa: ANN401 - as reshape
        """As torch.flip."""
        named = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
        axes = self._axes(named)
        return self._like(self.words.flip(axes)) if axes else self.clone()

    @classmethod
    def cat(cls, shares: Sequence[Self], dim: int = 0) -> Self:
        """As torch.cat. Shares of different scales are brought to the finest one, exactly."""
        aligned = _aligned(shares)
        words = [s.words for s in aligned if s.dim() != 1 or s.numel()]  # torch ignores empty vectors
        return aligned[0]._like(torch.cat(words, aligned[-1]._axis(dim))) if words else aligned[0]  # noqa: SLF001 - this class

    @classmethod
    def stack(cls, shares: Sequence[Self], dim: int = 0) -> Self:
        """As torch.stack. Shares of different scales are brought to the finest one, exactly."""
        aligned = _aligned(shares)
        axis = aligned[0]._axis(dim, extra=1)  # noqa: SLF001 - this class
        return aligned[0]._like(torch.stack([s.words for s in aligned], axis))  # noqa: SLF001 - this class

    # In place, for CrypTen's scatter and index_add

    def _pair(self, value: Self) -> tuple[torch.Tensor, torch.Tensor]:
        """The words written to and those written into them, at the finer scale of the two, which this takes on."""
        own, other = _aligned([self, value])
        target: Any = self  # its attributes belong to Shares
        repeated = any(
            step == 0 and size > 1 for step, size in zip(own.words.stride(), own.words.shape, strict=True)
        )
        # What `expand` repeats is one word in memory: writing to one element would change the others.
        target.words = own.words.clone(memory_format=torch.contiguous_format) if repeated else own.words
        target.fraction_bits = own.fraction_bits
        return self.words, other.words

    def __setitem__(self, index: Index, value: Self) -> None:
        for own, other in zip(*self._pair(value), strict=True):
            own[index] = other

    def index_add_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.index_add_."""
        for own, other in zip(*self._pair(source), strict=True):
            own.index_add_(dim, index, other)
        return self

    def scatter_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.scatter_."""
        for own, other in zip(*self._pair(source), strict=True):
            own.scatter_(dim, index, other)
        return self

    def scatter_add_(self, dim: int, index: torch.Tensor, source: Self) -> Self:
        """As torch.Tensor.scatter_add_."""
        for own, other in zip(*self._pair(source), strict=True):
            own.scatter_add_(dim, index, other)
        return self

    def pad(self, pad: Sequence[int], mode: str = "constant", value: Any = 0) -> Self:  # noqa: ANN401 - public, or shares
        """As torch.nn.functional.pad: a border of a public value, or of a secret one of no dimensions. Local.

        Raises:
            NotImplementedError: for other modes than "constant", as CrypTen has it.
        """
        if mode != "constant":
            raise NotImplementedError(f"shares are padded with a constant, not in mode {mode!r}")
        border = list(pad)
        inner: Any = self._each(lambda w: torch.nn.functional.pad(w, border))
        if isinstance(value, int | float) and value == 0:
            return inner  # type: ignore[no-any-return] # as `self`
        if getattr(value, "shape", torch.Size()) != torch.Size():
            raise ValueError("the value of a padding has no dimensions")
        # 1 on the border and 0 inside; a public mask of integers keeps the scale.
        mask = 1 - torch.nn.functional.pad(torch.ones(self.shape, dtype=torch.int64), border)
        filled: Any = inner * 0 + value if isinstance(value, int | float) else value
        return inner + filled * mask  # type: ignore[no-any-return] # by the operators of Shares

    def _each(self, function: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        """Apply a rearrangement to each component."""
        return self._like(torch.stack([function(w) for w in self.words]))


_V = TypeVar("_V", bound="Views")


def _aligned(shares: Sequence[_V]) -> list[_V]:
    """All at the finest scale among them, which is exact.

    Raises:
        TypeError: for shares of different kinds. ValueError: for shares of different sessions, or none at all.
    """
    if not shares:
        raise ValueError("expected at least one secret tensor to join")
    views: Any = shares  # with the attributes of Shares, which this module does not know
    if any(type(other) is not type(views[0]) for other in views):
        raise TypeError("shares of different kinds cannot meet: close products with reduce first")
    if any(other.session is not views[0].session for other in views):
        raise ValueError("shares of different sessions cannot meet")
    scale = max(other.fraction_bits for other in views)
    return [other.at_scale(scale) for other in views]


def _rearrangement(name: str) -> Callable[..., Any]:
    def method(self: Views, *args: Any, **kwargs: Any) -> Views:  # noqa: ANN401 - passed on to torch
        return self._each(lambda w: getattr(w, name)(*args, **kwargs))

    method.__name__ = name
    method.__doc__ = f"As torch.Tensor.{name}, on every component."
    return method


for _name in (
    "gather", "repeat", "roll", "take", "trace", "unfold",
):  # fmt: skip
    setattr(Views, _name, _rearrangement(_name))
