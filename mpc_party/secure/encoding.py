"""Fixed-point encoding of real numbers in the ring Z_2^64, two's complement: round when encoding, float64 when decoding."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mpc_party.protocol.errors import Reason
from mpc_party.secure.errors import SecureError

RING_BITS = 64
_LIMIT = 2.0 ** (RING_BITS - 1)

Public = bool | int | float | torch.Tensor | NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A public constant in the ring: words / 2^fraction_bits. Made by `fixed`, or implicitly by the operators."""

    words: torch.Tensor | int
    fraction_bits: int

    def aligned(self, fraction_bits: int) -> torch.Tensor | int:
        """The words at a scale that is not smaller.

        Raises:
            SecureError: COMPUTATION_OUT_OF_RANGE where the ring does not hold them there.
        """
        shift = fraction_bits - self.fraction_bits
        if isinstance(self.words, int):
            aligned = self.words << shift
            if not -(1 << (RING_BITS - 1)) <= aligned < 1 << (RING_BITS - 1):
                raise _out_of_range(fraction_bits)
            return aligned
        shifted = self.words << shift
        if shift >= RING_BITS or not torch.equal(shifted >> shift, self.words):
            raise _out_of_range(fraction_bits)
        return shifted


def encode(values: torch.Tensor, fraction_bits: int) -> torch.Tensor:
    """round(values * 2^fraction_bits) as int64 ring words of the same shape, half to even.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE if a value is not finite or outside of +-2^(63 - fraction_bits).
            The message does not contain it.
    """
    if not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool):
        values = values.to(torch.int64)
        bound = 1 << (RING_BITS - 1 - fraction_bits)
        if fraction_bits and not bool(((values < bound) & (values >= -bound)).all()):
            raise _out_of_range(fraction_bits)
        return values << fraction_bits
    scaled = torch.round(values.to(torch.float64) * 2.0**fraction_bits)
    if not bool((scaled.abs() < _LIMIT).all()):  # NaN compares as false
        raise _out_of_range(fraction_bits)
    return scaled.to(torch.int64)


def decode(words: torch.Tensor, fraction_bits: int) -> torch.Tensor:
    """The value words / 2^fraction_bits in float64: exact up to 2^53 in magnitude of the word."""
    return words.to(torch.float64) * 2.0**-fraction_bits


def fixed(value: Public | FixedPoint, fraction_bits: int) -> FixedPoint:
    """A public constant with so many fraction bits, or with fewer where they hold it exactly.

    Integers (also in tensors of a float type) need none, and a scalar like 0.75 needs two: multiplying by them
    then costs no precision, or none to speak of. All parties must pass bit-identical values.
    """
    if isinstance(value, FixedPoint):
        return value
    if isinstance(value, int | float):  # bool is an int
        return _fixed_scalar(value, fraction_bits)
    tensor = torch.as_tensor(value)
    if tensor.dtype == torch.bool or not tensor.is_floating_point():
        return FixedPoint(tensor.to(torch.int64), 0)
    if tensor.dim() == 0:
        return _fixed_scalar(float(tensor), fraction_bits)
    if bool(((tensor == tensor.round()) & (tensor.abs() < 2.0**31)).all()):
        return FixedPoint(tensor.to(torch.int64), 0)
    return FixedPoint(encode(tensor, fraction_bits), fraction_bits)


def _fixed_scalar(value: float, fraction_bits: int) -> FixedPoint:
    if isinstance(value, int):
        if abs(value) >= 1 << (RING_BITS - 1):
            raise _out_of_range(0)
        return FixedPoint(int(value), 0)
    if not abs(value) * 2.0**fraction_bits < _LIMIT:
        raise _out_of_range(fraction_bits)
    word = round(value * 2.0**fraction_bits)
    if word / 2.0**fraction_bits == value:  # exact: drop what is not needed of the scale
        while fraction_bits and not word & 1:
            word >>= 1
            fraction_bits -= 1
    return FixedPoint(word, fraction_bits)


def _out_of_range(fraction_bits: int) -> SecureError:
    return SecureError(
        f"a value to encode is not finite or reaches 2^{RING_BITS - 1 - fraction_bits}",
        reason=Reason.COMPUTATION_OUT_OF_RANGE,
        remedy="scale inputs to be near 1",
    )
