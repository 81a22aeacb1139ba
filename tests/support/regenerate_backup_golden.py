"""Write tests/member/golden/backup.v1.*: a backup's form, with contents that are none. After a change of format on purpose:

python -m tests.support.regenerate_backup_golden
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from mpc_party.member.backup import Backup, seal_backup
from mpc_party.protocol.passphrase import Passphrase
from tests.support.party_homes import quick_keystores
from tests.support.world import PASSPHRASE

GOLDEN = Path(__file__).parents[1] / "member" / "golden"
BACKUP = Backup(
    version=1,
    consortium_id=b"\x11" * 32,
    epoch=3,
    consortium_hash=b"\x22" * 32,
    member="alice",
    last_round=1_500_001,
    exported_at=1_795_000_000_123,
    identity=b"keys",
    consortium_file='name = "test-desks"\n',
    key_share=b"share of the key",
    model_share=None,
)

if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    with quick_keystores():
        (GOLDEN / "backup.v1.sealed").write_bytes(seal_backup(BACKUP, Passphrase(PASSPHRASE)))
    facts = {
        "plaintext": msgspec.msgpack.encode(BACKUP).hex(),
        "member": BACKUP.member,
        "epoch": BACKUP.epoch,
    }
    (GOLDEN / "backup.v1.json").write_text(json.dumps(facts, indent=2) + "\n")
