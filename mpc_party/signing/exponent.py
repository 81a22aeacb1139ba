"""Interpolation in the exponent: the polynomial of shares, seen through share * G (Feldman 1987)."""

from collections.abc import Sequence

from mpc_party.signing.curve import Point, linear_combination
from mpc_party.signing.field import GROUP_ORDER, lagrange


def evaluate_commitments(commitments: Sequence[Point], at: int) -> Point | None:
    """Sum of at^k * A_k: the value at `at` of the polynomial behind a Feldman vector, times G."""
    return linear_combination([pow(at, power, GROUP_ORDER) for power in range(len(commitments))], commitments)


def interpolate_points(coordinates: tuple[int, ...], points: Sequence[Point], at: int = 0) -> Point | None:
    """The point at `at` of the polynomial of degree below `len(points)` through all of them."""
    return linear_combination(lagrange(coordinates, at), points)


def lie_on_degree(coordinates: tuple[int, ...], points: Sequence[Point], degree: int) -> bool:
    """Whether all points lie on one polynomial of at most this degree: the first degree+1 predict the rest."""
    basis = degree + 1
    return all(
        interpolate_points(coordinates[:basis], points[:basis], at) == point
        for at, point in zip(coordinates[basis:], points[basis:], strict=True)
    )
