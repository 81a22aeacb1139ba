#!/usr/bin/env python3
"""Writes contracts/artifacts/*.json from forge's build: what the Python side needs, and nothing that varies by machine.

`export_artifacts.py` builds, then writes the artifacts. `export_artifacts.py --check` builds, then compares them: exit
code 1 and one line per difference.
"""

import argparse
import json
import subprocess
import sys

from toolchain import CONTRACTS, ToolchainError, binary, environment

ARTIFACTS = CONTRACTS / "artifacts"
EXPORTED = ("HedgeSettlement", "IHedgeFeed", "FeedAdapter", "FeedAdapterFactory")


def build() -> None:
    """Compile the sources alone, from nothing, so that no cache can hide a difference."""
    subprocess.run(
        [binary("forge"), "build", "--force", "--skip", "test", "--quiet"],
        cwd=CONTRACTS,
        env=environment(),
        check=True,
    )


def artifact(name: str) -> str:
    """Give the checked-in form of one contract's build output; an interface has an ABI and no code, "0x"."""
    built = json.loads((CONTRACTS / "out" / f"{name}.sol" / f"{name}.json").read_text(encoding="utf-8"))
    metadata = built["metadata"]
    settings = metadata["settings"]
    if built["bytecode"]["linkReferences"] or built["deployedBytecode"]["linkReferences"]:
        raise ToolchainError(f"{name} has unlinked libraries: artifacts hold complete bytecode only")
    exported = {
        "contractName": name,
        "compiler": {
            "version": metadata["compiler"]["version"],
            "evmVersion": settings["evmVersion"],
            "optimizer": settings["optimizer"],
            "viaIR": settings.get("viaIR", False),
        },
        "sources": {path: source["keccak256"] for path, source in sorted(metadata["sources"].items())},
        "abi": built["abi"],
        "bytecode": built["bytecode"]["object"],
        "deployedBytecode": built["deployedBytecode"]["object"],
    }
    return json.dumps(exported, indent=1) + "\n"


def differences(name: str, fresh: str) -> list[str]:
    """Say in which keys the checked-in artifact differs from a fresh one."""
    file = ARTIFACTS / f"{name}.json"
    if not file.exists():
        return [f"{name}: contracts/artifacts/{name}.json is missing"]
    text = file.read_text(encoding="utf-8")
    if text == fresh:
        return []
    try:
        old = json.loads(text)
    except json.JSONDecodeError:
        return [f"{name}: contracts/artifacts/{name}.json is not JSON"]
    new = json.loads(fresh)
    keys = [key for key in new if old.get(key) != new[key]] or ["formatting"]
    return [f"{name}: contracts/artifacts/{name}.json differs from a rebuild in {', '.join(keys)}"]


def main() -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args()
    try:
        build()
        fresh = {name: artifact(name) for name in EXPORTED}
    except (ToolchainError, OSError) as error:
        print(f"export_artifacts: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"export_artifacts: forge build failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    if options.check:
        found = [line for name, text in fresh.items() for line in differences(name, text)]
        for line in found:
            print(
                f"export_artifacts: {line}; run contracts/scripts/export_artifacts.py and commit",
                file=sys.stderr,
            )
        if not found:
            print(f"artifacts match a rebuild: {', '.join(EXPORTED)}")
        return 1 if found else 0
    for name, text in fresh.items():
        (ARTIFACTS / f"{name}.json").write_text(text, encoding="utf-8")
        print(
            f"wrote contracts/artifacts/{name}.json ({(len(json.loads(text)['deployedBytecode']) - 2) // 2} bytes of code)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
