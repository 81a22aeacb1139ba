"""Softmax and its logarithm, of secrets that differ by any amount: e^x of what the largest exceeds, and its sum.

What lies more than `lowest_argument` below the largest counts as that much: its power is 0 anyhow.
"""

import math

from mpc_party.secure.arithmetic import reduce
from mpc_party.secure.functions.exponentials import saturating_exponential
from mpc_party.secure.functions.maxima import largest_along
from mpc_party.secure.functions.normalising import logarithm, reciprocal
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective, merged


@collective
def softmax(x: ReplicatedShares, dim: int, method: str, squarings: int) -> Steps[ReplicatedShares]:
    """e^x along `dim` over its sum. Collective.

    Args:
        x: at least two values along `dim`.
        dim: along which the results add up to 1.
        method: see `largest_along`.
        squarings: see `exponential`.

    Cost: `largest_along`, `saturating_exponential`, `reciprocal` of the sum, and that of one `reduce`. Revealed: nothing.
    """
    _, powers, total, high = yield from _parts(x, dim, method, squarings)
    inverse = yield from reciprocal.steps(total, low=-1, high=high)
    return (yield from reduce.steps(powers * inverse))


@collective
def log_softmax(x: ReplicatedShares, dim: int, method: str, squarings: int) -> Steps[ReplicatedShares]:
    """The logarithm of `softmax`, for all differences. Cost: `softmax`, less one `reciprocal` and a `reduce`, and a `logarithm`."""
    shifted, _, total, high = yield from _parts(x, dim, method, squarings)
    log = yield from logarithm.steps(total, low=-1, high=high)
    return (yield from reduce.steps(shifted - log))


@collective
def both(
    x: ReplicatedShares, dim: int, method: str, squarings: int
) -> Steps[tuple[ReplicatedShares, ReplicatedShares]]:
    """`softmax` and `log_softmax` of the same x, in the rounds of the former."""
    shifted, powers, total, high = yield from _parts(x, dim, method, squarings)
    inverse, log = yield from merged(
        [reciprocal.steps(total, low=-1, high=high), logarithm.steps(total, low=-1, high=high)]
    )
    first, second = yield from merged([reduce.steps(powers * inverse), reduce.steps(shifted - log)])
    return first, second


def _parts(
    x: ReplicatedShares, dim: int, method: str, squarings: int
) -> Steps[tuple[ReplicatedShares, ReplicatedShares, ReplicatedShares, int]]:
    """What the largest exceeds, its powers, their sum, and the bound 2^high of it."""
    largest = yield from largest_along.steps(x, dim, method=method)
    shifted = x - largest.unsqueeze(dim)
    powers = yield from saturating_exponential.steps(shifted, squarings=squarings)
    # The sum is at most as many as there are, and at least 1, give or take the errors of e^x.
    return shifted, powers, powers.sum(dim, keepdim=True), math.ceil(math.log2(powers.size(dim))) + 1
