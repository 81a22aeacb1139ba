"""One desk's private input to a refit: its normal equations, in a form that cannot be indefinite.

The model's adjustment is density * (w_0 P_0(d) + w_1 P_1(d) + w_2 P_2(d)), with P_k the Legendre polynomials shifted
to [0, 1] and d the call's delta; in powers of d that is a + b d + c d^2 by a public map of integers. A desk's least
squares have the normal equations A w = h with A = sum x x' (3, 3) and h = sum x y (3,).

What the desk shares is not A and h but a root: R with R'R = A / trace(A), and q with R'q = h / trace(A), so |q|^2 is
the mean square of y that the desk's own fit explains, in units of that of the regressors. Three things follow. All
desks weigh alike, whatever they trade. A is positive semidefinite whatever a liar puts in. And |h_k| / trace(A) is at
most |q| times the root of A_kk / trace(A) (Cauchy, Schwarz), so that one bound on |q| bounds a liar's whole pull.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.secret import Secret

Floats = NDArray[np.float64]

SIZE = 3  # weights
COLUMNS = SIZE + 1  # of [R | q]
EXPLAINED_REACH = (
    0.5  # bound on |q|, a root mean square of adjustment over density; real desks have about 0.1
)
TO_POWERS = np.array([[1, -1, 1], [0, 2, -6], [0, 0, 6]], dtype=np.int64)  # (a, b, c) = TO_POWERS @ w
_NEGLIGIBLE = 1e-9  # of the trace: an eigenvalue below it is rounding, and nothing is known in its direction


@dataclass(frozen=True, repr=False)
class Equations(Secret):
    """One desk's [R | q], float64 of shape (3, 4): |R|_F = 1, |q| <= 1/2. Private.

    `drawn_in` says that q was longer and has been shortened, which draws the desk's own weights towards zero.
    """

    root: Floats
    drawn_in: bool = False

    def __repr__(self) -> str:
        return f"Equations(drawn_in={self.drawn_in})"


def equations(matrix: Floats, vector: Floats) -> Equations:
    """From normal equations in the shifted Legendre basis, (3, 3) and (3,), of any scale, to a desk's private input.

    Raises:
        ConsortiumError: MARKET_DATA_INVALID, not finite, not symmetric, not positive semidefinite, or all zero.
    """
    matrix, vector = np.asarray(matrix, dtype=np.float64), np.asarray(vector, dtype=np.float64)
    if matrix.shape != (SIZE, SIZE) or vector.shape != (SIZE,):
        raise ValueError(f"normal equations have shapes {matrix.shape} and {vector.shape}")
    trace = float(np.trace(matrix))
    if not (np.isfinite(matrix).all() and np.isfinite(vector).all() and trace > 0):
        raise _unusable("not finite, or of no data")
    matrix, vector = matrix / trace, vector / trace
    values, directions = np.linalg.eigh(0.5 * (matrix + matrix.T))
    if values[0] < -_NEGLIGIBLE or np.abs(matrix - matrix.T).max() > _NEGLIGIBLE:
        raise _unusable("not symmetric and positive semidefinite")
    known = values > _NEGLIGIBLE
    roots = np.where(known, np.sqrt(np.maximum(values, 0.0)), 0.0)
    # A = V diag(values) V', so R = diag(roots) V' and q = V'h / roots.
    root = roots[:, None] * directions.T
    root /= np.sqrt((root**2).sum())  # what the negligible ones took away
    explained = np.divide(directions.T @ vector, roots, out=np.zeros(SIZE), where=known)
    length = float(np.sqrt((explained**2).sum()))
    drawn_in = length > EXPLAINED_REACH
    if drawn_in:
        # A little inside, so that the rounding to fixed point does not carry it out.
        explained *= (1 - 2.0**-16) * EXPLAINED_REACH / length
    return Equations(np.column_stack([root, explained]), drawn_in)


def pooled_weights(inputs: list[Equations], ridge: float) -> Floats:
    """What the joint program computes, in float64: (a, b, c) of all desks together, for audits and tests.

    Minimises the sum over desks of |R_i w - q_i|^2, plus n * ridge / 3 * |w|^2, over w in the Legendre basis.
    """
    stacked = np.concatenate([one.root for one in inputs])
    root, explained = stacked[:, :SIZE], stacked[:, SIZE]
    matrix = root.T @ root + len(inputs) * ridge / SIZE * np.eye(SIZE)
    return np.asarray(TO_POWERS @ np.linalg.solve(matrix, root.T @ explained), dtype=np.float64)


def _unusable(what: str) -> ConsortiumError:
    return ConsortiumError(
        f"this desk's normal equations are {what}",
        reason=Reason.MARKET_DATA_INVALID,
        remedy="check the desk's market source, or take a longer history",
    )
