"""What is public of the scalar field of secp256k1 (MPyC's `finfields`): encoding, Lagrange weights, interpolation.

Importing `mpyc` has side effects that a daemon cannot have: it parses `sys.argv` (and exits on arguments that
it takes for its own), configures the root logger, sets environment variables, and replaces asyncio's event loop
policy where uvloop is installed. Its own switch for documentation builds turns that off, and `MPYC_NONUMPY`
keeps it from importing numpy, so both are set while `finfields` and `thresha` are imported, and the root logger
is put back. MPyC's runtime is never imported.

Public values travel between functions as plain integers in [0, q): a field operation through MPyC's element objects
takes several times as long, and the online phase is counted in microseconds. The definition stays MPyC's:
tests hold the two together. Secrets are never here, because Python's integers take time that depends on them: they
are `scalar.SecretScalar`.
"""

import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType

GROUP_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
SCALAR_BYTES = 32


def _import_mpyc_without_side_effects() -> tuple[ModuleType, ModuleType]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    overridden = {name: os.environ.get(name) for name in ("READTHEDOCS", "MPYC_NONUMPY")}
    os.environ.update(READTHEDOCS="True", MPYC_NONUMPY="1")
    try:
        from mpyc import finfields, thresha  # noqa: PLC0415 - only under the guard
    finally:
        for name, value in overridden.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        root.handlers[:] = handlers
        root.setLevel(level)
    return finfields, thresha


_finfields, _thresha = _import_mpyc_without_side_effects()

ScalarField = _finfields.GF(GROUP_ORDER)


def encode_scalar(value: int) -> bytes:
    """32 bytes, big-endian."""
    return value.to_bytes(SCALAR_BYTES, "big")


def decode_scalar(data: bytes) -> int:
    """Inverse of `encode_scalar`.

    Raises:
        ValueError: not 32 bytes, or not below the group order.
    """
    value = int.from_bytes(data, "big")
    if len(data) != SCALAR_BYTES or value >= GROUP_ORDER:
        raise ValueError("not a scalar: 32 bytes, big-endian, below the group order")
    return value


def coordinate(member: int) -> int:
    """The Shamir x-coordinate of a member: its 0-based index plus one, because 0 holds the secret."""
    return member + 1


@lru_cache(maxsize=1024)
def lagrange(coordinates: tuple[int, ...], at: int = 0) -> tuple[int, ...]:
    """The weights that interpolate values at `coordinates` to the point `at`.

    `mpyc.thresha.recombine` of the unit vectors; kept, since a committee uses the same few again and again.
    """
    count = len(coordinates)
    units = [(x, [int(row == column) for column in range(count)]) for row, x in enumerate(coordinates)]
    return tuple(weight % GROUP_ORDER for weight in _thresha.recombine(ScalarField, units, at))


def interpolate(coordinates: tuple[int, ...], values: Sequence[int], at: int = 0) -> int:
    """Of public values: the value at `at` of the polynomial of degree below `len(coordinates)` through the given values."""
    weights = lagrange(coordinates, at)
    return sum(weight * value for weight, value in zip(weights, values, strict=True)) % GROUP_ORDER
