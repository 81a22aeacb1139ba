"""Reading and writing small files safely: bounded reads, atomic durable writes, secrets for the owner only."""

import contextlib
import os
import stat
import tempfile
import unicodedata
from pathlib import Path

from mpc_party.protocol.errors import ConfigError


def one_line(text: str, limit: int = 200) -> str:
    """Text that came from outside, made fit for one line of a terminal or a log: no control characters."""
    shown = "".join(
        character if character == " " or unicodedata.category(character)[0] not in "CZ" else "?"
        for character in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def read_limited(path: Path | str, limit: int, what: str) -> bytes:
    """Read a whole regular file of at most `limit` bytes.

    Args:
        path: the file.
        limit: largest accepted size in bytes; never reads more than that.
        what: how to name the file in an error ("consortium file").

    Raises:
        ConfigError: the file is missing, unreadable, not a regular file or too large.
    """
    try:
        # O_NONBLOCK: opening a named pipe without a writer must not hang; the check below refuses it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"{what} {path}: not a regular file")
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise ConfigError(f"{what} {path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{what} {path}: {error.strerror or error}") from None
    except ValueError:  # a NUL in the path
        raise ConfigError(f"{what}: not a usable path") from None
    if len(data) > limit:
        raise ConfigError(f"{what} {path}: larger than {limit} bytes")
    return data


def read_text_limited(path: Path | str, limit: int, what: str) -> str:
    """`read_limited`, decoded as UTF-8.

    Raises:
        ConfigError: as `read_limited`, or the file is not UTF-8.
    """
    try:
        return read_limited(path, limit, what).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} {path}: not UTF-8 at byte {error.start}") from None


def write_atomic(path: Path | str, data: bytes, *, secret: bool = False, overwrite: bool = True) -> None:
    """Write a file so that at every moment, power cuts included, the path holds the old bytes or the new ones.

    A temporary file in the same directory is written, synced and renamed over the path, and the directory
    synced after it.

    Args:
        path: the file. Its directory must exist.
        data: the new contents.
        secret: mode 0600 instead of 0644 (less the umask).
        overwrite: whether an existing file may be replaced. Without it the check and the creation are one
            step, so that of two writers one fails.

    Raises:
        ConfigError: the directory is missing or not writable, or the file exists and may not be replaced.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        # mkstemp creates with mode 0600: a secret is never readable by others, not even for a moment.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if not secret:
                os.fchmod(descriptor, 0o644 & ~_umask())
            file.flush()
            os.fsync(descriptor)
        if overwrite:
            os.replace(temporary, path)  # noqa: PTH105 - the name of the system call that matters here
        else:
            os.link(temporary, path)  # fails if the path exists, where a rename would replace it
            os.unlink(temporary)  # noqa: PTH108 - likewise
        temporary = None
        directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise ConfigError(
            f"{path}: exists already", remedy="move it away first, it is not replaced"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108 - as above


def _umask() -> int:
    """The process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
