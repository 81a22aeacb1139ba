"""Secret tensors of drawn shapes, scales, signs and magnitudes mean what torch's tensors mean."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure.tensors.crypten_compat import cat, stack, where
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.secure_parties import run_secure, same

LIMIT = 2**46 - 1  # half of what 16 fraction bits can hold, so that no difference leaves the ring
SIZES = st.integers(0, 3)


@st.composite
def values(draw, shape, limit=LIMIT):
    """Values on the grid of 8 fraction bits, of all magnitudes, and a scale that holds them exactly."""
    whole = draw(st.booleans())
    numbers = st.integers(-limit * 256, limit * 256) | st.integers(-600, 600)
    count = torch.Size(shape).numel()
    # float64 holds 53 bits of the 54 that the largest have.
    words = (
        torch.tensor(draw(st.lists(numbers, min_size=count, max_size=count)), dtype=torch.int64).double() / 2
    )
    drawn = (words.round() / 128 if not whole else (words / 128).round()).reshape(shape).clamp(-limit, limit)
    return drawn, draw(st.sampled_from((0, 8, 16) if whole else (8, 16)))


@st.composite
def broadcastable(draw, limit=LIMIT):
    """Two tensors whose shapes fit together, with their scales."""
    shape = draw(st.lists(SIZES, max_size=3))
    other = [n if draw(st.booleans()) else 1 for n in shape][draw(st.integers(0, len(shape))) :]
    first, second = (shape, other) if draw(st.booleans()) else (other, shape)
    return draw(values(first, limit)), draw(values(second, limit))


def compute(function, *inputs):
    """The function of secrets of positions 0, 1, ..., each a (value, fraction bits); what it returns, opened."""

    def program(session):
        held = [
            ReplicatedTensor(v if session.position == i else torch.zeros_like(v), src=i, fraction_bits=bits)
            for i, (v, bits) in enumerate(inputs)
        ]
        return [t.get_plain_text() for t in function(*held)]

    return [same(results) for results in zip(*run_secure(program).results, strict=True)]


@settings(max_examples=25, deadline=None)
@given(broadcastable())
def test_what_is_exact(drawn):
    def function(x, y):
        return [
            x + y,
            x - y,
            -x,
            1.5 - x,
            x < y,
            x > y,
            x <= y,
            x >= y,
            x == y,
            x != y,
            x.relu(),
            x.abs(),
            x.sign(),
            x.where(x > y, y),
            x.where(public > 0, y),
        ]

    (x, _), (y, _) = drawn
    public = torch.arange(x.numel()).reshape(x.shape) % 2
    relation = x - y
    expected = [
        x + y, relation, -x, 1.5 - x, relation < 0, relation > 0, relation <= 0, relation >= 0, relation == 0, relation != 0, x.relu(), x.abs(),
        torch.where(x < 0, -1.0, 1.0), torch.where(relation > 0, x, y), torch.where(public > 0, x, y),
    ]  # fmt: skip
    for got, true in zip(compute(function, *drawn), expected, strict=True):
        assert got.shape == true.shape
        assert torch.allclose(got, true.double(), rtol=2**-50, atol=0)


@settings(max_examples=25, deadline=None)
@given(broadcastable(limit=200))
def test_products(drawn):
    (x, _), (y, _) = drawn
    public = torch.linspace(-3, 3, y.numel()).double().reshape(y.shape)

    def function(x, y):
        return [
            x * y,
            y * x,
            x * public,
            public * y,
            x * 0.3,
            2 * x,
            x.square(),
            x / 7,
            x / 0.3,
            x.clone().mul_(0.5),
        ]

    # Public factors are rounded to 2^-17, and results to a unit in the last place.
    bound = 2**-17 * float(torch.cat([x.flatten(), y.flatten(), torch.ones(1).double()]).abs().max()) + 2**-15
    halves = x * 0.5
    expected = [x * y, x * y, x * public, public * y, x * 0.3, 2 * x, x.square(), x / 7, x / 0.3, halves]
    for got, true in zip(compute(function, *drawn), expected, strict=True):
        assert got.shape == true.shape
        assert bool(((got - true).abs() <= bound).all())


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(-3, 2))
def test_joins_and_choices_of_different_scales(data, dims, dim):
    shape = data.draw(st.lists(SIZES, min_size=dims, max_size=dims))
    dim = max(-dims, min(dim, dims - 1))
    x, y = data.draw(values(shape, 2**42)), data.draw(values(shape, 2**42))

    def function(x, y):
        written = x.clone()
        written[...] = y
        row = torch.zeros(1, dtype=torch.int64)
        rows = (
            [
                x.index_add(dim, row, y.narrow(dim, 0, 1)),
                x.scatter(dim, torch.zeros(shape, dtype=torch.int64).narrow(dim, 0, 1), y),
            ]
            if shape[dim]
            else []
        )
        return [
            cat([x, y], dim),
            stack([y, x], dim),
            torch.cat([x, y], dim=dim),
            where(x < y, x, y),
            x < y,
            written,
            x.cumsum(dim),
            *rows,
        ]

    results = compute(function, x, y)
    (x, _), (y, _) = x, y
    relation = x < y
    expected = [
        torch.cat([x, y], dim),
        torch.stack([y, x], dim),
        torch.cat([x, y], dim),
        torch.where(relation, x, y),
        relation,
        y,
        x.cumsum(dim),
    ]
    if shape[dim]:
        first = torch.zeros(1, dtype=torch.int64)
        expected += [
            x.index_add(dim, first, y.narrow(dim, 0, 1)),
            x.scatter(dim, torch.zeros(shape, dtype=torch.int64).narrow(dim, 0, 1), y),
        ]
    for got, true in zip(results, expected, strict=True):
        assert got.shape == true.shape
        assert torch.allclose(got, true.double(), rtol=2**-50, atol=0)


MATRICES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3, 4)),
    ((2, 1, 2, 3), (3, 3, 1)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
]


@pytest.mark.parametrize(("left", "right"), MATRICES)
def test_matrix_products(left, right):
    x, y = (torch.arange(torch.Size(s).numel()).double().reshape(s) / 4 - 1 for s in (left, right))
    public = y.clone()
    got = compute(lambda a, b: [a @ b, a.matmul(public), x @ b], (x, 16), (y, 8))
    for result in got:
        assert result.shape == (x @ y).shape
        assert torch.allclose(result, x @ y, rtol=0, atol=2**-15)


def test_public_tensors_stand_on_either_side():
    x, public = torch.tensor([[1.5, -2.0], [0.5, 4.0]]).double(), torch.tensor([2.0, 0.5]).double()

    def function(t):
        return [
            public + t,
            public - t,
            public * t,
            public @ t,
            public / t,
            public < t,
            public >= t,
            public == t,
            torch.where(public > 1, t, 0.0),
        ]

    expected = [
        public + x,
        public - x,
        public * x,
        public @ x,
        public / x,
        public < x,
        public >= x,
        public == x,
        torch.where(public > 1, x, 0.0),
    ]
    for got, true in zip(compute(function, (x, 16)), expected, strict=True):
        assert torch.allclose(got, true.double(), rtol=0, atol=1e-4)


def test_public_values_are_written_and_added():
    x, row = torch.arange(6.0).double().reshape(3, 2), torch.tensor([[0.5, -1.0]]).double()
    index = torch.tensor([1])

    def function(t):
        written = t.clone()
        written[0] = torch.tensor([7.0, 8.5])
        written[1, 1] = 3
        spread = t.scatter_add(0, index.reshape(1, 1), torch.tensor([[2.5]]))
        return [
            t.index_add(0, index, row),
            spread,
            written,
            t.scatter(1, index.reshape(1, 1), torch.tensor([[9]])),
        ]

    written = x.clone()
    written[0], written[1, 1] = torch.tensor([7.0, 8.5]), 3
    expected = [
        x.index_add(0, index, row),
        x.scatter_add(0, index.reshape(1, 1), torch.tensor([[2.5]]).double()),
        written,
        x.scatter(1, index.reshape(1, 1), 9.0),
    ]
    for got, true in zip(compute(function, (x, 0)), expected, strict=True):
        assert torch.equal(got, true)


def test_nothing_comes_of_nothing():
    def function(t):
        with pytest.raises(ValueError, match="no values"):
            t.mean()
        return [
            t.sum(),
            t.sum(0),
            t.prod(0),
            t.exp(),
            t.sigmoid(),
            t.reciprocal(),
            t.softmax(1),
            t / 3,
            t.log().flatten(),
        ]

    x = torch.zeros(0, 2)
    expected = [x.sum(), x.sum(0), x.prod(0), *[x] * 5, x.flatten()]
    for got, true in zip(compute(function, (x, 16)), expected, strict=True):
        assert torch.equal(got, true.double())
