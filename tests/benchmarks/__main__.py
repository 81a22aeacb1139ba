"""The benchmarks of single parts, one after the other: `make bench-parts`. The engine has its own, `make bench`."""

# ruff: noqa: T201 - it prints what it runs
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What would take longer than all others together; run it by itself for its full figures.
FLAGS = {"bench_policy": ["--quick"]}

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {script.name}", flush=True)
    subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{script.stem}", *FLAGS.get(script.stem, [])],
        cwd=ROOT,
        check=True,
    )
