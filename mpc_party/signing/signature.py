"""The 65-byte signature that `ecrecover` accepts: assembling it from s, and checking it."""

from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib
from coincurve.context import GLOBAL_CONTEXT

from mpc_party.signing.curve import Point
from mpc_party.signing.field import GROUP_ORDER, encode_scalar

SIGNATURE_BYTES: Final = 65
_V_OFFSET: Final = 27  # Ethereum's v is 27 + the parity of R.y
_CONTEXT: Final[Any] = GLOBAL_CONTEXT.ctx


def assemble_signature(r: int, s: int, *, nonce_y_is_odd: bool) -> bytes:
    """The 65 bytes r || s || v, with low s.

    (r, s) and (r, q - s) both verify; the lower s is the canonical one (EIP-2), and choosing the other flips R,
    hence the parity.

    Raises:
        ValueError: s is zero modulo q.
    """
    s %= GROUP_ORDER
    if s == 0:
        raise ValueError("s is zero")
    if s > GROUP_ORDER // 2:
        s = GROUP_ORDER - s
        nonce_y_is_odd = not nonce_y_is_odd
    return encode_scalar(r) + encode_scalar(s) + bytes([_V_OFFSET + nonce_y_is_odd])


def verify_signature(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether 65 bytes r || s || v, with low s and v 27 or 28, sign this 32-byte digest for this key.

    By recovery, as the contract does it: the point recovered from a signature is the one key under which it is
    valid, so equality verifies r, s and v at once. Any bytes may be given; what is malformed does not verify.
    """
    if len(signature) != SIGNATURE_BYTES or len(digest) != 32 or signature[64] not in {27, 28}:
        return False
    if int.from_bytes(signature[32:64], "big") > GROUP_ORDER // 2:
        return False
    parsed = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    recovery_id = signature[64] - _V_OFFSET
    if not lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
        _CONTEXT, parsed, signature[:64], recovery_id
    ):
        return False
    recovered = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ecdsa_recover(_CONTEXT, recovered, parsed, digest):
        return False
    return Point(recovered).encode() == public_key
