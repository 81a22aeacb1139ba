"""Whether the time of an operation on secret scalars tells their value: Welch's t between two fixed classes.

    python -m tests.benchmarks.bench_scalars [--samples N]

Per operation, the samples of a small operand (7) and of a random one are taken in random order and cut at the common
90th percentile, as dudect does (Reparaz, Balasch, Verbauwhede 2017). |t| above 4.5 in run after run is evidence of a
leak; a small t is none of its absence: the claim rests on libsecp256k1's own valgrind tests. Python's integers stand
beside it, to show that the method sees what it should. It prints; nothing asserts it, because the machine's load decides.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import math
import secrets
import statistics
import time
from collections.abc import Callable
from typing import Any

from mpc_party.signing.curve import multiply_base, multiply_secret
from mpc_party.signing.field import GROUP_ORDER
from mpc_party.signing.scalar import SecretScalar
from tests.support.plain_scalars import hidden, random_scalar


def sample(operation: Callable[[Any], object], operands: tuple[Any, Any], count: int) -> list[list[int]]:
    times: list[list[int]] = [[], []]
    for choice in secrets.token_bytes(count):
        operand = operands[choice & 1]
        began = time.perf_counter_ns()
        operation(operand)
        times[choice & 1].append(time.perf_counter_ns() - began)
    return times


def welch(times: list[list[int]]) -> tuple[float, float]:
    """The t statistic of the two classes, and the median time in microseconds."""
    everything = sorted(times[0] + times[1])
    limit = everything[len(everything) * 9 // 10]
    low, high = ([t for t in side if t <= limit] for side in times)
    spread = math.sqrt(statistics.variance(low) / len(low) + statistics.variance(high) / len(high))
    return (statistics.fmean(low) - statistics.fmean(high)) / spread, statistics.median(everything) / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    count = parser.parse_args().samples
    other, plain, point = SecretScalar.random(), random_scalar(), multiply_base(SecretScalar.random())
    scalars, integers = (hidden(7), SecretScalar.random()), (7, random_scalar())
    cases: list[tuple[str, Callable[[Any], object], tuple[Any, Any], int]] = [
        ("add", lambda x: x + other, scalars, count),
        ("multiply", lambda x: x * other, scalars, count),
        ("negate", lambda x: -x, scalars, count),
        ("compare", lambda x: x == other, scalars, count),
        ("multiply_base", multiply_base, scalars, count // 10),
        ("multiply_secret", lambda x: multiply_secret(x, point), scalars, count // 10),
        ("int: x * y % q", lambda x: x * plain % GROUP_ORDER, integers, count),
        ("int: pow(x, -1, q)", lambda x: pow(x, -1, GROUP_ORDER), integers, count // 10),
    ]
    print(f"{'operation':20} {'p50 us':>8} {'|t|':>8}")
    for name, operation, operands, samples in cases:
        t, median = welch(sample(operation, operands, samples))
        print(f"{name:20} {median:8.2f} {abs(t):8.1f}")


if __name__ == "__main__":
    main()
