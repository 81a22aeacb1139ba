"""Every layer of crypten.nn that can be built without a file, and every loss: forwards and backwards, beside torch.nn."""

from pathlib import Path

import pytest
import torch
from torch import nn as plain_nn
from torch.nn import functional

from mpc_party.secure.tensors import crypten_compat
from mpc_party.secure.tensors.crypten_compat import no_grad
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.differentials import differences, in_torch, secret, wave, weights_like
from tests.support.secure_parties import run_secure

nn = crypten_compat.nn
A, IMAGE, VOLUME = wave(3, 4), wave(2, 3, 4, 5, scale=2.0), wave(2, 3, 2, 3, 2)


def fill(parameters):
    """The same values for the parameters of both libraries."""
    with torch.no_grad():
        for index, parameter in enumerate(parameters):
            parameter.copy_(
                wave(*parameter.shape, scale=0.5, phase=index) + (1.0 if parameter.dim() == 1 else 0.0)
            )


def layer_in_torch(layer, value, training):
    layer = layer.double().train(training)
    fill(layer.parameters())
    parameters = list(layer.parameters())
    output, gradient = in_torch(layer, [value])
    return [output, gradient, *[p.grad for p in parameters]]


def layer_on_shares(build, value, training):
    def program(session):
        layer = build()
        fill(layer.parameters())
        layer.encrypt(src=1)
        layer.train(training)
        for parameter in layer.parameters():
            parameter.requires_grad = True
        x = secret(session, value, requires_grad=True)
        output = layer(x)
        (output * weights_like(torch.empty(output.size()))).sum().backward()
        with no_grad():
            return [t.get_plain_text() for t in (output, x.grad, *[p.grad for p in layer.parameters()])]

    return run_secure(program).results[0]


LAYERS = {
    "Linear": (lambda: nn.Linear(4, 2), lambda: plain_nn.Linear(4, 2), A),
    "Linear without bias": (lambda: nn.Linear(4, 2, bias=False), lambda: plain_nn.Linear(4, 2, bias=False), wave(2, 3, 4)),
    "Conv1d": (lambda: nn.Conv1d(3, 2, 2, padding=1), lambda: plain_nn.Conv1d(3, 2, 2, padding=1), wave(2, 3, 5)),
    "Conv2d": (lambda: nn.Conv2d(3, 2, (2, 3), stride=2, padding=1), lambda: plain_nn.Conv2d(3, 2, (2, 3), stride=2, padding=1), IMAGE),
    "AvgPool2d": (lambda: nn.AvgPool2d(2, stride=1, padding=1), lambda: plain_nn.AvgPool2d(2, stride=1, padding=1), IMAGE),
    "AvgPool2d up": (lambda: nn.AvgPool2d(3, stride=2, ceil_mode=True), lambda: plain_nn.AvgPool2d(3, stride=2, ceil_mode=True), IMAGE),
    "MaxPool2d": (lambda: nn.MaxPool2d(2, stride=1, padding=1), lambda: plain_nn.MaxPool2d(2, stride=1, padding=1), IMAGE),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d((2, None)), lambda: plain_nn.AdaptiveAvgPool2d((2, None)), IMAGE),
    "AdaptiveMaxPool2d": (lambda: nn.AdaptiveMaxPool2d(2), lambda: plain_nn.AdaptiveMaxPool2d(2), IMAGE),
    "GlobalAveragePool": (nn.GlobalAveragePool, lambda: plain_nn.AdaptiveAvgPool2d(1), IMAGE),
    "ReLU": (nn.ReLU, plain_nn.ReLU, A), "ReLU6": (nn.ReLU6, plain_nn.ReLU6, A * 9),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 0.75), lambda: plain_nn.Hardtanh(-0.5, 0.75), A),
    "Sigmoid": (nn.Sigmoid, plain_nn.Sigmoid, A), "Softmax": (lambda: nn.Softmax(1), lambda: plain_nn.Softmax(1), A),
    "LogSoftmax": (lambda: nn.LogSoftmax(0), lambda: plain_nn.LogSoftmax(0), A), "Flatten": (nn.Flatten, plain_nn.Flatten, IMAGE),
    "ConstantPad1d": (lambda: nn.ConstantPad1d(1, 0.5), lambda: plain_nn.ConstantPad1d(1, 0.5), A),
    "ConstantPad2d": (lambda: nn.ConstantPad2d((1, 0, 2, 1), -1.5), lambda: plain_nn.ConstantPad2d((1, 0, 2, 1), -1.5), IMAGE),
    "ConstantPad3d": (lambda: nn.ConstantPad3d(1, 2), lambda: plain_nn.ConstantPad3d(1, 2), VOLUME),
    "Dropout in inference": (lambda: nn.Sequential(nn.Dropout(0.5), nn.Dropout2d(), nn.Dropout3d()), plain_nn.Identity, VOLUME),
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1)), lambda: plain_nn.Sequential(plain_nn.Linear(4, 3), plain_nn.ReLU(), plain_nn.Linear(3, 1)), A),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    build, plain, value = LAYERS[name]
    training = name != "Dropout in inference"
    for got, expected in zip(
        layer_on_shares(build, value, training), layer_in_torch(plain(), value, training), strict=True
    ):
        assert got.shape == expected.shape
        assert float((got - expected).abs().max()) < 1e-3


