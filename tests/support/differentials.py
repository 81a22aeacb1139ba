"""One function of tensors, with its gradients: on shares and in PyTorch's float64, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mpc_party.secure.tensors.crypten_compat import no_grad
from mpc_party.secure.tensors.tensor import ReplicatedTensor
from tests.support.secure_parties import run_secure


def secret(session, values, src=0, **options):
    """`values` of position `src`; the others pass zeros of the same shape."""
    held = values if session.position == src else torch.zeros_like(values)
    return ReplicatedTensor(held, src=src, **options)


def wave(*shape: int, scale: float = 1.0, phase: float = 0.0) -> torch.Tensor:
    """Values within +-scale, none of them alike, none at 0, on the grid of 16 fraction bits."""
    count = torch.Size(shape).numel()
    values = torch.sin(torch.arange(count).double() * 2.3 + 0.7 + phase) * scale
    return (values * 2**16).round().div(2**16).reshape(shape)


def weights_like(output: torch.Tensor) -> torch.Tensor:
    """What the output is weighted with before the backward pass: powers of two, exact in any scale."""
    return 2.0 ** (torch.arange(output.numel()) % 3 - 1.0).reshape(output.shape)


def in_torch(function: Callable, inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The output and the gradients with respect to all inputs, of the weighted sum of the output."""
    leaves = [v.double().clone().requires_grad_() for v in inputs]
    output = function(*leaves)
    (output * weights_like(output)).sum().backward()
    return [output.detach(), *[v.grad for v in leaves]]


def on_shares(function: Callable, inputs: Sequence[torch.Tensor], settings=None) -> list[torch.Tensor]:
    """The same, opened."""

    def program(session):
        leaves = [secret(session, v, i % 3, requires_grad=True) for i, v in enumerate(inputs)]
        output = function(*leaves)
        public = weights_like(torch.empty(output.size()))
        (output * public).sum().backward()
        with no_grad():
            return [output.get_plain_text(), *[v.grad.get_plain_text() for v in leaves]]

    results = run_secure(program).results
    assert all(torch.equal(a, b) for a, b in zip(results[0], results[2], strict=True))
    return results[1]


def differences(
    function: Callable, inputs: Sequence[torch.Tensor], plain: Callable | None = None
) -> list[float]:
    """The largest error of the output and of each gradient, after their shapes were found equal."""
    pairs = list(zip(on_shares(function, inputs), in_torch(plain or function, inputs), strict=True))
    assert [tuple(a.shape) for a, _ in pairs] == [tuple(b.shape) for _, b in pairs]
    return [float((a - b).abs().max()) if a.numel() else 0.0 for a, b in pairs]
