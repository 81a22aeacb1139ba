"""Local arithmetic on ring words, mod 2^64: the products that a party can form from the components that it holds.

All tensors are int64, where overflow wraps as the ring wants it. A party's product is a sum of terms, each the product
of a sum of x's components and a sum of y's (`Layout.products`): one multiplication for position 0 of three, two for
the others, at most 6 and 20 in committees of five and seven.

Matrix products are torch's: on this project's benchmark machine (AVX-512) PyTorch 2.13 multiplies int64 matrices at
17 billion multiply-adds a second and core, for (1024, 64) by (64, 64); loops compiled by Numba reached 14, and a split
into float64 limbs, of which ten products would be needed, cannot pay at that ratio.
"""

from collections.abc import Callable

import numpy as np
import torch

from mpc_party.secure.jit import kernel
from mpc_party.secure.layout import Slots, layout_of
from mpc_party.secure.randomness import Words

Bilinear = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Terms = tuple[tuple[Slots, Slots], ...]


def _sum(words: torch.Tensor, slots: Slots) -> torch.Tensor:
    first, *others = slots
    total = words[first]
    for index, slot in enumerate(others):
        total = total.add_(words[slot]) if index else total + words[slot]
    return total


def local_bilinear(function: Bilinear, terms: Terms, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """This party's additive share of function(x, y), not masked yet.

    Args:
        function: bilinear, and returns a tensor of its own: a product, torch.matmul, a convolution.
        terms: of this party's position, `Layout.products`.
        x, y: its components, (components, *x_shape) and (components, *y_shape).
    """
    first, *others = terms
    total = function(_sum(x, first[0]), _sum(y, first[1]))
    for slots_x, slots_y in others:
        total.add_(function(_sum(x, slots_x), _sum(y, slots_y)))
    return total


def local_product(terms: Terms, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The local product elementwise, with broadcasting: see `local_bilinear`."""
    fused = _FUSED.get(terms)
    if fused is None or x.shape != y.shape or not (x.is_contiguous() and y.is_contiguous()):
        return local_bilinear(torch.mul, terms, x, y)
    out = np.empty(x.shape[1:], dtype=np.int64)
    fused(x.reshape(2, -1).numpy(), y.reshape(2, -1).numpy(), out.reshape(-1))
    return torch.from_numpy(out)


def local_square(terms: Terms, x: torch.Tensor) -> torch.Tensor:
    """The local product of x with itself: see `local_bilinear`."""
    return local_product(terms, x, x)


def local_matmul(terms: Terms, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The local product with matrix multiplication, with the shapes of torch.matmul: see `local_bilinear`."""
    return local_bilinear(ring_matmul, terms, x, y)


def ring_matmul(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Matrix multiplication in Z_2^64, with the shapes of torch.matmul."""
    return torch.matmul(x, y)


@kernel("void(i8[:, ::1], i8[:, ::1], i8[::1])")
def _product_at_0(x: Words, y: Words, out: Words) -> None:
    for index in range(out.size):
        out[index] = (x[0, index] + x[1, index]) * (y[0, index] + y[1, index])


@kernel("void(i8[:, ::1], i8[:, ::1], i8[::1])")
def _product_at_1(x: Words, y: Words, out: Words) -> None:
    for index in range(out.size):
        out[index] = x[1, index] * (y[0, index] + y[1, index]) + x[0, index] * y[1, index]


@kernel("void(i8[:, ::1], i8[:, ::1], i8[::1])")
def _product_at_2(x: Words, y: Words, out: Words) -> None:
    for index in range(out.size):
        out[index] = x[0, index] * y[1, index] + x[1, index] * y[0, index]


# One pass over memory for what committees of three do most: the terms of `Layout.products`, elementwise.
_FUSED = dict(zip(layout_of(1).products, (_product_at_0, _product_at_1, _product_at_2), strict=True))
