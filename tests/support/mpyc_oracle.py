"""MPyC's own runtime as a witness: m parties in processes of their own, over loopback TCP (see `mpyc_party`)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.mesh_parties import reserved_ports

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0


def ask_mpyc(
    jobs: Sequence[Sequence[dict[str, Any]]], threshold: int, deadline: float = DEADLINE
) -> list[Any]:
    """Run each party's jobs, one list for each party; what each party answers.

    Raises:
        AssertionError: a party has failed, with what it wrote.
        subprocess.TimeoutExpired: the parties did not end in time.
    """
    with reserved_ports(len(jobs)) as ports:
        addresses = [part for port in ports for part in ("-P", f"127.0.0.1:{port}")]
        command = [
            sys.executable,
            "-m",
            "tests.support.mpyc_party",
            "-T",
            str(threshold),
            "--no-log",
            *addresses,
        ]
        # Neither numpy nor anything else that would only take time to load.
        environment = {**os.environ, "MPYC_NONUMPY": "1"}
        processes = [
            subprocess.Popen(
                [*command, "-I", str(index)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                cwd=ROOT,
                env=environment,
            )
            for index in range(len(jobs))
        ]
        try:
            for process, own in zip(processes, jobs, strict=True):
                process.stdin.write(json.dumps(list(own)) + "\n")
                process.stdin.flush()
            said = [process.communicate(timeout=deadline)[0] for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.communicate()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text
    return [json.loads(text) for text in said]


def mpyc_signs(jobs: Sequence[Sequence[dict[str, Any]]], threshold: int) -> list[dict[str, str]]:
    """Run signing jobs; what all parties alike answer."""
    answers = ask_mpyc(jobs, threshold)
    assert all(answer == answers[0] for answer in answers)
    return answers[0]
