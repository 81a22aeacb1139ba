"""Polynomials with public coefficients in a secret, on the Chebyshev basis: well conditioned, and few rounds.

Source: T_{a+b} = 2 T_a T_b - T_{a-b}; Mason, Handscomb, "Chebyshev Polynomials", 2003, equation 2.39.
"""

import functools
from dataclasses import dataclass

import torch

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.encoding import FixedPoint
from mpc_party.secure.kernels import local_product, local_square
from mpc_party.secure.scheme import scheme_of
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective


@dataclass(frozen=True, slots=True)
class _Doubling:
    """One round: which T_a and T_b of those known are multiplied, and where the halves differ or are equal."""

    high: torch.Tensor
    low: torch.Tensor
    odd: tuple[int, ...]
    even: tuple[int, ...]


@functools.cache
def _doublings(degree: int) -> tuple[_Doubling, ...]:
    levels = []
    known = 1
    while known < degree:
        wanted = range(known + 1, min(2 * known, degree) + 1)
        # Split k into halves that differ by at most one, so that T_{a-b} is 1 or u.
        high = torch.tensor([(k + 1) // 2 - 1 for k in wanted])
        low = torch.tensor([k // 2 - 1 for k in wanted])
        odd = tuple(row for row, k in enumerate(wanted) if k % 2)
        even = tuple(row for row, k in enumerate(wanted) if not k % 2)
        levels.append(_Doubling(high, low, odd, even))
        known = wanted[-1]
    return tuple(levels)


@collective
def chebyshev_basis(u: ReplicatedShares, degree: int) -> Steps[ReplicatedShares]:
    """T_1(u) .. T_degree(u), stacked: (*shape) to (degree, *shape), at the scale of u. Collective.

    T_0 = 1 is public and left out.

    Args:
        u: within [-1, 1].
        degree: at least 1.

    Cost: ceil(log2(degree)) rounds of a product with truncation, degree - 1 products per element.
    Revealed: nothing.
    """
    session, bits = u.session, u.fraction_bits
    if bits < 1 or degree < 1:
        raise ValueError("a Chebyshev basis needs a fraction bit, and a degree of at least 1")
    scheme, terms = scheme_of(session), session.terms
    words = u.words.unsqueeze(1)
    own = u.words
    for level in _doublings(degree):
        if words.shape[1] == 1:
            product = local_square(terms, words)
        else:
            product = local_product(
                terms, words.index_select(1, level.high), words.index_select(1, level.low)
            )
        # 2 T_a T_b: a bit less is dropped instead of doubling, which would only make the word larger.
        fresh = torch.from_numpy((yield from scheme.reshare(session, product.numpy(), bits - 1)))
        for row in level.odd:
            fresh[:, row] -= own
        if session.carrier is not None:
            for row in level.even:
                fresh[session.carrier, row] -= 1 << bits
        words = torch.cat([words, fresh], dim=1)
    return ReplicatedShares(session, words, bits)


@collective
def chebyshev_series(
    u: ReplicatedShares, higher: FixedPoint, lowest: FixedPoint, fraction_bits: int | None = None
) -> Steps[ReplicatedShares]:
    """c_0 + c_1 T_1(u) + ... + c_d T_d(u) with public coefficients, for one polynomial or several. Collective.

    Args:
        u: within [-1, 1], of any shape.
        higher: c_1 .. c_d: (d, *shape), or (P, d, *shape) for P polynomials on one basis; dimensions of 1 broadcast.
        lowest: c_0: (*shape), or (P, *shape).
        fraction_bits: of the result, where None those of `reduce`.

    Returns:
        of shape (*shape), or (P, *shape).

    Cost: that of `chebyshev_basis`, then of one truncation, a word per element of the result.
    Error: that of the polynomial; 2^-f for each c_k T_k at most, as T_k is off by about k^2 / 4 units, mostly much less;
        and one unit for the truncation.
    """
    if isinstance(higher.words, int):
        raise TypeError("the coefficients of a series are a tensor, a row per degree")
    row = higher.words.dim() - u.dim() - 1
    basis = yield from chebyshev_basis.steps(u, higher.words.shape[row])
    terms = (basis if row == 0 else basis.unsqueeze(0)) * higher
    return (yield from reduce.steps(terms.sum(dim=row) + lowest, fraction_bits))
