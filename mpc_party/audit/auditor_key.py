"""The auditor's key: an age X25519 identity in the file format of the age tools, so that these can read it, too."""

from datetime import datetime
from pathlib import Path
from typing import Final, Self

import pyrage

from mpc_party.audit.errors import AuditError
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.secret import Secret

MAX_KEY_FILE: Final = 16 * 1024


class AuditorKey(Secret):
    """Opens disclosures that were made for it. Its file is not sealed: it is for its owner's eyes only (mode 0600)."""

    __slots__ = ("_identity", "_recipient")

    def __init__(self, identity: pyrage.x25519.Identity) -> None:
        self._identity = identity
        self._recipient = str(identity.to_public())

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(pyrage.x25519.Identity.generate())

    @property
    def recipient(self) -> str:
        """The public half ("age1..."), to be given to the members."""
        return self._recipient

    def decrypt(self, data: bytes) -> bytes:
        """Open what was encrypted to this key.

        Raises:
            AuditError: it was encrypted to another, or is damaged.
        """
        try:
            plain: bytes = pyrage.decrypt(data, [self._identity])
        except pyrage.DecryptError:
            raise AuditError(
                "the disclosure does not open with this auditor's key: it is for another, or damaged",
                remedy="give its member this key's recipient, and ask for it again",
            ) from None
        return plain

    def save(self, path: Path, now: datetime) -> None:
        """Write the key file, mode 0600; never over another.

        Raises:
            ConfigError: the file exists or cannot be written.
        """
        text = f"# created: {now.isoformat(timespec='seconds')}\n# public key: {self._recipient}\n{self._identity}\n"
        write_atomic(path, text.encode("ascii"), secret=True, overwrite=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key file: one AGE-SECRET-KEY line beside comments.

        Raises:
            ConfigError: there is no such file, or not one key in it.
        """
        lines = read_limited(path, MAX_KEY_FILE, "auditor's key").split(b"\n")
        keys = [line.strip() for line in lines if line.strip() and not line.startswith(b"#")]
        try:
            (only,) = keys
            return cls(pyrage.x25519.Identity.from_str(only.decode("ascii")))
        except (ValueError, pyrage.IdentityError):
            raise ConfigError(
                f"auditor's key {path}: not one age secret key",
                remedy="make one with `mpc-coordinator auditor`",
            ) from None
