"""Median times of key generation, the nonce phase, approval and signature.

    python -m tests.benchmarks.bench_signing [--rounds N] [--threads]

By default every party has a process of its own and they speak over the real mesh (TLS on loopback). With --threads
all are threads of one interpreter over the in-memory mesh: wall time is then about the sum of all parties' work, and
sizes other than three are run. Journals are real files either way, with their fsync.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.journal import Journal
from mpc_party.mesh import Mesh, deadline_in
from mpc_party.signing import KeyShare, MessageKeys, run_approval, run_keygen, run_presign, run_signature
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.mesh_parties import members
from tests.support.mesh_process import read_config, write_config
from tests.support.signing_parties import (
    CONSORTIUM_ID,
    EPOCH,
    SigningTeam,
    keygen_context,
    message_keys,
    signing_context,
)

T = TypeVar("T")
Times = dict[str, list[tuple[float, float]]]


def timed(times: Times, phase: str, work: Callable[[], T]) -> T:
    began, worked = time.perf_counter(), time.thread_time()
    result = work()
    times[phase].append((1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - worked)))
    return result


def one_signature(
    times: Times, exchange: Any, key: KeyShare, approver: MessageKeys, journal: Journal, number: int
) -> bytes:
    context = signing_context(len(key.public_shares), number)
    digest = hashlib.sha256(number.to_bytes(8, "big")).digest()
    presignature = timed(times, "nonce", lambda: run_presign(exchange, key, context, approver))
    approved = timed(
        times, "approval", lambda: run_approval(exchange, key, presignature, digest, approver, journal)
    )
    return timed(times, "signature", lambda: run_signature(exchange, approved))


def show(title: str, times: Times) -> None:
    print(title)
    for phase, pairs in times.items():
        wall = sorted(wall for wall, _ in pairs)
        cpu = statistics.median(cpu for _, cpu in pairs)
        p50, p90 = statistics.median(wall), wall[len(wall) * 9 // 10]
        print(f"  {phase:16} p50 {p50:6.2f} ms   p90 {p90:6.2f} ms   CPU of one party {cpu:5.2f} ms")


def in_threads(size: int, threshold: int, rounds: int) -> None:
    times: Times = defaultdict(list)
    for number in range(max(3, rounds // 10)):
        context = keygen_context(size, threshold, number.to_bytes(32, "big"))
        run_parties(
            local_mesh(range(size)),
            lambda e, c=context: timed(
                times, "key generation", lambda: run_keygen(e, c, message_keys(size)[e.own])
            ),
        )
    with tempfile.TemporaryDirectory() as directory:
        team = SigningTeam(size, threshold, Path(directory))
        meshes = local_mesh(range(2 * threshold + 1))
        for number in range(1, rounds + 1):
            team.promise(number)
            run_parties(
                meshes,
                lambda e, n=number: one_signature(
                    times, e, team.keys[e.own], team.approvers[e.own], team.journals[e.own], n
                ),
            )
        team.close()
    show(f"n = {size}, t = {threshold}, {rounds} rounds, threads of one interpreter", times)


def party(rounds: int) -> None:
    config = read_config(sys.stdin)
    own, everyone = config.own, range(len(config.names))
    identities = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([m])).digest()) for m in everyone]
    public_keys = {m: key.public_key().public_bytes_raw() for m, key in enumerate(identities)}
    approver = MessageKeys(identities[own].sign, public_keys)
    times: Times = defaultdict(list)
    with tempfile.TemporaryDirectory() as directory, Mesh(config) as mesh:
        journal = Journal.open(Path(directory) / "journal.db", consortium=CONSORTIUM_ID, epoch=EPOCH)
        with journal, mesh.session(bytes(32), everyone, deadline_in(300)) as session:
            for number in range(max(3, rounds // 10)):
                context = keygen_context(len(everyone), 1, number.to_bytes(32, "big"))
                key = timed(times, "key generation", lambda c=context: run_keygen(session, c, approver))
            for number in range(1, rounds + 1):
                journal.promise_round(number, bytes(32))
                one_signature(times, session, key, approver, journal, number)
    print(json.dumps(times))


def in_processes(rounds: int) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.bench_signing", "--party", "--rounds", str(rounds)]
    with members(3) as everyone:
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        try:
            for own, process in enumerate(processes):
                write_config(process.stdin, everyone, own)
            answers = [process.communicate(timeout=300)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    show(f"n = 3, t = 1, {rounds} rounds, three processes, TLS on loopback", json.loads(answers[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--party", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.party:
        party(arguments.rounds)
    elif arguments.threads:
        for size, threshold in ((3, 1), (5, 1), (5, 2)):
            in_threads(size, threshold, arguments.rounds)
    else:
        in_processes(arguments.rounds)


if __name__ == "__main__":
    main()
