"""How long the 8-64-64-1 network takes on replicated shares, with ReLU and with squares.

    python tests/benchmarks/bench_secure.py [--threads] [--repeats 21]

Three processes over loopback with TLS; or, with --threads, three threads over in-memory queues, which costs no TLS
but makes the parties wait for each other's interpreter lock. One torch thread a party. Prints the median over
repeats of the slowest party, the processor time in it (which other programs on the machine do not inflate), rounds,
and bytes sent by each party, from shared inputs to the opened output.

On two cores under a load of 3 to 5 by other programs, median ms (of them on the processor, per party):
    network/rows     processes, TLS     threads
    squares/64        5.7 (2.2)         3.5 (1.2)
    squares/1024       58 (19)           27 (7.8)
    ReLU/64            20 (5.9)          15 (4.2)
    ReLU/1024         170 (33)           90 (26)
The load is in the medians; threads, in turn, pay for the interpreter lock that they share, and not for TLS.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402 - after the path that makes what follows importable

from mpc_party.mesh import Mesh, deadline_in  # noqa: E402 - as above
from mpc_party.secure import (  # noqa: E402 - as above
    PrivateInput,
    SecureSession,
    SessionContext,
    matmul,
    open_shares,
    relu,
    share_many,
    square,
)
from tests.support.local_mesh import local_mesh, run_parties  # noqa: E402 - as above
from tests.support.mesh_parties import members  # noqa: E402 - as above
from tests.support.mesh_process import read_config, write_config  # noqa: E402 - as above

LAYERS = ((8, 64), (64, 64), (64, 1))
CASES = {
    f"{name}/{rows}": (activation, rows)
    for name, activation in (("squares", square), ("ReLU", relu))
    for rows in (64, 1024)
}


def measure(exchange, repeats):
    """Median milliseconds, of those on the processor, rounds and bytes sent of a run, by case, at this party."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    session = SecureSession(exchange, (0, 1, 2), SessionContext(bytes(32), 0, 0)).setup()
    results = {}
    with session:
        for case, (activation, rows) in CASES.items():
            shapes = [*LAYERS, (rows, LAYERS[0][0])]
            values = [
                torch.empty(shape).normal_(0, shape[0] ** -0.5, generator=generator) for shape in shapes
            ]
            *model, x = share_many(
                [PrivateInput(1, v.shape, v if session.position == 1 else None) for v in values]
            )
            times, work = [], []
            for _ in range(repeats + 2):
                before = session.traffic.rounds, session.traffic.bytes_sent
                start, cpu = time.perf_counter(), time.thread_time()
                hidden = x
                for layer, weight in enumerate(model):
                    hidden = matmul(hidden, weight)
                    if layer < len(model) - 1:
                        hidden = activation(hidden)
                open_shares(hidden)
                times.append((time.perf_counter() - start) * 1e3)
                work.append((time.thread_time() - cpu) * 1e3)
            rounds, sent = session.traffic.rounds - before[0], session.traffic.bytes_sent - before[1]
            # the first two warm up
            results[case] = (statistics.median(times[2:]), statistics.median(work[2:]), rounds, sent)
    return results


def party(repeats):
    from mpc_party.secure.memory import keep_freed_memory
    keep_freed_memory()
    """One of the three processes: its mesh configuration comes in by stdin."""
    with (
        Mesh(read_config(sys.stdin)) as mesh,
        mesh.session(bytes(32), [0, 1, 2], deadline_in(300)) as session,
    ):
        print(json.dumps(measure(session, repeats)))


def in_processes(repeats):
    """Run the three parties as processes and collect what they print."""
    command = [sys.executable, __file__, "--party", "--repeats", str(repeats)]
    with members(3) as everyone:
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        try:
            for own, process in enumerate(processes):
                write_config(process.stdin, everyone, own)
            return [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--threads", action="store_true")
    parser.add_argument("--party", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.party:
        party(arguments.repeats)
        return
    if arguments.threads:
        parties = run_parties(
            local_mesh((0, 1, 2)), lambda link: measure(link, arguments.repeats), deadline=300
        )
    else:
        parties = in_processes(arguments.repeats)
    print(
        f"{'network/rows':14} {'median ms':>10} {'cpu ms':>8} {'rounds':>7} {'bytes sent by each party':>28}"
    )
    for case in CASES:
        median, cpu = (max(results[case][i] for results in parties) for i in (0, 1))
        sent = str([results[case][3] for results in parties])
        print(f"{case:14} {median:10.2f} {cpu:8.2f} {parties[0][case][2]:7} {sent:>28}")


if __name__ == "__main__":
    main()
