"""A member that signs, as a process of its own over the real mesh, and what its phases take: for the benchmark of signing.

`python -m tests.support.signing_process --rounds N [--apart]` reads a mesh configuration from standard input, as
`mesh_process` does, and prints one line of JSON: for each phase its times in milliseconds, [wall, CPU] per round.
"""

# ruff: noqa: T201 - the answer goes to standard output
from __future__ import annotations

import argparse
import hashlib
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.journal import Journal
from mpc_party.mesh import FrameKind, Mesh, deadline_in
from mpc_party.signing import KeyShare, MessageKeys, run_approval, run_keygen, run_presign, run_signature
from tests.support import mesh_parties
from tests.support.mesh_process import ROOT, read_config, write_config
from tests.support.signing_parties import CONSORTIUM_ID, EPOCH, keygen_context, signing_context

mesh_parties.NAMES = (
    "anna",
    "bert",
    "carl",
    "dora",
    "emil",
    "fred",
    "gina",
)  # the tests of the mesh have five

T = TypeVar("T")
Times = dict[str, list[tuple[float, float]]]
Ready = Callable[[], object]
DEADLINE = 600.0
WARM_UP = 5  # rounds that are not counted
SHARE_BYTES = 150  # about what a signature share's message has, signed


@dataclass
class Member:
    """One member's side of each phase, and what it took. The protocols are called here and nowhere else in the benchmark."""

    exchange: Any
    keys: MessageKeys
    journal: Journal
    times: Times
    ready: Ready = lambda: None  # awaited before each phase

    def timed(self, phase: str, work: Callable[[], T]) -> T:
        self.ready()
        began, worked = time.perf_counter(), time.thread_time()
        result = work()
        self.times[phase].append((1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - worked)))
        return result

    def generate_key(self, size: int, threshold: int, number: int) -> KeyShare:
        context = keygen_context(size, threshold, number.to_bytes(32, "big"))
        return self.timed("key generation", lambda: run_keygen(self.exchange, context, self.keys))

    def sign(self, key: KeyShare, number: int) -> bytes:
        """One round, which the journal has promised."""
        context = signing_context(len(key.public_shares), number)
        digest = hashlib.sha256(number.to_bytes(8, "big")).digest()
        presignature = self.timed("nonce", lambda: run_presign(self.exchange, key, context, self.keys))
        approved = self.timed(
            "approval",
            lambda: run_approval(self.exchange, key, presignature, digest, self.keys, self.journal),
        )
        return self.timed("signature", lambda: run_signature(self.exchange, approved))


def message_keys(size: int) -> list[MessageKeys]:
    """Those of all members, alike in every process: they are made from their numbers."""
    keys = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([m])).digest()) for m in range(size)]
    public_keys = {m: key.public_key().public_bytes_raw() for m, key in enumerate(keys)}
    return [MessageKeys(key.sign, public_keys) for key in keys]


def party(rounds: int, threshold: int, *, apart: bool) -> Times:
    config = read_config(sys.stdin)
    size = len(config.names)
    own_keys = message_keys(size)[config.own]
    times: Times = defaultdict(list)
    with tempfile.TemporaryDirectory() as directory, Mesh(config) as mesh:
        journal = Journal.open(Path(directory) / "journal.db", consortium=CONSORTIUM_ID, epoch=EPOCH)
        with journal, mesh.session(bytes(32), range(size), deadline_in(DEADLINE)) as session:

            def together() -> object:
                greeting = dict.fromkeys(session.peers, bytes(SHARE_BYTES))
                return session.exchange(FrameKind.WORDS, greeting, session.peers)

            member = Member(session, own_keys, journal, times)
            if apart:
                member.ready = together
            for _ in range(rounds + WARM_UP):
                member.timed("bare exchange", together)
            for number in range(rounds + WARM_UP):
                key = member.generate_key(size, threshold, number)
            for number in range(1, rounds + WARM_UP + 1):
                journal.promise_round(number, bytes(32))
                member.sign(key, number)
    return {phase: pairs[WARM_UP:] for phase, pairs in times.items()}


def run_processes(size: int, threshold: int, rounds: int, *, apart: bool) -> list[Times]:
    """All parties' times. Each is a process of its own; they speak TLS on loopback, and journals are files, with their fsync."""
    command = [sys.executable, "-m", "tests.support.signing_process", "--rounds", str(rounds)]
    command += ["--threshold", str(threshold), *(["--apart"] if apart else [])]
    with mesh_parties.members(size) as everyone:
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for _ in range(size)
        ]
        try:
            for own, process in enumerate(processes):
                write_config(process.stdin, everyone, own)
            return [json.loads(process.communicate(timeout=DEADLINE)[0]) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.communicate()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--threshold", type=int, required=True)
    parser.add_argument("--apart", action="store_true")
    arguments = parser.parse_args()
    # Standard output is for the answer, and that links are up is no news.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    )
    print(json.dumps(party(arguments.rounds, arguments.threshold, apart=arguments.apart)))
