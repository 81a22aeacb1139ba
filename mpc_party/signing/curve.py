"""Points of secp256k1, by libsecp256k1 through coincurve's cffi binding.

A `Point` is on the curve and is never the point at infinity, which has no encoding here: a function whose result
can be infinity returns None for it, and callers treat that as a failed check.

Two kinds of multiplication. With a `SecretScalar`: `multiply_base` (`secp256k1_ec_pubkey_create`) and
`multiply_secret` (`secp256k1_ecdh`), both constant-time in libsecp256k1. With public integers: `multiply_public` and
`linear_combination`, which take time that depends on them. The type decides: a secret is never an `int`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from mpc_party.signing.field import GROUP_ORDER, encode_scalar
from mpc_party.signing.scalar import SecretScalar

POINT_BYTES: Final = 33
_CONTEXT: Final[Any] = GLOBAL_CONTEXT.ctx  # randomised by coincurve: blinds multiplication by G


@ffi.callback("int(unsigned char *, const unsigned char *, const unsigned char *, void *)", error=0)  # type: ignore[untyped-decorator]
def _keep_both_coordinates(output: Any, x: Any, y: Any, _data: Any) -> int:  # noqa: ANN401 - C pointers
    """In place of ECDH's hash function: x || y of the product, so that ECDH serves as k * P."""
    ffi.memmove(output, x, 32)
    ffi.memmove(output + 32, y, 32)
    return 1


class Point:
    """A point of secp256k1 other than infinity. Immutable; equal by value; hashable."""

    __slots__ = ("_encoded", "_key")

    def __init__(self, key: Any) -> None:  # noqa: ANN401 - a cffi `secp256k1_pubkey *`
        self._key = key
        length = ffi.new("size_t *", POINT_BYTES)
        output = ffi.new("unsigned char[33]")
        lib.secp256k1_ec_pubkey_serialize(_CONTEXT, output, length, key, lib.SECP256K1_EC_COMPRESSED)
        self._encoded = bytes(ffi.buffer(output))

    @classmethod
    def decode(cls, data: bytes) -> Point:
        """From 33 bytes, SEC 1 compressed, the only encoding accepted.

        Raises:
            ValueError: another length or prefix, a coordinate not below p, or not on the curve.
        """
        if len(data) != POINT_BYTES or data[0] not in {2, 3}:
            raise ValueError("not a compressed point: 33 bytes that begin with 02 or 03")
        key = ffi.new("secp256k1_pubkey *")
        if not lib.secp256k1_ec_pubkey_parse(_CONTEXT, key, bytes(data), POINT_BYTES):
            raise ValueError("not a point of secp256k1")
        return cls(key)

    def encode(self) -> bytes:
        """33 bytes, SEC 1 compressed."""
        return self._encoded

    @property
    def x(self) -> int:
        """The affine x-coordinate, in [0, p)."""
        return int.from_bytes(self._encoded[1:], "big")

    @property
    def y_is_odd(self) -> bool:
        """The parity of the affine y-coordinate."""
        return self._encoded[0] == 3

    def __neg__(self) -> Point:
        key = self._copy()
        lib.secp256k1_ec_pubkey_negate(_CONTEXT, key)
        return Point(key)

    def __eq__(self, other: object) -> bool:
        return self._encoded == other._encoded if isinstance(other, Point) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._encoded)

    def __repr__(self) -> str:
        return f"Point({self._encoded.hex()})"

    def _copy(self) -> Any:  # noqa: ANN401 - a cffi `secp256k1_pubkey *`
        key = ffi.new("secp256k1_pubkey *")
        ffi.memmove(key, self._key, ffi.sizeof("secp256k1_pubkey"))
        return key


def multiply_base(scalar: SecretScalar | int) -> Point:
    """The product scalar * G, in constant time. An `int` is a public scalar: encoding it takes its own time.

    Raises:
        ValueError: a public scalar is not in [1, q); a secret one always is.
    """
    if isinstance(scalar, SecretScalar):
        encoded = scalar.cell  # read by libsecp256k1 where it lies, so that no copy is left
    elif 0 < scalar < GROUP_ORDER:
        encoded = encode_scalar(scalar)
    else:
        raise ValueError("scalar out of range")
    key = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_create(_CONTEXT, key, encoded):
        raise ValueError("scalar out of range")
    return Point(key)


def multiply_secret(scalar: SecretScalar, point: Point) -> Point:
    """The product scalar * point, in constant time; never infinity, as the scalar is not zero."""
    output = ffi.new("unsigned char[65]")
    output[0] = 4  # SEC 1: uncompressed
    secret = scalar.cell
    if not lib.secp256k1_ecdh(_CONTEXT, output + 1, point._key, secret, _keep_both_coordinates, ffi.NULL):  # noqa: SLF001
        raise ValueError("scalar out of range")
    key = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_parse(_CONTEXT, key, output, 65):
        raise ValueError("the product is not on the curve")
    return Point(key)


def multiply_public(scalar: int, point: Point) -> Point | None:
    """The product scalar * point for a public scalar, in variable time; None for infinity."""
    scalar %= GROUP_ORDER
    if scalar == 0:
        return None
    if scalar == 1:
        return point
    if scalar == GROUP_ORDER - 1:
        return -point
    key = point._copy()  # noqa: SLF001 - this module is the class's other half
    if not lib.secp256k1_ec_pubkey_tweak_mul(_CONTEXT, key, encode_scalar(scalar)):
        raise ValueError("scalar out of range")
    return Point(key)


def add(points: Iterable[Point]) -> Point | None:
    """The sum of points; None for infinity, and for the empty sum."""
    keys = [point._key for point in points]  # noqa: SLF001 - this module is the class's other half
    if not keys:
        return None
    key = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_combine(_CONTEXT, key, keys, len(keys)):
        return None  # the only documented failure
    return Point(key)


def linear_combination(scalars: Sequence[int], points: Sequence[Point]) -> Point | None:
    """Sum of scalar * point over public scalars, in variable time; None for infinity."""
    products = (multiply_public(scalar, point) for scalar, point in zip(scalars, points, strict=True))
    return add(product for product in products if product is not None)
