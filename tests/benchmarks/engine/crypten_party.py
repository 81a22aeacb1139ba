"""One party of CrypTen 0.4.1 as shipped: `python -m tests.benchmarks.engine.crypten_party`, in its environment.

Gloo over TCP, its default provider of triples (TFP, which costs no communication) and its default settings. One torch
thread a party, as ours. N(d1) is by its sigmoid: its erf, eight terms of the series at zero, diverges beyond about 3.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch

from tests.benchmarks.engine import workloads
from tests.benchmarks.engine.party_loop import Place, answers, obey, place

# PyTorch 2.13 has no such module any more, and CrypTen's ONNX converter, unused here, looks for it on import.
_REGISTRATION = "torch.onnx._internal.registration"
if importlib.util.find_spec(_REGISTRATION) is None:
    _stand_in = ModuleType(_REGISTRATION)
    _stand_in.__dict__["registry"] = None
    sys.modules[_REGISTRATION] = _stand_in

import crypten  # noqa: E402, TID251 - stock CrypTen is what is measured here, in a process and an environment of its own
from crypten.config import cfg  # noqa: E402, TID251 - as above

PARTIES = 3
OWNER = 0
# N(x) = sigmoid(x (1.5976 + 0.07056 x^2)) within 1.5e-4: Bowling et al., "A logistic approximation to the
# cumulative normal distribution", 2009
_LOGISTIC = (1.5976, 0.07056)


def normal_cdf(x: crypten.CrypTensor) -> crypten.CrypTensor:
    return (x * (x.square() * _LOGISTIC[1] + _LOGISTIC[0])).sigmoid()


def polynomial(u: crypten.CrypTensor, coefficients: torch.Tensor) -> crypten.CrypTensor:
    """sum_k c_k T_k(u), by the products that ours has."""
    degree = len(coefficients) - 1
    basis = [u]
    while (known := len(basis)) < degree:
        wanted = range(known + 1, min(2 * known, degree) + 1)
        high = crypten.stack([basis[(k + 1) // 2 - 1] for k in wanted])
        low = crypten.stack([basis[k // 2 - 1] for k in wanted])
        doubled = high * low * 2
        basis += [doubled[i] - (u if k % 2 else 1.0) for i, k in enumerate(wanted)]
    return (crypten.stack(basis) * coefficients[1:]).sum(0) + coefficients[0]


class CryptenParty:
    """A party in an initialised process group."""

    def __init__(self, where: Place) -> None:
        host, port = where.addresses[0]
        os.environ.update(
            WORLD_SIZE=str(PARTIES),
            RANK=str(where.rank),
            RENDEZVOUS=f"tcp://{host}:{port}",
            DISTRIBUTED_BACKEND="gloo",
        )
        torch.set_num_threads(1)
        crypten.init()
        self.work: Callable[[], crypten.CrypTensor] | None = None

    def prepare(self, work: str, batch: int) -> None:
        first, *rest = (
            crypten.cryptensor(torch.from_numpy(v).float(), src=OWNER)
            for v in workloads.secrets_of(work, batch)
        )
        book = workloads.options(batch)
        intrinsic, half, coefficients = (
            torch.from_numpy(v).float()
            for v in (book.log_moneyness / book.root_time, book.root_time / 2, book.coefficients())
        )

        def network() -> crypten.CrypTensor:
            hidden = first
            for layer, weight in enumerate(rest):
                hidden = hidden @ weight
                if layer < len(rest) - 1:
                    hidden = hidden.relu() if work == "relu" else hidden.square()
            return hidden

        self.work = {
            "relu": network,
            "square": network,
            "relu_elements": first.relu,
            "delta": lambda: normal_cdf(first.reciprocal() * intrinsic + first * half),
            "delta_polynomial": lambda: polynomial(first, coefficients),
        }[work]

    def run(self) -> np.ndarray:
        assert self.work is not None
        with crypten.no_grad():
            return self.work().get_plain_text().numpy()

    def count(self) -> tuple[np.ndarray, dict[str, int | None]]:
        """By its own statistics: a collective is a round, and its bytes are those sent and received, so half are sent."""
        with cfg.temp_override({"communicator.verbose": True}):
            crypten.reset_communication_stats()
            result = self.run()
            found = crypten.communicator.get().get_communication_stats()
        return result, {"rounds": found["rounds"], "bytes": round(found["bytes"] / 2), "messages": None}


def main() -> None:
    where, output = place(), answers()
    obey(CryptenParty(where), output)


if __name__ == "__main__":
    main()
