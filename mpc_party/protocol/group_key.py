"""What the consortium file's key section must satisfy: points of one polynomial, attested by every member."""

import hashlib
from collections.abc import Sequence
from typing import Final

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_party.protocol.consortium import Consortium, GroupKey
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.hexadecimal import check_hex

STATEMENT_PREFIX: Final = b"mpc-hedge/group-key/v1"
ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1


def group_key_statement(roster_hash: bytes, public_key: bytes, public_shares: Sequence[bytes]) -> bytes:
    """What each member signs with its Ed25519 key at the end of key generation (32 bytes).

    SHA-256("mpc-hedge/group-key/v1" || roster_hash || Y || X_0 || X_1 ...), points compressed (33 bytes).
    """
    return hashlib.sha256(STATEMENT_PREFIX + roster_hash + public_key + b"".join(public_shares)).digest()


def check_group_key(consortium: Consortium, key: GroupKey) -> None:
    """Check the key section against the members and the threshold.

    Raises:
        ConfigError: naming the field, and the member whose attestation does not verify.
    """
    count = len(consortium.members)
    for field in ("public_shares", "attestations"):
        if len(getattr(key, field)) != count:
            raise ConfigError(f"key.{field}: {len(getattr(key, field))} entries for {count} members")
    public_key = _point(key.public_key, "key.public_key")
    shares = [_point(share, f"key.public_shares[{i}]") for i, share in enumerate(key.public_shares)]
    check_degree(public_key, shares, consortium.threshold)
    statement = group_key_statement(
        consortium.roster_hash, public_key.format(), [share.format() for share in shares]
    )
    for member, attestation in zip(consortium.members, key.attestations, strict=True):
        signature = check_hex(attestation, 64, f"key.attestations of {member.name}")
        try:
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(member.signing_key)).verify(signature, statement)
        except InvalidSignature:
            raise ConfigError(
                "key.attestations: does not verify over this roster and this key", culprit=member.name
            ) from None


def check_degree(public_key: PublicKey, shares: Sequence[PublicKey], threshold: int) -> None:
    """Check that Y and all X_j lie on one polynomial of degree t in the exponent: X_j = f(j + 1) G, Y = f(0) G.

    The first t+1 shares determine the polynomial; Y and every further share must be what they interpolate to.

    Raises:
        ConfigError: naming the first value that does not lie on it.
    """
    basis = shares[: threshold + 1]
    if _interpolate(basis, 0) != public_key.format():
        raise ConfigError("key.public_key: is not what key.public_shares interpolate to")
    for index in range(threshold + 1, len(shares)):
        if _interpolate(basis, index + 1) != shares[index].format():
            raise ConfigError(f"key.public_shares[{index}]: not on a polynomial of degree {threshold}")


def _interpolate(basis: Sequence[PublicKey], x: int) -> bytes | None:
    """Lagrange interpolation in the exponent at `x` from points at 1, 2, ...: a compressed point.

    None is the point at infinity, which is nobody's key or share.
    """
    terms = []
    for i, point in enumerate(basis, start=1):
        numerator, denominator = 1, 1
        for j in range(1, len(basis) + 1):
            if j != i:
                numerator = numerator * (x - j) % ORDER
                denominator = denominator * (i - j) % ORDER
        coefficient = numerator * pow(denominator, -1, ORDER) % ORDER
        if coefficient:  # zero only where x is one of the basis points
            terms.append(point.multiply(coefficient.to_bytes(32, "big")))
    try:
        combined: bytes = PublicKey.combine_keys(terms).format()
    except ValueError:  # the sum is the point at infinity
        return None
    return combined


def _point(text: str, field: str) -> PublicKey:
    try:
        point = PublicKey(bytes.fromhex(text))
    except ValueError:
        raise ConfigError(f"{field}: not a point of secp256k1") from None
    if point.format().hex() != text:
        raise ConfigError(f"{field}: not in compressed lower-case hex")
    return point
