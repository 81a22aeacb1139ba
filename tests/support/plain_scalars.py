"""Scalars in the clear, for tests: secret scalars from and to integers, and Shamir's scheme as MPyC has it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from mpyc import thresha

from mpc_party.signing.field import GROUP_ORDER, ScalarField, decode_scalar, encode_scalar
from mpc_party.signing.scalar import SecretScalar


def hidden(value: int) -> SecretScalar:
    return SecretScalar(encode_scalar(value % GROUP_ORDER))


def shown(scalar: SecretScalar) -> int:
    return decode_scalar(scalar.reveal())


def random_scalar() -> int:
    return 1 + secrets.randbelow(GROUP_ORDER - 1)


def split_plain(values: Sequence[int], degree: int, members: int) -> list[list[int]]:
    """MPyC's shares of each value: one row per member, one column per value."""
    return thresha.random_split(ScalarField, list(values), degree, members)


def recombine_plain(coordinates: Sequence[int], shares: Sequence[int], at: int = 0) -> int:
    """MPyC's reconstruction."""
    points = [(x, [ScalarField(share)]) for x, share in zip(coordinates, shares, strict=True)]
    (value,) = thresha.recombine(ScalarField, points, at)
    return value.value % GROUP_ORDER
