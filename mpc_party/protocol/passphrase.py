"""Where a passphrase comes from: a file, an environment variable, or the terminal."""

import getpass
import os
import stat
import sys
import unicodedata
from pathlib import Path

import structlog

from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_limited
from mpc_party.protocol.secret import Secret

VARIABLE = "MPC_PASSPHRASE"
MAX_PASSPHRASE = 1024
log = structlog.get_logger(__name__)


class Passphrase(Secret):
    """A passphrase: non-empty UTF-8, in Unicode's NFC so that it is the same from every keyboard."""

    __slots__ = ("_bytes",)

    def __init__(self, text: str, source: str = "passphrase") -> None:
        """Take the text.

        Raises:
            ConfigError: empty, longer than 1,024 bytes, or not UTF-8.
        """
        try:
            data = unicodedata.normalize("NFC", text).encode("utf-8")
        except UnicodeEncodeError:
            raise ConfigError(f"{source}: not UTF-8") from None
        if not data:
            raise ConfigError(f"{source}: empty")
        if len(data) > MAX_PASSPHRASE:
            raise ConfigError(f"{source}: longer than {MAX_PASSPHRASE} bytes")
        self._bytes = data

    def reveal(self) -> bytes:
        """The bytes, for a key derivation function only."""
        return self._bytes


def passphrase_from(
    *,
    file: Path | str | None = None,
    environment: str | None = VARIABLE,
    prompt: str | None = None,
    confirm: bool = False,
) -> Passphrase:
    """Get the passphrase from the first source that has one: the file, the environment, the terminal.

    Args:
        file: holds the passphrase and at most one newline at its end. Others being able to read it gives a
            warning, not an error: that is how containers mount secrets.
        environment: name of the variable; None to not look.
        prompt: what to ask on the terminal ("Passphrase of alice"); None to never ask.
        confirm: ask twice, as for a new secret.

    Raises:
        ConfigError: no source has one, or it is empty, too long or not UTF-8, or the two entries differ.
    """
    if file is not None:
        return _from_file(Path(file))
    if environment is not None and environment in os.environ:
        return Passphrase(os.environ[environment], f"environment variable {environment}")
    if prompt is None or not sys.stdin.isatty():
        raise ConfigError("no passphrase", remedy=f"give a passphrase file, or set {environment or VARIABLE}")
    try:
        first = Passphrase(getpass.getpass(f"{prompt}: "), "passphrase")
        if confirm and Passphrase(getpass.getpass(f"{prompt}, again: ")).reveal() != first.reveal():
            raise ConfigError("the two passphrases differ")
    except EOFError:
        raise ConfigError("no passphrase given") from None
    return first


def _from_file(path: Path) -> Passphrase:
    what = "passphrase file"
    data = read_limited(path, MAX_PASSPHRASE + 2, what)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        log.warning("passphrase file is readable by others", file=str(path), remedy=f"chmod 600 {path}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{what} {path}: not UTF-8") from None
    return Passphrase(text.removesuffix("\n").removesuffix("\r"), f"{what} {path}")
