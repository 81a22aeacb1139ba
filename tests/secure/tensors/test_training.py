"""Networks trained on shares, step by step beside the same training in PyTorch's float64."""

import pytest
import torch
from torch import nn as plain_nn
from torch.nn import functional

from mpc_party.secure.tensors import crypten_compat
from mpc_party.secure.tensors.crypten_compat import no_grad
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.differentials import secret, wave
from tests.support.secure_parties import run_secure

nn, optim = crypten_compat.nn, crypten_compat.optim


def fill(parameters):
    with torch.no_grad():
        for index, parameter in enumerate(parameters):
            parameter.copy_(wave(*parameter.shape, scale=0.4, phase=index))


def train_in_torch(model, loss, inputs, target, steps, options):
    model = model.double()
    fill(model.parameters())
    optimizer = torch.optim.SGD(model.parameters(), **options)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(model(inputs), target)
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    return losses, [p.detach() for p in model.parameters()]


def train_on_shares(build, loss, inputs, target, steps, options):
    def program(session):
        model = build()
        fill(model.parameters())
        model.encrypt(src=0).train()
        optimizer = optim.SGD(model.parameters(), **options)
        x, y = secret(session, inputs, src=1), secret(session, target, src=2)
        losses = []
        for _ in range(steps):
            optimizer.zero_grad()
            value = loss()(model(x), y)
            value.backward()
            optimizer.step()
            losses.append(float(value.get_plain_text()))
        with no_grad():
            return losses, [p.get_plain_text() for p in model.parameters()]

    return run_secure(program).results[1]


def network(layers):
    return layers.Sequential(
        layers.Linear(3, 8), layers.ReLU(), layers.Linear(8, 8), layers.Sigmoid(), layers.Linear(8, 1)
    )


POINTS = wave(24, 3, scale=1.5)
CURVE = (POINTS[:, :1] * POINTS[:, 1:2] - 0.5 * POINTS[:, 2:]).clone()
CURVE = (CURVE * 2**16).round() / 2**16


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1}, {"lr": 0.05, "momentum": 0.9}, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.5, "dampening": 0.25},
    ],
    ids=["plain", "momentum", "nesterov", "dampening"],
)  # fmt: skip
def test_regression(options):
    steps = 6
    losses, weights = train_on_shares(lambda: network(nn), nn.MSELoss, POINTS, CURVE, steps, options)
    expected, expected_weights = train_in_torch(
        network(plain_nn), functional.mse_loss, POINTS, CURVE, steps, options
    )
    assert losses == pytest.approx(expected, abs=2e-3)
    assert max(float((a - b).abs().max()) for a, b in zip(weights, expected_weights, strict=True)) < 3e-3
    assert losses[-1] < losses[0]


def images():
    """Bright at the left, in the middle or on the right, with a wave over it."""
    labels = torch.arange(12) % 3
    pictures = wave(12, 1, 6, 6, scale=0.5)
    for picture, label in zip(pictures, labels.tolist(), strict=True):
        picture[..., 2 * label : 2 * label + 2] += 1.0
    return pictures, labels


def classifier(layers):
    return layers.Sequential(
        layers.Conv2d(1, 2, 3, padding=1), layers.BatchNorm2d(2), layers.ReLU(), layers.MaxPool2d(2), layers.Flatten(), layers.Linear(18, 3)
    )  # fmt: skip


def test_classification_with_convolution_batch_normalisation_and_maximum():
    pictures, labels = images()
    one_hot = functional.one_hot(labels, 3).double()
    options, steps = {"lr": 0.2, "momentum": 0.5}, 6
    losses, weights = train_on_shares(
        lambda: classifier(nn), nn.CrossEntropyLoss, pictures, one_hot, steps, options
    )
    expected, expected_weights = train_in_torch(
        classifier(plain_nn), functional.cross_entropy, pictures, one_hot, steps, options
    )
    assert losses == pytest.approx(expected, abs=2e-2)
    assert max(float((a - b).abs().max()) for a, b in zip(weights, expected_weights, strict=True)) < 3e-2
    assert losses[-1] < 0.5 * losses[0]


def test_updates_that_threshold_gradients():
    def program(session):
        model = nn.Linear(3, 1)
        fill(model.parameters())
        model.encrypt()
        x, y = secret(session, POINTS), secret(session, CURVE, src=1)
        nn.MSELoss()(model(x), y).backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        before = [p.detach() for p in model.parameters()]
        model.update_parameters(0.5, grad_threshold=0.3)
        optimizer = optim.SGD(model.parameters(), lr=1.0, grad_threshold=0.0)
        optimizer.step()
        with no_grad():
            return [[t.get_plain_text() for t in side] for side in (gradients, before, model.parameters())]

    gradients, before, after = run_secure(program).results[0]
    for gradient, old, new in zip(gradients, before, after, strict=True):
        expected = old - 0.5 * gradient * (gradient.abs() < 0.3)
        assert float((new - expected).abs().max()) < 2**-14
    assert any((g.abs() < 0.3).any() for g in gradients)
    assert any((g.abs() > 0.3).any() for g in gradients)


def test_parameters_are_loaded_and_initialised_in_place():
    def program(session):
        first, second = nn.Linear(3, 2).encrypt(), nn.Linear(3, 2)
        fill(second.parameters())
        second.encrypt(src=2)
        first.load_state_dict(second.state_dict())
        nn.init.constant_(second.weight, 0.75)
        with no_grad():
            return first.weight.get_plain_text(), second.weight.get_plain_text()

    loaded, filled = run_secure(program).results[1]
    assert torch.equal(loaded, wave(2, 3, scale=0.4))
    assert torch.equal(filled, torch.full((2, 3), 0.75).double())


def test_data_is_written_as_in_pytorch():
    def program(session):
        parameter = secret(session, wave(2, 3), requires_grad=True)
        (parameter * parameter).sum().backward()
        parameter.data.sub_(parameter.grad.mul(0.25))  # outside of the tape, and into the parameter
        half = parameter.get_plain_text()
        parameter.data = secret(session, torch.ones(4), src=1)
        assert parameter.requires_grad
        assert not parameter.data.requires_grad
        parameter.data.data = parameter.data * 3
        parameter.data[1] = 0.5
        with pytest.raises(TypeError, match="secret tensor or shares"):
            parameter.data = torch.full((4,), 4321.5)
        with pytest.raises(ValueError, match="does not fit"):
            parameter.data.copy_(secret(session, torch.ones(2, 4)))
        with pytest.raises(RuntimeError, match="in-place"):
            parameter.add_(1)
        parameter.data.copy_(ReplicatedTensor(parameter.shares[:1]))
        return half, parameter.get_plain_text()

    half, last = run_secure(program).results[0]
    assert float((half - wave(2, 3) / 2).abs().max()) < 2**-14
    assert last.tolist() == [3.0] * 4
