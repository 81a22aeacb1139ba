"""The compiled contracts: one JSON file each, checked in, so that the Python side needs no Solidity tools.

`HedgeSettlement.json` holds `contractName`, `abi`, `bytecode`, `deployedBytecode`, `compiler`, its settings and the
hashes of the sources. `contracts/scripts/export_artifacts.py` writes it; `contracts/scripts/export_artifacts.py --check`
proves that a rebuild from the sources beside it gives the same bytes. Installed as `coordinator.artifacts`; read it with
`importlib.resources.files("coordinator.artifacts") / "HedgeSettlement.json"`.
"""
