"""`ReplicatedTensor`: replicated shares as a CrypTensor, so that CrypTen's functions, `crypten.nn` and autograd run on them.

Importing this module imports CrypTen, registers the type as "replicated" and makes it CrypTen's default. Results
of multiplications are brought back to the session's fraction bits at once, as CrypTen has it; programs that want
fewer rounds use the shares underneath (`.shares`) and the functions of `mpc_party.secure`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Self

import torch

from mpc_party.secure import arithmetic, comparison
from mpc_party.secure.crypten_compat import CrypTensor, cat, register_cryptensor, set_default_cryptensor_type
from mpc_party.secure.encoding import FixedPoint, fixed
from mpc_party.secure.shares import ReplicatedShares, Shares
from mpc_party.secure.sharing import (
    PrivateInput,
    constant,
    open_shares,
    open_to,
    open_words_many,
    random_fractions,
    share_many,
)

NAME = "replicated"

Convolution = Callable[..., torch.Tensor]


@register_cryptensor(NAME)
class ReplicatedTensor(CrypTensor):  # type: ignore[misc] # CrypTen has no types
    """A secret tensor on the current session. The methods not found here are CrypTen's, built from these.

    Args:
        tensor: what is shared: values of position `src`, real or integer; elsewhere only the shape is taken from
            it. Or `ReplicatedShares`, which are wrapped.
        src: position (0..2) of the party whose values they are; None where all parties know them.
        size: the shape, at parties that have no tensor of it.
        fraction_bits: scale, the session's where None.
        requires_grad: as in PyTorch; taken from `tensor` where None.
        device: ignored, as shares live in main memory.

    Collective, unless public or wrapped: one round, one word per element from `src` to the next party. Reveals nothing.
    """

    def __init__(
        self,
        tensor: Any = None,  # noqa: ANN401 - whatever CrypTen passes: tensors, lists, numbers
        src: int | None = 0,
        *,
        size: Sequence[int] | None = None,
        fraction_bits: int | None = None,
        requires_grad: bool | None = None,
        device: object = None,
    ) -> None:
        super().__init__(requires_grad=_wants_gradient(tensor) if requires_grad is None else requires_grad)
        del device
        self._tensor: Any = None  # CrypTen makes an empty instance to reach `cat` and `stack`
        if isinstance(tensor, ReplicatedShares):
            self._tensor = tensor
        elif not (isinstance(tensor, list) and not tensor):
            self._tensor = _shared(tensor, src, size, fraction_bits)

    @staticmethod
    def new(tensor: Any, **_: object) -> "ReplicatedTensor":  # noqa: ANN401 - as the constructor
        """A tensor of values that all parties know: CrypTen's library makes its constants with it. Local."""
        return ReplicatedTensor(tensor, src=None)

    @staticmethod
    def from_shares(shares: ReplicatedShares) -> "ReplicatedTensor":
        """Wrap shares that this party holds, for instance of a dealt model's weights. Local."""
        return ReplicatedTensor(shares)

    @property
    def shares(self) -> ReplicatedShares:
        """The shares underneath."""
        shares: ReplicatedShares = self._tensor
        return shares

    # Copies

    def clone(self) -> "ReplicatedTensor":
        """A copy that shares no memory."""
        return ReplicatedTensor(self.shares.clone())

    def shallow_copy(self) -> "ReplicatedTensor":
        """Another tensor with the same shares."""
        return ReplicatedTensor(self.shares)

    def copy_(self, other: "ReplicatedTensor") -> Self:
        """Take the value of another tensor."""
        self._tensor = other.shares
        return self

    def to(self, *_: object, **__: object) -> Self:
        """Nothing: shares stay int64 words in main memory."""
        return self

    cpu = to

    # Opening

    def get_plain_text(self, dst: int | None = None) -> torch.Tensor | None:
        """Open to all parties, or to position `dst` only. Collective; one round: see `open_shares`, `open_to`.

        Returns:
            the values in float64; None at the others, where `dst` is given.
        """
        return open_shares(self.shares) if dst is None else open_to(dst, self.shares)

    def reveal(self) -> torch.Tensor:
        """Open the ring words (int64) to all parties, without decoding. Collective; one round."""
        return open_words_many([self.shares])[0]

    # Arithmetic

    def add(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - tensor, shares' tensor or number
        """Add. Local."""
        return _closed(self.shares + _operand(other))

    def neg(self) -> "ReplicatedTensor":
        """Negate. Local."""
        return ReplicatedTensor(-self.shares)

    def mul(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Multiply elementwise. Two rounds by a secret, one by a public value with a fraction, none by integers."""
        return _closed(self.shares * _operand(other))

    def square(self) -> "ReplicatedTensor":
        """Square elementwise. Two rounds."""
        return _closed(self.shares.square())

    def matmul(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Multiply matrices. Rounds as `mul`, words by the size of the result."""
        return _closed(self.shares @ _operand(other))

    def __rmatmul__(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        return _closed(_operand(other) @ self.shares)

    def div(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Divide by a public value, through its reciprocal to f significant bits: one round. By a secret: CrypTen's."""
        if isinstance(other, ReplicatedTensor):
            return self.mul(other.reciprocal())
        divisor = torch.as_tensor(other, dtype=torch.float64)
        scale = self.shares.session.fraction_bits
        largest = float(divisor.abs().max())
        extra = min(scale, max(0, math.ceil(math.log2(largest)))) if largest > 0 else 0
        return _closed(self.shares * fixed(1.0 / divisor, scale + extra))

    def conv1d(self, kernel: Any, **options: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as torch.conv1d
        """As torch.conv1d. Rounds as `mul`, words by the size of the result."""
        return self._convolved(torch.conv1d, kernel, options)

    def conv2d(self, kernel: Any, **options: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as torch.conv2d
        """As torch.conv2d. Rounds as `mul`, words by the size of the result."""
        return self._convolved(torch.conv2d, kernel, options)

    def conv_transpose1d(self, kernel: Any, **options: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as torch's
        """As torch.conv_transpose1d. Rounds as `mul`."""
        return self._convolved(torch.conv_transpose1d, kernel, options)

    def conv_transpose2d(self, kernel: Any, **options: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as torch's
        """As torch.conv_transpose2d. Rounds as `mul`."""
        return self._convolved(torch.conv_transpose2d, kernel, options)

    def _convolved(
        self, function: Convolution, kernel: object, options: dict[str, Any]
    ) -> "ReplicatedTensor":
        operand = _operand(kernel)
        if isinstance(operand, ReplicatedShares):
            return _closed(self.shares.bilinear(lambda x, k: function(x, k, **options), operand))
        point = fixed(operand, self.shares.session.fraction_bits)
        return _closed(self.shares.linear(lambda x: function(x, point.words, **options), point.fraction_bits))

    def avg_pool2d(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002 - CrypTen's signature
    ) -> "ReplicatedTensor":
        """As torch.nn.functional.avg_pool2d. One round, for the division by the area."""
        if ceil_mode:
            raise NotImplementedError("avg_pool2d with ceil_mode")
        pooled = self.shares.linear(
            lambda x: torch.nn.functional.avg_pool2d(
                x, kernel_size, stride=stride, padding=padding, divisor_override=1
            )
        )
        area = kernel_size**2 if isinstance(kernel_size, int) else kernel_size[0] * kernel_size[1]
        return ReplicatedTensor(pooled).div(area)

    def max_pool2d(self, *_: object, **__: object) -> NoReturn:
        """Not on replicated shares yet: CrypTen's pads with a sentinel in the shares themselves."""
        raise NotImplementedError("max_pool2d on replicated shares")

    # Comparison: 0 and 1 at scale 0

    def _ltz(self) -> "ReplicatedTensor":
        """1 where negative: ten rounds. See `comparison`."""
        return ReplicatedTensor(comparison.less_than_zero(self.shares))

    def lt(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where less: ten rounds, exact."""
        return ReplicatedTensor(comparison.less_than(self.shares, _operand(other)))

    def gt(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where greater: ten rounds, exact."""
        return ReplicatedTensor(comparison.greater_than(self.shares, _operand(other)))

    def le(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where less or equal: ten rounds, exact."""
        return ReplicatedTensor(comparison.less_equal(self.shares, _operand(other)))

    def ge(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where greater or equal: ten rounds, exact."""
        return ReplicatedTensor(comparison.greater_equal(self.shares, _operand(other)))

    def eq(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where equal: nine rounds, exact."""
        return ReplicatedTensor(comparison.equal(self.shares, _operand(other)))

    def ne(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where different: nine rounds, exact."""
        return ReplicatedTensor(comparison.not_equal(self.shares, _operand(other)))

    def relu(self) -> "ReplicatedTensor":
        """max(x, 0): ten rounds, exact."""
        return ReplicatedTensor(comparison.relu(self.shares))

    def abs(self) -> "ReplicatedTensor":
        """|x|: ten rounds, exact."""
        return ReplicatedTensor(comparison.absolute(self.shares))

    def where(self, condition: Any, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """X where the condition is 1, else `other`: one round, none with a public condition."""
        return ReplicatedTensor(comparison.where(_operand(condition), self.shares, _operand(other)))

    # Random values, for CrypTen's samplers

    @staticmethod
    def rand(*sizes: Any, device: object = None) -> "ReplicatedTensor":  # noqa: ANN401 - sizes, or one sequence
        """Uniform in [0, 1), known to nobody. Collective: see `random_fractions`."""
        del device
        shape = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        return ReplicatedTensor(random_fractions(tuple(shape)))

    def weighted_index(self, dim: int | None = None) -> "ReplicatedTensor":
        """One-hot along `dim`, at random by the weights in it: as CrypTen's, which writes into the shares."""
        if dim is None:
            return self.flatten().weighted_index(dim=0).view(self.size())  # type: ignore[no-any-return] # CrypTen's
        sums = self.cumsum(dim)
        total = sums.narrow(dim, sums.size(dim) - 1, 1)
        reached = sums.gt(ReplicatedTensor.rand(total.size()) * total)
        first = reached.narrow(dim, 0, 1)
        before = cat([first - first, reached.narrow(dim, 0, reached.size(dim) - 1)], dim=dim)
        return reached - before  # type: ignore[no-any-return] # CrypTen's operators

    # What may be known of a secret

    @property
    def data(self) -> torch.Tensor:
        """Zeros of the tensor's shape: CrypTen's library takes shapes from it. The shares are in `.shares`."""
        return torch.zeros(()).expand(self.shares.shape)

    @data.setter
    def data(self, value: object) -> NoReturn:
        raise NotImplementedError("shares are not written through .data")

    @property
    def device(self) -> torch.device:
        """Main memory."""
        return torch.device("cpu")

    def __repr__(self) -> str:
        shares = self._tensor
        if shares is None:
            return "ReplicatedTensor()"
        return f"ReplicatedTensor(shape={tuple(shares.shape)}, fraction_bits={shares.fraction_bits}, {shares.session!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret tensor is not serialised")


set_default_cryptensor_type(NAME)


def _shared(
    tensor: Any,  # noqa: ANN401 - as the constructor
    src: int | None,
    size: Sequence[int] | None,
    fraction_bits: int | None,
) -> ReplicatedShares:
    values = None if tensor is None else torch.as_tensor(tensor).detach()
    if src is None:
        if values is None:
            raise ValueError("a public tensor needs its values")
        return constant(values, fraction_bits)
    if values is None and size is None:
        raise ValueError("a party that does not own the tensor must give its size")
    shape = tuple(size) if values is None or size is not None else tuple(values.shape)  # type: ignore[arg-type] # checked
    return share_many([PrivateInput(src, shape, values, fraction_bits)])[0]


def _wants_gradient(tensor: object) -> bool:
    return isinstance(tensor, torch.Tensor) and tensor.requires_grad


def _operand(value: Any) -> Any:  # noqa: ANN401 - shares of a secret, or the public value itself
    if isinstance(value, ReplicatedTensor):
        return value.shares
    return value.detach() if isinstance(value, torch.Tensor) else value


def _closed(shares: Shares | FixedPoint) -> ReplicatedTensor:
    if not isinstance(shares, Shares):
        raise TypeError(f"unsupported operand: {type(shares).__name__}")
    return ReplicatedTensor(arithmetic.reduce(shares))
