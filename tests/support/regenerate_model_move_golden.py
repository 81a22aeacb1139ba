"""Write tests/resharing/golden/model-move.v1.json: every frame of one move from fixed shares and seeds, for tests only.

python -m tests.support.regenerate_model_move_golden
"""

import json
from pathlib import Path
from unittest.mock import patch

from mpc_party.resharing import model
from tests.support.model_moves import REPEATABLE, run_move, stage

GOLDEN_FILE = Path(__file__).parents[1] / "resharing" / "golden" / "model-move.v1.json"
WORDS = [16_384, -26_214, 19_661]


def facts() -> dict[str, object]:
    """A move of three weights from three members, of whom one is absent, to three with a joiner in its place."""
    with patch.object(model, "secrets", REPEATABLE):
        run = run_move(stage((3, 1), (3, 1), absent=(2,), words=WORDS))
    frames = [
        {"to": link.own, "from": peer, "kind": kind.name, "payload": data.hex()}
        for link in run.links
        for peer, kind, data in link.received
    ]
    return {
        "words": WORDS,
        "old_commitment": run.staged.move.commitment.hex(),
        "commitment": run.models[0].commitment.hex(),
        "frames": frames,
    }


if __name__ == "__main__":
    GOLDEN_FILE.parent.mkdir(exist_ok=True)
    GOLDEN_FILE.write_text(json.dumps(facts(), indent=2) + "\n")
