"""How long one exchange takes: three processes over loopback, TLS on.

    python tests/benchmarks/bench_mesh.py [--json]

In each exchange every party sends to the party before it and receives from the one after it, as in an opening or a
resharing. Prints mean, p50 and p90 per call, as party 0 saw it. A party may run one exchange ahead of another, so
p50 is less than the cost that a long chain of rounds has on average; the mean is that cost.

Two cores, other work beside it (load 2 to 7): 64 B mean 165 to 220, p50 150 us; 64 KiB mean 480 to 800, p50 160 us; 4 MiB p50
18 to 28 ms; a session on links that are there 1 to 2 ms, on links to be made 13 ms. Three processes that are forks
of one need 80 us where three of their own need 160: the rest is caches, not this code.

What was tried: SSLSocket instead of memory buffers (same at 64 B, within noise at 4 MiB, but no deadlines inside the
handshake); poll before the first recv (3 system calls always, against 2 or 4 with 2.8 on average); blocking recv with
SO_RCVTIMEO (10% less at 64 B, up to half as much again at 4 MiB, and no wake-up but closing the socket); 16, 32, 64
KiB encrypted per send instead of 128 (10 to 60% slower at 64 KiB).
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mpc_party.mesh import FrameKind, Mesh, deadline_in  # noqa: E402 - after the path that makes it importable
from tests.support.mesh_parties import members  # noqa: E402
from tests.support.mesh_process import read_config, write_config  # noqa: E402

CASES = ((64, 6000), (64 * 1024, 800), (4 * 1024 * 1024, 24))
WARM_UP = 20


def party() -> None:
    config = read_config(sys.stdin)
    before, after = (config.own - 1) % 3, (config.own + 1) % 3
    figures = {}
    with Mesh(config) as mesh:
        start = time.perf_counter()
        with mesh.session(bytes(32), [0, 1, 2], deadline_in(30)):
            figures["first_session_ms"] = (time.perf_counter() - start) * 1e3
        start = time.perf_counter()
        with mesh.session(bytes([1] * 32), [0, 1, 2], deadline_in(300)) as session:
            figures["next_session_ms"] = (time.perf_counter() - start) * 1e3
            for size, calls in CASES:
                payload = bytes(size)
                times = []
                for _ in range(WARM_UP + calls):
                    begun = time.perf_counter()
                    received = session.exchange(FrameKind.WORDS, {before: payload}, (after,))
                    times.append(time.perf_counter() - begun)
                    if len(received[after]) != size:
                        raise SystemExit("wrong size")
                times = sorted(times[WARM_UP:])
                figures[str(size)] = {
                    "mean_us": sum(times) / calls * 1e6,
                    "p50_us": times[calls // 2] * 1e6,
                    "p90_us": times[calls * 9 // 10] * 1e6,
                }
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--party", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.party:
        party()
        return
    with members(3) as everyone:
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--party"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        try:
            for own, process in enumerate(processes):
                write_config(process.stdin, everyone, own)
            outputs = [process.communicate(timeout=300)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    figures = json.loads(outputs[0].splitlines()[-1])
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"first session {figures['first_session_ms']:.1f} ms, next {figures['next_session_ms']:.2f} ms")
    for size, _ in CASES:
        case = figures[str(size)]
        print(
            f"{size:>9} B  mean {case['mean_us']:9.1f}  p50 {case['p50_us']:9.1f}  p90 {case['p90_us']:9.1f} us"
        )


if __name__ == "__main__":
    main()
