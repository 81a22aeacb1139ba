"""Opened values that cannot be right, and computing them again.

With three parties a truncation goes wildly wrong with probability |z| / 2^64 per element, z the ring word before it
(`reduce`). For values near 1 at 16 fraction bits, z is near 2^32: once in 2^32 elements; for values near 256, whose
products are near 2^48, once in 2^16. The result is then off by 2^(64 - f) units, 2^32 for f = 16: far outside of any
range that a program has. Committees of five and seven have no such errors.
Measured: at |z| = 2^60 and 2^58, 60,000 elements each, products and public factors: 1 in 16 and 1 in 64, as stated
(`tests/secure/test_arithmetic.py`).
"""

from collections.abc import Callable
from typing import TypeVar

import torch

from mpc_party.secure.errors import OutOfRangeError
from mpc_party.secure.session import current_session

T = TypeVar("T")


def require_in_range(values: torch.Tensor, low: float, high: float, what: str) -> torch.Tensor:
    """Check opened values, so that a truncation gone wild ends the computation instead of being published.

    Returns:
        the values.

    Raises:
        OutOfRangeError: COMPUTATION_OUT_OF_RANGE, with how many are out of range, and not which or what they are.
    """
    inside = (values >= low) & (values <= high)  # false for NaN
    if not bool(inside.all()):
        wrong = int((~inside).sum())
        raise OutOfRangeError(
            f"{wrong} of {values.numel()} opened values of {what} are outside of [{low:g}, {high:g}]",
            remedy="run the round again with fresh randomness",
        )
    return values


def until_in_range(program: Callable[[], T], *, attempts: int = 3) -> T:
    """Run a program until what it opens to all passes `require_in_range`, with fresh randomness each time.

    Collective: all parties see the same opened values and so decide alike; check only what is opened to all. Counted in
    `session.traffic.repeats`. Each attempt opens the same values, rounded anew: that tells one comparison more about the digits
    dropped (`reduce`), and nothing else.

    Args:
        program: computes, opens, and calls `require_in_range` on what it opened, in the current session.
        attempts: how often at most. An honest committee needs a second one about never, so that a third failure
            means an input out of range, or a party that spoils the computation.

    Raises:
        OutOfRangeError: of the last attempt.
    """
    if attempts < 1:
        raise ValueError("a program runs at least once")
    session = current_session()
    for _ in range(attempts - 1):
        try:
            return program()
        except OutOfRangeError:
            session.traffic.repeats += 1
    return program()
