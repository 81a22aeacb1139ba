"""Time of the 8-64-64-1 network with ReLU and with squares on replicated shares: medians, rounds and bytes.

Run: python -m tests.benchmarks.bench_secure [--repeats 15]
"""

# ruff: noqa: T201 - a program that prints a table

import argparse
import statistics
import time

import torch

from mpc_party.secure import (
    PrivateInput,
    SecureSession,
    SessionContext,
    matmul,
    open_shares,
    share_many,
    square,
)
from mpc_party.secure.comparison import relu
from tests.support.local_mesh import LocalExchange, local_mesh, run_parties

LAYERS = ((8, 64), (64, 64), (64, 1))


def network(rows, activation, repeats):
    generator = torch.Generator().manual_seed(1)
    weights = [torch.empty(shape).normal_(0, shape[0] ** -0.5, generator=generator) for shape in LAYERS]
    inputs = torch.empty(rows, LAYERS[0][0]).normal_(generator=generator)

    def program(exchange: LocalExchange):
        session = SecureSession(exchange, (0, 1, 2), SessionContext(bytes(32), 0, 0)).setup()
        times = []
        with session:
            model = share_many(
                [PrivateInput(0, w.shape, w if session.position == 0 else None) for w in weights]
            )
            (x,) = share_many([PrivateInput(1, inputs.shape, inputs if session.position == 1 else None)])
            for _ in range(repeats + 1):
                rounds, sent, start = session.traffic.rounds, session.traffic.bytes_sent, time.perf_counter()
                hidden = x
                for layer, weight in enumerate(model):
                    hidden = matmul(hidden, weight)
                    if layer < len(model) - 1:
                        hidden = activation(hidden)
                open_shares(hidden)
                times.append(time.perf_counter() - start)
                rounds, sent = session.traffic.rounds - rounds, session.traffic.bytes_sent - sent
        return statistics.median(times[1:]) * 1e3, rounds, sent  # the first run warms up

    results = run_parties(local_mesh((0, 1, 2)), program)
    return max(r[0] for r in results), results[0][1], [r[2] for r in results]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'network':8} {'rows':>5} {'median ms':>10} {'rounds':>7} {'bytes sent by each party':>28}")
    for name, activation in (("squares", square), ("ReLU", relu)):
        for rows in (64, 1024):
            median, rounds, sent = network(rows, activation, arguments.repeats)
            print(f"{name:8} {rows:5} {median:10.2f} {rounds:7} {sent!s:>28}")


if __name__ == "__main__":
    main()
