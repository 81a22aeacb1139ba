"""Gradients of pooling and of transposed convolution, registered with CrypTen's autograd: see `gradients`.

CrypTen ignores `ceil_mode` where it averages, refuses to pool with a padding that differs between height and width,
and forgets the graph at transposed convolutions.
"""

# ruff: noqa: ANN401, D102, FBT001, FBT002 - CrypTen's signatures; what `forward` and `backward` do is the class's text

from collections.abc import Callable
from typing import Any

from mpc_party.secure.tensors.crypten_compat import AutogradFunction, replace_gradient
from mpc_party.secure.tensors.pooling import Windows

Tensor = Any  # ReplicatedTensor, which this module must not import
Context = Any  # CrypTen's AutogradContext


@replace_gradient("avg_pool2d")
class AvgPool2d(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Each window's gradient is spread over it evenly."""

    @staticmethod
    def forward(
        ctx: Context,
        tensor: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
    ) -> Tensor:
        ctx.save_for_backward(Windows.of(tensor.size(), kernel_size, stride, padding, ceil_mode=ceil_mode))
        return tensor.avg_pool2d(kernel_size, stride, padding, ceil_mode)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        return gradient._avg_pool2d_backward(ctx.saved_tensors[0])  # noqa: SLF001 - the tensor's half of this


@replace_gradient("max_pool2d")
class MaxPool2d(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """Each window's gradient goes to its largest value; where several are, to the one that was chosen at random."""

    @staticmethod
    def forward(
        ctx: Context,
        tensor: Tensor,
        kernel_size: Any,
        padding: Any = 0,
        stride: Any = None,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        geometry = (kernel_size, padding, stride, dilation, ceil_mode)
        output, indices = tensor.max_pool2d(*geometry, return_indices=True)
        ctx.save_multiple_for_backward((tensor.size(), indices, geometry))
        if not return_indices:
            return output
        ctx.mark_non_differentiable(indices)
        return output, indices

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        size, indices, geometry = ctx.saved_tensors
        return gradient._max_pool2d_backward(indices, *geometry, output_size=size)  # noqa: SLF001 - the tensor's half


def _transposed(name: str, forwards: str, pair: Callable[[Any], tuple[int, ...]]) -> None:
    class Transposed(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
        @staticmethod
        def forward(
            ctx: Context,
            tensor: Tensor,
            kernel: Tensor,
            stride: Any = 1,
            padding: Any = 0,
            output_padding: Any = 0,
            groups: int = 1,
            dilation: Any = 1,
        ) -> Tensor:
            steps = {"stride": pair(stride), "padding": pair(padding), "dilation": pair(dilation)}
            ctx.save_multiple_for_backward((tensor, kernel, steps, groups))
            return getattr(tensor, name)(kernel, **steps, output_padding=pair(output_padding), groups=groups)

        @staticmethod
        def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, Tensor]:
            tensor, kernel, steps, groups = ctx.saved_tensors
            if groups != 1:
                raise NotImplementedError(f"the gradient of {name} is for one group")
            towards_input = getattr(gradient, forwards)(kernel, **steps)
            # As a convolution of the gradient with the input, batch and channels exchanged, stride and dilation too.
            swapped = {**steps, "stride": steps["dilation"], "dilation": steps["stride"]}
            slopes = getattr(gradient.transpose(0, 1), forwards)(tensor.transpose(0, 1), **swapped)
            slopes = slopes.transpose(0, 1)
            for dim in range(2, kernel.dim()):
                slopes = slopes.narrow(dim, 0, kernel.size(dim))
            return towards_input, slopes

    Transposed.__doc__ = f"The gradient of {name}."
    replace_gradient(name)(Transposed)


def _numbers(count: int) -> Callable[[Any], tuple[int, ...]]:
    return lambda value: (value,) * count if isinstance(value, int) else tuple(value)


_transposed("conv_transpose1d", "conv1d", _numbers(1))
_transposed("conv_transpose2d", "conv2d", _numbers(2))
