from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from pathlib import Path

import pytest
from cryptography import x509

from mpc_party.protocol.identity import Identity
from mpc_party.protocol.tls_identity import NO_EXPIRY

ALICE = Identity.generate("alice", "127.0.0.1:7000")
BOB = Identity.generate("bob", "127.0.0.1:7001")
EVE = Identity.generate("bob", "127.0.0.1:7001")


def context(own: Identity, pinned: Identity, *, server: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=pinned.member.certificate)
    own.load_tls(made)
    return made


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> tuple[bytes | None, bytes | None]:
    """In memory; returns the certificate that each side saw."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    pending = list(ends)
    for _ in range(10):
        for end in list(pending):
            try:
                end.do_handshake()
                pending.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not pending:
            return ends[0].getpeercert(binary_form=True), ends[1].getpeercert(binary_form=True)
    raise AssertionError("no handshake")


def der(identity: Identity) -> bytes:
    return ssl.PEM_cert_to_DER_cert(identity.member.certificate)


def test_two_members_that_pin_each_other_shake_hands() -> None:
    seen = handshake(context(ALICE, BOB, server=False), context(BOB, ALICE, server=True))
    assert seen == (der(BOB), der(ALICE))


def test_a_namesake_with_another_key_is_refused() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(ALICE, BOB, server=False), context(EVE, ALICE, server=True))
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(EVE, ALICE, server=False), context(ALICE, BOB, server=True))


def test_the_certificate_has_no_end_and_allows_for_a_late_clock() -> None:
    certificate = x509.load_pem_x509_certificate(ALICE.member.certificate.encode())
    assert certificate.not_valid_after_utc == NO_EXPIRY
    assert certificate.not_valid_before_utc < dt.datetime.now(dt.UTC) - dt.timedelta(hours=23)


def test_the_key_leaves_no_file_and_is_never_plain_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[bytes] = []

    class Spy(ssl.SSLContext):
        def load_cert_chain(self, certfile: str, keyfile: None = None, password: bytes = b"") -> None:
            seen.append(Path(certfile).read_bytes())
            assert Path(certfile).stat().st_mode & 0o077 == 0
            super().load_cert_chain(certfile, keyfile, password)

    ALICE.load_tls(Spy(ssl.PROTOCOL_TLS_CLIENT))
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in seen[0]
    assert list(tmp_path.iterdir()) == []

    class Full(ssl.SSLContext):
        def load_cert_chain(self, *_: object, **__: object) -> None:
            raise OSError("no")

    with pytest.raises(OSError, match="no"):
        ALICE.load_tls(Full(ssl.PROTOCOL_TLS_CLIENT))
    assert list(tmp_path.iterdir()) == []
