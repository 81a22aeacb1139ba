"""Real brokers for integration tests: they can stop, and come back on the same port with what they stored."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from coordinator.broker import GUARD, LocalBroker, _free_port
from tests.support.certificates import Authority

KINDS = ("nats", "mosquitto")
DEADLINE = 15.0


class Broker(Protocol):
    @property
    def url(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Security:
    """What a Mosquitto listener asks for."""

    authority: Authority | None = None  # TLS, with a client certificate
    passwords: dict[str, str] | None = None
    access: str | None = None  # its access list


def mosquitto_program() -> str:
    """Where Mosquitto is. Without it tests are skipped; on CI, which installs it, they fail."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        line = "mosquitto is not installed: apt-get install -y mosquitto"
        if os.environ.get("CI"):
            pytest.fail(line)
        pytest.skip(line)
    return found


class Mosquitto:
    """A Mosquitto on loopback with a configuration and a store of its own, that ends with the tests."""

    def __init__(self, directory: Path, security: Security | None = None) -> None:
        self._program = mosquitto_program()
        self._directory = directory
        self._security = security or Security()
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration()

    @property
    def url(self) -> str:
        return f"{'mqtts' if self._security.authority else 'mqtt'}://127.0.0.1:{self._port}"

    def _write_configuration(self) -> None:
        lines = [
            f"listener {self._port} 127.0.0.1",
            "persistence true",
            f"persistence_location {self._directory}/",
            f"log_dest file {self._directory}/mosquitto.log",
            "log_type all",
            "max_queued_messages 1000",
        ]
        if os.getuid() == 0:
            lines.append("user root")  # it would become a user who may not write to the directory
        security = self._security
        if security.authority is not None:
            server = security.authority.issue("server", "127.0.0.1")
            lines += [
                f"cafile {security.authority.ca_file}",
                f"certfile {server.certificate}",
                f"keyfile {server.key}",
                "require_certificate true",
            ]
        if security.passwords is None:
            lines.append("allow_anonymous true")
        else:
            file = self._directory / "passwords"
            file.write_text("".join(f"{user}:{word}\n" for user, word in security.passwords.items()))
            file.chmod(0o600)
            # -U replaces the plain passwords in the file by salted hashes
            subprocess.run(["mosquitto_passwd", "-U", str(file)], check=True, timeout=DEADLINE)
            lines += ["allow_anonymous false", f"password_file {file}"]
        if security.access is not None:
            file = self._directory / "access"
            file.write_text(security.access)
            file.chmod(0o600)
            lines.append(f"acl_file {file}")
        (self._directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        command = [self._program, "-c", str(self._directory / "mosquitto.conf")]
        with (self._directory / "output.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
            except OSError:
                assert self._process.poll() is None, (self._directory / "output.log").read_text()
                assert time.monotonic() < deadline, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(DEADLINE)


@contextlib.contextmanager
def running_broker(kind: str, directory: Path, security: Security | None = None) -> Iterator[Broker]:
    """A broker of that kind, with its store in the directory; stopped on any exit."""
    broker: Broker
    if kind == "nats":
        assert security is None
        broker = LocalBroker(store=directory)
    else:
        broker = Mosquitto(directory, security)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
