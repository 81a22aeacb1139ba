"""Every function of CrypTen's that has a gradient, and the gradient, beside PyTorch's autograd in float64."""

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from mpc_party.secure.tensors import crypten_compat
from tests.support.differentials import differences, wave

A, B, IMAGE = wave(3, 4), wave(3, 4, phase=1.0), wave(2, 3, 5, 6, scale=2.0)
POSITIVE = wave(3, 4, scale=1.5) + 2.0
ROW = wave(1, 4, phase=2.0)
INDEX = torch.tensor([[0, 1, 1, 2], [2, 0, 1, 1]])
PLACES = torch.tensor([2, 0, 2])


# What is exact but for the truncations of a few products.
REARRANGED = {
    "t": (lambda x: x.t(), A), "transpose": (lambda x: x.transpose(-1, 0), A), "permute": (lambda x: x.permute((2, 0, 3, 1)), IMAGE),
    "flip": (lambda x: x.flip((0, 1)), A), "clone": (lambda x: x.clone(), A), "view": (lambda x: x.view(2, -1), A),
    "reshape": (lambda x: x.reshape((4, 3)), A), "flatten": (lambda x: x.flatten(1, 2), IMAGE),
    "narrow": (lambda x: x.narrow(-1, 1, 2), A), "index_select": (lambda x: x.index_select(0, PLACES), A),
    "gather": (lambda x: x.gather(0, INDEX), A), "roll": (lambda x: x.roll((1, 2), (0, 1)), A),
    "squeeze": (lambda x: x.squeeze(), ROW), "squeeze dim": (lambda x: x.squeeze(-2), ROW), "unsqueeze": (lambda x: x.unsqueeze(-1), A),
    "getitem": (lambda x: x[1:, ::2], A), "getitem integer": (lambda x: x[1], A), "getitem none": (lambda x: x[None, ..., 1], A),
    "getitem twice the same": (lambda x: x[PLACES], A), "getitem mask": (lambda x: x[B > 0], A), "expand": (lambda x: x.expand(3, 4), ROW),
    "repeat": (lambda x: x.repeat(2, 3), A), "unfold": (lambda x: x.unfold(1, 2, 1), A), "split": (lambda x: x.split([1, 3], dim=1)[1] * 2, A),
    "split even": (lambda x: x.split(3, dim=-1)[0] + x.split(3, dim=-1)[1], A),
    "unbind": (lambda x: x.unbind(1)[2] - x.unbind(1)[0], A), "cumsum": (lambda x: x.cumsum(1), A), "trace": (lambda x: x.trace(), A[:, :3]),
    "sum": (lambda x: x.sum(), A), "sum dims": (lambda x: x.sum((0, -1)), IMAGE), "sum keepdim": (lambda x: x.sum(1, keepdim=True), A),
    "mean": (lambda x: x.mean(), A), "mean dims": (lambda x: x.mean((1, 3)), IMAGE), "neg": (lambda x: -x, A),
    "constant add": (lambda x: 1.5 + x - 0.25, A), "constant mul": (lambda x: 3 * x * 0.5, A), "rsub": (lambda x: 2 - x, A), "div": (lambda x: x / 3, A),
    "relu": (lambda x: x.relu(), A), "abs": (lambda x: x.abs(), A), "hardtanh": (lambda x: x.clamp(-0.5, 0.25) if type(x) is torch.Tensor else x.hardtanh(-0.5, 0.25), A),
    "relu6": (lambda x: functional.relu6(x) if type(x) is torch.Tensor else x.relu6(), A * 10), "sign": (lambda x: x.sign(), A),
    "max": (lambda x: x.max(), A), "min": (lambda x: x.min(), A), "max dim": (lambda x: x.max(1)[0], A), "min dim": (lambda x: x.min(0, keepdim=True)[0], A),
    "pad": (lambda x: functional.pad(x, (1, 2)) if type(x) is torch.Tensor else x.pad((1, 2)), A),
    "pad value": (lambda x: functional.pad(x, (1, 0, 2, 1), value=1.5) if type(x) is torch.Tensor else x.pad((1, 0, 2, 1), value=1.5), A),
    "adaptive_avg_pool2d": (lambda x: functional.adaptive_avg_pool2d(x, (3, 2)) if type(x) is torch.Tensor else x.adaptive_avg_pool2d((3, 2)), IMAGE),
    "adaptive_max_pool2d": (lambda x: functional.adaptive_max_pool2d(x, (2, 3)) if type(x) is torch.Tensor else x.adaptive_max_pool2d((2, 3)), IMAGE),
}  # fmt: skip


