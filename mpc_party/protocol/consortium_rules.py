"""The rules of the consortium file beyond its types. Each failure is one line that names the field.

Certificates are pinned: who holds the key is the member, and the dates in the certificate decide nothing here.
A file must stay readable for as long as its reports are of interest, so that loading does not look at the
clock; TLS itself refuses a certificate outside its dates, and `expired_certificates` says so beforehand.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Final

import pyrage
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_utils.address import is_checksum_address

from mpc_party.protocol.addresses import parse_address, parse_broker_url
from mpc_party.protocol.consortium import COORDINATOR, Consortium, Member, Settlement
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import one_line
from mpc_party.protocol.group_key import check_group_key
from mpc_party.protocol.hexadecimal import check_hex

VERSION: Final = 2  # 1 had no margin scenarios
MIN_MEMBERS: Final = 3
MAX_MEMBERS: Final = 7


def check_consortium(consortium: Consortium) -> None:
    """Check every rule.

    Raises:
        ConfigError: one line naming the field of the first rule that is broken.
    """
    if consortium.version != VERSION:
        raise ConfigError(f"version: {consortium.version} is not supported, only {VERSION}")
    if not 1 <= len(consortium.name) <= 64 or one_line(consortium.name) != consortium.name:
        raise ConfigError("name: must be 1 to 64 printable characters")
    check_hex(consortium.id, 32, "id")
    if not 1 <= consortium.epoch < 2**63:
        raise ConfigError("epoch: must be at least 1")
    _check_threshold(consortium)
    parse_broker_url(consortium.broker)
    check_signing_key(consortium.coordinator, "coordinator")
    for index, member in enumerate(consortium.members):
        check_member(member, f"members[{index}]")
    _check_distinct(consortium)
    if consortium.key is not None:
        check_group_key(consortium, consortium.key)
    if consortium.model is not None:
        check_hex(consortium.model, 32, "model")
    if consortium.settlement is not None:
        _check_settlement(consortium.settlement)


def _check_threshold(consortium: Consortium) -> None:
    n, t = len(consortium.members), consortium.threshold
    if not MIN_MEMBERS <= n <= MAX_MEMBERS:
        raise ConfigError(f"members: {n} of them, must be {MIN_MEMBERS} to {MAX_MEMBERS}")
    if t < 1 or 2 * t >= n:
        raise ConfigError(f"threshold: must be at least 1 and less than half of the {n} members, not {t}")


def check_member(member: Member, field: str) -> None:
    """Check one member's fields, without the others.

    Raises:
        ConfigError: naming the field below `field`.
    """
    if member.name == COORDINATOR:
        raise ConfigError(f"{field}.name: {COORDINATOR!r} is reserved")
    check_signing_key(member.signing_key, f"{field}.signing_key")
    check_recipient(member.encryption_key, f"{field}.encryption_key")
    check_address(member.account, f"{field}.account")
    parse_address(member.mesh_address, f"{field}.mesh_address")
    check_certificate(member.certificate, f"{field}.certificate")


def _check_distinct(consortium: Consortium) -> None:
    def distinct(field: str, values: Iterable[tuple[str, str]]) -> None:
        seen: dict[str, str] = {}
        for owner, value in values:
            if value in seen:
                raise ConfigError(f"{field}: {seen[value]} and {owner} have the same one")
            seen[value] = owner

    fields: dict[str, Callable[[Member], str]] = {
        "members.name": lambda member: member.name,
        "members.encryption_key": lambda member: member.encryption_key,
        "members.account": lambda member: member.account,
        "members.mesh_address": lambda member: str(parse_address(member.mesh_address)).lower(),
        # By key: a second certificate over the same TLS key would be the same peer under two names.
        "members.certificate": lambda member: _certified_key(member.certificate),
    }
    for field, value in fields.items():
        distinct(field, ((member.name, value(member)) for member in consortium.members))
    signers = [(member.name, member.signing_key) for member in consortium.members]
    distinct("members.signing_key", [*signers, (COORDINATOR, consortium.coordinator)])


def _check_settlement(settlement: Settlement) -> None:
    if not 1 <= settlement.chain_id < 2**63:
        raise ConfigError("settlement.chain_id: must be at least 1")
    check_address(settlement.contract, "settlement.contract")


def check_signing_key(text: str, field: str) -> ed25519.Ed25519PublicKey:
    """An Ed25519 public key in hex.

    Raises:
        ConfigError: naming the field.
    """
    return ed25519.Ed25519PublicKey.from_public_bytes(check_hex(text, 32, field))


def check_recipient(text: str, field: str) -> pyrage.x25519.Recipient:
    """An age X25519 recipient.

    Raises:
        ConfigError: naming the field.
    """
    try:
        recipient = pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError:
        recipient = None
    if recipient is None or str(recipient) != text:
        raise ConfigError(f'{field}: not an age recipient ("age1...")')
    return recipient


def check_address(text: str, field: str) -> None:
    """An EVM address with a correct EIP-55 checksum, and not zero.

    Raises:
        ConfigError: naming the field.
    """
    if not (text.isascii() and is_checksum_address(text)):
        raise ConfigError(f"{field}: not an EVM address with EIP-55 checksum: {one_line(text)!a}")
    if int(text, 16) == 0:
        raise ConfigError(f"{field}: is the zero address")


def check_certificate(pem: str, field: str) -> x509.Certificate:
    """One self-signed certificate in canonical PEM, with a P-256 or Ed25519 key.

    Self-signed, because TLS uses the pinned certificate as its own trust anchor.

    Raises:
        ConfigError: naming the field.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
        canonical = certificate.public_bytes(Encoding.PEM).decode("ascii")
        key = certificate.public_key()
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        raise ConfigError(f"{field}: its own signature does not verify") from None
    except (ValueError, TypeError):
        raise ConfigError(f"{field}: not a self-signed certificate in PEM") from None
    except Exception as error:  # noqa: BLE001 - the library has types of its own for odd keys and encodings
        raise ConfigError(f"{field}: not usable: {one_line(str(error))}") from None
    if canonical != pem:
        raise ConfigError(f"{field}: not one certificate in canonical PEM")
    if not isinstance(key, ed25519.Ed25519PublicKey) and not (
        isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    ):
        raise ConfigError(f"{field}: its key must be on P-256 or Ed25519")
    return certificate


def _certified_key(pem: str) -> str:
    key = check_certificate(pem, "certificate").public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def expired_certificates(consortium: Consortium, now: dt.datetime) -> tuple[str, ...]:
    """Names of the members whose certificate TLS will refuse at `now` (aware, UTC): expired, or not yet valid."""
    outside = []
    for member in consortium.members:
        certificate = check_certificate(member.certificate, member.name)
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            outside.append(member.name)
    return tuple(outside)
