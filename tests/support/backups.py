"""Backups for tests, of a consortium whose keystores open at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from mpc_party.member.backup import Backup, open_backup, seal_backup
from mpc_party.member.home import PartyHome
from mpc_party.protocol import keystore
from tests.support.party_homes import SECRET


@contextmanager
def instant_keystores() -> Iterator[None]:
    """Derive keys by a hash: for tests that open hundreds. What was sealed in here opens in here only."""

    def derive(passphrase, header):
        return ChaCha20Poly1305(hashlib.sha256(passphrase.reveal() + header.salt).digest())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keystore, "_derive", derive)
        yield


def lose(home: PartyHome, *files) -> None:
    """Lose these files, or all that a member has."""
    for file in files or tuple(home.path.iterdir()):
        file.unlink(missing_ok=True)


def forged(path, **changes):
    """The same backup with other contents, as only who knows its passphrase can make one."""
    other = path.with_name("forged.backup")
    backup: Backup = msgspec.structs.replace(open_backup(path, SECRET), **changes)
    other.write_bytes(seal_backup(backup, SECRET))
    return other