NORMS = {"BatchNorm1d": wave(6, 3, scale=2.0), "BatchNorm2d": IMAGE, "BatchNorm3d": VOLUME}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NORMS)
def test_batch_normalisation(name, training):
    value = NORMS[name]
    got = layer_on_shares(lambda: getattr(nn, name)(3), value, training)
    expected = layer_in_torch(getattr(plain_nn, name)(3), value, training)
    for a, b in zip(got, expected, strict=True):
        assert float((a - b).abs().max()) < 3e-3


def test_batch_normalisation_keeps_running_statistics_that_inference_uses():
    def program(session):
        layer = nn.BatchNorm2d(3)
        fill(layer.parameters())
        layer.encrypt(src=0)
        x = secret(session, IMAGE, src=2)
        with no_grad():
            layer(x)
            statistics = [b.get_plain_text() for b in layer.buffers()]
        layer.eval()
        return [*statistics, layer(x).get_plain_text()]

    mean, variance, output = run_secure(program).results[0]
    channels = IMAGE.transpose(0, 1).reshape(3, -1)
    # CrypTen keeps the variance over n, where PyTorch has n - 1.
    assert float((mean - channels.mean(1) * 0.1).abs().max()) < 1e-3
    assert float((variance - (0.9 + 0.1 * channels.var(1, correction=0))).abs().max()) < 1e-3
    layer = plain_nn.BatchNorm2d(3).double().eval()
    fill(layer.parameters())
    layer.running_mean, layer.running_var = mean, variance
    assert float((output - layer(IMAGE).detach()).abs().max()) < 2e-3


# The graph layers, which take lists where they have several inputs.
GRAPH = {
    "Add": (lambda x, y: nn.Add()([x, y]), torch.add), "Sub": (lambda x, y: nn.Sub()([x, y]), torch.sub), "Mul": (lambda x, y: nn.Mul()([x, y]), torch.mul),
    "Div": (lambda x, y: nn.Div()([x, y + 3.0]), lambda x, y: x / (y + 3)), "MatMul": (lambda x, y: nn.MatMul()([x, y.t()]), lambda x, y: x @ y.t()),
    "Gemm": (lambda x, y: nn.Gemm(alpha=0.5, trans_b=True)([x, y, x[:, :3]]), lambda x, y: 0.5 * (x @ y.t()) + x[:, :3]),
    "Concat": (lambda x, y: nn.Concat(1)([x, y]), lambda x, y: torch.cat([x, y], 1)),
    "Where": (lambda x, y: nn.Where()([x > y, x, y]), lambda x, y: torch.where(x > y, x, y)),
    "Where public": (lambda x, y: nn.Where()([A > 0, x, y]), lambda x, y: torch.where(A > 0, x, y)),
    "CosineSimilarity": (nn.CosineSimilarity(1), lambda x, y: functional.cosine_similarity(x, y, dim=1)),
    "MSELoss": (nn.MSELoss(), functional.mse_loss), "L1Loss": (nn.L1Loss(), functional.l1_loss),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPH)
