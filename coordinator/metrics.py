"""Numbers for Prometheus: how rounds end, how long their phases take, who is online. Served on loopback, if asked for."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from mpc_party.protocol.errors import ConfigError

HOST = "127.0.0.1"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The coordinator's numbers, in a registry of their own. A context manager where they are served.

    Args:
        port: to serve on; None keeps them to oneself, 0 takes any free one (see `port`).

    Raises:
        ConfigError: the port is in use.
    """

    def __init__(self, port: int | None = None) -> None:
        registry = CollectorRegistry()
        self._rounds = Counter(
            "mpc_rounds", "Rounds by how they ended", ["state", "reason"], registry=registry
        )
        self._phases = Histogram(
            "mpc_phase_seconds",
            "Time in each phase of settled rounds",
            ["phase"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._online = Gauge("mpc_members_online", "Members that can serve", registry=registry)
        self._last = Gauge("mpc_last_settled_round", "Number of the last settled round", registry=registry)
        self._error = Gauge("mpc_max_delta_error", "Largest delta error of the last round", registry=registry)
        self._server = None
        if port is not None:
            try:
                self._server, self._thread = start_http_server(port, addr=HOST, registry=registry)
            except (OSError, OverflowError) as error:
                raise ConfigError(f"cannot serve metrics on {HOST}:{port}: {error}") from None
        self.registry = registry

    @property
    def port(self) -> int | None:
        """Where they are served."""
        return None if self._server is None else int(self._server.server_port)

    def settled(self, number: int, ms: Mapping[str, float], max_delta_error: float) -> None:
        """A round settled."""
        self._rounds.labels("settled", "").inc()
        self._last.set(number)
        self._error.set(max_delta_error)
        for phase, milliseconds in ms.items():
            self._phases.labels(phase).observe(milliseconds / 1000)

    def aborted(self, reason: str) -> None:
        """A round was aborted."""
        self._rounds.labels("aborted", reason).inc()

    def online(self, members: int) -> None:
        """So many members can serve."""
        self._online.set(members)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
