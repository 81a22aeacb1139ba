#!/usr/bin/env python3
"""Writes the vectors that Black-76 and the normal distribution in Solidity are tested against.

Run it in the project's virtual environment. Everything follows from a hash stream, so that two runs write the same bytes; with
`--check` it compares, writes nothing and exits with 1 on a difference. Three binary files, big-endian, records one after
the other:

`black76_normal.bin`: N(x) and phi(x) at x = -9 + i * 1.799999999999993e-3, i = 0 .. 10,000; 8 bytes each, in 1e-18. mpmath.
`black76.bin`: 8 forwards of 8 bytes, then 10,240 options of 48 bytes: strike (8, 1e-8), vol (4, 1e-6), seconds (4), delta
    (8, signed, 1e-18), forward * gamma (8, 1e-15), vega / forward (8, 1e-18), premium / forward (8, 1e-18). Option i has
    forward i mod 8, and is a call where i // 8 is even. QuantLib's values, in doubles.
`black76_edges.bin`: 1,024 options of 160 bytes: strike, forward, vol, seconds (16 each), d1 (32, signed, 1e-18), call delta
    and density (16 each, 1e-18), call and put premium / forward (16 each, 1e-18, at most 2^128 - 1). mpmath.
    The even ones lie where options are traded, as in `black76.bin`; the odd ones anywhere in the types.
"""

import argparse
import hashlib
import sys
from pathlib import Path

import mpmath
import QuantLib
from mpmath import mp, mpf

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "contracts" / "test" / "vectors"

POINTS = 10_001
LOWEST_POINT = -9 * 10**18
STEP = 1_799_999_999_999_993
OPTIONS = 10_240
EDGES = 1_024
WAD = 10**18
SECONDS_PER_YEAR = 365 * 86_400
FORWARDS = (
    87_654 * 10**8 + 12_345_678,
    3_141 * 10**8 + 59_265_358,
    10**8,
    150 * 10**8,
    1,
    999_983,
    2**53 - 111,
    250_000 * 10**8,
)
LARGEST_STRIKE = 2**63 - 1


def draw(text: str) -> float:
    """Give a number in [0, 1) that follows from a text."""
    return int.from_bytes(hashlib.sha256(b"mpc-hedge/black76/" + text.encode()).digest()[:6]) / 2**48


def between(low: float, high: float, text: str) -> int:
    """Give an integer in [low, high] from a text, spread evenly over the logarithm."""
    value = mpmath.exp(mp.log(low) + (mp.log(high) - mp.log(low)) * mpf(draw(text)))
    return min(max(int(mpmath.nint(value)), int(low)), int(high))


def rounded(value: mpf, unit: int) -> int:
    """Give a value in units of 1 / unit, to the nearest."""
    return int(mpmath.nint(value * unit))


def normal(x: mpf) -> mpf:
    """Give N(x) to all digits, also far down the tail."""
    return mpmath.erfc(-x / mp.sqrt(2)) / 2


def density(x: mpf) -> mpf:
    """Give phi(x)."""
    return mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def normal_file() -> bytes:
    """Give `black76_normal.bin`."""
    parts = []
    for index in range(POINTS):
        x = mpf(LOWEST_POINT + index * STEP) / WAD
        parts.append(rounded(normal(x), WAD).to_bytes(8) + rounded(density(x), WAD).to_bytes(8))
    return b"".join(parts)


def traded(name: str, forward: int) -> tuple[int, int, int]:
    """Give strike, vol and seconds of an option such as is traded: moneyness 0.2 to 5, vol 0.01 to 5, an hour to ten years.

    Half of them lie within six standard deviations of the forward, where more than the ends of the distribution counts.
    """
    vol = between(10_000, 5_000_000, f"{name} vol")
    seconds = between(3_600, 10 * SECONDS_PER_YEAR, f"{name} seconds")
    reach = mp.log(5)
    if draw(f"{name} near") < 0.5:
        reach = min(reach, 6 * mpf(vol) / 10**6 * mp.sqrt(mpf(seconds) / SECONDS_PER_YEAR))
    moneyness = mp.exp(reach * (2 * mpf(draw(f"{name} moneyness")) - 1))
    strike = min(max(int(mpmath.nint(moneyness * forward)), 1), LARGEST_STRIKE)
    return strike, vol, seconds