def test_layers_of_two_inputs(name):
    function, plain = GRAPH[name]
    assert max(differences(function, [A, wave(3, 4, phase=1.0)], plain)) < 2e-3


UNARY = {
    "Sqrt": (nn.Sqrt, lambda x: (x).sqrt(), A + 2), "Exp": (nn.Exp, torch.exp, A), "Erf": (nn.Erf, torch.erf, A),
    "Mean": (lambda: nn.Mean([1], keepdim=True), lambda x: x.mean(1, keepdim=True), A), "Sum": (lambda: nn.Sum([0, 1]), lambda x: x.sum((0, 1)), A),
    "Transpose": (lambda: nn.Transpose((1, 0)), lambda x: x.t(), A), "Squeeze": (lambda: nn.Squeeze(0), lambda x: x.squeeze(0), A[:1]),
    "Unsqueeze": (lambda: nn.Unsqueeze(1), lambda x: x.unsqueeze(1), A), "Slice": (lambda: nn.Slice([1], [4], axes=[1]), lambda x: x[:, 1:4], A),
    "Reshape": (lambda: nn.Reshape((2, 6)), lambda x: x.reshape(2, 6), A), "Gather": (lambda: nn.Gather(1, indices=[0, 2, 2]), lambda x: x[:, [0, 2, 2]], A),
}  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_layers_of_one_input(name):
    build, plain, value = UNARY[name]
    assert max(differences(build().encrypt(), [value], plain)) < 1e-3


def test_layers_whose_second_input_is_public():
    assert max(differences(lambda x: nn.Pow().encrypt()((x, torch.tensor(3.0))), [A], lambda x: x**3)) < 1e-3
    assert (
        max(
            differences(
                lambda x: nn.Expand().encrypt()((x, torch.tensor([3, 4]))), [A[:1]], lambda x: x.expand(3, 4)
            )
        )
        < 1e-4
    )
    layer = lambda x: nn.Conv(1, 0, 1).encrypt()([x, x.narrow(0, 0, 1).narrow(2, 0, 2).narrow(3, 0, 2)])  # noqa: E731
    assert max(differences(layer, [IMAGE], lambda x: functional.conv2d(x, x[:1, :, :2, :2]))) < 1e-3
    assert max(differences(nn.Cast(torch.float).encrypt(), [A], lambda x: x * 1)) == 0

    def program(session):
        x = secret(session, A)
        equal = nn.Equal().encrypt()((x, x)).get_plain_text()
        return equal, nn.Shape().encrypt()(x), nn.Constant(torch.ones(2)).encrypt()(x)

    equal, shape, constant = run_secure(program).results[0]
    assert equal.tolist() == torch.ones(3, 4).tolist()
    assert shape.tolist() == [3, 4]
    assert constant.tolist() == [1.0, 1.0]


