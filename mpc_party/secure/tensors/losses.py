"""The cross entropy of CrypTen's autograd and of its layer, as torch has them. Imported by `tensor` for that effect.

CrypTen 0.4.1 divides by the number of classes for a batch of one, and by that of samples for (N, C, d); it drops all
dimensions of 1 before; and takes the logarithm of a softmax, which ends at log(2^-17).
"""

# ruff: noqa: ANN401, D102, FBT001, FBT002 - CrypTen's signatures; what `forward` and `backward` do is the class's text

from typing import Any

from mpc_party.secure.tensors.crypten_compat import AutogradFunction, nn, replace_gradient

Tensor = Any  # ReplicatedTensor, which this module must not import
Context = Any  # CrypTen's AutogradContext


@replace_gradient("cross_entropy")
class CrossEntropy(AutogradFunction):  # type: ignore[misc] # CrypTen has no types
    """-sum of target * log_softmax(prediction), over the number of distributions: (softmax - target) over that number.

    Predictions are (C), (N, C) or (N, C, d1, ...); targets are probabilities of that shape, one-hot for instance, which
    sum to 1 over the classes. All differences of predictions below 2^46 are taken, at 16 fraction bits.
    Error: that of `log_softmax`, for each distribution. Rounds: those of `softmax`, and two `reduce`s.
    """

    @staticmethod
    def forward(ctx: Context, prediction: Tensor, target: Tensor, skip_forward: bool = False) -> Tensor:
        if prediction.size() != target.size():
            raise ValueError("predictions and targets of a cross entropy have one shape")
        dim = 1 if prediction.dim() > 1 else 0
        count = prediction.nelement() // max(prediction.size(dim), 1)
        ctx.mark_non_differentiable(target)
        if skip_forward:
            ctx.save_multiple_for_backward((prediction.softmax(dim), target, count))
            return prediction.new(0)
        softmax, logarithm = prediction.both_softmaxes(dim)
        ctx.save_multiple_for_backward((softmax, target, count))
        return logarithm.mul(target).sum().div(-count)

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> Tensor:
        softmax, target, count = ctx.saved_tensors
        return softmax.sub(target).div(count).mul(gradient)


def _forward(self: Any, x: Tensor, y: Tensor) -> Tensor:
    return x.cross_entropy(y, skip_forward=self.skip_forward)


nn.CrossEntropyLoss.forward = _forward
