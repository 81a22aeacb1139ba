"""How long a warm round takes: three party processes, a real broker, from proposal to verified signature.

    python tests/benchmarks/bench_round.py [--rounds 20] [--chain FILE] [--json]

Prints p50 and p90 of the time from publishing the proposal to the first verified result, the phases of one party, the
bytes and rounds of the mesh, and the largest resident memory of a party.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402 - after the path is set

from coordinator.broker import LocalBroker  # noqa: E402
from mpc_party.market import open_source  # noqa: E402
from mpc_party.protocol.eip712 import verify_signature  # noqa: E402
from tests.support.caller import calling  # noqa: E402
from tests.support.joint import make_proposal  # noqa: E402
from tests.support.world import build_world, running  # noqa: E402

WARM_UP = 2
COMMITTEE = 3


async def measure(world, source, rounds: int) -> dict[str, object]:
    times, results = [], []
    async with calling(world) as caller:
        await caller.members_online(*world.consortium.names)
        for number in range(1, WARM_UP + rounds + 1):
            moment = source.times[number] if source.replays else int(time.time())
            proposal = msgspec.structs.replace(make_proposal(source, moment), round=number)
            started = time.perf_counter()
            await caller.propose(proposal)
            await caller.until(lambda n=number: bool(caller.results(n)) or bool(caller.aborts(n)))
            if aborts := caller.aborts(number):
                raise SystemExit(f"round {number} was aborted: {aborts}")
            result = next(iter(caller.results(number).values()))
            verify_signature(result.digest, result.signature, world.consortium.group_address)
            times.append(1e3 * (time.perf_counter() - started))
            results.append((len(proposal.instruments), result.times))
            await caller.until(lambda n=number: len(caller.results(n)) == COMMITTEE)
        memory = max(peak_memory(process.pid) for process in world.processes.values())
    times, results = times[WARM_UP:], results[WARM_UP:]
    phases = ("commit", "nonce", "compute", "approve", "sign")
    return {
        "instruments": results[-1][0],
        "rounds": rounds,
        "p50_ms": statistics.median(times),
        "p90_ms": statistics.quantiles(times, n=10)[-1],
        "phases_ms": {p: statistics.median(getattr(t, p) for _, t in results) for p in phases},
        "mesh_bytes": max(t.mesh_bytes for _, t in results),
        "mesh_rounds": max(t.mesh_rounds for _, t in results),
        "memory_mib": memory / 1024,
    }


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--chain", type=Path)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    market = "simulated:11" if options.chain is None else f"recorded:{options.chain.resolve()}"
    with LocalBroker() as broker, tempfile.TemporaryDirectory() as folder:
        world = build_world(Path(folder) / "world", broker.url)
        with running(world, world.consortium.names, "--market", market, "--log-level", "warning"):
            figures = asyncio.run(measure(world, open_source(market), options.rounds))
    if options.json:
        print(json.dumps(figures))
        return
    phases = ", ".join(f"{name} {ms:.0f}" for name, ms in figures["phases_ms"].items())
    print(
        f"{figures['instruments']} instruments, {figures['rounds']} warm rounds: p50 {figures['p50_ms']:.0f} ms, "
        f"p90 {figures['p90_ms']:.0f} ms ({phases})\n"
        f"mesh {figures['mesh_bytes']:,} bytes a party in {figures['mesh_rounds']} rounds; "
        f"peak memory of a party {figures['memory_mib']:.0f} MiB"
    )


if __name__ == "__main__":
    main()
