#!/usr/bin/env python3
"""Writes contracts/artifacts/*.json from forge's build: what the Python side needs, and nothing that varies by machine.

`export_artifacts.py` builds, then writes the artifacts. `export_artifacts.py --check` builds, then compares them: exit
code 1 and one line per difference.
"""

import argparse
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from toolchain import CONTRACTS, ToolchainError, binary, environment

ARTIFACTS = CONTRACTS / "artifacts"
EXPORTED = (
    "HedgeSettlement",
    "ConsortiumMembers",
    "ConsortiumBond",
    "ReportJudge",
    "IHedgeFeed",
    "FeedAdapter",
    "FeedAdapterFactory",
)
# Taken along where the sources have them.
OPTIONAL = ("MarginVault",)


def build() -> None:
    """Compile the sources alone, from nothing, so that no cache can hide a difference."""
    subprocess.run(
        [binary("forge"), "build", "--force", "--skip", "test/**", "--skip", "script/**", "--quiet"],
        cwd=CONTRACTS,
        env=environment(),
        check=True,
    )


def exported() -> tuple[str, ...]:
    """Give the names of the contracts to export, all of which the sources have."""
    sources = {source.stem for source in (CONTRACTS / "src").rglob("*.sol")}
    return EXPORTED + tuple(name for name in OPTIONAL if name in sources)


def through_ir() -> frozenset[str]:
    """Give the names of the contracts that foundry.toml restricts to the IR."""
    profile = tomllib.loads((CONTRACTS / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
    restrictions = profile.get("compilation_restrictions", [])
    return frozenset(Path(each["paths"]).stem for each in restrictions if each.get("via_ir"))


def build_output(name: str) -> dict[str, Any]:
    """Give what forge has built of a contract.

    A contract is there twice where something that goes through the IR imports one that does not, and under names that depend
    on what else was built. foundry.toml alone says which of the two is deployed.
    """
    wanted = name in through_ir()
    found = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted((CONTRACTS / "out" / f"{name}.sol").glob(f"{name}*.json"))
        if file.name.split(".")[0] == name
    ]
    for built in found:
        if bool(built["metadata"]["settings"].get("viaIR")) == wanted:
            return built
    # An interface has no code that could differ.
    for built in found:
        if built["bytecode"]["object"] == "0x":
            return built
    raise ToolchainError(f"forge has not built {name} {'through the IR' if wanted else 'without the IR'}")


def immutables(references: dict[str, list[dict[str, int]]]) -> dict[str, list[dict[str, int]]]:
    """Give where each immutable stands, numbered by its first place: the compiler's numbers depend on what else is built."""
    ordered = sorted(
        (sorted(places, key=lambda place: place["start"]) for places in references.values()),
        key=lambda places: places[0]["start"],
    )
    return {str(number): places for number, places in enumerate(ordered)}


def artifact(name: str) -> str:
    """Give the checked-in form of one contract's build output; an interface has an ABI and no code, "0x"."""
    built = build_output(name)
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
        "immutableReferences": immutables(built["deployedBytecode"].get("immutableReferences", {})),
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
        fresh = {name: artifact(name) for name in exported()}
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
            print(f"artifacts match a rebuild: {', '.join(fresh)}")
        return 1 if found else 0
    for name, text in fresh.items():
        (ARTIFACTS / f"{name}.json").write_text(text, encoding="utf-8")
        print(
            f"wrote contracts/artifacts/{name}.json ({(len(json.loads(text)['deployedBytecode']) - 2) // 2} bytes of code)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
