"""Values that one party holds a part of: replicated shares, and the unfinished products of two of them.

**Operators are local.** Nothing here sends a byte. Adding, multiplying by public values and views act on each
component by itself; the product of two secrets is an *additive* sharing, which `reduce` in `arithmetic` turns
into a replicated one again, with one truncation for a whole expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NoReturn, Self, overload

import numpy as np
import torch

from mpc_party.protocol.errors import Reason
from mpc_party.secure.encoding import FixedPoint, Public, fixed
from mpc_party.secure.errors import SecureError
from mpc_party.secure.kernels import (
    Bilinear,
    local_bilinear,
    local_matmul,
    local_product,
    local_square,
    ring_matmul,
)
from mpc_party.secure.session import SecureSession
from mpc_party.secure.views import Views

_SCALE_LIMIT = 62  # more fraction bits leave no room for a value


class Shares(Views):
    """What this party holds of a secret tensor: int64 words of shape (components, *shape), at a fixed-point scale.

    The value is the sum of all parties' components, divided by 2^fraction_bits. Hidden in repr; no serialisation.

    Args:
        session: the computation that it belongs to; shares of different sessions do not mix.
        words: this party's components.
        fraction_bits: the scale. Integers have 0, and products the sum of their factors'.
    """

    __slots__ = ("fraction_bits", "session", "words")

    __array_ufunc__: ClassVar[None] = None  # numpy arrays on the left leave the operator to us

    def __init__(self, session: SecureSession, words: torch.Tensor, fraction_bits: int) -> None:
        components = self._components(session)
        if words.dtype != torch.int64 or words.dim() < 1 or words.shape[0] != components:
            raise ValueError(f"{type(self).__name__} needs int64 words of shape ({components}, ...)")
        if not 0 <= fraction_bits <= _SCALE_LIMIT:
            raise SecureError(
                f"a scale of {fraction_bits} fraction bits leaves no room for the value",
                remedy="reduce products before multiplying further",
            )
        self.session = session
        self.words = words
        self.fraction_bits = fraction_bits

    @staticmethod
    def _components(session: SecureSession) -> int:
        """How many words a party holds per element."""
        raise NotImplementedError

    def _like(self, words: torch.Tensor, fraction_bits: int | None = None) -> Self:
        return type(self)(self.session, words, self.fraction_bits if fraction_bits is None else fraction_bits)

    def at_scale(self, fraction_bits: int) -> Self:
        """The same value with more fraction bits: exact and local."""
        shift = fraction_bits - self.fraction_bits
        if shift < 0:
            raise ValueError("fewer fraction bits need a truncation: use reduce")
        return self if shift == 0 else self._like(self.words << shift, fraction_bits)

    def _slot_of_public(self) -> int | None:
        """The slot to which this party adds public values: component 0 is the one that carries them."""
        raise NotImplementedError

    # Addition

    def _plus(self, other: Shares | Public | FixedPoint) -> Any:  # noqa: ANN401 - typed by the subclasses
        if isinstance(other, Shares):
            return _add(self, other, negate=False)
        if not _is_public(other):
            return NotImplemented
        value = fixed(other, max(self.fraction_bits, self.session.fraction_bits))
        result = self.at_scale(max(self.fraction_bits, value.fraction_bits))
        addend = value.aligned(result.fraction_bits)
        shape = self.shape if isinstance(addend, int) else np.broadcast_shapes(self.shape, addend.shape)
        words = result._spread(shape).clone()  # noqa: SLF001 - this class
        slot = self._slot_of_public()
        if slot is not None:
            words[slot] += addend
        return result._like(words)  # noqa: SLF001 - this class

    def __radd__(self, other: Public | FixedPoint) -> Self:
        result: Self = self._plus(other)
        return result

    def __neg__(self) -> Self:
        return self._like(-self.words)

    def _minus(self, other: Shares | Public | FixedPoint) -> Any:  # noqa: ANN401 - as _plus
        if isinstance(other, Shares):
            return _add(self, other, negate=True)
        if not _is_public(other):
            return NotImplemented
        return -(-self)._plus(other)  # noqa: SLF001 - this class

    def __rsub__(self, other: Public | FixedPoint) -> Self:
        result: Self = (-self)._plus(other)
        return result

    # Multiplication by public values, which keeps the kind of sharing

    def _times_public(self, value: FixedPoint) -> Self:
        scale = self.fraction_bits + value.fraction_bits
        if isinstance(value.words, int):
            return self._like(self.words * value.words, scale)
        return self._like(
            self._spread(np.broadcast_shapes(self.shape, value.words.shape)) * value.words, scale
        )

    def linear(self, function: Callable[[torch.Tensor], torch.Tensor], fraction_bits: int = 0) -> Self:
        """A linear function of the words, applied to every component; it adds so many fraction bits."""
        return self._like(torch.stack([function(w) for w in self.words]), self.fraction_bits + fraction_bits)

    def times(self, value: Public, fraction_bits: int) -> Self:
        """The product with a public value, which is rounded to so many fraction bits, instead of the session's."""
        return self._times_public(fixed(value, fraction_bits))

    def __rmul__(self, other: Public | FixedPoint) -> Self:
        if not _is_public(other):
            return NotImplemented
        return self._times_public(fixed(other, self.session.fraction_bits))

    @overload
    def __mul__(self, other: Public | FixedPoint) -> Self: ...
    @overload
    def __mul__(self, other: Shares) -> AdditiveShares: ...
    def __mul__(self, other: Shares | Public | FixedPoint) -> Shares:
        if isinstance(other, Shares):
            x, y = _factors(self, other)
            return AdditiveShares(
                self.session,
                local_product(self.session.terms, *_aligned(x, y)).unsqueeze(0),
                self.fraction_bits + other.fraction_bits,
            )
        return self.__rmul__(other)

    @overload
    def __matmul__(self, other: Public | FixedPoint) -> Self: ...
    @overload
    def __matmul__(self, other: Shares) -> AdditiveShares: ...
    def __matmul__(self, other: Shares | Public | FixedPoint) -> Shares:
        if isinstance(other, Shares):
            x, y = _factors(self, other)
            product = local_matmul(self.session.terms, x.words, y.words)
            return AdditiveShares(
                self.session, product.unsqueeze(0), self.fraction_bits + other.fraction_bits
            )
        if not _is_public(other):
            return NotImplemented
        value = fixed(other, self.session.fraction_bits)
        words = torch.stack([ring_matmul(w, _matrix(value)) for w in self.words])
        return self._like(words, self.fraction_bits + value.fraction_bits)

    def __rmatmul__(self, other: Public | FixedPoint) -> Self:
        if not _is_public(other):
            return NotImplemented
        value = fixed(other, self.session.fraction_bits)
        words = torch.stack([ring_matmul(_matrix(value), w) for w in self.words])
        return self._like(words, self.fraction_bits + value.fraction_bits)

    # What a secret does not do

    def __bool__(self) -> NoReturn:
        raise TypeError("a shared value has no truth value that this party could know")

    def __iter__(self) -> Iterator[Self]:
        return iter(self.unbind(0))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={tuple(self.shape)}, fraction_bits={self.fraction_bits}, {self.session!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("shares are secret and are not serialised")


class ReplicatedShares(Shares):
    """A replicated sharing: the components of `Layout.held`, so x_i and x_{i+1} at position i where t = 1."""

    __slots__ = ()

    @staticmethod
    def _components(session: SecureSession) -> int:
        return len(session.held)

    def _slot_of_public(self) -> int | None:
        return self.session.carrier

    @overload
    def __add__(self, other: ReplicatedShares | Public | FixedPoint) -> ReplicatedShares: ...
    @overload
    def __add__(self, other: AdditiveShares) -> AdditiveShares: ...
    def __add__(self, other: Shares | Public | FixedPoint) -> Shares:
        return self._plus(other)  # type: ignore[no-any-return] # by what is added

    @overload
    def __sub__(self, other: ReplicatedShares | Public | FixedPoint) -> ReplicatedShares: ...
    @overload
    def __sub__(self, other: AdditiveShares) -> AdditiveShares: ...
    def __sub__(self, other: Shares | Public | FixedPoint) -> Shares:
        return self._minus(other)  # type: ignore[no-any-return] # by what is subtracted

    def square(self) -> AdditiveShares:
        """The elementwise square, not reduced."""
        return AdditiveShares(
            self.session, local_square(self.session.terms, self.words).unsqueeze(0), 2 * self.fraction_bits
        )

    def bilinear(self, function: Bilinear, other: ReplicatedShares) -> AdditiveShares:
        """A bilinear function of this and another secret, a convolution for instance, not reduced."""
        same_session((self, other))
        words = local_bilinear(function, self.session.terms, self.words, other.words)
        return AdditiveShares(self.session, words.unsqueeze(0), self.fraction_bits + other.fraction_bits)

    def additive(self) -> AdditiveShares:
        """The same value as an additive sharing: this party's part are the components of which it is the first holder."""
        session = self.session
        part = self.words[list(session.layout.counted[session.position])].sum(0, keepdim=True)
        return AdditiveShares(session, part, self.fraction_bits)


class AdditiveShares(Shares):
    """A product that is not reduced yet: at each position one word per element, and z is the sum of them all.

    It is not masked, and so must not leave the party: `reduce` masks it first.
    """

    __slots__ = ()

    @staticmethod
    def _components(session: SecureSession) -> int:
        del session
        return 1

    def __add__(self, other: Shares | Public | FixedPoint) -> AdditiveShares:
        return self._plus(other)  # type: ignore[no-any-return] # always additive

    def __sub__(self, other: Shares | Public | FixedPoint) -> AdditiveShares:
        return self._minus(other)  # type: ignore[no-any-return] # always additive

    def _slot_of_public(self) -> int | None:
        return 0 if self.session.position == 0 else None


def same_session(shares: Sequence[Shares]) -> SecureSession:
    """The session of all of them.

    Raises:
        SecureError: INTERNAL, if they differ.
    """
    session = shares[0].session
    if any(other.session is not session for other in shares):
        raise SecureError("shares of different sessions cannot meet", reason=Reason.INTERNAL)
    return session


def _is_public(value: object) -> bool:
    return isinstance(value, bool | int | float | torch.Tensor | np.ndarray | np.generic | FixedPoint)


def _matrix(value: FixedPoint) -> torch.Tensor:
    if isinstance(value.words, int):
        raise TypeError("matrix multiplication needs a public tensor, not a scalar")
    return value.words


def _factors(x: Shares, y: Shares) -> tuple[ReplicatedShares, ReplicatedShares]:
    same_session((x, y))
    if not (isinstance(x, ReplicatedShares) and isinstance(y, ReplicatedShares)):
        raise TypeError("an unreduced product cannot be multiplied by a secret: reduce it first")
    return x, y


def _aligned(x: Shares, y: Shares) -> tuple[torch.Tensor, torch.Tensor]:
    # Torch aligns dimensions at the right, where the leading dimension of components must not take part.
    dims = max(x.dim(), y.dim())
    return x._padded(dims), y._padded(dims)  # noqa: SLF001 - the base class of both


def _add(x: Shares, y: Shares, *, negate: bool) -> Shares:
    same_session((x, y))
    scale = max(x.fraction_bits, y.fraction_bits)
    if type(x) is not type(y):  # replicated + unreduced product: goes on as the latter
        x = x.additive() if isinstance(x, ReplicatedShares) else x
        y = y.additive() if isinstance(y, ReplicatedShares) else y
    first, second = _aligned(x.at_scale(scale), y.at_scale(scale))
    return type(x)(x.session, first - second if negate else first + second, scale)
