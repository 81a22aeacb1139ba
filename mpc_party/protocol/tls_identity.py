"""A member's TLS key and self-signed certificate."""

import datetime as dt
import os
import secrets
import ssl
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# RFC 5280, section 4.1.2.5: "no well-defined expiration date". The consortium file decides who is trusted,
# and an epoch ends it; a date in here could only stop a consortium by surprise.
NO_EXPIRY = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


def generate_tls_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key: the one curve for signatures that every TLS 1.3 implementation has."""
    return ec.generate_private_key(ec.SECP256R1())


def self_signed_certificate(key: ec.EllipticCurvePrivateKey, name: str) -> str:
    """A self-signed certificate in PEM for both ends of a TLS link, without an end date."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back, for peers whose clock is behind.
        .not_valid_before(dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=1))
        .not_valid_after(NO_EXPIRY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def load_into(context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: str) -> None:
    """Give key and certificate to an SSL context.

    Python's ssl reads them from a file only. The file exists for a moment, for the owner only, and its key is
    encrypted under a random password that exists in this function only: a copy of it is worth nothing.
    """
    password = secrets.token_hex(32).encode("ascii")
    encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    descriptor, path = tempfile.mkstemp(prefix="tls-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(encrypted + certificate.encode("ascii"))
        context.load_cert_chain(path, password=password)
    finally:
        os.unlink(path)  # noqa: PTH108 - the name of the system call that matters here
