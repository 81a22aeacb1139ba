"""Secrets at rest: sealed under a passphrase by scrypt and ChaCha20-Poly1305, with bounded parameters.

File format, version 1: a MessagePack array of
(b"mpc-hedge/sealed", version, purpose, log2 n, r, p, salt, nonce, ciphertext). Everything before the
ciphertext, encoded as an array of its own, is the cipher's associated data, so that neither the parameters nor
the purpose can be changed. (age's passphrase mode, which pyrage offers, takes 2.5 s each time: too slow for a process that opens
several secrets at its start.)
"""

import secrets
from typing import Annotated, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Meta

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.passphrase import Passphrase

MAGIC: Final = b"mpc-hedge/sealed"
VERSION: Final = 1
MAX_SEALED: Final = 64 * 1024 * 1024  # model shares are the largest secrets

# 32 MiB and about 0.1 s. OWASP's equivalent choices range from (2^17, 8, 1) to (2^13, 8, 10); a party's
# passphrase guards a file on its own disk, and integration tests open a dozen of them.
LOG2_N: Final = 15
BLOCK: Final = 8
PARALLEL: Final = 1


class _Header(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What is authenticated but not encrypted. The bounds keep a hostile file below 256 MiB and seconds."""

    magic: bytes
    version: int
    purpose: Annotated[str, Meta(min_length=1, max_length=64)]
    log2_n: Annotated[int, Meta(ge=14, le=18)]
    block: Annotated[int, Meta(ge=8, le=8)]
    parallel: Annotated[int, Meta(ge=1, le=4)]
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    nonce: Annotated[bytes, Meta(min_length=12, max_length=12)]


class _Sealed(_Header, frozen=True, array_like=True, forbid_unknown_fields=True):
    ciphertext: bytes


def _derive(passphrase: Passphrase, header: _Header) -> ChaCha20Poly1305:
    kdf = Scrypt(salt=header.salt, length=32, n=1 << header.log2_n, r=header.block, p=header.parallel)
    return ChaCha20Poly1305(kdf.derive(passphrase.reveal()))


def seal(secret: bytes, passphrase: Passphrase, purpose: str) -> bytes:
    """Encrypt a secret for storage. Takes about 0.1 s and 32 MiB.

    Args:
        secret: the bytes to protect, at most 64 MiB.
        passphrase: see `mpc_party.protocol.passphrase.passphrase_from`.
        purpose: what the secret is and whose, in at most 64 characters ("identity", "key-share/<id>/<epoch>");
            opening demands the same, so that one sealed file cannot be passed off as another.

    Returns:
        the whole sealed file.
    """
    header = _Header(
        MAGIC, VERSION, purpose, LOG2_N, BLOCK, PARALLEL, secrets.token_bytes(16), secrets.token_bytes(12)
    )
    associated = msgspec.msgpack.encode(header)
    ciphertext = _derive(passphrase, header).encrypt(header.nonce, secret, associated)
    return msgspec.msgpack.encode([*msgspec.structs.astuple(header), ciphertext])


def open_sealed(data: bytes, passphrase: Passphrase, purpose: str, what: str = "sealed file") -> bytes:
    """Decrypt what `seal` gave.

    Args:
        data: the whole sealed file.
        passphrase: the one it was sealed under.
        purpose: the one it was sealed for.
        what: how to name the file in an error.

    Raises:
        ConfigError: with PASSPHRASE_WRONG if the passphrase does not open it (or the file was changed: the
            two cannot be told apart); with CONFIG_INVALID if it is not a sealed file, is one for another
            purpose, or demands more memory than the bound.
    """
    if len(data) > MAX_SEALED + 1024:
        raise ConfigError(f"{what}: too large for a sealed file")
    try:
        sealed = msgspec.msgpack.decode(data, type=_Sealed)
    except (msgspec.DecodeError, RecursionError):
        raise ConfigError(f"{what}: not a sealed file, or damaged") from None
    if sealed.magic != MAGIC:
        raise ConfigError(f"{what}: not a sealed file")
    if sealed.version != VERSION:
        raise ConfigError(f"{what}: version {sealed.version} of the format is not supported, only {VERSION}")
    if sealed.purpose != purpose:
        raise ConfigError(f"{what}: holds {sealed.purpose!a}, not {purpose!a}")
    fields = msgspec.structs.astuple(sealed)
    associated = msgspec.msgpack.encode(fields[:-1])
    try:
        return _derive(passphrase, sealed).decrypt(sealed.nonce, sealed.ciphertext, associated)
    except InvalidTag:
        raise ConfigError(
            f"{what}: the passphrase is wrong, or the file was changed", reason=Reason.PASSPHRASE_WRONG
        ) from None
