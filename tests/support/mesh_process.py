"""A mesh party as a process of its own, steered by lines: for tests that kill, stop and measure.

`python -m tests.support.mesh_process` reads its configuration from the first line of stdin (JSON), then one command a
line, and answers each with one line of JSON:

    {"session": hex, "members": [...], "seconds": 10}
    {"exchange": {"to": [...], "from": [...], "size": 64, "fill": 7, "times": 1}}
    {"close": true}

An answer is {"ok": ...} or {"error": reason, "culprit": ..., "peers": [...], "message": ...}.
"""

# ruff: noqa: T201 - the answers go to standard output
from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mpc_party.mesh import FrameKind, Mesh, MeshConfig, MeshError, MeshSession, deadline_in
from tests.support.mesh_parties import Credentials, Members

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 120.0


def write_config(stream: IO[str], everyone: Members, own: int) -> None:
    key = everyone.credentials[own].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    data = {
        "own": own,
        "ports": everyone.ports,
        "certificates": [c.pem for c in everyone.credentials],
        "key": key.decode(),
    }
    stream.write(json.dumps(data) + "\n")
    stream.flush()


def read_config(stream: IO[str]) -> MeshConfig:
    data = json.loads(stream.readline())
    key = load_pem_private_key(data["key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    # The others' keys stay with the others: only their certificates matter here.
    everyone = Members([Credentials(key, pem) for pem in data["certificates"]], data["ports"])
    return everyone.config(data["own"])


def obey(mesh: Mesh, session: MeshSession | None, command: dict[str, Any]) -> tuple[Any, MeshSession | None]:
    if "session" in command:
        deadline = deadline_in(command["seconds"])
        session = mesh.session(bytes.fromhex(command["session"]), command["members"], deadline)
        return list(session.peers), session
    assert session is not None
    if "close" in command:
        session.close()
        return None, None
    what = command["exchange"]
    payload = bytes([what["fill"]]) * what["size"]
    received: dict[int, bytes] = {}
    for _ in range(what.get("times", 1)):
        received = session.exchange(FrameKind.WORDS, dict.fromkeys(what["to"], payload), what["from"])
    return {peer: [len(data), data.count(peer)] for peer, data in received.items()}, session


def main() -> None:
    # Standard output is for answers: a log line of the listener's thread could end up in the middle of one.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    session: MeshSession | None = None
    with Mesh(read_config(sys.stdin)) as mesh:
        print(json.dumps({"ok": "listening"}), flush=True)
        for line in sys.stdin:
            answer: dict[str, Any]
            try:
                result, session = obey(mesh, session, json.loads(line))
                answer = {"ok": result}
            except MeshError as error:
                answer = {
                    "error": error.reason,
                    "culprit": error.culprit,
                    "peers": error.peers,
                    "message": error.message,
                }
            print(json.dumps(answer), flush=True)


@dataclass
class PartyProcess:
    """The test's handle on one such process."""

    process: subprocess.Popen[str]

    @classmethod
    def start(cls, everyone: Members, own: int) -> PartyProcess:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.mesh_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
        )
        write_config(process.stdin, everyone, own)
        return cls(process)

    def tell(self, **command: Any) -> None:
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer; a party that gives none in time is killed."""
        timer = threading.Timer(DEADLINE, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise EOFError("the party has ended, or did not answer in time")
        return json.loads(line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


if __name__ == "__main__":
    main()
