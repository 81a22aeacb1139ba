"""Times of resharing and recovery: every party a process of its own, over the real mesh (TLS on loopback).

    python -m tests.benchmarks.bench_reshare [--runs N] [--sizes 3/1 5/2 7/3]

`refresh` is a resharing to the same members, `recovery` brings back the last member's share with the first t+1; the others
wait meanwhile. Wall times are of party 0, whose runs begin when all have finished the run before. Point operations are
counted in one run of party 0, without the time they take.
"""

# ruff: noqa: T201 - it prints what it measures
from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mpc_party.mesh import FrameKind, Mesh, MeshConfig, deadline_in
from mpc_party.signing import (
    KeyShare,
    PublicKeyMaterial,
    RecoverContext,
    curve,
    exponent,
    run_keygen,
    run_recover,
    run_reshare,
)
from mpc_party.signing import keyshare as keyshare_module
from mpc_party.signing import recover as recover_module
from mpc_party.signing import reshare as reshare_module
from tests.support.mesh_parties import HASH, Credentials, make_credentials, reserved_ports
from tests.support.reshare_runs import message_keys, move
from tests.support.signing_parties import keygen_context, names

T = TypeVar("T")
DEADLINE = 300.0


def configuration(data: dict[str, Any]) -> MeshConfig:
    credentials = Credentials(
        load_pem_private_key(data["key"].encode(), None), data["certificates"][data["own"]]
    )
    return MeshConfig(
        own=data["own"],
        names=names(len(data["ports"])),
        addresses=tuple(("127.0.0.1", port) for port in data["ports"]),
        certificates=tuple(Credentials(credentials.key, pem).der for pem in data["certificates"]),
        consortium_hash=HASH,
        load_credentials=credentials.load,
    )


def counted(work: Callable[[], T]) -> tuple[T, Counter[str]]:
    """Run once with every point operation counted."""
    counts: Counter[str] = Counter()
    modules = (curve, exponent, reshare_module, recover_module, keyshare_module)
    kept = [
        (module, name, getattr(module, name))
        for module in modules
        for name in ("multiply_base", "multiply_public")
        if hasattr(module, name)
    ]

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(scalar: Any, *rest: Any) -> Any:
            label = name
            if name == "multiply_public":
                label += " small" if min(scalar, curve.GROUP_ORDER - scalar) < 2**32 else " large"
            counts[label] += 1
            return function(scalar, *rest)

        return call

    for module, name, function in kept:
        setattr(module, name, counting(name, function))
    try:
        return work(), counts
    finally:
        for module, name, function in kept:
            setattr(module, name, function)


def party(runs: int) -> None:
    data = json.loads(sys.stdin.readline())
    config, threshold = configuration(data), data["threshold"]
    own, count = config.own, len(config.names)
    keys = message_keys(own, count)
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)
    counts: dict[str, Counter[str]] = {}
    helpers = tuple(range(threshold + 1))
    with Mesh(config) as mesh, mesh.session(bytes(32), range(count), deadline_in(DEADLINE)) as session:

        def meet() -> None:
            session.exchange(FrameKind.CEREMONY, dict.fromkeys(session.peers, b""), session.peers)

        def timed(phase: str, work: Callable[[], T]) -> T:
            meet()
            began, worked = time.perf_counter(), time.thread_time()
            result = work()
            times[phase].append((1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - worked)))
            return result

        share = run_keygen(session, keygen_context(count, threshold))
        for number in range(runs):
            ceremony = number.to_bytes(32, "big")
            context = move([share] * count, range(count), threshold, ceremony=ceremony).context

            def refresh(context: Any = context, share: KeyShare = share) -> Any:
                return run_reshare(session, context, keys, share)

            if number == 0:
                meet()
                share, counts["refresh"] = counted(refresh)
            else:
                share = timed("refresh", refresh)
        members = (*helpers, count - 1) if own in helpers or own == count - 1 else ()
        for number in range(runs):
            recovery = RecoverContext(
                HASH,
                PublicKeyMaterial.of(share),
                config.names,
                count - 1,
                helpers,
                (),
                number.to_bytes(32, "big"),
            )
            meet()
            if not members:
                continue
            links = Among(session, members)
            mine = None if own == count - 1 else share
            began, worked = time.perf_counter(), time.thread_time()
            run_recover(links, recovery, keys, mine, None if mine is None else number)
            times["recovery"].append(
                (1e3 * (time.perf_counter() - began), 1e3 * (time.thread_time() - worked))
            )
    print(json.dumps({"times": times, "counts": counts}))


@dataclasses.dataclass
class Among:
    """Some members' part of a session."""

    session: Any
    members: tuple[int, ...]

    @property
    def own(self) -> int:
        return self.session.own

    @property
    def peers(self) -> tuple[int, ...]:
        return tuple(member for member in self.members if member != self.own)

    def exchange(self, *arguments: Any) -> dict[int, bytes]:
        return self.session.exchange(*arguments)

    def dispute(self, payload: bytes, seconds: float) -> dict[int, bytes]:
        return self.session.dispute(payload, seconds)


def show(size: int, threshold: int, runs: int, answer: dict[str, Any]) -> None:
    print(f"n = {size}, t = {threshold}, {runs} runs, {size} processes, TLS on loopback")
    for phase, pairs in answer["times"].items():
        wall = sorted(wall for wall, _ in pairs)
        cpu = statistics.median(cpu for _, cpu in pairs)
        p50, p95 = statistics.median(wall), wall[len(wall) * 95 // 100]
        print(f"  {phase:10} p50 {p50:6.2f} ms   p95 {p95:6.2f} ms   CPU of one party {cpu:5.2f} ms")
    for phase, counts in answer["counts"].items():
        print(f"  {phase:10} " + ", ".join(f"{count} {name}" for name, count in sorted(counts.items())))


def in_processes(size: int, threshold: int, runs: int) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.bench_reshare", "--party", "--runs", str(runs)]
    credentials = [make_credentials() for _ in range(size)]
    with reserved_ports(size) as ports:
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(size)
        ]
        try:
            for own, process in enumerate(processes):
                key = credentials[own].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                data = {
                    "own": own,
                    "threshold": threshold,
                    "ports": ports,
                    "certificates": [c.pem for c in credentials],
                    "key": key.decode(),
                }
                process.stdin.write(json.dumps(data) + "\n")
                process.stdin.flush()
            answers = [process.communicate(timeout=DEADLINE)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.wait()
    show(size, threshold, runs, json.loads(answers[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--sizes", nargs="+", default=["3/1", "5/2", "7/3"])
    parser.add_argument("--party", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.party:
        party(arguments.runs)
        return
    for size in arguments.sizes:
        members, threshold = map(int, size.split("/"))
        in_processes(members, threshold, arguments.runs)


if __name__ == "__main__":
    main()
