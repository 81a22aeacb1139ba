"""Write the golden disclosure, opening and exposure. Run by hand, after the format was changed on purpose:

python -m tests.audit.golden.regenerate
"""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyrage

from mpc_party.audit.disclosure import Disclosure
from mpc_party.audit.opening import OwnExposure, RoundOpening
from tests.audit.scene import Scene

HERE = Path(__file__).parent


def readable(disclosure: Disclosure) -> dict:
    fields = msgspec.structs.asdict(disclosure)
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in fields.items()}
    return shown | {"commitments": [each.hex() for each in disclosure.commitments]}


def shown_opening(opening: RoundOpening) -> dict:
    return {
        "consortium": opening.consortium.hex(),
        "epoch": opening.epoch,
        "round": opening.round,
        "member": opening.member,
        "proposal": opening.encoded_proposal().hex(),
        "market": opening.market_words().tolist(),
        "market_salt": opening.market_salt.hex(),
        "positions": opening.position_words().tolist(),
        "positions_salt": opening.positions_salt.hex(),
        "fraction_bits": opening.fraction_bits,
        "position_scale": opening.position_scale,
        "commitment": opening.commitment().hex(),
    }


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
    # As a member would keep them whose encryption key is the golden auditor's.
    exposure = OwnExposure(1.5, -2.5, 3.25, -4.0, 7)
    for name, record in (("opening", scene.opening(2)), ("exposure", exposure)):
        recipient = pyrage.x25519.Recipient.from_str(scene.auditor.recipient)
        (HERE / f"{name}-v1.age").write_bytes(pyrage.encrypt(msgspec.msgpack.encode(record), [recipient]))
    records = {"opening": shown_opening(scene.opening(2)), "exposure": msgspec.structs.asdict(exposure)}
    (HERE / "opening-v1.json").write_text(json.dumps(records, indent=1) + "\n")


if __name__ == "__main__":
    main()
