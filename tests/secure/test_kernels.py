"""Local products: all positions' together are the product, whichever kernel forms them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc_party.secure.kernels import local_bilinear, local_matmul, local_product, local_square
from mpc_party.secure.layout import layout_of
from tests.support.secure_parties import generator_of


def components(generator, layout, shape):
    """Uniform components, and each position's of them."""
    words = torch.from_numpy(generator.integers(-(2**63), 2**63, (len(layout.subsets), *shape)))
    return words.sum(0), [words[list(held)] for held in layout.held]


@given(
    st.integers(1, 3),
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_products_of_all_positions_add_up(threshold, shapes, seed):
    layout, generator = layout_of(threshold), generator_of(seed)
    dims = max(len(shape) for shape in shapes.input_shapes)
    first, second = ((1,) * (dims - len(shape)) + shape for shape in shapes.input_shapes)
    (x, of_x), (y, of_y) = components(generator, layout, first), components(generator, layout, second)
    parts = [local_product(t, a, b) for t, a, b in zip(layout.products, of_x, of_y, strict=True)]
    assert torch.equal(torch.stack(parts).sum(0), x * y)
    squares = [local_square(t, a) for t, a in zip(layout.products, of_x, strict=True)]
    assert torch.equal(torch.stack(squares).sum(0), x * x)


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_matrix_products_of_all_positions_add_up(threshold):
    layout, generator = layout_of(threshold), generator_of(threshold)
    (x, of_x), (y, of_y) = components(generator, layout, (3, 5)), components(generator, layout, (5, 2))
    parts = [local_matmul(t, a, b) for t, a, b in zip(layout.products, of_x, of_y, strict=True)]
    assert torch.equal(torch.stack(parts).sum(0), x @ y)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_fused_kernels_are_the_terms(position):
    terms, generator = layout_of(1).products[position], generator_of(position)
    x, y = (torch.from_numpy(generator.integers(-(2**63), 2**63, (2, 7, 9))) for _ in range(2))
    expected = local_bilinear(torch.mul, terms, x, y)
    assert torch.equal(local_product(terms, x, y), expected)
    view = x.transpose(1, 2).contiguous().transpose(1, 2)  # the same words, not contiguous
    assert not view.is_contiguous()
    assert torch.equal(local_product(terms, view, y), expected)
    before = x.clone()
    local_square(terms, x)
    assert torch.equal(x, before)
