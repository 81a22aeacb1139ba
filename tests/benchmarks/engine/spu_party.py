"""One party of SPU 0.9.5, ABY3 over a ring of 64 bits: `python -m tests.benchmarks.engine.spu_party`, in its environment.

Three processes with links of their own (brpc over TCP, no TLS); its defaults otherwise. The program is compiled once,
and ends in SPU's own `reveal`. Of the ways to N(d1) that it has (measured: greatest error, ms at 64 options), erf is the best: erf 2.4e-4,
89; norm.cdf 2.5e-4, 258; by sigmoid 1.1e-3, 90 to 108; by tanh 2.4e-3, 87.
"""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from spu import api, libspu
from spu.experimental.reveal_impl import reveal
from spu.utils import frontend

from tests.benchmarks.engine import workloads
from tests.benchmarks.engine.party_loop import Place, answers, obey, place

PARTIES = 3
TIMEOUT_MS = 120_000
_LINK_DETAILS = re.compile(r"Link details: total send bytes (\d+), recv bytes \d+, send actions (\d+)")


def program(work: str, batch: int) -> Callable[..., jax.Array]:
    """What SPU compiles: a function of the secret inputs."""
    if work in workloads.NETWORKS:
        activation = (lambda z: jnp.maximum(z, 0)) if work == "relu" else jnp.square
        return lambda x, a, b, c: reveal(activation(activation(x @ a) @ b) @ c)
    if work == "relu_elements":
        return lambda x: reveal(jnp.maximum(x, 0))
    book = workloads.options(batch)
    if work == "delta":
        intrinsic, half = book.log_moneyness / book.root_time, book.root_time / 2
        return lambda vol: reveal(
            0.5 + 0.5 * jax.scipy.special.erf((intrinsic / vol + vol * half) / np.sqrt(2))
        )
    return lambda u: reveal(_polynomial(u, book.coefficients()))


def _polynomial(u: jax.Array, coefficients: np.ndarray) -> jax.Array:
    """sum_k c_k T_k(u), by the products that ours has."""
    basis = u[None]
    while (known := len(basis)) < len(coefficients) - 1:
        wanted = np.arange(known + 1, min(2 * known, len(coefficients) - 1) + 1)
        odd = (wanted % 2)[:, None]
        high, low = basis[(wanted + 1) // 2 - 1], basis[wanted // 2 - 1]
        basis = jnp.concatenate([basis, 2 * high * low - u[None] * odd - (1 - odd)])
    return (basis * coefficients[1:]).sum(axis=0) + coefficients[0]


class SpuParty:
    """A party on a link."""

    def __init__(self, where: Place) -> None:
        description = libspu.link.Desc()
        description.recv_timeout_ms = TIMEOUT_MS
        description.http_timeout_ms = TIMEOUT_MS
        for rank, (host, port) in enumerate(where.addresses):
            description.add_party(f"party{rank}", f"{host}:{port}")
        self.rank = where.rank
        self.link = libspu.link.create_brpc(description, where.rank)
        self.io = api.Io(PARTIES, self._config())
        self.shares: dict[str, libspu.Share] = {}

    def _config(self, *, profile: bool = False) -> libspu.RuntimeConfig:
        config = libspu.RuntimeConfig(protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64)
        config.enable_pphlo_profile = profile
        return config

    def prepare(self, work: str, batch: int) -> None:
        values = [v.astype(np.float32) for v in workloads.secrets_of(work, batch)]
        names = [f"in{i}" for i in range(len(values))]
        secret = libspu.Visibility.VIS_SECRET
        self.executable, _ = frontend.compile(
            frontend.Kind.JAX,
            program(work, batch),
            values,
            {},
            names,
            [secret] * len(values),
            lambda _: ["out"],
        )
        self.shares = {name: self._share(value) for name, value in zip(names, values, strict=True)}
        self.runtime = self._runtime(self._config())

    def _share(self, value: np.ndarray) -> libspu.Share:
        """This party's part of what party 0 shares, over the link."""
        parts = []
        if self.rank == 0:
            for share in self.io.make_shares(value, libspu.Visibility.VIS_SECRET):
                pieces = [share.meta, *share.share_chunks]
                parts.append(json.dumps([base64.b64encode(piece).decode() for piece in pieces]))
        meta, *chunks = (base64.b64decode(piece) for piece in json.loads(self.link.scatter(parts, 0)))
        own = libspu.Share()
        own.meta, own.share_chunks = meta, chunks
        return own

    def _runtime(self, config: libspu.RuntimeConfig) -> api.Runtime:
        runtime = api.Runtime(self.link, config)
        for name, share in self.shares.items():
            runtime.set_var(name, share)
        return runtime

    def run(self) -> np.ndarray:
        self.runtime.run(self.executable)
        return self._opened(self.runtime)

    def _opened(self, runtime: api.Runtime) -> np.ndarray:
        """The value that `reveal` has made known to all: the same part at each party."""
        return self.io.reconstruct([runtime.get_var("out")] * PARTIES)

    def count(self) -> tuple[np.ndarray, dict[str, int | None]]:
        """From its profile, which it logs: it counts messages sent, and knows no rounds."""
        profiled = self._runtime(self._config(profile=True))
        with tempfile.TemporaryFile() as log:
            kept = os.dup(1), os.dup(2)
            for own in (1, 2):
                os.dup2(log.fileno(), own)
            try:
                profiled.run(self.executable)
            finally:
                for copy, own in zip(kept, (1, 2), strict=True):
                    os.dup2(copy, own)
                    os.close(copy)
            log.seek(0)
            found = _LINK_DETAILS.search(log.read().decode(errors="replace"))
        sent, messages = (int(found[1]), int(found[2])) if found else (None, None)
        return self._opened(profiled), {"rounds": None, "bytes": sent, "messages": messages}


def main() -> None:
    where, output = place(), answers()
    obey(SpuParty(where), output)


if __name__ == "__main__":
    main()