def test_containers_and_what_they_hold():
    def program(session):
        x = secret(session, A, src=2, requires_grad=True)
        graph = nn.Graph(["x"], ["sum"])
        graph.add_module("weight", nn.Parameter(wave(4, 4)), ["x"])
        graph.add_module("product", nn.MatMul(), ["x", "weight"])
        graph.add_module("sum", nn.Add(), ["product", "x"])
        graph.encrypt(src=1)
        output = graph(x)
        layers = nn.ModuleList([nn.ReLU(), nn.ModuleDict({"last": nn.Sigmoid()})]).encrypt()
        results = [output.get_plain_text(), layers[1]["last"](layers[0](x)).get_plain_text()]
        output.sum().backward()
        with no_grad():
            results.append(next(graph.parameters()).grad.get_plain_text())
        fixed = [nn.ConstantOfShape(2.0).encrypt()(torch.tensor([2, 1])), nn.Range().encrypt()([0, 4, 2])]
        return results, fixed

    (output, activated, gradient), (filled, counted) = run_secure(program).results[0]
    assert float((output - (A @ wave(4, 4) + A)).abs().max()) < 2**-13
    assert float((activated - torch.sigmoid(A.relu())).abs().max()) < 2.5e-4
    assert float((gradient - A.t() @ torch.ones(3, 4).double()).abs().max()) < 2**-13
    assert filled.tolist() == [[2.0], [2.0]]
    assert counted.tolist() == [0, 2]


def test_batch_normalisation_in_a_graph():
    def program(session):
        layer = crypten_compat.nn.module.BatchNormalization().encrypt()
        x = secret(session, IMAGE)
        weight, bias, mean, variance = (
            secret(session, torch.full((3,), v), src=1) for v in (2.0, 0.5, 0.25, 4.0)
        )
        layer.eval()
        inference = layer([x, weight, bias, mean, variance])
        layer.train()
        training = layer([x, weight, bias, mean, variance])
        return [t.get_plain_text() for t in (inference, *training[:3])]

    inference, training, mean, variance = run_secure(program).results[0]
    assert float((inference - ((IMAGE - 0.25) + 0.5)).abs().max()) < 1e-3
    ones = torch.ones(3).double()
    expected = functional.batch_norm(IMAGE, None, None, 2 * ones, 0.5 * ones, training=True)
    assert float((training - expected).abs().max()) < 2e-3
    channels = IMAGE.transpose(0, 1).reshape(3, -1)
    assert float((mean - (0.9 * 0.25 + 0.1 * channels.mean(1))).abs().max()) < 1e-3
    assert float((variance - (3.6 + 0.1 * channels.var(1, correction=0))).abs().max()) < 1e-3


PROBABILITIES = wave(3, 4, scale=0.4) + 0.5
LABELS = (wave(3, 4, phase=1.0) > 0).double()
ONE_HOT = functional.one_hot(torch.tensor([2, 0, 3]), 4).double()


def rappor(x, y, alpha=0.75):
    p = torch.sigmoid(x)
    return functional.binary_cross_entropy(alpha * p + (1 - alpha) * (1 - p), y)


