"""One party of MPyC's own runtime, in a process of its own: an implementation of threshold ECDSA that shares no code with ours.

    python -m tests.support.mpyc_party -M 3 -I 0 -T 1 -P 127.0.0.1:port ... --no-log

Importing MPyC's runtime parses `sys.argv`, takes the event loop and may replace its policy: nothing else runs in this process, and
nothing of this project is imported here. Its parties speak over plain TCP, without TLS, and pickle what is no field element: that
is replaced by `PlainTransfer` before a link is open, and an audit hook ends the process if anything were unpickled after all.

Reads one line of JSON from standard input, a list of jobs, and answers with one line, a list of what the jobs made:

    {"sign": {"x": hex, "k": hex, "digest": hex}, "shares": true}   x and k are this party's Shamir shares, at index + 1
    {"sign": {...}, "shares": false}                                x and k are the secrets, given to party 0, which deals them
    {"measure": rounds}                                             how long key generation, nonce and signature take
"""

# ruff: noqa: T201 - the answer goes to standard output
from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import defaultdict
from typing import Any

from mpyc import fingroups, runtime
from mpyc.runtime import mpc

ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
# The coordinates that MPyC wants for a group on shares: its addition in them has no exceptions.
CURVE = fingroups.EllipticCurve("secp256k1", "projective")
SCALAR = mpc.SecFld(ORDER)
GROUP = mpc.SecGrp(CURVE)


def affine(point: Any) -> tuple[int, int]:
    flat = point.normalize()
    return int(flat[0]), int(flat[1])


class PlainTransfer:
    """In place of `pickle` in MPyC's `transfer`: points of the curve as x || y, and party numbers as one byte."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        if isinstance(value, CURVE):
            x, y = affine(value)
            return x.to_bytes(32, "big") + y.to_bytes(32, "big")
        return bytes([value])

    @staticmethod
    def loads(data: bytes) -> Any:
        if len(data) == 64:
            # The constructor checks that it is on the curve.
            return CURVE((int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")))
        (value,) = data
        return value


def refuse_pickles(event: str, _: object) -> None:
    if event.startswith("pickle."):
        raise RuntimeError("MPyC was about to unpickle something")


async def multiple_of_generator(scalar: Any) -> Any:
    return await GROUP.repeat_public(CURVE.generator, scalar)


async def dealt(job: dict[str, Any], name: str, shares: bool) -> Any:
    value = int(job[name], 16)
    if shares:
        # Ours and MPyC's Shamir coordinates are alike: party i, from 0, has the polynomial's value at i + 1.
        return SCALAR(SCALAR.field(value))
    return mpc.input(SCALAR(value if mpc.pid == 0 else None), senders=0)


async def sign(job: dict[str, Any], shares: bool) -> dict[str, str | int]:
    """Textbook ECDSA on shares: s = (h + r x) / k, with low s and the v that goes with it."""
    x, k = await dealt(job, "x", shares), await dealt(job, "k", shares)
    h = int(job["digest"], 16) % ORDER
    public_key = affine(await multiple_of_generator(x))
    nonce = affine(await multiple_of_generator(k))
    r = nonce[0] % ORDER
    s = int(await mpc.output((h + r * x) / k))
    odd = nonce[1] & 1
    if s > ORDER // 2:
        s, odd = ORDER - s, odd ^ 1
    return {
        "public_key": f"{2 + (public_key[1] & 1):02x}{public_key[0]:064x}",
        "nonce_point": f"{2 + (nonce[1] & 1):02x}{nonce[0]:064x}",
        "signature": f"{r:064x}{s:064x}{27 + odd:02x}",
    }


async def measure(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall time and CPU time in milliseconds of every phase of every round; the parties begin each phase together."""
    times: dict[str, list[tuple[float, float]]] = defaultdict(list)

    async def timed(phase: str, work: Any) -> Any:
        await mpc.transfer(mpc.pid)
        began, worked = time.perf_counter(), time.process_time()
        result = await work
        times[phase].append((1e3 * (time.perf_counter() - began), 1e3 * (time.process_time() - worked)))
        return result

    async def greet() -> None:
        await mpc.transfer(mpc.pid)

    async def generate() -> Any:
        x = mpc._random(SCALAR)  # by pseudorandom shares: no message
        await multiple_of_generator(x)
        await mpc.gather(x)
        return x

    async def make_nonce() -> tuple[Any, int]:
        k = mpc._random(SCALAR)
        nonce = await multiple_of_generator(k)
        inverse = 1 / k
        await mpc.gather(inverse)
        return inverse, affine(nonce)[0] % ORDER

    async def sign_online(x: Any, inverse: Any, r: int, h: int) -> int:
        return int(await mpc.output(inverse * (h + r * x)))

    for number in range(rounds):
        h = int.from_bytes(hashlib.sha256(number.to_bytes(8, "big")).digest(), "big") % ORDER
        await timed("bare exchange", greet())
        x = await timed("key generation", generate())
        inverse, r = await timed("nonce", make_nonce())
        await timed("signature", sign_online(x, inverse, r, h))
    return times


async def main() -> None:
    jobs = json.loads(sys.stdin.readline())
    await mpc.start()
    answers: list[Any] = []
    for job in jobs:
        if "measure" in job:
            answers.append(await measure(job["measure"]))
        else:
            answers.append(await sign(job["sign"], job["shares"]))
    await mpc.shutdown()
    print(json.dumps(answers))


def guard() -> None:
    """From here on nothing is unpickled in this process."""
    runtime.pickle = PlainTransfer
    sys.addaudithook(refuse_pickles)


if __name__ == "__main__":
    guard()
    mpc.run(main())
