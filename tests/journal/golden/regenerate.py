"""Write the golden dump of a journal of this version (those of earlier ones stay). Run by hand, after the file format was changed on purpose:

python -m tests.journal.golden.regenerate
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from mpc_party.journal import Journal, RoundState
from mpc_party.protocol.errors import Reason

HERE = Path(__file__).parent
CONSORTIUM = b"\x11" * 32
PRAGMAS = ("application_id", "user_version")


def fill(path: Path) -> None:
    with Journal.open(path, consortium=CONSORTIUM, epoch=2) as journal:
        journal.promise_round(5, b"\x05" * 32)
        journal.record_snapshot(5, b"\x55" * 32, opening=b"sealed opening")
        journal.record_exposure(5, b"sealed exposure", [b"\x55" * 32, b"\x66" * 32, b"\x77" * 32])
        journal.approve_digest(5, b"\xd5" * 32)
        journal.spend_nonce(5, b"\xe5" * 32)
        journal.record_outcome(5, RoundState.SIGNED, details={"ms": {"total": 123.5}, "instruments": 514})
        journal.record_outcome(5, RoundState.SETTLED)
        journal.promise_round(7, b"\x07" * 32)
        journal.record_outcome(7, RoundState.ABORTED, reason=Reason.PEER_TIMEOUT, culprit="desk-1")
        journal.promise_round(8, b"\x08" * 32)
        journal.record_snapshot(8, b"\x88" * 32, opening=b"another")
        journal.raise_floor(7, "said by the member")
        journal.abort_handover(b"\xa0" * 32)
        journal.attest_handover(b"\xa1" * 32, b"\xb1" * 32, 3)
        journal.abort_handover(b"\xa1" * 32)
        journal.attest_handover(b"\xa2" * 32, b"\xb2" * 32, 3)


def dump(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        pragmas = [
            f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};" for name in PRAGMAS
        ]
        return "\n".join([*pragmas, *connection.iterdump()]) + "\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "journal.db"
        fill(path)
        (HERE / "journal-v3.sql").write_text(dump(path))


if __name__ == "__main__":
    main()
