"""One party of our engine, mutually authenticated TLS on: `python -m tests.benchmarks.engine.ours`.

The first line of its input is its mesh configuration. One torch thread a party: three of them share the machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import structlog
import torch

from mpc_party.mesh import Mesh, deadline_in
from mpc_party.secure import (
    PrivateInput,
    ReplicatedShares,
    SecureSession,
    SessionContext,
    chebyshev_series,
    matmul,
    open_product,
    open_shares,
    relu,
    share_many,
    square,
)
from mpc_party.secure.encoding import fixed
from mpc_party.secure.memory import keep_freed_memory
from tests.benchmarks.engine import workloads
from tests.benchmarks.engine.party_loop import answers, obey, place
from tests.support.mesh_process import read_config

OWNER = 1  # of all inputs: what is measured begins after they are shared
COEFFICIENT_BITS = (
    20  # of the public coefficients: finer than the shares, so that rounding them costs nothing
)
LIFE_SECONDS = 3600.0


def network(
    x: ReplicatedShares, weights: list[ReplicatedShares], activation: Callable[..., ReplicatedShares]
) -> torch.Tensor:
    """The rows of the last layer, opened."""
    hidden = x
    *inner, last = weights
    for weight in inner:
        hidden = activation(matmul(hidden, weight))
    return open_product(hidden @ last)


class OurParty:
    """A party in a session that is set up and current."""

    def __init__(self, session: SecureSession) -> None:
        self.session = session
        self.work: Callable[[], torch.Tensor] | None = None

    def prepare(self, work: str, batch: int) -> None:
        values = [
            torch.from_numpy(v)
            for v in workloads.secrets_of("delta_polynomial" if work == "delta" else work, batch)
        ]
        own = self.session.position == OWNER
        first, *rest = share_many([PrivateInput(OWNER, v.shape, v if own else None) for v in values])
        if work in workloads.NETWORKS:
            activation = relu if work == "relu" else square
            self.work = lambda: network(first, rest, activation)
        elif work == "relu_elements":
            self.work = lambda: open_shares(relu(first))
        else:
            coefficients = torch.from_numpy(workloads.options(batch).coefficients())
            bits = self.session.fraction_bits + COEFFICIENT_BITS
            higher, lowest = fixed(coefficients[1:], COEFFICIENT_BITS), fixed(coefficients[0], bits)
            self.work = lambda: open_shares(chebyshev_series(first, higher, lowest))

    def run(self) -> np.ndarray:
        assert self.work is not None
        return self.work().numpy()

    def count(self) -> tuple[np.ndarray, dict[str, int | None]]:
        rounds, sent = self.session.traffic.rounds, self.session.traffic.bytes_sent
        result = self.run()
        return result, {
            "rounds": self.session.traffic.rounds - rounds,
            "bytes": self.session.traffic.bytes_sent - sent,
            "messages": None,
        }


def main() -> None:
    keep_freed_memory()
    where, output = place(), answers()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    torch.set_num_threads(1)
    config = replace(read_config(sys.stdin), addresses=where.addresses)
    with (
        Mesh(config) as mesh,
        mesh.session(bytes(32), [0, 1, 2], deadline_in(LIFE_SECONDS)) as exchange,
        SecureSession(exchange, (0, 1, 2), SessionContext(bytes(32), 0, 0)).setup() as session,
    ):
        obey(OurParty(session), output)


if __name__ == "__main__":
    main()
