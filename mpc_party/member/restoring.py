"""`mpc-party backup import`: what a backup brings back, and what it never does.

Into an empty folder, it brings back everything but the journal; into the same member's folder, the files that are missing. No
file is ever replaced. The journal is made anew where there is none, and it does not know what the lost one has promised after
the backup: until somebody says where it is safe to go on (`--after-round`), the party does not start.

Order, so that a kill at any moment does no harm: all is built and checked in a folder of its own first; then the journal
comes into place, then the other files, the identity last: without it nothing runs. Into an empty folder, all come in one step.
The same command again completes what a kill has left.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mpc_party.journal import Floor, Journal, Standing, read_standing
from mpc_party.journal.standing import REMEDY_RESTORED
from mpc_party.member.backup import Backup, BackupError, open_backup
from mpc_party.member.home import MAX_KEY_SHARE, PURPOSE_KEY_SHARE, PartyHome
from mpc_party.member.joining import require_fitting
from mpc_party.protocol.card import dump_card
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.identity import MAX_IDENTITY, PURPOSE_MEMBER, Identity
from mpc_party.protocol.keystore import open_sealed, seal
from mpc_party.protocol.model_share import MAX_FILE as MAX_MODEL_SHARE
from mpc_party.protocol.passphrase import Passphrase

_STAGING = ".restoring-"
REMEDY_DIFFERS = "import the backup into an empty folder (--home), and compare"
REMEDY_OUTDATED = "`mpc-party join` the current consortium file, and `mpc-party recover` your share of its key, together with the others"


@dataclass(frozen=True)
class Imported:
    """What was done. `written`: the files that were missing. Rounds up to `last_round` are closed; `known`: all others open."""

    member: str
    consortium: Consortium
    written: tuple[str, ...]
    last_round: int
    known: bool

    @property
    def remedy(self) -> str | None:
        """What to do before the party can start."""
        return None if self.known else REMEDY_RESTORED


def import_backup(
    folder: PartyHome,
    file: Path,
    passphrase: Passphrase,
    backup_passphrase: Passphrase,
    after_round: int | None = None,
) -> Imported:
    """Take a backup back. On any error no file is there that was not, but perhaps a new journal, which promises nothing.

    Args:
        folder: need not exist; its party must not run.
        file: the backup.
        passphrase: of the folder: opens what is there, and seals what is not.
        backup_passphrase: of the backup.
        after_round: the highest round that any member has seen; None to say it later.

    Raises:
        ConsortiumError: the backup does not open, is another member's (KEY_UNKNOWN) or of an epoch that is over
            (BACKUP_OUTDATED); a file is there and differs; `after_round` is below the backup's own; the party runs.
    """
    backup = open_backup(file, backup_passphrase)
    consortium = backup.consortium()
    if after_round is not None and after_round < backup.last_round:
        raise ConfigError(
            f"--after-round {after_round}: this member had promised round {backup.last_round} itself before the backup",
            remedy=REMEDY_RESTORED,
        )
    standing = read_standing(folder.journal_file)
    _require_current(folder, standing, backup)
    target, whole = folder.path.resolve(), _is_empty(folder.path)
    with _staging(target, beside=whole) as staged:
        identity = _build(staged, backup, consortium, passphrase)
        missing = _missing(folder, staged, identity, backup, passphrase)
        if whole:
            floor = _settle(staged.journal_file, backup, after_round)
            _become(staged.path, target)
        else:
            floor = _settle(folder.journal_file, backup, after_round)
            _place(folder, staged, missing)
    return Imported(backup.member, consortium, missing, floor.round, floor.known)


def _require_current(folder: PartyHome, standing: Standing | None, backup: Backup) -> None:
    """An epoch that is over does not come back."""
    seen = 0 if standing is None or standing.consortium != backup.consortium_id else standing.epoch
    if folder.has(folder.consortium_file):
        here = folder.consortium()
        if here.id_bytes == backup.consortium_id:
            seen = max(seen, here.epoch)
    if backup.epoch < seen:
        raise BackupError(
            f"the backup is of epoch {backup.epoch}, which is over: this folder has seen epoch {seen}",
            reason=Reason.BACKUP_OUTDATED,
            remedy=REMEDY_OUTDATED,
        )


def _is_empty(folder: Path) -> bool:
    """Whether the folder can be put into place as a whole: a mount point cannot."""
    try:
        return not folder.exists() or (not any(folder.iterdir()) and not os.path.ismount(folder))
    except OSError as error:
        raise ConfigError(f"folder {folder}: {error.strerror or error}") from None


@contextmanager
def _staging(target: Path, *, beside: bool) -> Iterator[PartyHome]:
    """A folder that is removed at the end, as are those of imports that were killed."""
    place, prefix = (target.parent, f".{target.name}{_STAGING}") if beside else (target, _STAGING)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in place.glob(f"{prefix}*"):
            shutil.rmtree(left)
        staged = Path(tempfile.mkdtemp(prefix=prefix, dir=place))  # mode 0700
    except OSError as error:
        raise ConfigError(f"cannot write to {place}: {error.strerror or error}") from None
    try:
        yield PartyHome(staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _build(staged: PartyHome, backup: Backup, consortium: Consortium, passphrase: Passphrase) -> Identity:
    """Write all that the backup holds, and check it as a party does that starts."""
    sealed = seal(backup.identity, passphrase, PURPOSE_MEMBER)
    write_atomic(staged.identity_file, sealed, secret=True)
    write_atomic(staged.consortium_file, backup.consortium_file.encode())
    try:
        identity = staged.identity(passphrase)
    except (TypeError, ValueError):  # of the libraries that read keys
        raise BackupError("the backup holds keys that cannot be used") from None
    if identity.name != backup.member:
        raise BackupError(
            f"the backup says that it is of {backup.member}, and holds the keys of {identity.name}"
        )
    own = identity.require_member(consortium)
    card = identity.card()
    write_atomic(staged.path / card.file_name, dump_card(card).encode())
    if backup.key_share is not None:
        sealed = seal(backup.key_share, passphrase, PURPOSE_KEY_SHARE)
        write_atomic(staged.key_share_file, sealed, secret=True)
    if backup.model_share is not None:
        write_atomic(staged.model_share_file, backup.model_share, secret=True)
    if consortium.key is not None:
        staged.key_share(passphrase, consortium, own)
    if consortium.model is not None:
        require_fitting(consortium, staged.model_share(identity, consortium, own))
    return identity


def _missing(
    folder: PartyHome, staged: PartyHome, identity: Identity, backup: Backup, passphrase: Passphrase
) -> tuple[str, ...]:
    """Which files are to come into place, in this order; all others must hold what the backup holds."""
    if folder.has(folder.identity_file) and folder.identity(passphrase).member != identity.member:
        raise BackupError(
            f"{folder.identity_file} is of {folder.identity(passphrase).name}, the backup holds other keys, of"
            f" {identity.name}",
            reason=Reason.KEY_UNKNOWN,
            remedy=REMEDY_DIFFERS,
        )
    checks: tuple[tuple[Path, Callable[[], bool]], ...] = (
        (folder.consortium_file, lambda: folder.consortium().hash == backup.consortium_hash),
        (folder.key_share_file, lambda: _key_share(folder, passphrase) == backup.key_share),
        (folder.model_share_file, lambda: _model_share(folder) == backup.model_share),
        # Public, and made from the identity at any time.
        (folder.path / identity.card().file_name, lambda: True),
        (folder.identity_file, lambda: _identity(folder, passphrase) == backup.identity),
    )
    missing = []
    for file, is_same in checks:
        if not staged.has(staged.path / file.name):
            continue
        if not folder.has(file):
            missing.append(file.name)
        elif not is_same():
            raise BackupError(
                f"{file} is there and differs from the backup, and is not replaced",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy=REMEDY_DIFFERS,
            )
    return tuple(missing)


def _identity(folder: PartyHome, passphrase: Passphrase) -> bytes:
    sealed = read_limited(folder.identity_file, MAX_IDENTITY, "keystore")
    return open_sealed(sealed, passphrase, PURPOSE_MEMBER, f"keystore {folder.identity_file}")


def _key_share(folder: PartyHome, passphrase: Passphrase) -> bytes:
    sealed = read_limited(folder.key_share_file, MAX_KEY_SHARE, "key share")
    return open_sealed(sealed, passphrase, PURPOSE_KEY_SHARE, f"key share {folder.key_share_file}")


def _model_share(folder: PartyHome) -> bytes:
    return read_limited(folder.model_share_file, MAX_MODEL_SHARE, "model share")


def _settle(journal_file: Path, backup: Backup, after_round: int | None) -> Floor:
    """The journal that is there stays; a new one knows only where the lost one has been at least.

    So does one that is behind the backup: it is an old copy of itself.

    Returns:
        The rounds that are closed now.
    """
    unknown = Floor(backup.last_round, "restored from a backup", known=False)
    with Journal.open(
        journal_file, consortium=backup.consortium_id, epoch=backup.epoch, beginning=unknown
    ) as journal:
        if journal.last_round() < backup.last_round:
            journal.distrust(unknown.round, unknown.why)
        if after_round is not None:
            journal.raise_floor(after_round, "said by the member after a restore")
        return Floor(journal.last_round(), journal.floor().why, journal.floor().known)


def _place(folder: PartyHome, staged: PartyHome, missing: tuple[str, ...]) -> None:
    """Bring files into place, none over another; if one cannot be, none stays."""
    with ExitStack() as placed:
        for name in missing:
            source = staged.path / name
            secret = not source.stat().st_mode & 0o077
            write_atomic(folder.path / name, source.read_bytes(), secret=secret, overwrite=False)
            placed.callback((folder.path / name).unlink)
        placed.pop_all()


def _become(staged: Path, target: Path) -> None:
    """Rename over an empty folder or none: in one step, and on the disk."""
    try:
        staged.rename(target)
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError(f"cannot make the folder {target}: {error.strerror or error}") from None


__all__ = ["Imported", "import_backup"]
