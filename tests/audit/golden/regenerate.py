"""Write the golden disclosure. Run by hand, after the format was changed on purpose:

python -m tests.audit.golden.regenerate
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mpc_party.audit.disclosure import Disclosure
from tests.audit.scene import Scene

HERE = Path(__file__).parent


def readable(disclosure: Disclosure) -> dict:
    fields = msgspec.structs.asdict(disclosure)
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
    return shown | {"commitments": [each.hex() for each in disclosure.commitments]}


def main() -> None:
    scene = Scene()
    (HERE / "auditor.key").unlink(missing_ok=True)
    scene.auditor.save(HERE / "auditor.key", datetime(2026, 1, 1, tzinfo=UTC))
    disclosure = scene.disclosure(2)
    (HERE / "disclosure-v1.age").write_bytes(scene.sealed(disclosure))
    members = [(member.name, member.signing_key) for member in scene.consortium.members]
    content = {
        "members": members,
        "commitment": scene.commitments[1].hex(),
        "disclosure": readable(disclosure),
    }
    (HERE / "disclosure-v1.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
