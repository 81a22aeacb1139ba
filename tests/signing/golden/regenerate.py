"""Write the golden files of the signing messages. Run by hand, after the format was changed on purpose:

python -m tests.signing.golden.regenerate
"""

import json
from pathlib import Path

from mpc_party.signing import wire
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.keyshare import KeyShare
from tests.support.plain_scalars import hidden

HERE = Path(__file__).parent


def block(byte: int, length: int = 32) -> bytes:
    return bytes([byte]) * length


def messages() -> dict[str, wire._Message]:
    session = block(0x11)
    point = multiply_base(1).encode()
    return {
        "keygen-commit": wire.KeygenCommit(session, 0, block(0x22)),
        "keygen-open": wire.KeygenOpen(session, 1, (point, point), point, block(0x33)),
        "keygen-deal": wire.KeygenDeal(session, 2, 1, block(0x44), (block(0x55), block(0x66), block(0x77))),
        "keygen-confirm": wire.KeygenConfirm(session, 255, block(0x88)),
        "nonce-deal": wire.NonceDeal(session, 0, 2, *(block(byte) for byte in (1, 2, 3, 4, 5))),
        "nonce-open": wire.NonceOpen(session, 1, point, block(0x99), block(0xE1), block(0xE2)),
        "nonce-check": wire.NonceCheck(session, 2, point, (block(0x55), block(0x66), block(0x77))),
        "approval": wire.Approval(session, 1, block(0xAA), block(0xBB)),
        "signature-share": wire.SignatureShare(session, 0, block(0xDD)),
        "reshare-commit": wire.ReshareCommit(session, 3, block(0x21)),
        "reshare-open": wire.ReshareOpen(session, 0, (point, point)),
        "reshare-deal": wire.ReshareDeal(session, 1, 4, block(0x23)),
        "reshare-confirm": wire.ReshareConfirm(session, 2, (block(0x24), block(0x25)), block(0x26)),
        "recover-split": wire.RecoverSplit(session, 0, (point, point), 2**40),
        "recover-piece": wire.RecoverPiece(session, 1, 0, block(0x27)),
        "recover-echo": wire.RecoverEcho(session, 2, (block(0x29), block(0x2A))),
        "recover-sum": wire.RecoverSum(session, 0, 2, block(0x28)),
        "recover-done": wire.RecoverDone(session, 2, block(0x2B)),
    }


def key_share() -> KeyShare:
    """x(X) = 5 + 7 X, by hand: shares 12, 19, 26."""
    shares = tuple(multiply_base(5 + 7 * x).encode() for x in (1, 2, 3))
    return KeyShare(1, 1, 4, block(0xEE), multiply_base(5).encode(), shares, hidden(19))


def main() -> None:
    encoded = {name: wire.encode(message).hex() for name, message in messages().items()}
    (HERE / "messages-v1.json").write_text(json.dumps(encoded, indent=2) + "\n")
    (HERE / "key-share-v1.hex").write_text(key_share().encode().hex() + "\n")


if __name__ == "__main__":
    main()
