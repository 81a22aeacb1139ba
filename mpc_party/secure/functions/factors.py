"""Products with public real numbers of any magnitude, and quotients: each factor is encoded to the bits that it needs.

A factor has as many significant bits as the session has fraction bits, also where it is small because its divisor is
large, and not more where it is large, which would bring products to the ring's end. Elements whose factors differ too
much for one scale are computed in groups, side by side.

Range, for f fraction bits: ring words before a truncation must stay below 2^62. That holds for
    a quotient by one divisor up to 2^(f+1), 1 at least   |x| < 2^(62 - 2f)
    a quotient by one divisor above, or below 1           |x / d| < 2^(62 - 2f)
    quotients by several divisors                         2^4 times less
    products with factors that are no integers            |x| < 2^(54 - 2f), and |x c| < 2^(62 - 2f) from |c| = 2^8
Integer factors are exact, and |x c| < 2^(63 - f). Nearer to these bounds wild errors are likelier: see `reduce`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mpc_party.secure.arithmetic import reduce, truncate
from mpc_party.secure.encoding import RING_BITS, encode, fixed
from mpc_party.secure.errors import SecureError
from mpc_party.secure.session import SecureSession
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective, merged

_SPAN = {"divisors": 4, "factors": 8}  # how many powers of two one group covers besides its lowest


@dataclass(frozen=True, slots=True)
class _Scaling:
    """What a group of elements is multiplied with: x / 2^dropped, times a factor at so many bits."""

    dropped: int
    factor: torch.Tensor | float
    bits: int


@collective
def quotient(x: ReplicatedShares, divisor: torch.Tensor) -> Steps[ReplicatedShares]:
    """X / divisor, for public divisors (float64, broadcast). Collective.

    Error: 2^-(f+1) relative for the reciprocals, and that of `reduce`, twice for divisors above 2^(f+1).
    Cost: that of one `reduce`; above 2^(f+1) of two.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE for divisors or reciprocals that the ring does not hold, and for none (0, NaN).
    """
    f = x.session.fraction_bits
    if not bool((divisor != 0).all()):
        raise SecureError("division by 0", remedy="leave out what is divided by 0")
    encode(divisor, f)  # raises
    encode(1.0 / divisor, f)

    def scaling(values: torch.Tensor, low: int, high: int) -> _Scaling:
        dropped = low if high > f else 0
        needed = math.ceil(math.log2(float(values.abs().max()))) if high >= 0 else 0
        spared = max(0, -low - _SPAN["factors"])  # by small divisors, whose reciprocals are large
        return _Scaling(dropped, 2.0**dropped / values, max(0, f + needed - dropped - spared))

    return (yield from _in_groups(x, divisor, _SPAN["divisors"], -RING_BITS, scaling))


@collective
def product(x: ReplicatedShares, factor: torch.Tensor) -> Steps[ReplicatedShares]:
    """X * factor, for public factors (float64, broadcast) of which some are large and no integers. Collective.

    Error: 2^-(f+1) for each factor, or 2^-f times as much as the factor; and that of `reduce`. Cost: that of one `reduce`.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE for factors that the ring does not hold.
    """
    f = x.session.fraction_bits
    encode(factor, f)  # raises

    def scaling(values: torch.Tensor, low: int, high: int) -> _Scaling:
        del high
        return _Scaling(0, values, max(0, f - max(0, low)))

    return (yield from _in_groups(x, factor, _SPAN["factors"], 0, scaling))


def needs_grouping(factor: torch.Tensor) -> bool:
    """Whether `product` is for these factors: some are large, some are no integers or too large to pass as such."""
    sizes = factor.abs()
    return bool((sizes >= 2.0 ** _SPAN["factors"]).any()) and not bool(
        ((factor == factor.round()) & (sizes < 2.0**31)).all()
    )


def _in_groups(
    x: ReplicatedShares,
    values: torch.Tensor,
    span: int,
    lowest: int,
    scaling: Callable[[torch.Tensor, int, int], _Scaling],
) -> Steps[ReplicatedShares]:
    # Those of zeros, which only factors may be, do not matter.
    exponents = torch.frexp(values.abs())[1].sub(1).clamp(lowest, RING_BITS)  # floor(log2)
    groups: list[tuple[int, int]] = []
    for exponent in sorted(set(exponents.flatten().tolist())):
        if groups and exponent - groups[-1][0] <= span:
            groups[-1] = (groups[-1][0], exponent)
        else:
            groups.append((exponent, exponent))
    if len(groups) <= 1:
        low, high = groups[0] if groups else (0, 0)
        return (yield from _scaled(x, scaling(values, low, high)))
    shape = torch.Size(np.broadcast_shapes(x.shape, values.shape))
    flat, wide = x.expand(shape).reshape(-1), values.expand(shape).reshape(-1)
    sizes = exponents.expand(shape).reshape(-1)
    places = [((sizes >= low) & (sizes <= high)).nonzero().flatten() for low, high in groups]
    parts = yield from merged(
        [
            _scaled(flat.index_select(0, place), scaling(wide[place], low, high))
            for place, (low, high) in zip(places, groups, strict=True)
        ]
    )
    order = torch.cat(places).argsort()
    return ReplicatedShares.cat(parts).index_select(0, order).reshape(shape)


def _scaled(x: ReplicatedShares, by: _Scaling) -> Steps[ReplicatedShares]:
    session: SecureSession = x.session
    small = (yield from truncate.steps(x, by.dropped)) if by.dropped else x
    return (yield from reduce.steps(small * fixed(by.factor, by.bits), session.fraction_bits))
