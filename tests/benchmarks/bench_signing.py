"""Times of key generation, the nonce phase, approval and signature, beside MPyC's own runtime on the same machine.

    python -m tests.benchmarks.bench_signing [--rounds N] [--sizes 3 5 7] [--blocks 3] [--flowing] [--threads] [--no-mpyc]

Every party has a process of its own, ours over the real mesh (TLS 1.3 on loopback, pinned certificates, journals with their
fsync), MPyC's over plain TCP on loopback, which is how its programs come. n members, t = (n-1)/2, all of them sign. Parties wait
for one another before each phase, so that none is charged for another's lag; with --flowing they do not, as in a round. Ours
and MPyC's take turns, --blocks times each, so that whatever else the machine does hits both. The times are all parties' of all
blocks; "floor" is the CPU time of all parties over the cores, below which no wall time can be. With --threads all are threads of one interpreter over the in-memory mesh instead: wall time is then about the
sum of their work.

What MPyC is asked for is the plain function, secure against those who only look: key generation is x by pseudorandom shares and
x G in one exchange of points; the nonce is k, k G and 1/k; a signature is one multiplication and one opening. It has no commitments
and no proofs, no check of a share, no approval and no journal, and it checks no signature.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tests.support.local_mesh import local_mesh, run_parties
from tests.support.mpyc_oracle import ask_mpyc
from tests.support.signing_parties import SigningTeam
from tests.support.signing_process import WARM_UP, Member, Times, run_processes

PHASES = ("bare exchange", "key generation", "nonce", "approval", "signature")
PATIENCE = 900.0
CORES = os.cpu_count() or 1


def percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def pooled(parties: Sequence[Times], phase: str, size: int) -> tuple[float, ...]:
    """Of all rounds of all parties: p50 and p95 of wall time, the median CPU time, and what that is for all on these cores."""
    pairs = [pair for times in parties for pair in times.get(phase, [])]
    if not pairs:
        return ()
    wall = [wall for wall, _ in pairs]
    cpu = statistics.median(cpu for _, cpu in pairs)
    return percentile(wall, 50), percentile(wall, 95), cpu, cpu * size / CORES


def show(title: str, ours: Sequence[Times], theirs: Sequence[Times], size: int) -> None:
    head = "".join(f"{name:>8}" for name in ("p50", "p95", "CPU", "floor"))
    print(f"{title}\n{'ours:':>23}{head}{'MPyC:':>10}{head}   MPyC / ours")
    for phase in PHASES:
        mine, other = pooled(ours, phase, size), pooled(theirs, phase, size)
        line = f"  {phase:21}" + "".join(f"{value:8.2f}" for value in mine)
        if mine and other:
            line += f"{'':10}" + "".join(f"{value:8.2f}" for value in other) + f"{other[0] / mine[0]:14.1f}"
        print(line, flush=True)


def in_threads(size: int, threshold: int, rounds: int) -> list[Times]:
    times: Times = defaultdict(list)
    with tempfile.TemporaryDirectory() as directory:
        team = SigningTeam(size, threshold, Path(directory))
        members = [
            Member(exchange, team.approvers[exchange.own], team.journals[exchange.own], times)
            for exchange in local_mesh(range(size))
        ]
        meshes = [member.exchange for member in members]
        for number in range(rounds):
            run_parties(meshes, lambda e, n=number: members[e.own].generate_key(size, threshold, n))
        for number in range(1, rounds + 1):
            team.promise(number)
            run_parties(meshes, lambda e, n=number: members[e.own].sign(team.keys[e.own], n))
        team.close()
    return [times]


def mpyc(size: int, threshold: int, rounds: int) -> list[Times]:
    answers = ask_mpyc([[{"measure": rounds + WARM_UP}]] * size, threshold, PATIENCE)
    return [{phase: pairs[WARM_UP:] for phase, pairs in times.items()} for (times,) in answers]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[3, 5, 7])
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--flowing", action="store_true", help="no waiting for one another before a phase")
    parser.add_argument("--threads", action="store_true", help="threads of one interpreter, in memory")
    parser.add_argument("--no-mpyc", action="store_true")
    arguments = parser.parse_args()
    rounds = -(-arguments.rounds // arguments.blocks)
    print(f"Milliseconds, {arguments.blocks} times {rounds} rounds, {CORES} cores")
    for size in arguments.sizes:
        threshold = (size - 1) // 2
        ours: list[Times] = []
        theirs: list[Times] = []
        for _ in range(arguments.blocks):
            if arguments.threads:
                ours += in_threads(size, threshold, rounds)
            else:
                ours += run_processes(size, threshold, rounds, apart=not arguments.flowing)
            theirs += [] if arguments.no_mpyc else mpyc(size, threshold, rounds)
        where = "threads of one interpreter" if arguments.threads else f"{size} processes"
        show(f"n = {size}, t = {threshold}, {where}", ours, theirs, size)


if __name__ == "__main__":
    main()
