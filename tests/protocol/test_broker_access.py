from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as s

from mpc_party.protocol.addresses import parse_broker_url
from mpc_party.protocol.broker_access import BrokerCredentials
from mpc_party.protocol.errors import ConfigError
from tests.support.certificates import Authority

PLAIN, TLS = parse_broker_url("mqtt://127.0.0.1"), parse_broker_url("mqtts://127.0.0.1")


def test_from_the_environment() -> None:
    given = BrokerCredentials.from_environment(
        {
            "MPC_BROKER_USERNAME": "desk",
            "MPC_BROKER_PASSWORD": "pw",
            "MPC_BROKER_CA": "ca.pem",
            "MPC_BROKER_CERTIFICATE": "c.pem",
            "MPC_BROKER_KEY": "",
            "OTHER": "x",
        }
    )
    assert (given.username, given.password) == ("desk", "pw")
    assert (given.ca_file, given.certificate_file, given.key_file) == ("ca.pem", "c.pem", None)
    nothing = BrokerCredentials.from_environment({})
    assert (nothing.username, nothing.password, nothing.ca_file) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": "x"}, "password without a user name"),
        ({"key_file": "x"}, "client key without its certificate"),
        ({"username": "x" * 70_000}, "user name is too long"),
    ],
)
def test_what_does_not_fit_together(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        BrokerCredentials(**fields)


def test_tls_trusts_the_given_authority_only_and_checks_names(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = BrokerCredentials(ca_file=authority.ca_file).tls_context(TLS)
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(context.get_ca_certs()) == 1


def test_without_an_authority_the_systems_are_asked() -> None:
    context = BrokerCredentials().tls_context(TLS)
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert BrokerCredentials().tls_context(PLAIN) is None


def test_an_encrypted_key_is_refused_and_not_asked_about(tmp_path: Path) -> None:

    files = Authority(tmp_path).issue("desk")
    key = s.load_pem_private_key(files.key.read_bytes(), None)
    files.key.write_bytes(
        key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"pw"))
    )
    with pytest.raises(ConfigError, match="unencrypted key"):
        BrokerCredentials(certificate_file=files.certificate, key_file=files.key).tls_context(TLS)