@pytest.mark.parametrize("name", REARRANGED)
def test_local_and_exact_functions(name):
    function, value = REARRANGED[name]
    assert max(differences(function, [value])) <= 2**-13


def test_take_is_that_of_torch_or_along_a_dimension():
    assert max(differences(lambda x: x.take(INDEX), [A])) == 0
    assert max(differences(lambda x: x.take(PLACES, 1), [A], lambda x: x[:, PLACES])) == 0
    assert max(differences(lambda x: x.take(INDEX, -1), [A], lambda x: x[:, INDEX])) == 0


PAIRS = {
    "add": (lambda x, y: x + y, A, ROW), "sub": (lambda x, y: x - y, ROW, A), "mul": (lambda x, y: x * y, A, ROW),
    "matmul": (lambda x, y: x @ y, A, B.t()), "matmul batches": (lambda x, y: x @ y, wave(2, 3, 4), wave(4, 2)),
    "matmul vector": (lambda x, y: x @ y, A, wave(4)), "dot": (lambda x, y: x.dot(y), wave(5), wave(5, phase=1.0)),
    "ger": (lambda x, y: x.ger(y), wave(3), wave(4)), "where": (lambda x, y: x.where(A > 0, y), A, ROW),
    "where secret": (lambda x, y: torch.where(x > y, x, y) if type(x) is torch.Tensor else x.where(x > y, y), A, B),
    "index_add": (lambda x, y: x.index_add(0, PLACES, y), A, wave(3, 4, phase=2.0)),
    "scatter": (lambda x, y: x.scatter(1, torch.tensor([[0], [2], [3]]), y), A, wave(3, 1)),
    "scatter_add": (lambda x, y: x.scatter_add(0, INDEX, y), A, wave(2, 4)),
    "conv1d": (lambda x, k: functional.conv1d(x, k, stride=2, padding=1) if type(x) is torch.Tensor else x.conv1d(k, stride=2, padding=1), wave(2, 3, 7), wave(4, 3, 2)),
    "conv2d": (lambda x, k: functional.conv2d(x, k, stride=(2, 1), padding=1, dilation=(1, 2)) if type(x) is torch.Tensor else x.conv2d(k, stride=(2, 1), padding=1, dilation=(1, 2)), IMAGE, wave(2, 3, 2, 3)),
    "conv2d by channels": (lambda x, k: functional.conv2d(x, k, groups=3) if type(x) is torch.Tensor else x.conv2d(k, groups=3), IMAGE, wave(3, 1, 2, 2)),
    "conv_transpose1d": (lambda x, k: functional.conv_transpose1d(x, k, stride=2, padding=1) if type(x) is torch.Tensor else x.conv_transpose1d(k, stride=2, padding=1), wave(2, 3, 5), wave(3, 2, 3)),
    "conv_transpose2d": (lambda x, k: functional.conv_transpose2d(x, k, stride=2, output_padding=1) if type(x) is torch.Tensor else x.conv_transpose2d(k, stride=2, output_padding=1), wave(2, 3, 3, 2), wave(3, 2, 2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_functions_of_two_secrets(name):
    function, *values = PAIRS[name]
    assert max(differences(function, values)) <= 2**-11


@pytest.mark.parametrize("join", ["cat", "stack"])
def test_joins(join):
    def function(x, y):
        return getattr(torch if type(x) is torch.Tensor else crypten_compat, join)([x, y, x], dim=-1)

    assert max(differences(function, [A, B])) == 0


POOLS = [
    ({"kernel_size": 2}, {}), ({"kernel_size": 3, "stride": 2, "padding": 1}, {}), ({"kernel_size": 3, "stride": 2}, {"ceil_mode": True}),
    ({"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0)}, {"ceil_mode": True}),
]  # fmt: skip


@pytest.mark.parametrize(("geometry", "mode"), POOLS)
def test_pooling(geometry, mode):
    options = geometry | mode
    assert (
        max(
            differences(
                lambda x: x.avg_pool2d(**options), [IMAGE], lambda x: functional.avg_pool2d(x, **options)
            )
        )
        < 2**-13
    )
    assert (
        max(
            differences(
                lambda x: x.max_pool2d(**options), [IMAGE], lambda x: functional.max_pool2d(x, **options)
            )
        )
        == 0
    )


def test_max_pooling_with_dilation():
    options = {"kernel_size": 2, "stride": 1, "dilation": (2, 3)}
    assert (
        max(
            differences(
                lambda x: x.max_pool2d(**options), [IMAGE], lambda x: functional.max_pool2d(x, **options)
            )
        )
        == 0
    )


# (function, value, tolerance of the result, tolerance of the gradient, PyTorch's where it differs)
APPROXIMATE = {
    "square": (lambda x: x.square(), A, 2**-14, 2**-13, None), "pow 3": (lambda x: x.pow(3), A, 2**-13, 2**-11, None),
    "pow 5": (lambda x: x.pow(5), A, 2**-12, 2**-11, None), "pow 0": (lambda x: x.pow(0), A, 0, 0, None), "pow 1": (lambda x: x.pow(1.0), A, 0, 0, None),
    "pow -2": (lambda x: x.pow(-2), POSITIVE, 3e-3, 2e-2, None), "pos_pow": (lambda x: x.pos_pow(1.5), POSITIVE, 6e-3, 3e-3, lambda x: x.pow(1.5)),
    "polynomial": (lambda x: x.polynomial([1.0, -0.5, 0.25]), A, 2**-12, 2**-11, lambda x: x - 0.5 * x**2 + 0.25 * x**3),
    "polynomial 1": (lambda x: x.polynomial([0.5]), A, 2**-14, 2**-14, lambda x: 0.5 * x),
    "prod": (lambda x: x.prod(1), A, 2**-13, 2**-12, None), "prod all": (lambda x: x.prod(), POSITIVE[:, :2], 2**-6, 2**-6, None),
    "exp": (lambda x: x.exp(), A * 3, 1e-2, 1e-2, None), "log": (lambda x: x.log(), POSITIVE, 1e-4, 5e-4, None),
    "log in 01": (lambda x: x.log(input_in_01=True) if type(x) is not torch.Tensor else x.log(), POSITIVE / 4, 1e-4, 1e-3, None),
    "reciprocal in 01": (lambda x: x.reciprocal(input_in_01=True) if type(x) is not torch.Tensor else x.reciprocal(), POSITIVE / 4, 3e-4, 4e-3, None),
    "hardtanh by name": (lambda x: x.hardtanh(min_value=-0.5, max_value=0.25) if type(x) is not torch.Tensor else x.clamp(-0.5, 0.25), A, 1e-12, 0, None),
    "reciprocal": (lambda x: x.reciprocal(), POSITIVE, 1e-4, 3e-4, None), "rtruediv": (lambda x: 2 / x, -POSITIVE, 3e-4, 3e-4, None),
    "sqrt": (lambda x: x.sqrt(), POSITIVE, 1e-4, 2e-4, None), "inv_sqrt": (lambda x: x.inv_sqrt(), POSITIVE, 1e-4, 2e-4, lambda x: x.rsqrt()),
    "sigmoid": (lambda x: x.sigmoid(), A * 4, 3e-4, 3e-4, None), "tanh": (lambda x: x.tanh(), A * 2, 5e-4, 2e-3, None),
    "erf": (lambda x: x.erf(), A * 2, 2e-4, 1e-3, None), "sin": (lambda x: x.sin(), A * 5, 4e-4, 8e-4, None), "cos": (lambda x: x.cos(), A * 5, 4e-4, 8e-4, None),
    "softmax": (lambda x: x.softmax(1), A * 3, 5e-4, 1e-3, None), "log_softmax": (lambda x: x.log_softmax(0), A * 3, 1e-3, 2e-3, None),
    "softmax of one": (lambda x: x.softmax(0), ROW, 0, 0, None), "log_softmax of one": (lambda x: x.log_softmax(0), ROW, 0, 0, None),
    "var": (lambda x: x.var(), A, 1e-3, 1e-4, None), "var dims": (lambda x: x.var((0, 2), keepdim=True), IMAGE, 1e-3, 1e-3, None),
    "var of all": (lambda x: x.var(1, unbiased=True), A, 1e-3, 1e-3, lambda x: x.var(1, correction=0)),
    "norm": (lambda x: x.norm(), A, 2e-4, 2e-4, None), "norm dim": (lambda x: x.norm(dim=1), A, 2e-4, 3e-4, None),
    "norm keepdim": (lambda x: x.norm(dim=0, keepdim=True), A, 2e-4, 3e-4, None),
    "norm 1": (lambda x: x.norm(p=1, dim=1), A, 1e-4, 0, None), "norm inf": (lambda x: x.norm(p=math.inf, dim=1), A, 1e-4, 0, None),
    "norm inf all": (lambda x: x.norm(p=math.inf), A, 1e-4, 0, None), "norm 3": (lambda x: x.norm(p=3, dim=1), POSITIVE, 1e-2, 1e-2, None),
}  # fmt: skip


@pytest.mark.parametrize("name", APPROXIMATE)
def test_approximations(name):
    function, value, of_result, of_gradient, plain = APPROXIMATE[name]
    result, gradient = differences(function, [value], plain)
    assert result <= of_result
    assert gradient <= of_gradient


def test_quotients_and_cosines_of_two_secrets():
    assert max(differences(lambda x, y: x / y, [A, POSITIVE])) < 3e-4
    plain = functional.cosine_similarity
    assert (
        max(differences(lambda x, y: x.cosine_similarity(y, 1), [A, B], lambda x, y: plain(x, y, dim=1)))
        < 2e-3
    )


# Tested as layers, losses and dropout of `test_nn_layers`.
LAYERS = {
    "_feature_dropout", "dropout", "batchnorm", "binary_cross_entropy", "binary_cross_entropy_with_logits", "rappor_loss", "cross_entropy",
}  # fmt: skip


# How tests write what they do not call by its name.
WRITTEN = {
    "__getitem__": "x[", "__rsub__": "2 - x", "__rtruediv__": "2 / x", "add": "x + y", "sub": "x - y", "mul": "x * y", "matmul": "x @ y", "div": "x / y", "neg": "-x",
    "cat": '["cat", "stack"]', "stack": '["cat", "stack"]',
}  # fmt: skip


def untested(names):
    """Which of these methods no function in the tests above calls. What follows `LAYERS` is not searched."""
    tested, _ = Path(__file__).read_text(encoding="utf-8").split("\nLAYERS = ")
    return [n for n in sorted(set(names) - LAYERS) if WRITTEN.get(n, f".{n}(") not in tested]


def test_no_gradient_of_crypten_is_left_out():
    names = crypten_compat.gradient_names()
    assert len(names) > 70
    assert untested(names) == []


def test_a_gradient_without_a_test_is_found():
    class Invented(crypten_compat.AutogradFunction):
        pass

    crypten_compat.replace_gradient("invented_for_this")(Invented)
    try:
        assert untested(crypten_compat.gradient_names()) == ["invented_for_this"]
    finally:
        crypten_compat.forget_gradient("invented_for_this")
