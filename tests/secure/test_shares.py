"""Local operators and views: the same on shares as on the values, exactly, at no communication."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc_party.secure import AdditiveShares, ReplicatedShares, SecureError, constant, open_shares, reduce
from mpc_party.secure.sharing import open_words_many
from tests.support.secure_parties import generator_of, give, run_secure, same

UNIT = 2.0**-16


def on_shares(function, *values, fraction_bits=16):
    """Share values (each from another owner), apply a local function, open; and check that it was local."""

    def program(session):
        shares = [give(session, i % 3, v, fraction_bits) for i, v in enumerate(values)]
        rounds = session.traffic.rounds
        result = function(*shares)
        assert session.traffic.rounds == rounds
        opened = reduce(result, result.fraction_bits)
        return open_shares(opened)

    return same(run_secure(program).results)


shapes = hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4, min_side=1)


@given(shapes, st.integers(0, 2**32))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_sums_and_products_broadcast_as_in_torch(broadcastable, seed):
    generator = generator_of(seed)
    x, y = (
        torch.from_numpy(np.asarray(generator.integers(-(2**22), 2**22, shape) * UNIT))
        for shape in broadcastable.input_shapes
    )
    assert torch.equal(on_shares(lambda a, b: a + b, x, y), x + y)
    assert torch.equal(on_shares(lambda a, b: a - b, x, y), x - y)
    assert torch.equal(on_shares(lambda a, b: a * b, x, y), x * y)  # not truncated, hence exact
    assert torch.equal(on_shares(lambda a: a + y, x), x + y)
    assert torch.equal(on_shares(lambda a: a - y, x), x - y)
    assert torch.equal(on_shares(lambda a: a * y, x), x * y)
    assert torch.equal(on_shares(lambda a: y - a, x), y - x)
    assert torch.equal(on_shares(lambda a: y * a, x), x * y)
    assert torch.equal(on_shares(lambda a: y.numpy() * a, x), x * y)


matmul_shapes = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), matmul_shapes)
def test_matrix_products_have_the_shapes_of_torch(left, right):
    generator = generator_of(7)
    x, y = (torch.from_numpy(generator.integers(-(2**20), 2**20, s) * UNIT) for s in (left, right))
    assert torch.equal(on_shares(lambda a, b: a @ b, x, y), x @ y)
    assert torch.equal(on_shares(lambda a: a @ y, x), x @ y)
    assert torch.equal(on_shares(lambda b: x @ b, y), x @ y)
    assert torch.equal(on_shares(lambda b: x.numpy() @ b, y), x @ y)


def test_an_expression_is_exact_until_it_is_reduced():
    x, y = torch.tensor([1.5, -3.25]), torch.tensor([0.5, 2.0])
    result = on_shares(lambda a, b: 3 * (a * b) - a.square() + 0.375 * b - a + 1, x, y)
    assert torch.equal(result, (3 * x * y - x * x + 0.375 * y - x + 1).double())


def test_scales_add_up_and_align():
    def program(session):
        x = give(session, 0, torch.ones(2))
        bit = constant(torch.tensor([1, 0]))
        assert bit.fraction_bits == 0
        assert (x * x).fraction_bits == 32
        assert (x * bit).fraction_bits == 16
        assert (x * 0.1).fraction_bits == 32
        assert (x * 0.25).fraction_bits == 18
        assert (x * 4).fraction_bits == 16
        assert (x * torch.tensor([2.0, 3.0])).fraction_bits == 16
        assert x.times(0.1, 20).fraction_bits == 36
        assert (bit + x).fraction_bits == 16
        assert (bit + 0.5).fraction_bits == 1
        assert (1 - bit).fraction_bits == 0
        assert (x * x + x).fraction_bits == 32
        assert isinstance(x + x * x, AdditiveShares)
        assert isinstance(x * 2.5 - x, ReplicatedShares)
        with pytest.raises(ValueError, match="truncation"):
            x.at_scale(15)
        with pytest.raises(SecureError, match="no room"):
            x.times(0.1, 30).times(0.1, 30)

    run_secure(program)


VIEWS = {
    "index": lambda x: x[1],
    "slice": lambda x: x[:, 1:, None, ..., ::2],
    "list": lambda x: x[[0, 1, 0]],
    "tensor": lambda x: x[:, torch.tensor([0, 2])],
    "two tensors": lambda x: x[torch.tensor([0, 1]), :, torch.tensor([3, 1])],
    "mask": lambda x: x[:, torch.tensor([True, False, True])],
    "reshape": lambda x: x.reshape(4, 6),
    "reshape to list": lambda x: x.reshape([-1, 2]),
    "view": lambda x: x.view(24),
    "flatten": lambda x: x.flatten(1),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "squeeze": lambda x: x[:1].squeeze(),
    "squeeze dim": lambda x: x[:, :1].squeeze(1),
    "transpose": lambda x: x.transpose(0, -1),
    "t": lambda x: x[0].t(),
    "permute": lambda x: x.permute(2, 0, 1),
    "expand": lambda x: x[:, :1].expand(2, 5, 4),
    "sum": lambda x: x.sum(),
    "sum dim": lambda x: x.sum(-1),
    "sum dims": lambda x: x.sum((0, 2), keepdim=True),
    "cumsum": lambda x: x.cumsum(1),
    "index_select": lambda x: x.index_select(2, torch.tensor([3, 0])),
    "split": lambda x: x.split([1, 2], dim=1)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "flip": lambda x: x.flip(1),
    "roll": lambda x: x.roll(1, 2),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "gather": lambda x: x.gather(0, torch.zeros(1, 3, 4, dtype=torch.int64)),
    "repeat": lambda x: x.repeat(1, 2, 1),
    "take": lambda x: x.take(torch.tensor([0, 23])),
    "trace": lambda x: x[0].trace(),
    "unfold": lambda x: x.unfold(2, 2, 1),
    "iteration": lambda x: list(x)[1],
    "clone": lambda x: x.clone(),
    "negative": lambda x: -x,
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_those_of_torch(name):
    values = torch.arange(24).reshape(2, 3, 4)
    assert torch.equal(on_shares(VIEWS[name], values, fraction_bits=0), VIEWS[name](values).double())


@pytest.mark.parametrize(
    "function",
    [
        lambda kind, a, b: kind.cat([a, b], 1), lambda kind, a, b: kind.stack([a, b], -1),
        lambda kind, a, b: kind.cat([a, b], dim=-1), lambda kind, a, b: kind.stack([a, b]),
    ],
)  # fmt: skip
def test_joins_are_those_of_torch(function):
    x, y = torch.arange(6).reshape(2, 3), torch.arange(6, 12).reshape(2, 3)
    opened = on_shares(lambda a, b: function(ReplicatedShares, a, b), x, y, fraction_bits=0)
    assert torch.equal(opened, function(torch, x, y).double())


def test_joins_need_one_kind():
    def program(session):
        x, y = constant(torch.ones(2)), constant(torch.ones(2), 16)
        assert ReplicatedShares.cat([x, y]).fraction_bits == 16
        with pytest.raises(TypeError, match="kinds"):
            ReplicatedShares.stack([x, x * x])

    run_secure(program)


def test_writing_in_place():
    index = torch.tensor([[0, 1], [1, 0]])

    def write(x, y):
        x = x.clone()
        x[0, 1] = y[0, 0]
        x.index_add_(0, torch.tensor([1]), y[:1])
        x.scatter_add_(0, index, y)
        return x.scatter_(1, index[:, :1], y[:, 1:]).pad((1, 0))

    x, y = torch.arange(4).reshape(2, 2), torch.arange(10, 14).reshape(2, 2)
    expected = x.clone()
    expected[0, 1] = y[0, 0]
    expected.index_add_(0, torch.tensor([1]), y[:1])
    expected.scatter_add_(0, index, y)
    expected.scatter_(1, index[:, :1], y[:, 1:])
    expected = torch.nn.functional.pad(expected, (1, 0))
    assert torch.equal(on_shares(write, x, y, fraction_bits=0), expected.double())


def test_properties():
    def program(session):
        x = constant(torch.ones(2, 3))
        assert (x.shape, x.size(), x.size(1), x.dim(), x.numel(), x.nelement(), len(x)) == (
            torch.Size((2, 3)), torch.Size((2, 3)), 3, 2, 6, 6, 2
        )  # fmt: skip
        with pytest.raises(TypeError, match="0-dimensional"):
            len(x.sum())
        with pytest.raises(NotImplementedError):
            x.pad((1, 1), mode="reflect")

    run_secure(program)


def test_a_secret_is_neither_shown_nor_decided_nor_serialised():
    def program(session):
        x = give(session, 0, torch.full((3,), 1234.5))
        for shares in (x, x * x):
            assert "1234" not in repr(shares)
            assert not any(str(word) in repr(shares) for word in shares.words.flatten().tolist() if word)
            with pytest.raises(TypeError, match="truth"):
                bool(shares)
            with pytest.raises(TypeError, match="not serialised"):
                copy.deepcopy(shares)
        return repr(x)

    assert run_secure(program).results[0] == (
        "ReplicatedShares(shape=(3,), fraction_bits=16, SecureSession(committee=(0, 1, 2), position=0))"
    )


def test_a_product_is_reduced_before_it_is_multiplied_by_a_secret():
    def program(session):
        x = constant(torch.ones(2, 2))
        for operation in (lambda: x * (x * x), lambda: (x * x) * x, lambda: (x * x) @ x):
            with pytest.raises(TypeError, match="reduce it first"):
                operation()
        for operation in (lambda: x + "1", lambda: x * None, lambda: x @ 2, lambda: [] @ x):
            with pytest.raises(TypeError):
                operation()

    run_secure(program)


@pytest.mark.parametrize(
    "words",
    [torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64), torch.zeros((), dtype=torch.int64)],
)
def test_shares_are_two_components_of_words(words):
    with pytest.raises(ValueError, match="int64"):
        run_secure(lambda session: ReplicatedShares(session, words, 16))


def test_components_may_come_from_elsewhere():
    # Shares at rest: any three components that add up to the value.
    parts = [torch.tensor([5, -9]), torch.tensor([2**62, 7]), torch.tensor([-(2**62), 3])]

    def program(session):
        i = session.position
        shares = ReplicatedShares(session, torch.stack([parts[i], parts[(i + 1) % 3]]), 0)
        return open_words_many([shares])[0]

    assert same(run_secure(program).results).tolist() == [5, 1]
