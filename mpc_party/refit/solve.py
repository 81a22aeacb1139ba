"""The joint program of a refit, whole: what is public, what is private, and what is opened.

Public     the ridge, how many desks put in their equations, the number of iterations that follows from both
Private    per desk: [R | q] of its normal equations (`Equations`); the weights, which stay shared
Opened     first, one count per desk: how many of the bounds on its input are broken (0 for an honest one)
           last, one number: 0, or 1 if |a| + |b| + |c| > 8, plus 2 if the solution does not fit the inputs

Nothing else is opened: both openings are in this file, and there is none elsewhere in this package.

With R and q those of all n desks, one below the other, the weights solve M w = R'q with M = R'R + n (ridge / 3) I: the
ridge is in units of the mean diagonal. The eigenvalues of M lie between n ridge / 3 and n (1 + ridge / 3), so that an
approximate inverse X comes from a product whose every factor doubles the number of right terms,
X = c (I + E)(I + E^2)(I + E^4) ... with E = I - c M (for numbers: Goldschmidt, "Applications of division by convergence",
MIT, 1964), and w from iterative refinement, w += X (R'(q - R w) - n (ridge / 3) w) (Wilkinson, "Rounding Errors in
Algebraic Processes", 1963, ch. 3). X need only be roughly right, and the last residual is checked against the inputs
themselves, so that a truncation gone wild anywhere is found out.

Rounds after the seeds: 1 for the inputs, 6 for their check, 19 + `squarings` for the rest; 34 in all at a ridge of 1/32
with three desks, 16 kB sent by a party at most. The weights differ from the pooled solution in float64 by at most 1e-4 each
at a ridge of 1/32 and more (8e-5 was the greatest of 500 random systems, well and badly conditioned; a unit of 16 bits is
1.5e-5). Words that are truncated were below 2^42.5 for all inputs in range that were tried, so that one of the 240 at
most goes wild once in 2^13 refits. That is found out, and all run it again.

What a liar can do: its R and q are those of some market, R of norm 1 and |q| at most 1/2, where real desks have about
0.1; and w'Mw is at most the sum of all |q|^2, whatever the inputs. On two months of a real BTC chain, ridge 0.05 and three desks, the worst such input found moved the adjustment over the
density by 0.33 in the root mean square over d (0.7 at most), where the honest model has 0.13. Without the bounds
nothing short of |a| + |b| + |c| <= 8 would stop it. A pooled fit is not robust as the median of a round is: look at a
new model's errors, and keep the one before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from mpc_party.hedging.model import MODEL_REACH
from mpc_party.protocol.errors import Reason
from mpc_party.refit.equations import COLUMNS, EXPLAINED_REACH, SIZE, TO_POWERS
from mpc_party.secure import (
    ReplicatedShares,
    SecureError,
    less_than_zero,
    open_words_many,
    reduce,
    reduce_many,
    together,
)

REACH = MODEL_REACH  # bound on |a| + |b| + |c|, as for weights that are dealt
LOWEST_RIDGE, HIGHEST_RIDGE = 1 / 128, 1.0  # of the mean diagonal

FRACTION_BITS = 20  # of the session: inputs and weights in the Legendre basis
_INVERSE_BITS = 16  # of X, which may reach 1 / shift
_RESIDUAL_BITS = 26
_NORM_TOLERANCE = 2.0**-16  # of |R|^2 and |q|^2: what rounding the entries to 20 bits can do is 2^-17
_RESIDUAL_TOLERANCE = 2.0**-14
_CONTRACTION = 1 / 128  # of the error by one refinement
_REFINEMENTS = 2
_SIGNS = torch.tensor([[1 - 2 * (i >> k & 1) for k in range(SIZE)] for i in range(1 << SIZE)])


@dataclass(frozen=True)
class Scheme:
    """The public constants of one solve, from the number of desks and the ridge."""

    desks: int
    ridge: float

    def __post_init__(self) -> None:
        if not (LOWEST_RIDGE <= self.ridge <= HIGHEST_RIDGE and self.desks >= 1):
            raise ValueError(f"ridge {self.ridge} of {self.desks} desks")

    @property
    def shift(self) -> float:
        """What is added to the diagonal of R'R."""
        return self.desks * self.ridge / SIZE

    @property
    def scale_bits(self) -> int:
        """The exponent s of the scale c = 2^-s: the greatest power of two with c (n + shift) <= 7/4."""
        return math.ceil(math.log2((self.desks + self.shift) / 1.75))

    @property
    def squarings(self) -> int:
        """How often E is squared, so that |E|^(2^(squarings + 1)) is at most 1/128."""
        c = 2.0**-self.scale_bits
        norm = max(1 - c * self.shift, c * (self.desks + self.shift) - 1)
        return max(0, math.ceil(math.log2(math.log(_CONTRACTION) / math.log(norm))) - 1)


