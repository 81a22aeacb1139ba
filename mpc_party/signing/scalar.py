"""Secret integers modulo the group order, and arithmetic on them in constant time, by libsecp256k1.

A `SecretScalar` is an integer in [1, q). Zero is left out because libsecp256k1's functions refuse it as a secret key
and as a result, and because no protocol here needs it: an honest scalar is zero with probability 1/q, a dealt share
of zero is refused with its dealer as culprit, and the constant term of a sharing of zero is `None` (see `split`).

What is constant-time: addition, negation, multiplication and the range check. They are `secp256k1_ec_seckey_tweak_add`,
`_negate`, `_tweak_mul` and `_verify`, for which libsecp256k1's own `ctime_tests` show under valgrind that no branch
and no memory address depends on either operand; only whether the result is zero comes out. Comparison is
`hmac.compare_digest`. Products of secret scalars and points are in `curve`.

What is not: everything in a public `int` (weights, challenges, coordinates), and what Python does around the calls.
Allocation and reference counts do not depend on the value. Copying 32 bytes takes the same instructions whatever
they hold.

Memory: a scalar lives in 32 bytes of its own, which are zeroed when the last reference goes. `reveal` and `publish`
make copies that Python cannot wipe, and so do the encoder, TLS, and the operating system's source of randomness.
Registers and stack are libsecp256k1's to clear, which it tries. This guards against accidents (logs, tracebacks,
caches, a core file long after) and against a clock, not against someone who reads the process's memory meanwhile.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from mpc_party.protocol.secret import Secret
from mpc_party.signing.field import GROUP_ORDER, SCALAR_BYTES, decode_scalar, encode_scalar

_CONTEXT: Final[Any] = GLOBAL_CONTEXT.ctx
_CELL: Final[Any] = ffi.typeof("unsigned char[32]")
_ZEROS: Final = bytes(SCALAR_BYTES)


class SecretScalar(Secret):
    """An integer in [1, q), q the group order, that does not show itself. Immutable.

    `+`, `-`, `*` and unary `-` are modulo q; either factor of `*` may be a public `int` instead, any but a multiple
    of q. All raise ValueError if the result is zero.

    `cell` is the memory itself, for `curve` to hand to libsecp256k1 without a copy; nobody else touches it.
    """

    __slots__ = ("cell",)
    __hash__ = None  # type: ignore[assignment]  # a hash table would look at the value in variable time

    def __init__(self, data: bytes) -> None:
        """From 32 bytes, big-endian.

        Raises:
            TypeError: something else than bytes.
            ValueError: not 32 bytes, or zero, or not below the group order.
        """
        if not isinstance(data, bytes):
            raise TypeError("a secret scalar is made of bytes")
        if len(data) != SCALAR_BYTES:
            raise ValueError("not a secret scalar: 32 bytes, big-endian, in [1, q)")
        self.cell = ffi.new(_CELL, data)
        if not lib.secp256k1_ec_seckey_verify(_CONTEXT, self.cell):
            raise ValueError("not a secret scalar: 32 bytes, big-endian, in [1, q)")

    @classmethod
    def random(cls) -> SecretScalar:
        """Uniform in [1, q), from the operating system."""
        while True:
            data = secrets.token_bytes(SCALAR_BYTES)
            if lib.secp256k1_ec_seckey_verify(_CONTEXT, data):  # all but 2^-128 of them
                return cls(data)

    def reveal(self) -> bytes:
        """The value, 32 bytes, big-endian: for the member it is dealt to and for the keystore, nobody else."""
        return bytes(ffi.buffer(self.cell))

    def publish(self) -> int:
        """The value as a public number: only where the protocol tells it to all anyway."""
        return decode_scalar(self.reveal())

    def __add__(self, other: SecretScalar) -> SecretScalar:
        if not isinstance(other, SecretScalar):
            return NotImplemented
        return _applied(lib.secp256k1_ec_seckey_tweak_add, self, other.cell)

    def __mul__(self, factor: SecretScalar | int) -> SecretScalar:
        if isinstance(factor, SecretScalar):
            return _applied(lib.secp256k1_ec_seckey_tweak_mul, self, factor.cell)
        if isinstance(factor, int):
            return _applied(lib.secp256k1_ec_seckey_tweak_mul, self, encode_scalar(factor % GROUP_ORDER))
        return NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> SecretScalar:
        result = _copy(self)
        lib.secp256k1_ec_seckey_negate(_CONTEXT, result.cell)
        return result

    def __sub__(self, other: SecretScalar) -> SecretScalar:
        return self + -other if isinstance(other, SecretScalar) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretScalar):
            return NotImplemented
        return hmac.compare_digest(ffi.buffer(self.cell), ffi.buffer(other.cell))

    def __del__(self, _wipe: Callable[..., None] = ffi.memmove, _zeros: bytes = _ZEROS) -> None:
        # The defaults keep what is needed alive while the interpreter shuts down.
        cell = getattr(self, "cell", None)  # missing if the constructor refused
        if cell is not None:
            _wipe(cell, _zeros, SCALAR_BYTES)


def total(scalars: Iterable[SecretScalar]) -> SecretScalar:
    """The sum of at least one scalar.

    Raises:
        ValueError: there is none, or the sum of the first few or of all is zero.
    """
    result: SecretScalar | None = None
    for scalar in scalars:
        if result is None:
            result = _copy(scalar)
        else:
            _apply(lib.secp256k1_ec_seckey_tweak_add, result, scalar.cell)
    if result is None:
        raise ValueError("an empty sum is zero, which is no secret scalar")
    return result


def dot(weights: Sequence[SecretScalar | int], scalars: Sequence[SecretScalar]) -> SecretScalar:
    """The sum of weight * scalar. Terms whose weight is a public multiple of q are left out.

    Raises:
        ValueError: unequal lengths, or the sum of the first few or of all is zero.
    """
    return total(
        weight * scalar
        for weight, scalar in zip(weights, scalars, strict=True)
        if isinstance(weight, SecretScalar) or weight % GROUP_ORDER
    )


def evaluate(coefficients: Sequence[SecretScalar | None], at: int) -> SecretScalar:
    """The polynomial with these coefficients, constant term first, at a public point; by Horner's rule.

    Args:
        coefficients: one or more. The constant term may be None, which is zero; no other.
        at: a public integer that is not a multiple of q: at zero it is the constant term.

    Raises:
        ValueError: nothing to evaluate, a value of zero, or an intermediate sum of zero; the last two with
            probability 1/q each for random coefficients.
    """
    constant, *higher = coefficients
    factor = encode_scalar(at % GROUP_ORDER)
    result: SecretScalar | None = None
    for coefficient in reversed(higher):
        if coefficient is None:
            raise ValueError("only the constant term of a secret polynomial can be left out")
        if result is None:
            result = _copy(coefficient)
        else:
            _apply(lib.secp256k1_ec_seckey_tweak_add, result, coefficient.cell)
        _apply(lib.secp256k1_ec_seckey_tweak_mul, result, factor)
    if result is None:
        return total([] if constant is None else [constant])
    if constant is not None:
        _apply(lib.secp256k1_ec_seckey_tweak_add, result, constant.cell)
    return result


def split(constant: SecretScalar | None, degree: int, coordinates: Iterable[int]) -> list[SecretScalar]:
    """Shamir shares of a secret, or of zero (`None`), at public coordinates, in their order.

    The polynomial is uniform among those with this constant term, degree at most `degree` and no coefficient of
    zero, which is all but a share of about 1/q of them.

    Raises:
        ValueError: a share is zero; it has probability 1/q for each. The ceremony is started again.

    Source: Shamir 1979.
    """
    polynomial = [constant, *(SecretScalar.random() for _ in range(degree))]
    return [evaluate(polynomial, at) for at in coordinates]


def _copy(scalar: SecretScalar) -> SecretScalar:
    result = SecretScalar.__new__(SecretScalar)
    result.cell = ffi.new(_CELL)
    ffi.memmove(result.cell, scalar.cell, SCALAR_BYTES)
    return result


def _apply(operation: Callable[[Any, Any, Any], int], scalar: SecretScalar, operand: Any) -> None:  # noqa: ANN401 - 32 bytes, or a pointer to them
    """Change a scalar in place: only one that nobody else has seen yet."""
    if not operation(_CONTEXT, scalar.cell, operand):
        raise ValueError("the result is zero, which is no secret scalar")


def _applied(operation: Callable[[Any, Any, Any], int], scalar: SecretScalar, operand: Any) -> SecretScalar:  # noqa: ANN401
    result = _copy(scalar)
    _apply(operation, result, operand)
    return result
