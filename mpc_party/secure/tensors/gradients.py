"""Gradients that CrypTen lacks or has wrong, registered with its autograd. Imported by `tensor` for that effect.

CrypTen 0.4.1 forgets the graph at `where`, `expand`, `repeat`, `unfold`, `inv_sqrt`, `index_add`, `scatter_add` and
transposed convolutions (`pooling_gradients`); counts an element that is taken twice only once; fails for sums, means and variances over
several dimensions and for negative ones in `narrow`; ignores `ceil_mode`; drops a dimension in norms; has a wrong
derivative of non-integer powers; and changes the coefficients of a polynomial.
"""

# ruff: noqa: ANN401, D102, FBT001, FBT002 - CrypTen's signatures; what `forward` and `backward` do is the class's text

import math
from collections.abc import Sequence
from typing import Any

import torch

from mpc_party.secure.tensors.crypten_compat import AutogradFunction, forget_gradient, replace_gradient

Tensor = Any  # ReplicatedTensor, which this module must not import
Context = Any  # CrypTen's AutogradContext


def unbroadcast(gradient: Tensor, shape: Sequence[int]) -> Tensor:
    """Sum a gradient over what broadcasting repeated. Local."""
    while gradient.dim() > len(shape):
        gradient = gradient.sum(0)
    for dim, size in enumerate(shape):
        if size == 1 and gradient.size(dim) != 1:
            gradient = gradient.sum(dim, keepdim=True)
    return gradient


# Rearrangements: the gradient goes back to where each element came from


