from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mpc_party.protocol.consortium import Member, Settlement
from mpc_party.protocol.consortium_rules import check_address, check_consortium, expired_certificates
from mpc_party.protocol.errors import ConfigError
from tests.support.consortium import CONTRACT, complete, make_cast

CAST = make_cast(7)
COMPLETE = complete(CAST)
NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def refuse(words: str, **changes: Any) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        check_consortium(msgspec.structs.replace(COMPLETE, **changes))
    assert "\n" not in str(refused.value)


def with_member(index: int, **changes: str) -> tuple[Member, ...]:
    members = list(COMPLETE.members)
    members[index] = msgspec.structs.replace(members[index], **changes)
    return tuple(members)


def certificate(key: Any, *, signer: Any = None, until: dt.datetime = NOW + DAY) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - 2 * DAY)
        .not_valid_after(until)
        .sign(signer or key, algorithm)
        .public_bytes(Encoding.PEM)
        .decode()
    )


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_seven_members_may_have_up_to_three_corrupt_ones(threshold: int) -> None:
    check_consortium(
        msgspec.structs.replace(COMPLETE, threshold=threshold, key=None, model=None, settlement=None)
    )


def test_a_complete_file_keeps_the_rules() -> None:
    check_consortium(COMPLETE)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, "^version: 3 is not supported"),
        ({"name": ""}, "^name: "),
        ({"name": "a\nb"}, "^name: "),
        ({"name": "x" * 65}, "^name: "),
        ({"id": "00" * 31}, "^id: must be 64 lower-case hex digits"),
        ({"id": "AB" * 32}, "^id: "),
        ({"id": "0x" + "00" * 31}, "^id: "),
        ({"id": " ".join(["00"] * 32)}, "^id: "),
        ({"epoch": 0}, "^epoch: "),
        ({"epoch": -1}, "^epoch: "),
        ({"epoch": 2**63}, "^epoch: "),
        ({"threshold": 0}, "^threshold: must be at least 1"),
        ({"threshold": 4}, "^threshold: .*less than half of the 7 members"),
        ({"members": COMPLETE.members[:2]}, "^members: 2 of them, must be 3 to 7"),
        ({"members": (*COMPLETE.members, COMPLETE.members[0])}, "^members: 8 of them"),
        ({"broker": "mqtt://user:hunter2@host"}, "^broker: no credentials"),
        ({"coordinator": "00"}, "^coordinator: "),
        ({"model": "00"}, "^model: must be 64"),
        ({"settlement": Settlement(0, CONTRACT)}, r"^settlement\.chain_id"),
        (
            {"settlement": Settlement(1, CONTRACT.lower())},
            r"^settlement\.contract: not an EVM address with EIP-55",
        ),
        ({"settlement": Settlement(1, "0x" + "0" * 40)}, r"^settlement\.contract: is the zero address"),
    ],
)
def test_each_rule_names_its_field(changes: dict[str, Any], words: str) -> None:
    refuse(words, **changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "coordinator"),
        ("signing_key", "xy" * 32),
        ("encryption_key", "age1qqqq"),
        ("encryption_key", COMPLETE.members[3].encryption_key.upper()),
        ("encryption_key", "AGE-SECRET-KEY-1QQQ"),
        ("account", CONTRACT.lower()),
        ("account", CONTRACT[2:]),
        ("account", CONTRACT.replace("a", "é", 1)),
        ("mesh_address", "host"),
        ("certificate", ""),
        ("certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("certificate", COMPLETE.members[3].certificate * 2),
        ("certificate", "x\n" + COMPLETE.members[3].certificate),
        ("certificate", COMPLETE.members[3].certificate.replace("\n", "\r\n")),
        ("certificate", COMPLETE.members[3].certificate + "é"),
    ],
)
def test_each_field_of_a_member_is_checked(field: str, value: str) -> None:
    refuse(rf"^members\[3\]\.{field}: ", members=with_member(3, **{field: value}))


@pytest.mark.parametrize(
    "field", ["name", "signing_key", "encryption_key", "account", "mesh_address", "certificate"]
)
def test_no_two_members_share_anything(field: str) -> None:
    value = getattr(COMPLETE.members[1], field)
    other = "bob" if field == "name" else "erin"
    refuse(rf"^members\.{field}: bob and {other} have the same one", members=with_member(4, **{field: value}))


def test_the_coordinator_is_no_member() -> None:
    refuse("signing_key: frank and coordinator have the same", coordinator=COMPLETE.members[5].signing_key)


def test_one_mesh_address_in_two_spellings_is_one() -> None:
    members = list(with_member(4, mesh_address="Host:1"))
    members[1] = msgspec.structs.replace(members[1], mesh_address="hOST:1")
    refuse("mesh_address: bob and erin", members=tuple(members))


def test_two_certificates_of_one_key_are_one_peer() -> None:
    key = p256()
    members = list(with_member(4, certificate=certificate(key)))
    members[1] = msgspec.structs.replace(members[1], certificate=certificate(key, until=NOW + 2 * DAY))
    refuse("certificate: bob and erin", members=tuple(members))


def test_certificates_of_other_kinds() -> None:
    base = msgspec.structs.replace(COMPLETE, key=None)
    good = msgspec.structs.replace(
        base, members=with_member(0, certificate=certificate(ed25519.Ed25519PrivateKey.generate()))
    )
    check_consortium(good)
    small = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for bad, words in [
        (certificate(small), "P-256 or Ed25519"),
        (certificate(ec.generate_private_key(ec.SECP384R1())), "P-256 or Ed25519"),
        (certificate(p256(), signer=p256()), "its own signature does not verify"),
    ]:
        refuse(rf"^members\[0\]\.certificate: .*{words}", members=with_member(0, certificate=bad), key=None)


def test_an_expired_certificate_loads_and_is_reported() -> None:
    """A report must stay verifiable when the certificates of its time have ended; TLS is what refuses those."""
    expired = msgspec.structs.replace(
        COMPLETE, key=None, members=with_member(2, certificate=certificate(p256(), until=NOW - DAY))
    )
    check_consortium(expired)
    assert expired_certificates(expired, NOW) == ("carol",)
    assert expired_certificates(COMPLETE, NOW) == ()
    assert expired_certificates(COMPLETE, NOW - 3 * DAY) == COMPLETE.names


def test_the_vectors_of_eip_55() -> None:
    for address in (
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        check_address(address, "account")
        if address.lower() != address:
            with pytest.raises(ConfigError):
                check_address(address.swapcase().replace("0X", "0x"), "account")
