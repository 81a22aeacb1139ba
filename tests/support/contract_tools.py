"""The contract toolchain for tests: forge, tsc and Node as contracts/scripts/toolchain.py finds them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
PATIENCE = 120


def _toolchain() -> ModuleType:
    spec = importlib.util.spec_from_file_location("toolchain", CONTRACTS / "scripts" / "toolchain.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_TOOLS = _toolchain()


def run_tool(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in contracts/ with the toolchain's Node first on its PATH."""
    try:
        environment = _TOOLS.environment()
    except _TOOLS.ToolchainError as error:
        # Where it must be there, its absence is a failure and not a skipped test.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    return subprocess.run(
        command, cwd=CONTRACTS, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def tool(name: str) -> Path:
    """Where a tool's binary is."""
    try:
        return _TOOLS.binary(name)
    except _TOOLS.ToolchainError as error:
        return (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