def _rearrangement(name: str) -> None:
    def rearranged(numbers: torch.Tensor, arguments: Any, options: Any) -> torch.Tensor:
        if (
            name == "take"
            and (dim := options.get("dimension", arguments[1] if len(arguments) > 1 else None)) is not None
        ):
            index: list[Any] = [slice(None)] * numbers.dim()
            index[dim] = arguments[0]
            return numbers[tuple(index)] if numbers.dim() else numbers.take(arguments[0])
        if name == "take":
            return numbers.take(arguments[0])
        result: torch.Tensor = getattr(numbers, name)(*arguments, **options)
        return result

    class Rearranged(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
        @staticmethod
        def forward(ctx: Context, tensor: Tensor, *arguments: Any, **options: Any) -> Tensor:
            ctx.save_multiple_for_backward((tensor.size(), arguments, options))
            return getattr(tensor, name)(*arguments, **options)

        @staticmethod
        def backward(ctx: Context, gradient: Tensor) -> Tensor:
            size, arguments, options = ctx.saved_tensors
            numbers = torch.arange(math.prod(size)).reshape(size)
            origin = rearranged(numbers, arguments, options)
            total = gradient.new(torch.zeros(numbers.numel()))
            return total.index_add(0, origin.flatten(), gradient.flatten()).reshape(size)

    Rearranged.__doc__ = f"The gradient of {name}: added up where the elements came from."
    replace_gradient(name)(Rearranged)


for _name in ("__getitem__", "take", "narrow", "expand", "repeat", "unfold"):
    _rearrangement(_name)


# Reductions over any dimensions


def _reduction(
    size: torch.Size, arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[list[int], bool]:
    """The dimensions, all where None are named, and whether they are kept."""
    named = [*arguments, *[None] * 2]
    dim = options.get("dim", named[0])
    keepdim = bool(options.get("keepdim", named[1]))
    dims = [dim] if isinstance(dim, int) else list(dim or range(len(size)))
    return [d % max(len(size), 1) for d in dims] if size else [], keepdim


def _restored(gradient: Tensor, dims: list[int], *, keepdim: bool) -> Tensor:
    """Put back the dimensions that a reduction dropped."""
    if not keepdim:
        for dim in sorted(dims):
            gradient = gradient.unsqueeze(dim)
    return gradient


@replace_gradient("sum")
class Sum(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Every summand gets the gradient of the sum."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        dims, keepdim = _reduction(tensor.size(), args, kwargs)
        ctx.save_multiple_for_backward((tensor.size(), dims, keepdim))
        return tensor.sum(dims, keepdim=keepdim)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        size, dims, keepdim = ctx.saved_tensors
        return _restored(gradient, dims, keepdim=keepdim).expand(size).clone()


@replace_gradient("mean")
class Mean(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Every element gets its part of the gradient."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        dims, keepdim = _reduction(tensor.size(), args, kwargs)
        ctx.save_multiple_for_backward((tensor.size(), dims, keepdim))
        return tensor.mean(dims, keepdim=keepdim)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        size, dims, keepdim = ctx.saved_tensors
        count = math.prod(size[d] for d in dims)
        return _restored(gradient.div(count), dims, keepdim=keepdim).expand(size).clone()


@replace_gradient("var")
class Variance(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """2 (x - mean) / divisor."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        named = dict(zip(("dim", "unbiased", "keepdim"), args, strict=False)) | kwargs
        unbiased = bool(named.pop("unbiased", False))
        dims, keepdim = _reduction(tensor.size(), (), named)
        centred = tensor.sub(tensor.mean(dims, keepdim=True))
        ctx.save_multiple_for_backward(
            (centred, dims, keepdim, variance_divisor(tensor, dims, unbiased=unbiased))
        )
        return tensor.var(dims, unbiased=unbiased, keepdim=keepdim)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        centred, dims, keepdim, divisor = ctx.saved_tensors
        return centred.mul(_restored(gradient.mul(2), dims, keepdim=keepdim)).div(divisor)


def variance_divisor(tensor: Tensor, dims: list[int], *, unbiased: bool) -> int:
    """What CrypTen divides squares by: all where `unbiased`, one less where not, the reverse of torch; at least 1."""
    count: int = math.prod(tensor.size(d) for d in dims)
    return max(count if unbiased else count - 1, 1)


@replace_gradient("norm")
class Norm(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """The p-norm: x / norm for p = 2, the sign of x for p = 1, that of the largest for p = inf."""

    @staticmethod
    def forward(
        ctx: Context, tensor: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False
    ) -> Tensor:
        dims, _ = _reduction(tensor.size(), (dim,), {})
        options = {} if dim is None else {"dim": dim, "keepdim": keepdim}
        if p in ("fro", 2):
            root, inverse = tensor.square().sum(dims, keepdim=True).roots()
            slope = tensor.mul(inverse)
            norm = root if keepdim and dim is not None else root.reshape(tensor.sum(dims).size())
        else:
            norm = tensor.norm(p=p, **options)
            sign = tensor.sign()
            if p == 1:
                slope = sign
            elif p == math.inf:
                size = tensor.mul(sign)
                slope = sign.mul(size.argmax() if dim is None else size.argmax(dim))
            else:
                whole = norm if keepdim and dim is not None else _restored(norm, dims, keepdim=False)
                slope = tensor.mul(sign).div(whole).pos_pow(p - 1).mul(sign)
        ctx.save_multiple_for_backward((slope, dims, keepdim and dim is not None))
        return norm

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        slope, dims, keepdim = ctx.saved_tensors
        return slope.mul(_restored(gradient, dims, keepdim=keepdim))


# Choices


@replace_gradient("where")
class Where(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """The gradient goes to the side that was chosen."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, condition: Tensor, other: Tensor) -> Tensor:
        ctx.mark_non_differentiable(condition)
        ctx.save_multiple_for_backward((tensor.size(), condition, getattr(other, "shape", torch.Size())))
        return tensor.where(condition, other)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor]:
        size, condition, other_size = ctx.saved_tensors
        mask = condition.to(torch.int64) if isinstance(condition, torch.Tensor) else condition
        chosen = gradient.mul(mask)
        return unbroadcast(chosen, size), unbroadcast(gradient.sub(chosen), other_size)


# Functions


def clip_interval(low: float, high: float, names: dict[str, float]) -> tuple[float, float]:
    """The interval of a hardtanh, also by the names that PyTorch has.

    Raises:
        TypeError: there are other names. ValueError: it is empty.
    """
    if unknown := set(names) - {"min_val", "max_val"}:
        raise TypeError(f"hardtanh takes no argument {min(unknown)!r}")
    low, high = names.get("min_val", low), names.get("max_val", high)
    if low > high:
        raise ValueError("hardtanh: min_value is above max_value")
    return low, high


@replace_gradient("sqrt")
class SquareRoot(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """1 / (2 sqrt(x))."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor) -> Tensor:
        root, inverse = tensor.roots()
        ctx.save_for_backward(inverse)
        return root

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        return ctx.saved_tensors[0].mul(gradient).div(2)


@replace_gradient("inv_sqrt")
class InverseSquareRoot(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """-1 / (2 x sqrt(x))."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor) -> Tensor:
        inverse = tensor.inv_sqrt()
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        return inverse.square().mul(inverse).mul(gradient).div(-2)


@replace_gradient("log")
class Logarithm(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """1 / x. With `input_in_01`, which CrypTen's autograd does not take."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, input_in_01: bool = False) -> Tensor:
        ctx.save_multiple_for_backward((tensor, input_in_01))
        return tensor.log(input_in_01)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        tensor, input_in_01 = ctx.saved_tensors
        return gradient.mul(tensor.reciprocal(input_in_01))


@replace_gradient("reciprocal")
class Reciprocal(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """-1 / x^2. With `input_in_01`, which CrypTen's autograd does not take."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, input_in_01: bool = False) -> Tensor:
        inverse = tensor.reciprocal(input_in_01)
        ctx.save_for_backward(inverse)
        return inverse

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        return gradient.mul(ctx.saved_tensors[0].square()).neg()


@replace_gradient("hardtanh")
class Hardtanh(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """1 inside of the interval. Takes the names of CrypTen's function, and those of its autograd, which differ."""

    @staticmethod
    def forward(
        ctx: Context, tensor: Tensor, min_value: float = -1, max_value: float = 1, **names: float
    ) -> Tensor:
        low, high = clip_interval(min_value, max_value, names)
        above, below = tensor.gt(low), tensor.lt(high)
        inside = above.add(below).sub(1)  # -1 at the edges of an interval of one point, which has no inside
        ctx.save_for_backward(inside if low < high else inside.mul(0))
        return tensor.mul(inside).add(above.neg().add(1).mul(low)).add(below.neg().add(1).mul(high))

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        return gradient.mul(ctx.saved_tensors[0])


@replace_gradient("pow")
class Power(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """p x^(p - 1), for integers p."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, power: float) -> Tensor:
        ctx.save_multiple_for_backward((tensor, power))
        return tensor.pow(power)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        tensor, power = ctx.saved_tensors
        return gradient.mul(tensor.pow(power - 1)).mul(power) if power else gradient.mul(0)


@replace_gradient("pos_pow")
class PositivePower(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """p x^(p - 1), for positive x and public p."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, power: float) -> Tensor:
        ctx.save_multiple_for_backward((tensor, power))
        return tensor.pos_pow(power)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        tensor, power = ctx.saved_tensors
        return gradient.mul(tensor.pos_pow(power - 1)).mul(power)


forget_gradient("polynomial")  # it is made of functions that have one: see `Functions.polynomial`


@replace_gradient("index_add")
class IndexAdd(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """The gradient, and the rows of it that were added to."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, dim: int, index: torch.Tensor, source: Tensor) -> Tensor:
        ctx.save_multiple_for_backward((dim, index))
        return tensor.index_add(dim, index, source)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor]:
        dim, index = ctx.saved_tensors
        return gradient.clone(), gradient.index_select(dim, index)


@replace_gradient("scatter_add")
class ScatterAdd(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """The gradient, and the elements of it that were added to."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, dim: int, index: torch.Tensor, source: Tensor) -> Tensor:
        ctx.save_multiple_for_backward((dim, index, source.size()))
        return tensor.scatter_add(dim, index, source)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor]:
        dim, index, size = ctx.saved_tensors
        if size != index.shape:
            raise NotImplementedError("the gradient of scatter_add is for a source of the index's shape")
        return gradient.clone(), gradient.gather(dim, index)


@replace_gradient("scatter")
class Scatter(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Nothing for what was overwritten; what was written gets its own. Each place is written once, as in torch."""

    @staticmethod
    def forward(ctx: Context, tensor: Tensor, dim: int, index: torch.Tensor, src: Tensor) -> Tensor:
        ctx.save_multiple_for_backward((dim, index))
        return tensor.scatter(dim, index, src)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor]:
        dim, index = ctx.saved_tensors
        kept = torch.ones(gradient.size(), dtype=torch.int64).scatter(dim, index, 0)
        return gradient.mul(kept), gradient.gather(dim, index)