@pytest.mark.parametrize(
    ("loss", "plain", "value", "target"),
    [
        (nn.BCELoss, functional.binary_cross_entropy, PROBABILITIES, LABELS),
        (nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits, A * 3, LABELS),
        (nn.CrossEntropyLoss, functional.cross_entropy, A * 3, ONE_HOT),
        (lambda: nn.loss.RAPPORLoss(0.75), rappor, A * 3, LABELS),
    ],
    ids=["BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "RAPPORLoss"],
)  # fmt: skip
def test_losses(loss, plain, value, target):
    def program(session):
        x, y = secret(session, value, requires_grad=True), secret(session, target, src=1)
        output = loss()(x, y)
        output.backward()
        quiet = loss()
        quiet.skip_forward = True
        z = secret(session, value, requires_grad=True)
        quiet(z, y).backward()
        with no_grad():
            return [t.get_plain_text() for t in (output, x.grad, z.grad)]

    output, gradient, again = run_secure(program).results[2]
    leaf = value.clone().requires_grad_()
    expected = plain(leaf, target)
    expected.backward()
    assert output.shape == ()
    assert float(output) == pytest.approx(float(expected.detach()), abs=2e-3)
    assert float((gradient - leaf.grad).abs().max()) < 2e-3
    assert float((again - leaf.grad).abs().max()) < 2e-3


@pytest.mark.parametrize(
    ("name", "shape"),
    [("Dropout", (40, 50)), ("Dropout2d", (40, 50, 2, 2)), ("Dropout3d", (40, 50, 2, 1, 2))],
)
def test_dropout_keeps_the_right_part_and_its_gradient(name, shape):
    def program(session):
        x = secret(session, torch.ones(shape), requires_grad=True)
        output = getattr(nn, name)(0.25).encrypt()(x)
        output.sum().backward()
        with no_grad():
            return output.get_plain_text(), x.grad.get_plain_text()

    output, gradient = run_secure(program).results[1]
    assert torch.equal(output, gradient)
    kept = output[(..., *[0] * (len(shape) - 2))] > 0
    assert 0.70 < float(kept.double().mean()) < 0.80  # 2,000 draws: the standard deviation is 0.01
    spread = kept.reshape(*kept.shape, *[1] * (len(shape) - 2)).expand(shape) * (4 / 3)
    assert float((output - spread).abs().max()) < 2**-14


def test_what_crypten_cannot_do_is_refused():
    def program(session):
        x = secret(session, IMAGE, requires_grad=True)
        kernel = secret(session, wave(6, 1, 2, 2), requires_grad=True)
        with pytest.raises(NotImplementedError, match="GroupNorm"):
            nn.GroupNorm(1, 3)
        with pytest.raises(NotImplementedError, match="in mode 'reflect'"):
            nn.ConstantPad2d(1, 0, mode="reflect").encrypt()(x)
        with pytest.raises(NotImplementedError, match="not supported"):
            nn.MSELoss(reduction="sum")
        with pytest.raises(NotImplementedError, match="groups"):
            secret(session, wave(1, 6, 3, 3), requires_grad=True).conv2d(
                secret(session, wave(6, 3, 2, 2)), groups=2
            ).sum().backward()
        with pytest.raises(TypeError, match="integer exponent"):
            x.pow(0.5)
        with pytest.raises(NotImplementedError, match=r"torch\.relu"):
            torch.relu(x)
        with pytest.raises(ValueError, match="encrypted indices"):
            nn.Gather(0).encrypt()([x, x])
        return kernel

    run_secure(program)


def test_no_layer_and_no_loss_of_crypten_is_left_out():
    tested = Path(__file__).read_text(encoding="utf-8")
    classes = [*vars(nn.module).values(), *vars(nn.loss).values()]
    names = {c.__name__ for c in classes if isinstance(c, type) and issubclass(c, nn.Module)}
    abstract = {"Module", "Container", "DropoutNd"}
    assert len(names) > 70
    assert [
        n
        for n in sorted(names - abstract)
        if not n.startswith("_") and f".{n}(" not in tested and f'"{n}"' not in tested
    ] == []


CROSS_ENTROPIES = {
    "one class vector": (4,),
    "batch of one": (1, 4),
    "one class each": (3, 1),
    "rows": (2, 3, 4),
    "one of rows": (1, 3, 4),
    "images": (2, 3, 2, 2),
}


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_cross_entropies_of_any_shape_are_those_of_torch(name):
    shape = CROSS_ENTROPIES[name]
    target = (wave(*shape, phase=2.0) * 3).softmax(1 if len(shape) > 1 else 0)
    target = (target * 2**16).round() / 2**16

    def on_shares_(x):
        return nn.CrossEntropyLoss()(x, ReplicatedTensor(target, src=None))

    result, gradient = differences(
        on_shares_, [wave(*shape, scale=3.0)], lambda x: functional.cross_entropy(x, target)
    )
    assert result < 5e-4
    assert gradient < 5e-4


def test_cross_entropies_of_logits_that_are_far_apart():
    target = torch.tensor([[0.0, 1.0], [0.0, 1.0]])

    def on_shares_(x):
        return nn.CrossEntropyLoss()(x, ReplicatedTensor(target, src=None))

    logits = torch.tensor([[0.0, 500.0], [500.0, 0.0]])
    plain = lambda x: functional.cross_entropy(x, target.double())  # noqa: E731
    assert max(differences(on_shares_, [logits], plain)) < 5e-4
