"""Arithmetic on secret-shared tensors between 2t + 1 parties, of which at most t pry: replicated shares in Z_2^64.

Operators on shares are local; named functions communicate, and all parties call them in the same order with the
same shapes. `session` says who computes and holds the shared seeds; `sharing` brings values in and out;
`arithmetic` closes products; `comparison` decides signs; `together` lets independent operations share rounds.
How sharings are held and closed is in `three` and in `general`, for committees of three and of five and seven; what is no sum
or product in `functions`. `ReplicatedTensor`, which runs CrypTen's library and `crypten.nn` on this, is in
`mpc_party.secure.tensors`: import it from there, because importing it imports CrypTen.

Secure against parties that follow the protocol but pry. A party that deviates can spoil the result unseen.
"""

from mpc_party.secure.arithmetic import (
    linear_map,
    matmul,
    multiply,
    multiply_many,
    open_product,
    reduce,
    reduce_many,
    square,
    sum_of_products,
    truncate,
)
from mpc_party.secure.comparison import (
    absolute,
    equal,
    greater_equal,
    greater_than,
    less_equal,
    less_than,
    less_than_zero,
    maximum,
    minimum,
    not_equal,
    relu,
    sign,
    where,
)
from mpc_party.secure.errors import OutOfRangeError, SecureError
from mpc_party.secure.extremes import largest, median, median_of_three
from mpc_party.secure.functions.polynomials import chebyshev_basis, chebyshev_series
from mpc_party.secure.preparing import prepare_for
from mpc_party.secure.ranges import require_in_range, until_in_range
from mpc_party.secure.session import SecureSession, SessionContext, Traffic, current_session
from mpc_party.secure.shares import AdditiveShares, ReplicatedShares
from mpc_party.secure.sharing import (
    PrivateInput,
    constant,
    open_many,
    open_shares,
    open_to,
    open_words_many,
    random_fractions,
    random_shares,
    share,
    share_from_each,
    share_many,
)
from mpc_party.secure.steps import together

__all__ = [
    "AdditiveShares",
    "OutOfRangeError",
    "PrivateInput",
    "ReplicatedShares",
    "SecureError",
    "SecureSession",
    "SessionContext",
    "Traffic",
    "absolute",
    "chebyshev_basis",
    "chebyshev_series",
    "constant",
    "current_session",
    "equal",
    "greater_equal",
    "greater_than",
    "largest",
    "less_equal",
    "less_than",
    "less_than_zero",
    "linear_map",
    "matmul",
    "maximum",
    "median",
    "median_of_three",
    "minimum",
    "multiply",
    "multiply_many",
    "not_equal",
    "open_many",
    "open_product",
    "open_shares",
    "open_to",
    "open_words_many",
    "prepare_for",
    "random_fractions",
    "random_shares",
    "reduce",
    "reduce_many",
    "relu",
    "require_in_range",
    "share",
    "share_from_each",
    "share_many",
    "sign",
    "square",
    "sum_of_products",
    "together",
    "truncate",
    "until_in_range",
    "where",
]