def require_inputs_in_range(inputs: Sequence[ReplicatedShares], names: Sequence[str]) -> None:
    """Open how many bounds each input breaks, and refuse to go on if one does. Collective; 6 rounds.

    The bounds: each entry of R within +-1, of q within +-1/2; |R|^2 = 1 and |q|^2 <= 1/4, up to rounding.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE, naming the first desk whose input is out of range.
    """
    stacked = ReplicatedShares.stack(inputs)
    bound = torch.ones((SIZE, COLUMNS), dtype=torch.float64)
    bound[:, SIZE] = EXPLAINED_REACH
    boxes = ReplicatedShares.stack([stacked + bound, bound - stacked], dim=1).reshape(len(inputs), -1)
    # Exact, as nothing is truncated. Entries so great that a square wraps are outside of their boxes.
    of_root, of_explained = reduce_many(
        [stacked[:, :, :SIZE].reshape(len(inputs), -1).square().sum(1),
         stacked[:, :, SIZE].square().sum(1)],
        2 * FRACTION_BITS,
    )  # fmt: skip
    norms = ReplicatedShares.stack(
        [
            of_root - (1 - _NORM_TOLERANCE),
            (1 + _NORM_TOLERANCE) - of_root,
            (EXPLAINED_REACH**2 + _NORM_TOLERANCE) - of_explained,
        ],
        dim=1,
    )
    # Apart, as they are of different scales, and raising one could wrap an entry into its box.
    outside, off = together(less_than_zero.steps(boxes), less_than_zero.steps(norms))
    (counts,) = open_words_many([outside.sum(1) + off.sum(1)])
    for name, count in zip(names, counts.tolist(), strict=True):
        if count != 0:
            raise SecureError(
                f"the normal equations of {name} break {count} of their bounds",
                reason=Reason.COMPUTATION_OUT_OF_RANGE,
                culprit=name,
                remedy=f"ask {name}; without its data the others can refit in another consortium only",
            )


def solve(inputs: Sequence[ReplicatedShares], ridge: float, weight_bits: int) -> ReplicatedShares:
    """The weights (a, b, c), shape (3,), from inputs that are in range, checked. Collective.

    Args:
        inputs: per desk, (3, 4) each, of a session with `FRACTION_BITS`; `require_inputs_in_range` has passed them.
        ridge: the same at all parties, in units of the mean diagonal of the normal equations.
        weight_bits: fraction bits of the result, at most `FRACTION_BITS`.

    Reveals: one number, see the top of the file.

    Raises:
        SecureError: COMPUTATION_OUT_OF_RANGE, the weights are beyond what a model may have, or a truncation went wild.
    """
    scheme = Scheme(len(inputs), ridge)
    stacked = ReplicatedShares.cat(inputs)
    root, explained = stacked[:, :SIZE], stacked[:, SIZE:]
    inverse = _inverse(root, scheme)
    weights = reduce(inverse @ reduce(root.t() @ explained, FRACTION_BITS), FRACTION_BITS)
    for _ in range(_REFINEMENTS):
        correction = reduce(inverse @ _residual(root, explained, weights, scheme), FRACTION_BITS)
        weights = weights + correction
    residual = _residual(root, explained, weights, scheme).reshape(SIZE)
    result = reduce(torch.from_numpy(TO_POWERS) @ weights.reshape(SIZE), weight_bits)
    # |a| + |b| + |c| <= 8 if and only if no choice of signs exceeds it.
    margins = REACH - _SIGNS @ result
    errors = ReplicatedShares.cat([_RESIDUAL_TOLERANCE - residual, _RESIDUAL_TOLERANCE + residual])
    too_great, inexact = together(less_than_zero.steps(margins), less_than_zero.steps(errors))
    # A bit each, not how many.
    counts = ReplicatedShares.stack([too_great.sum(0), inexact.sum(0)])
    bits = less_than_zero(-counts, bits=5)
    (verdict,) = open_words_many([bits[0] + 2 * bits[1]])
    _require(int(verdict))
    return result


def _inverse(root: ReplicatedShares, scheme: Scheme) -> ReplicatedShares:
    """X, (3, 3) at about 16 bits, with |I - M X| <= 1/128 but for rounding. squarings + 2 rounds."""
    session, identity = root.session, torch.eye(SIZE, dtype=torch.int64)
    # c is a power of two, so that multiplying by it is reading the point elsewhere.
    squares = root.t() @ root
    squares = type(squares)(session, squares.words, squares.fraction_bits + scheme.scale_bits)
    shift = scheme.shift * 2.0**-scheme.scale_bits
    error = reduce((identity - squares) - shift * torch.eye(SIZE, dtype=torch.float64), FRACTION_BITS)
    product = error + identity
    for index in range(scheme.squarings):
        squared = reduce.steps(error @ error, FRACTION_BITS)
        if index == 0:
            (error,) = together(squared)  # the product has its first factor
        else:
            error, product = together(squared, reduce.steps(product @ (error + identity), _INVERSE_BITS))
    if scheme.squarings:
        product = reduce(product @ (error + identity), _INVERSE_BITS)
    return ReplicatedShares(session, product.words, product.fraction_bits + scheme.scale_bits)


def _residual(
    root: ReplicatedShares, explained: ReplicatedShares, weights: ReplicatedShares, scheme: Scheme
) -> ReplicatedShares:
    """R'(q - R w) - shift w, (3, 1) at 26 bits. 2 rounds. The differences are truncated, which are small."""
    rest = reduce(explained - root @ weights, _RESIDUAL_BITS)
    return reduce(root.t() @ rest - weights * scheme.shift, _RESIDUAL_BITS)


def _require(verdict: int) -> None:
    if verdict & 2 or verdict not in range(4):
        raise SecureError(
            "the solution does not fit the inputs: a truncation has gone wild, or a party deviates",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
            remedy="run the refit again with fresh randomness",
        )
    if verdict:
        raise SecureError(
            f"the fitted weights exceed |a| + |b| + |c| <= {REACH:g}",
            reason=Reason.COMPUTATION_OUT_OF_RANGE,
            remedy="take a longer history, a longer half-life or a greater ridge",
        )


__all__ = [
    "FRACTION_BITS",
    "HIGHEST_RIDGE",
    "LOWEST_RIDGE",
    "REACH",
    "Scheme",
    "require_inputs_in_range",
    "solve",
]
