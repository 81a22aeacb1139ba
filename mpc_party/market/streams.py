"""Reproducible noise for simulated markets and desks' views: not a source of secrets.

SHAKE-256 of a label, so that the same seed gives the same market on every platform and version of numpy.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


def uniform(label: str, count: int) -> NDArray[np.float64]:
    """`count` numbers, uniform in (0, 1), determined by the label."""
    raw = hashlib.shake_256(f"mpc-hedge/market/v1/{label}".encode()).digest(8 * count)
    # 52 bits and a half: with 53, the largest would round to 1, whose normal is infinite.
    words = np.frombuffer(raw, dtype="<u8") >> np.uint64(12)
    return (words.astype(np.float64) + 0.5) / 2.0**52


def normal(label: str, count: int) -> NDArray[np.float64]:
    """`count` standard normal numbers, determined by the label."""
    return np.asarray(ndtri(uniform(label, count)), dtype=np.float64)
