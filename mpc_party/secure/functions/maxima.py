"""The largest value along a dimension of any length: a tournament, with all pairs at once where few are left.

CrypTen has four ways, which differ in rounds and comparisons and give the same result; here there are two.
"""

from mpc_party.secure.comparison import maximum
from mpc_party.secure.extremes import largest
from mpc_party.secure.shares import ReplicatedShares
from mpc_party.secure.steps import Steps, collective

METHODS = ("pairwise", "log_reduction", "double_log_reduction", "accelerated_cascade")
FEW = 4  # so many are compared all at once: six comparisons for what a tournament does with three, one level later


def require_method(method: str) -> None:
    """Refuse what is none of CrypTen's names for a way to find a maximum.

    Raises:
        ValueError: it is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"functions.max_method is {method!r}, not one of {', '.join(METHODS)}")


@collective
def largest_along(x: ReplicatedShares, dim: int, *, method: str = "log_reduction") -> Steps[ReplicatedShares]:
    """The largest along `dim`, which disappears: exact, where no two differ by 2^(63 - fraction_bits). Collective.

    Args:
        x: at least one value along `dim`.
        dim: of n values.
        method: "pairwise" compares all n (n - 1) / 2 pairs at once; the other names of CrypTen mean the tournament.

    Cost: that of `extremes.largest` of at most 4 values, and one `maximum` for each halving of n until then; or of
    `extremes.largest` of all n. Revealed: nothing.

    Raises:
        ValueError: nothing to choose from, or an unknown method.
    """
    require_method(method)
    rows = x.transpose(0, dim) if x.dim() else x.unsqueeze(0)
    if rows.shape[0] == 0:
        raise ValueError("the largest of no values is not defined")
    while method != "pairwise" and (count := rows.shape[0]) > FEW:
        half = count // 2
        winners = yield from maximum.steps(rows[:half], rows[half : 2 * half])
        rows = ReplicatedShares.cat([winners, rows[2 * half :]])
    winner = yield from largest.steps(rows)
    # Transposing left dimension 0 where `dim` was.
    return winner.unsqueeze(0).transpose(0, dim).squeeze(dim) if x.dim() else winner
