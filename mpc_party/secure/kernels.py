"""Local arithmetic on ring words, mod 2^64: the products that a party can form from its two components.

One place for what is worth a faster kernel. All tensors are int64, where overflow wraps as the ring wants it.
"""

from collections.abc import Callable

import torch

Bilinear = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def local_product(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x_i y_i + x_i y_{i+1} + x_{i+1} y_i, elementwise with broadcasting.

    Args:
        x, y: two components each, shapes (2, *x_shape) and (2, *y_shape).

    Returns:
        this party's additive share of the product, not masked yet, of the broadcast shape.
    """
    return (x[0] * (y[0] + y[1])).add_(x[1] * y[0])


def local_square(x: torch.Tensor) -> torch.Tensor:
    """x_i (x_i + 2 x_{i+1}), which is the local product of x with itself in one multiplication."""
    return (x[1] * 2).add_(x[0]).mul_(x[0])


def local_bilinear(function: Bilinear, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The local product with a bilinear function in place of the elementwise product: see `local_product`."""
    return function(x[0], y[0] + y[1]).add_(function(x[1], y[0]))


def local_matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The local product with matrix multiplication, with the shapes of torch.matmul: see `local_product`."""
    return local_bilinear(ring_matmul, x, y)


def ring_matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Matrix multiplication in Z_2^64, with the shapes of torch.matmul."""
    return torch.matmul(x, y)
