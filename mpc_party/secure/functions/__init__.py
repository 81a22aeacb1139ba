"""Functions of secrets that are no sums and products: series, exponentials, logarithms, reciprocals, roots, maxima.

All of them are collective and work on shares alone: no CrypTen. How exact each is, and over which range, stands at the
methods of `ReplicatedTensor` that use them, with tests that hold the figures.
"""

from mpc_party.secure.functions.maxima import largest_along
from mpc_party.secure.functions.polynomials import chebyshev_basis, chebyshev_series

__all__ = ["chebyshev_basis", "chebyshev_series", "largest_along"]
