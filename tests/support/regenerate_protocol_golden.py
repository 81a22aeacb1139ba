"""Writes tests/protocol/golden afresh: `python -m tests.support.regenerate_protocol_golden`.

Only for a new version of a format, under a new number. What is there proves that today's code still reads what
earlier code wrote.
"""

from __future__ import annotations

import json
from pathlib import Path

from mpc_party.protocol.consortium_file import dump_consortium
from mpc_party.protocol.envelope import seal_envelope
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.messages import (
    Abort,
    Commitment,
    Expiry,
    Instrument,
    Message,
    PhaseTimes,
    Proposal,
    Result,
    Settled,
    Status,
)
from mpc_party.protocol.passphrase import Passphrase
from tests.support.consortium import complete, make_cast

DIRECTORY = Path(__file__).parent.parent / "protocol" / "golden"
PASSPHRASE = "correct horse battery stäple"
NOW_MS = 1_800_000_000_000
MESSAGES: dict[str, Message] = {
    "proposal": Proposal(
        round=7,
        epoch=1,
        committee=(0, 1, 2),
        observed_at=1_767_225_600,
        valid_until=1_767_229_200,
        underlying="BTC",
        expiries=(Expiry(1_767_600_000, 8_800_000_000_000, 450_000),),
        instruments=(Instrument(0, 8_800_000_000_000, True), Instrument(0, 9_000_000_000_000, False)),
        deadline_ms=30_000,
    ),
    "commitment": Commitment(round=7, proposal=b"\x01" * 32, snapshot=b"\x02" * 32),
    "result": Result(
        round=7,
        digest=b"\x03" * 32,
        report=b"report",
        signature=b"\x04" * 65,
        times=PhaseTimes(1.0, 2.5, 3.0, 4.0, 5.0, 15.5, 1000, 30),
    ),
    "abort": Abort(round=7, reason=Reason.PEER_TIMEOUT, culprit="bob", detail="silent for 5 s"),
    "status": Status(online=True, consortium=b"\x05" * 32, last_round=7),
    "settled": Settled(round=7, transaction=b"\x06" * 32, block=12),
}


def main() -> None:
    """What depends on a consortium file is of its version 2; everything else here is of version 1 and stays."""
    cast = make_cast()
    consortium = complete(cast)
    alice = cast.members[0]
    passphrase = Passphrase(PASSPHRASE)
    (DIRECTORY / "consortium.v2.toml").write_text(dump_consortium(consortium))
    alice.save(DIRECTORY / "alice-of-v2.v1.key", passphrase, overwrite=True)
    cast.coordinator.save(DIRECTORY / "coordinator-of-v2.v1.key", passphrase, overwrite=True)
    sealed = seal_envelope(MESSAGES["commitment"], alice, consortium, sequence=42, now_ms=NOW_MS)
    (DIRECTORY / "envelope-of-v2.v1.bin").write_bytes(sealed.raw)
    expected = {
        "hash": consortium.hash.hex(),
        "roster_hash": consortium.roster_hash.hex(),
        "group_address": consortium.group_address,
        "envelope": {"topic": sealed.topic, "expiry": sealed.expiry, "now_ms": NOW_MS},
    }
    (DIRECTORY / "expected.v2.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