def option_file() -> bytes:
    """Give `black76.bin`."""
    parts = [forward.to_bytes(8) for forward in FORWARDS]
    for index in range(OPTIONS):
        forward = FORWARDS[index % len(FORWARDS)]
        strike, vol, seconds = traded(f"option {index}", forward)
        call = index // len(FORWARDS) % 2 == 0
        years = seconds / SECONDS_PER_YEAR
        # Doubles hold these integers exactly, as they would not hold them in the quote currency.
        black = QuantLib.BlackCalculator(
            QuantLib.PlainVanillaPayoff(QuantLib.Option.Call if call else QuantLib.Option.Put, float(strike)),
            float(forward),
            vol * 1e-6 * years**0.5,
        )
        parts.append(
            strike.to_bytes(8)
            + vol.to_bytes(4)
            + seconds.to_bytes(4)
            + rounded(mpf(black.deltaForward()), WAD).to_bytes(8, signed=True)
            + rounded(mpf(black.gammaForward()) * forward, 10**15).to_bytes(8)
            + rounded(mpf(black.vega(years)) / forward, WAD).to_bytes(8)
            + rounded(max(mpf(black.value()) / forward, mpf(0)), WAD).to_bytes(8)
        )
    return b"".join(parts)


def edge_file() -> bytes:
    """Give `black76_edges.bin`."""
    widest = (1, 2**96 - 1)
    corners = [
        (strike, forward, vol, seconds)
        for strike in widest
        for forward in widest
        for vol in (1, 2**32 - 1)
        for seconds in (1, 2**40 - 1)
    ]
    # At the money, and one unit from it, at the least deviations.
    corners += [
        (87_654 * 10**8 + shift, 87_654 * 10**8, vol, seconds)
        for shift in (-1, 0, 1)
        for vol in (1, 1_000, 10_000)
        for seconds in (1, 3_600, SECONDS_PER_YEAR)
    ]
    # Far out of the money at so high a vol that d1 is 0: where the tail's rational function is used at its worst.
    corners += [
        (2**bits - 1, 1, int(10**6 * mp.sqrt(2 * mp.log(2**bits - 1))), SECONDS_PER_YEAR)
        for bits in range(4, 97, 4)
    ]
    parts = []
    for index in range(EDGES):
        name = f"edge {index}"
        if index % 2 == 0:
            forward = between(10**6, 10**14, f"{name} forward")
            case = traded(name, forward)
            parts.append(_edge(case[0], forward, case[1], case[2]))
        elif corners:
            parts.append(_edge(*corners.pop()))
        else:
            strike = between(1, 2**96 - 1, f"{name} strike")
            # Every other one near the money, where there is something to compute.
            near = draw(f"{name} near") < 0.5
            forward = (
                min(max(int(strike * (0.5 + draw(f"{name} forward"))), 1), 2**96 - 1)
                if near
                else between(1, 2**96 - 1, f"{name} forward")
            )
            vol = between(1, 2**32 - 1, f"{name} vol")
            parts.append(_edge(strike, forward, vol, between(1, 2**40 - 1, f"{name} seconds")))
    return b"".join(parts)


def _edge(strike: int, forward: int, vol: int, seconds: int) -> bytes:
    deviation = mpf(vol) / 10**6 * mp.sqrt(mpf(seconds) / SECONDS_PER_YEAR)
    moneyness = mpf(strike) / forward
    upper = -mp.log(moneyness) / deviation + deviation / 2
    lower = upper - deviation
    call = normal(upper) - moneyness * normal(lower)
    put = moneyness * normal(-lower) - normal(-upper)
    return (
        b"".join(number.to_bytes(16) for number in (strike, forward, vol, seconds))
        + rounded(upper, WAD).to_bytes(32, signed=True)
        + rounded(normal(upper), WAD).to_bytes(16)
        + rounded(density(upper), WAD).to_bytes(16)
        + _capped(call)
        + _capped(put)
    )


def _capped(premium: mpf) -> bytes:
    # A put is worth at most 2^96 forwards; 2^128 units hold 2^68, and say "more than that" at their end.
    return min(rounded(premium, WAD), 2**128 - 1).to_bytes(16)


def files() -> dict[Path, bytes]:
    """Give every file's path and content."""
    mp.dps = 60  # the price of an option far in the money loses 30 digits
    return {
        VECTORS / "black76_normal.bin": normal_file(),
        VECTORS / "black76.bin": option_file(),
        VECTORS / "black76_edges.bin": edge_file(),
    }


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    code = 0
    for path, content in files().items():
        name = path.relative_to(ROOT)
        if check:
            if not path.exists() or path.read_bytes() != content:
                print(f"make_black76_vectors: {name} differs from what this code writes", file=sys.stderr)
                code = 1
        else:
            path.write_bytes(content)
            print(f"wrote {name}, {len(content)} bytes")
    return code


if __name__ == "__main__":
    sys.exit(main())
