"""Write tests/protocol/golden/model-share.v1.*: a share file with the identity that opens it, both for tests only.

python -m tests.support.regenerate_model_share_golden
"""

import json
from pathlib import Path

import pyrage

from tests.support.model_shares import make_dealt

GOLDEN = Path(__file__).parents[1] / "protocol" / "golden"
WORDS = [16_384, -26_214, 19_661]
MEMBER = 2

if __name__ == "__main__":
    dealt = make_dealt(4, 1, WORDS)
    (GOLDEN / "model-share.v1.age").write_bytes(dealt.files[MEMBER])
    plain = pyrage.decrypt(dealt.files[MEMBER], [dealt.identities[MEMBER]])
    facts = {
        "member": MEMBER,
        "words": WORDS,
        "identity": str(dealt.identities[MEMBER]),
        "commitment": dealt.commitment.hex(),
        "plaintext": plain.hex(),
        "component_2": dealt.open(0).component((2,)).hex(),
    }
    (GOLDEN / "model-share.v1.json").write_text(json.dumps(facts, indent=2) + "\n")
