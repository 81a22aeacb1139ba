"""Writes tests/resharing/golden/transcript.v1.json: `python -m tests.support.regenerate_transcript_golden`.

Only for a new version of the format: files that members keep must stay readable.
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mpc_party.resharing.transcript import (
    CastMember,
    Transcript,
    TranscriptBody,
    certificate,
    ordered_broadcasts,
)
from mpc_party.signing.channel import EVERYBODY, Channel, MessageKeys
from tests.support.ceremonies import points
from tests.support.local_mesh import local_mesh

PATH = Path(__file__).parent.parent / "resharing" / "golden" / "transcript.v1.json"
# Alice and carol stay, bob leaves, dave was absent, erin joins.
SEATS = (("alice", 0, 0), ("bob", 1, None), ("carol", 2, 1), ("dave", 3, None), ("erin", None, 2))
PRESENT = (0, 1, 2, 4)


def golden() -> Transcript:
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([seat + 1]) * 32) for seat in range(len(SEATS))]
    messages = []
    for seat in (0, 1):
        links = local_mesh(range(2))[0]
        links.own = seat
        channel = Channel(links, bytes([5]) * 32, MessageKeys(keys[seat].sign, {}), ())
        channel._seal("reshare-commit", EVERYBODY, bytes([seat]) * 40)
        channel._seal("reshare-open", EVERYBODY, bytes([seat]) * 50)
        messages += channel.messages
    key, shares = points(3, 1)
    body = TranscriptBody(
        version=1,
        kind="reshare",
        consortium=bytes([1]) * 32,
        ceremony=bytes([2]) * 32,
        old_hash=bytes([3]) * 32,
        old_epoch=4,
        new_roster=bytes([4]) * 32,
        new_epoch=5,
        cast=tuple(
            CastMember(name, keys[seat].public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), old, new)
            for seat, (name, old, new) in enumerate(SEATS)
        ),
        participants=PRESENT,
        dealers=(0, 1),
        broadcasts=ordered_broadcasts(messages),
        threshold=1,
        public_key=key,
        public_shares=shares,
        old_model=bytes([6]) * 32,
        new_model=bytes([7]) * 32,
        floor=123_456,
    )
    signatures = {seat: keys[seat].sign(body.statement) for seat in PRESENT}
    attestations = {seat: keys[seat].sign(body.key_statement) for seat in body.attesting}
    return certificate(body, signatures, attestations)


def contents() -> dict[str, str]:
    made = golden()
    return {
        "file": made.encode().hex(),
        "hash": made.body.hash.hex(),
        "fingerprint": made.body.fingerprint,
        "key_statement": made.body.key_statement.hex(),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(contents(), indent=1) + "\n")
