"""Shares of an epoch that is over: written over, and unlinked, whatever their names are.

What a killed process leaves may hold a share as well: the temporary file of a write that was not finished, the link by which a
share is put back, and the folder in which a backup was being taken back.
"""

import os
import secrets
from pathlib import Path
from typing import Final

SHARES: Final = frozenset({".keystore", ".age"})  # suffixes
_HIDDEN_FILES: Final = (".key-share.*", ".model-share.*")
_HIDDEN_FOLDERS: Final = ".restoring-*"


def erase(file: Path) -> None:
    """Overwrite a file with random bytes, sync, unlink. See `epoch_switch` for what that does not promise.

    Of a link to a share that lies elsewhere, the share is written over, and the link removed.

    Raises:
        OSError: it cannot be.
    """
    if file.exists():  # a link may lead nowhere
        with file.open("r+b", buffering=0) as opened:
            opened.write(secrets.token_bytes(max(1, file.stat().st_size)))
            os.fsync(opened.fileno())
    file.unlink()
    sync(file.parent)


def erase_hidden(folder: Path) -> None:
    """Erase what killed processes have left of shares in a folder. To be called where no other process writes there.

    Raises:
        OSError: it cannot be.
    """
    for pattern in _HIDDEN_FILES:
        for file in sorted(folder.glob(pattern)):
            erase(file)
    for staged in sorted(folder.glob(_HIDDEN_FOLDERS)):
        for file in sorted(staged.iterdir()):
            erase(file)
        staged.rmdir()


def sync(directory: Path) -> None:
    """Make what was renamed or unlinked in a directory durable.

    Raises:
        OSError: it cannot be.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["SHARES", "erase", "erase_hidden", "sync"]
