"""`ReplicatedTensor`: replicated shares as a CrypTensor, so that CrypTen's functions, `crypten.nn` and autograd run on them.

Importing this module imports CrypTen, registers the type as "replicated" and makes it CrypTen's default. Results
of multiplications are brought back to the session's fraction bits at once, as CrypTen has it; programs that want
fewer rounds use the shares underneath (`.shares`) and the functions of `mpc_party.secure`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, Self

import torch

from mpc_party.secure import comparison
from mpc_party.secure.encoding import fixed
from mpc_party.secure.functions import factors
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.sharing import (
    PrivateInput,
    constant,
    open_shares,
    open_to,
    open_words_many,
    random_fractions,
    share_many,
)
from mpc_party.secure.tensors import (
    gradients,  # noqa: F401 - registers what CrypTen's autograd lacks
    losses,  # noqa: F401 - the same
    pooling_gradients,  # noqa: F401 - the same
)
from mpc_party.secure.tensors.choices import Choices
from mpc_party.secure.tensors.crypten_compat import (
    CrypTensor,
    cat,
    register_cryptensor,
    set_default_cryptensor_type,
    stack,
    where,
)
from mpc_party.secure.tensors.dropping import Dropping
from mpc_party.secure.tensors.functions import Functions
from mpc_party.secure.tensors.holder import operand
from mpc_party.secure.tensors.writing import Writing

NAME = "replicated"

Convolution = Callable[..., torch.Tensor]

# What `public tensor, operator, secret` means to the secret.
_REFLECTED = {
    "add": "add", "__add__": "add", "sub": "__rsub__", "__sub__": "__rsub__", "mul": "mul", "__mul__": "mul",
    "matmul": "__rmatmul__", "__matmul__": "__rmatmul__", "div": "__rtruediv__", "true_divide": "__rtruediv__",
    "__truediv__": "__rtruediv__", "__div__": "__rtruediv__",
    "lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne",
    "__lt__": "gt", "__gt__": "lt", "__le__": "ge", "__ge__": "le", "__eq__": "eq", "__ne__": "ne",
}  # fmt: skip


@register_cryptensor(NAME)
class ReplicatedTensor(Functions, Choices, Dropping, Writing, CrypTensor):  # type: ignore[misc] # CrypTen has no types
    """A secret tensor on the current session.

    Arithmetic and comparison are here, `Functions` has approximations, `Choices` maxima and pooling, `Writing` what
    changes a tensor, `gradients` what CrypTen's autograd lacks. The methods found in none of them are CrypTen's, built from these.

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

    __array_ufunc__ = None  # numpy arrays on the left leave the operator to us

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
        self._owner = None
        self._tensor = None  # CrypTen makes an empty instance to reach `cat` and `stack`
        if isinstance(tensor, ReplicatedShares):
            self._tensor = tensor
        elif not (isinstance(tensor, list) and not tensor):
            self._tensor = _shared(tensor, src, size, fraction_bits)

    @staticmethod
    def new(tensor: Any, **_: object) -> "ReplicatedTensor":  # noqa: ANN401 - as the constructor
        """A tensor of values that all parties know alike: CrypTen's library makes its constants with it. Local."""
        return ReplicatedTensor(tensor, src=None)

    @staticmethod
    def from_shares(shares: ReplicatedShares) -> "ReplicatedTensor":
        """Wrap shares that this party holds, for instance of a dealt model's weights. Local."""
        return ReplicatedTensor(shares)

    def wrap(self, shares: ReplicatedShares) -> "ReplicatedTensor":
        """A new tensor around shares. Local."""
        return ReplicatedTensor(shares)

    # Copies

    def clone(self) -> "ReplicatedTensor":
        """A copy that shares no memory."""
        return ReplicatedTensor(self.shares.clone())

    def shallow_copy(self) -> "ReplicatedTensor":
        """Another tensor with the same shares; a clone where a gradient is wanted, which CrypTen's forgets."""
        if self.on_tape():
            copy: ReplicatedTensor = self.__getattribute__("clone")()
            return copy
        return ReplicatedTensor(self.shares)

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
        shares = self.shares.contiguous()
        return open_shares(shares) if dst is None else open_to(dst, shares)

    def reveal(self) -> torch.Tensor:
        """Open the ring words (int64) to all parties, without decoding. Collective; one round."""
        return open_words_many([self.shares.contiguous()])[0]

    # Arithmetic

    def add(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - tensor, shares' tensor or number
        """Add. Local."""
        return self.closed(self.shares + operand(other))

    def neg(self) -> "ReplicatedTensor":
        """Negate. Local."""
        return ReplicatedTensor(-self.shares)

    def mul(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Multiply elementwise. Rounds: that of `reduce`; none by public integers.

        Range: |x y| < 2^30 by secrets and public real numbers, |x y| < 2^47 by integers, at 16 fraction bits: see `factors`.
        """
        factor = operand(other)
        if not isinstance(factor, ReplicatedShares | int | str | None):
            public = torch.as_tensor(factor, dtype=torch.float64)
            if factors.needs_grouping(public):
                return self.closed(factors.product(self.shares, public))
        return self.closed(self.shares * factor)

    def square(self) -> "ReplicatedTensor":
        """Square elementwise. Rounds: that of `reduce`."""
        return self.closed(self.shares.square())

    def matmul(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Multiply matrices. Rounds as `mul`, words by the size of the result.

        Range: as `mul` by secrets, for the sums; public matrices and kernels have one scale, of f bits unless all integers.
        """
        return self.closed(self.shares @ operand(other))

    def __rmatmul__(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        if not self.on_tape():
            return self.closed(operand(other) @ self.shares)
        if min(self.dim(), other.dim()) < 2:
            raise NotImplementedError(
                "the gradient of a public matrix on the left needs two dimensions on each side"
            )
        return self.transpose(-1, -2).matmul(other.transpose(-1, -2)).transpose(-1, -2)  # type: ignore[no-any-return] # CrypTen's

    def __rtruediv__(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        return self.reciprocal().mul(other)

    def div(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """Divide by a public value, through its reciprocal to f significant bits, or by a secret, through `reciprocal`.

        Rounds: that of one `reduce`, of two by more than 2^(f+1); by a secret also those of `reciprocal`. Range: |x| < 2^30
        at 16 fraction bits: see `factors`.

        Raises:
            SecureError: COMPUTATION_OUT_OF_RANGE for public divisors that are 0 or that the ring does not hold.
        """
        if isinstance(other, ReplicatedTensor):
            return self.mul(other.reciprocal())
        return self.closed(factors.quotient(self.shares, torch.as_tensor(other, dtype=torch.float64)))

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
        factor = operand(kernel)
        if isinstance(factor, ReplicatedShares):
            return self.closed(self.shares.bilinear(lambda x, k: function(x, k, **options), factor))
        point = fixed(factor, self.shares.session.fraction_bits)
        return self.closed(
            self.shares.linear(lambda x: function(x, point.words, **options), point.fraction_bits)
        )

    # Pieces, by `narrow` where a gradient is wanted, because CrypTen's own forget the graph

    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple["ReplicatedTensor", ...]:
        """As torch.split. Local."""
        if not self.on_tape():
            return tuple(self.wrap(part) for part in self.shares.split(split_size, dim))
        count = self.shares.size(dim)
        if isinstance(split_size, int):
            sizes = [min(split_size, count - start) for start in range(0, count, split_size)]
        else:
            sizes = list(split_size)
        starts = [sum(sizes[:index]) for index in range(len(sizes))]
        return tuple(self.narrow(dim, start, size) for start, size in zip(starts, sizes, strict=True))

    def unbind(self, dim: int = 0) -> tuple["ReplicatedTensor", ...]:
        """As torch.unbind. Local."""
        if not self.on_tape():
            return tuple(self.wrap(part) for part in self.shares.unbind(dim))
        return tuple(self.narrow(dim, i, 1).squeeze(dim) for i in range(self.shares.size(dim)))

    def __getitem__(self, index: Any) -> "ReplicatedTensor":  # noqa: ANN401 - whatever torch takes between brackets
        if self.on_tape():  # brackets do not ask CrypTen's autograd by themselves
            result: ReplicatedTensor = self.__getattribute__("__getitem__")(index)
            return result
        return self.wrap(self.shares[index])

    def __iter__(self) -> Iterator["ReplicatedTensor"]:
        return iter(self.unbind(0))

    # Comparison: 0 and 1 at scale 0

    def _ltz(self) -> "ReplicatedTensor":
        """1 where negative, exact. Rounds: one comparison."""
        return ReplicatedTensor(comparison.less_than_zero(self.shares))

    def lt(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where less, exact. Rounds: one comparison."""
        return ReplicatedTensor(comparison.less_than(self.shares, operand(other)))

    def gt(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where greater, exact. Rounds: one comparison."""
        return ReplicatedTensor(comparison.greater_than(self.shares, operand(other)))

    def le(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where less or equal, exact. Rounds: one comparison."""
        return ReplicatedTensor(comparison.less_equal(self.shares, operand(other)))

    def ge(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where greater or equal, exact. Rounds: one comparison."""
        return ReplicatedTensor(comparison.greater_equal(self.shares, operand(other)))

    def eq(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where equal, exact. Rounds: see `comparison.equal`."""
        return ReplicatedTensor(comparison.equal(self.shares, operand(other)))

    def ne(self, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """1 where different, exact. Rounds: see `comparison.equal`."""
        return ReplicatedTensor(comparison.not_equal(self.shares, operand(other)))

    def relu(self) -> "ReplicatedTensor":
        """max(x, 0), exact. Rounds: see `comparison.relu`."""
        return ReplicatedTensor(comparison.relu(self.shares))

    def abs(self) -> "ReplicatedTensor":
        """|x|, exact. Rounds: see `comparison.absolute`."""
        return ReplicatedTensor(comparison.absolute(self.shares))

    def where(self, condition: Any, other: Any) -> "ReplicatedTensor":  # noqa: ANN401 - as add
        """X where the condition is 1, else `other`, exact. Rounds: that of `reduce`, none with a public condition."""
        return ReplicatedTensor(comparison.where(operand(condition), self.shares, operand(other)))

    # Random values, for CrypTen's samplers

    @staticmethod
    def rand(*sizes: Any, device: object = None) -> "ReplicatedTensor":  # noqa: ANN401 - sizes, or one sequence
        """Uniform in [0, 1), known to nobody. Collective: see `random_fractions`."""
        del device
        shape = sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
        return ReplicatedTensor(random_fractions(tuple(shape)))

    # What may be known of a secret

    @property
    def data(self) -> "ReplicatedTensor":
        """The same value outside of autograd, as in PyTorch: what is written to it in place is written to this tensor."""
        alias = ReplicatedTensor(self.shares)
        alias._owner = self
        return alias

    @data.setter
    def data(self, value: object) -> None:
        if isinstance(value, ReplicatedTensor):
            value = value.shares
        if not isinstance(value, ReplicatedShares):
            raise TypeError(
                "`.data` takes a secret tensor or shares: share a public value first, or use `set`"
            )
        self.hold(value)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - as the function
        """What torch does with a secret: operators with a public tensor on the left, joins, and what takes its shape."""
        del types
        name = func.__name__
        if name in _REFLECTED and (kwargs or len(args) != 2):
            raise NotImplementedError(f"torch.{name} of secret tensors takes two operands and no options")
        if name in _REFLECTED and isinstance(args[0], torch.Tensor):
            return getattr(args[1], _REFLECTED[name])(args[0])
        if func in (torch.ones_like, torch.zeros_like):
            return func(torch.empty(args[0].size()), *args[1:], **(kwargs or {}))
        if func in (torch.cat, torch.stack):
            return (cat if func is torch.cat else stack)(list(args[0]), *args[1:], **(kwargs or {}))
        if func is torch.where and len(args) == 3:
            return where(*args)
        raise NotImplementedError(f"torch.{name} does not take secret tensors: use their methods")

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
