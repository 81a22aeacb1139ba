"""Views of shares do to every component what torch does to a tensor of the same shape; and refuse what torch refuses."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.secure import AdditiveShares, ReplicatedShares, constant
from tests.support.secure_parties import run_secure

REFUSALS = (IndexError, RuntimeError, ValueError, TypeError)


@functools.cache
def example(kind, number=0):
    """Shares as position 0 of a session of its own holds them."""
    return run_secure(
        lambda _: (
            constant(torch.ones(()), 16)
            if kind is ReplicatedShares
            else constant(torch.ones(())) * constant(torch.ones(()))
        ),
        seed=number,
    ).results[0]


def shares_of(shape, bits=16, seed=1, kind=ReplicatedShares):
    held = example(kind)
    count = held.words.shape[0] * torch.Size(shape).numel()
    words = (torch.arange(count) * 6364136223846793005 + seed * 1442695040888963407) ^ 0x5DEECE66D
    return kind(held.session, words.reshape(held.words.shape[0], *shape), bits)


def agree(function, x, *others):
    """The function of the shares is the function of each component, or both refuse."""
    outcomes = []
    for slot in range(x.words.shape[0]):
        try:
            outcomes.append(function(*[o.words[slot].clone() for o in (x, *others)]))
        except REFUSALS:
            with pytest.raises(REFUSALS):
                function(x, *others)
            return
    result = function(x, *others)
    for slot, expected in enumerate(outcomes):
        pieces = (result,), (expected,)
        if isinstance(expected, tuple):
            assert len(result) == len(expected)
            pieces = result, expected
        for piece, true in zip(*pieces, strict=True):
            assert piece.shape == true.shape
            assert torch.equal(piece.words[slot], true)


SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
DIMS = st.integers(-5, 4)  # often out of range, where the dimension of components lies in wait
ANYWHERE = st.lists(DIMS, max_size=3)


@settings(max_examples=60, deadline=None)
@given(SHAPES, DIMS, DIMS, ANYWHERE, st.booleans())
def test_dimensions(shape, dim, other, several, keepdim):
    x = shares_of(shape)
    for function in (
        lambda t: t.unsqueeze(dim), lambda t: t.squeeze(), lambda t: t.squeeze(dim), lambda t: t.squeeze(tuple(several)),
        lambda t: t.transpose(dim, other), lambda t: t.permute(several), lambda t: t.permute(*(several or [0])), lambda t: t.t(),
        lambda t: t.flatten(dim, other), lambda t: t.cumsum(dim), lambda t: t.flip(several), lambda t: t.roll(2, dim), lambda t: t.roll(-1),
        lambda t: t.sum(), lambda t: t.sum(dim, keepdim=keepdim), lambda t: t.sum(several, keepdim=keepdim), lambda t: t.unbind(dim),
        lambda t: t.split(2, dim), lambda t: t.split([1, 2], dim), lambda t: t.narrow(dim, other, 2), lambda t: t.unfold(dim, 2, 1),
        lambda t: t.repeat(*[2] * max(len(shape), 1)), lambda t: t.expand(3, *shape), lambda t: t.expand(2, *[-1] * len(shape)),
        lambda t: t.reshape(-1), lambda t: t.reshape(tuple(reversed(shape))), lambda t: t.reshape(2, -1), lambda t: t.clone(),
    ):  # fmt: skip
        agree(function, x)


def parts(size):
    """What may stand in one place between brackets, for a dimension of that size."""
    bound = st.none() | st.integers(-5, 5)
    numbers = st.integers(-size, max(size - 1, 0)) if size else st.just(0)
    return st.one_of(
        numbers,
        st.builds(slice, bound, bound, st.none() | st.integers(1, 3)),
        st.none(),
        st.lists(numbers, min_size=1, max_size=3),
        st.lists(numbers, min_size=1, max_size=3).map(torch.tensor),
        numbers.map(torch.tensor),
        st.lists(st.booleans(), min_size=size, max_size=size).map(
            lambda b: torch.tensor(b, dtype=torch.bool)
        ),
        st.booleans(),
    )


@st.composite
def indexed(draw):
    shape = draw(SHAPES)
    index = [draw(parts(size)) for size in shape[: draw(st.integers(0, len(shape)))]]
    if draw(st.booleans()):
        index.insert(draw(st.integers(0, len(index))), Ellipsis)
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else tuple(index)


@given(indexed())
def test_brackets(drawn):
    shape, index = drawn
    agree(lambda t: t[index], shares_of(shape))


@given(indexed())
def test_writing_between_brackets(drawn):
    shape, index = drawn
    x = shares_of(shape)
    try:
        value = shares_of(x.words[0][index].shape, seed=5)
    except REFUSALS:
        return

    def written(t, v):
        t = t.clone()
        t[index] = v
        return t

    agree(written, x, value)


@given(SHAPES, DIMS, st.integers(0, 3), st.sampled_from(["cat", "stack"]), st.booleans())
def test_joins(shape, dim, size, join, empty):
    x = shares_of(shape)
    y = shares_of(
        (0,)
        if empty
        else [size if d == dim % max(len(shape), 1) and join == "cat" else n for d, n in enumerate(shape)],
        seed=2,
    )

    def function(*tensors):
        return getattr(torch if isinstance(tensors[0], torch.Tensor) else ReplicatedShares, join)(
            [*tensors, tensors[0]], dim=dim
        )

    agree(function, x, y)


@given(SHAPES.filter(len), st.data())
def test_numbered_elements(shape, data):
    x = shares_of(shape)
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    numbers = st.integers(0, max(shape[dim] - 1, 0))
    index = torch.tensor(data.draw(st.lists(numbers, max_size=3)), dtype=torch.int64)
    agree(lambda t: t.index_select(dim, index), x)
    whole = torch.tensor(
        data.draw(st.lists(st.integers(0, max(x.numel() - 1, 0)), max_size=4)), dtype=torch.int64
    )
    agree(lambda t: t.take(whole), x)
    agree(lambda t: t.gather(dim, torch.zeros(shape, dtype=torch.int64)), x)
    source = shares_of([len(index) if d == dim % len(shape) else n for d, n in enumerate(shape)], seed=3)
    agree(lambda t, s: t.clone().index_add_(dim, index, s), x, source)
    agree(
        lambda t, s: t.clone().scatter_add_(dim, torch.zeros(shape, dtype=torch.int64), s),
        x,
        shares_of(shape, seed=4),
    )
    agree(
        lambda t, s: t.clone().scatter_(dim, torch.zeros(shape, dtype=torch.int64), s),
        x.narrow(dim, 0, min(1, shape[dim])),
        shares_of(shape, seed=4).narrow(dim, 0, min(1, shape[dim])),
    )


def test_scales_meet_at_the_finer_one():
    coarse, fine = shares_of((2, 3), bits=0), shares_of((2, 3), bits=16, seed=2)
    for join in (ReplicatedShares.cat, ReplicatedShares.stack):
        joined = join([coarse, fine])
        assert joined.fraction_bits == 16
        assert torch.equal(
            joined[0].words if join == ReplicatedShares.stack else joined[:2].words, coarse.words << 16
        )
    target = coarse.clone()
    target[0] = fine[0]
    assert target.fraction_bits == 16
    assert torch.equal(target.words[:, 0], fine.words[:, 0])
    assert torch.equal(target.words[:, 1], coarse.words[:, 1] << 16)
    finer = fine.clone()
    finer.index_add_(0, torch.tensor([1]), coarse[:1])
    assert torch.equal(finer.words[:, 1], fine.words[:, 1] + (coarse.words[:, 0] << 16))


def test_borders_are_public_or_secret_numbers():
    x = shares_of((2, 2))
    padded = x.pad((1, 0, 0, 1), value=1.5)
    assert torch.equal(
        padded.words.sum(0)[2], torch.full((3,), 3 << 15)
    )  # at position 0, component 0 carries it
    assert torch.equal(padded.words[:, :2, 1:], x.words)
    secret = shares_of((), seed=7)
    assert torch.equal(x.pad((1, 1), value=secret).words[:, :, 0], secret.words[:, None].expand(2, 2))
    with pytest.raises(ValueError, match="no dimensions"):
        x.pad((1, 1), value=x)
    with pytest.raises(NotImplementedError, match="'circular'"):
        x.pad((1, 1), mode="circular")


def test_what_cannot_meet():
    x = shares_of((2,))
    elsewhere = ReplicatedShares(example(ReplicatedShares, 1).session, x.words, 16)
    with pytest.raises(ValueError, match="different sessions"):
        ReplicatedShares.cat([x, elsewhere])
    with pytest.raises(TypeError, match="different kinds"):
        ReplicatedShares.stack([x, shares_of((2,), kind=AdditiveShares)])
    with pytest.raises(ValueError, match="at least one"):
        ReplicatedShares.cat([])
    with pytest.raises(TypeError, match="0-dimensional"):
        len(shares_of(()))
