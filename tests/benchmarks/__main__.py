"""All benchmarks, one after the other: `make bench`."""

# ruff: noqa: T201 - it prints what it runs
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"\n== {script.name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{script.stem}"], cwd=ROOT, check=True)
