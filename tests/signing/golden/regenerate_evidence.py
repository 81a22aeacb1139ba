"""Write the golden evidence and signed messages. Run by hand, after a format was changed on purpose:

python -m tests.signing.golden.regenerate_evidence

Identities are fixed, so that the files are the same each time.
"""

import hashlib
import json
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc_party.signing import Evidence, MessageKeys
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.evidence import (
    ANSWER,
    DISCLOSURE,
    Answer,
    Claim,
    Disclosure,
    encode_statement,
    statement_hash,
)
from mpc_party.signing.judge_keygen import KeygenCase
from tests.signing.golden.regenerate import block, messages
from tests.support.signing_forger import EVERYBODY, signed

HERE = Path(__file__).parent
FILE = HERE / "keygen-v1.evidence"
IDENTITIES = [Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([m])).digest()) for m in range(3)]
PUBLIC = {member: key.public_key().public_bytes_raw() for member, key in enumerate(IDENTITIES)}
KEYS = [MessageKeys(key.sign, PUBLIC) for key in IDENTITIES]
CASE = KeygenCase(block(0xA1), 3, 1, 3, block(0xA2))


def signed_messages() -> dict[str, SignedMessage]:
    """One of each kind: to all, to one, and a statement of a dispute."""
    bodies = {
        name: bytes.fromhex(text)
        for name, text in json.loads((HERE / "messages-v1.json").read_text()).items()
    }
    assert set(bodies) == set(messages())
    return {
        "broadcast": signed(KEYS[0], CASE.session, "commit", 0, EVERYBODY, bodies["keygen-commit"]),
        "private": signed(KEYS[2], CASE.session, "deal", 2, 1, bodies["keygen-deal"]),
        "disclosure": signed(KEYS[1], CASE.session, DISCLOSURE, 1, EVERYBODY, encode_statement(disclosure())),
    }


def disclosure() -> Disclosure:
    """Member 2 has signed two commitments for one place."""
    faces = [signed(KEYS[2], CASE.session, "commit", 2, EVERYBODY, bytes([face])) for face in (1, 2)]
    return Disclosure("keygen", Claim("failed", "deal", 2), tuple(faces))


def evidence() -> Evidence:
    """Member 1's, of a key generation in which member 2 equivocates."""
    body = encode_statement(disclosure())
    answer = encode_statement(Answer((statement_hash(body),), ()))
    statements = (
        signed(KEYS[1], CASE.session, DISCLOSURE, 1, EVERYBODY, body),
        signed(KEYS[0], CASE.session, ANSWER, 0, EVERYBODY, answer),
    )
    return Evidence(1, "keygen", msgspec.msgpack.encode(CASE), 1, statements)


def main() -> None:
    encoded = {name: msgspec.msgpack.encode(message).hex() for name, message in signed_messages().items()}
    (HERE / "signed-messages-v1.json").write_text(json.dumps(encoded, indent=2) + "\n")
    FILE.write_bytes(evidence().encode())


if __name__ == "__main__":
    main()
