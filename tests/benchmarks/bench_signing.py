"""Median times of key generation, the nonce phase and signing over the in-memory mesh.

    python -m tests.benchmarks.bench_signing [ROUNDS]

All parties are threads of one interpreter, so a phase's wall time is about the sum of all parties' work; the CPU
column is one party's own work (`time.thread_time`), which is what a phase costs beside the network when every
party has a process of its own. The journals are real files, with their fsync.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from mpc_party.signing import run_approval, run_keygen, run_presign, run_signature
from tests.support.local_mesh import local_mesh, run_parties
from tests.support.signing_parties import SigningTeam, keygen_context


def bench(members: int, threshold: int, rounds: int) -> None:
    wall: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    traffic: dict[str, int] = {}

    def timed(phase, exchange, work):
        sent, began, worked = exchange.sent_bytes, time.perf_counter(), time.thread_time()
        result = work()
        wall[phase].append(1e3 * (time.perf_counter() - began))
        cpu[phase].append(1e3 * (time.thread_time() - worked))
        traffic[phase] = (exchange.sent_bytes - sent) // len(exchange.peers)
        return result

    meshes = local_mesh(range(members))
    for number in range(max(3, rounds // 10)):
        context = keygen_context(members, threshold, number.to_bytes(32, "big"))
        run_parties(meshes, lambda e, c=context: timed("key generation", e, lambda: run_keygen(e, c)))

    with tempfile.TemporaryDirectory() as directory:
        team = SigningTeam(members, threshold, Path(directory))
        signers = range(2 * threshold + 1)
        meshes = local_mesh(signers)
        for number in range(1, rounds + 1):
            context = team.promise(number)
            digest = hashlib.sha256(number.to_bytes(8, "big")).digest()

            def program(exchange, context=context, digest=digest):
                own = exchange.own
                key, journal, approver = team.keys[own], team.journals[own], team.approvers[own]
                presignature = timed("nonce", exchange, lambda: run_presign(exchange, key, context))
                approved = timed(
                    "approval",
                    exchange,
                    lambda: run_approval(exchange, key, presignature, digest, approver, journal),
                )
                return timed("signature", exchange, lambda: run_signature(exchange, approved, journal))

            run_parties(meshes, program)
        team.close()

    sys.stdout.write(f"n = {members}, t = {threshold}: medians of {rounds} rounds\n")
    for phase, times in wall.items():
        sys.stdout.write(
            f"  {phase:16} {statistics.median(times):7.2f} ms wall for all"
            f"   {statistics.median(cpu[phase]):6.2f} ms CPU a party   {traffic[phase]:5} bytes a peer\n"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for members, threshold in ((3, 1), (5, 1), (5, 2)):
        bench(members, threshold, rounds)


if __name__ == "__main__":
    main()
