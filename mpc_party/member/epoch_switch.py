"""A member's folder between two epochs: what is written when, and how a process that was killed is taken up.

The pending folder of a ceremony, `pending-` and the first 8 hex digits of its name:

    previous.toml          the consortium file in force
    next.toml              the next one, as the operator sent it
    leaving                there, and empty, where this member is not in the next epoch
    key-share.keystore     the new key share, sealed
    model-share.age        the new share of the model
    body                   the transcript, without signatures; written last: with it, the folder is complete
    certificate            the transcript with the signatures of all
    consortium.toml        the completed consortium file: the *commit record*. Whoever finds it finishes the move
    old-...                old shares, on their way out

The move, each step durable before the next, and each safe to do twice:

    1. consortium.previous.toml     the file of the epoch that ends, without shares
    2. old-key-share.keystore       renamed from key-share.keystore; then the new share takes its place
    3. old-model-share.age          likewise; a refit's `.next` and `.previous` shares are of the old epoch, too
    4. consortium.toml              the completed file
    5. the journal                  goes to the new epoch
    6. old shares                   overwritten with random bytes, synced, unlinked; those of ceremonies given up as well
    7. NAME.transcript              the certificate, for people and for members that missed the end
    8. the pending folder           removed, the commit record first: nothing that is left in it matters then, and the next
                                    ceremony sweeps it away

Killed before the commit record: the old epoch's files are untouched. After it: the move is finished at the next command.

What erasing does not promise. Overwriting a file writes to the same blocks on a plain disk and file system. A solid-state disk
writes elsewhere and keeps the old cells until it needs them; a file system with a journal for data, with snapshots, or that copies
on write, keeps old blocks, and so do backups. There the sealing protects: old shares are ciphertext under the passphrase, or
under the member's key, and t+1 members' are needed.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mpc_party.journal import HandoverState, Journal, read_standing
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.resharing.successor import completed
from mpc_party.resharing.transcript import (
    MAX_FILE,
    Transcript,
    TranscriptBody,
    decode_body,
    encode_body,
    load_transcript,
)

PREFIX: Final = "pending-"
_OLD: Final = "old-"
_RECORD: Final = "consortium.toml"
_STRAY: Final = ("model-share.next.age", "model-share.previous.age")  # a refit's


@dataclass(frozen=True)
class Pending:
    """The pending folder of one ceremony."""

    path: Path

    @classmethod
    def of(cls, folder: PartyHome, ceremony: bytes) -> "Pending":
        """Where a ceremony (32 bytes) keeps the next epoch's files."""
        return cls(folder.path / f"{PREFIX}{ceremony[:4].hex()}")

    @property
    def is_recorded(self) -> bool:
        """Whether the commit record is there."""
        return (self.path / _RECORD).exists()

    @property
    def is_certified(self) -> bool:
        """Whether the certificate is there."""
        return (self.path / "certificate").exists() and self.is_complete

    @property
    def is_complete(self) -> bool:
        """Whether all that has to be there before this member signs is there."""
        return (self.path / "body").exists()

    def body(self) -> TranscriptBody:
        """The transcript that this member has signed, or would have.

        Raises:
            ConfigError: it is not there, or damaged.
        """
        file = self.path / "body"
        return decode_body(read_limited(file, MAX_FILE, "pending transcript"), str(file))

    def previous(self) -> Consortium:
        """The file of the epoch that ends."""
        return load_consortium(self.path / "previous.toml")

    def next(self) -> Consortium:
        """The next file, without key and model."""
        return load_consortium(self.path / "next.toml")

    def store(
        self,
        previous: Consortium,
        following: Consortium,
        body: TranscriptBody,
        *,
        key_share: bytes | None,
        model_share: bytes | None,
    ) -> None:
        """Write the folder, the body last. Shares are sealed; a member that leaves has none.

        Raises:
            ConfigError: a file cannot be written.
        """
        with _told_as_config(self.path):
            self.path.mkdir(mode=0o700, exist_ok=True)
            _sync(self.path.parent)
        save_consortium(self.path / "previous.toml", previous)
        save_consortium(self.path / "next.toml", following)
        if key_share is None:
            write_atomic(self.path / "leaving", b"")
        else:
            write_atomic(self.path / "key-share.keystore", key_share, secret=True)
        if model_share is not None:
            write_atomic(self.path / "model-share.age", model_share, secret=True)
        write_atomic(self.path / "body", encode_body(body))

    def record(self, certificate: Transcript) -> Consortium:
        """Write the certificate, then the commit record: from here on the new epoch is the one that counts.

        Returns:
            The completed consortium file.

        Raises:
            ConfigError: a file cannot be written; nothing is decided then.
        """
        body = certificate.body
        model = None if body.new_model is None else body.new_model.hex()
        complete = completed(self.next(), certificate.group_key, model)
        write_atomic(self.path / "certificate", certificate.encode())
        save_consortium(self.path / _RECORD, complete)
        return complete


def pending_folders(folder: PartyHome) -> tuple[Pending, ...]:
    """All that there are.

    Raises:
        ConfigError: the folder does not let us look.
    """
    with _told_as_config(folder.path):
        if not folder.path.exists():
            return ()
        return tuple(Pending(path) for path in sorted(folder.path.iterdir()) if path.name.startswith(PREFIX))


def finish_move(folder: PartyHome) -> Consortium | None:
    """Take up what a killed process has left half done. Takes the journal; does nothing where nothing is decided.

    Returns:
        The consortium file of the epoch that the folder has come to; None where there was nothing to do.

    Raises:
        ConsortiumError: the party runs, or a file cannot be written.
    """
    standing = read_standing(folder.journal_file) if folder.has(folder.journal_file) else None
    undecided = None if standing is None else standing.undecided
    for pending in pending_folders(folder):
        if not pending.is_recorded:
            # Killed between the certificate and the record that follows from it.
            if undecided is None or not pending.is_certified or pending.body().ceremony != undecided.ceremony:
                continue
            pending.record(load_transcript(pending.path / "certificate"))
        complete = load_consortium(pending.path / _RECORD)
        epoch = complete.epoch if undecided is None else undecided.from_epoch
        with Journal.open(folder.journal_file, consortium=complete.id_bytes, epoch=epoch) as journal:
            return move(folder, pending, journal)
    return None


def sweep(folder: PartyHome, journal: Journal) -> None:
    """Remove what a killed process has left of pending folders that bind nobody: never completed, or long committed.

    Raises:
        ConfigError: a file cannot be removed.
    """
    undecided = journal.undecided()
    with _told_as_config(folder.path):
        for pending in pending_folders(folder):
            if pending.is_recorded or (
                undecided is not None and pending == Pending.of(folder, undecided.ceremony)
            ):
                continue
            said = journal.handover(pending.body().ceremony) if pending.is_complete else None
            if not pending.is_complete or (said is not None and said.state is HandoverState.COMMITTED):
                _erase_shares(pending, all_of_them=True)
                _remove(pending)


def discard(folder: PartyHome) -> None:
    """Erase all shares of an epoch that is over, and all pending folders: for a member that comes to a later epoch by recovery.

    Raises:
        ConfigError: a file cannot be removed.
    """
    with _told_as_config(folder.path):
        for pending in pending_folders(folder):
            _erase_shares(pending, all_of_them=True)
            _remove(pending)
        for file in (folder.key_share_file, folder.model_share_file, *map(folder.path.joinpath, _STRAY)):
            if file.exists():
                erase(file)


def move(folder: PartyHome, pending: Pending, journal: Journal) -> Consortium:
    """Steps 1 to 8, from wherever they stand. See the top of the file.

    Args:
        folder: the member's.
        pending: with the commit record.
        journal: open; in the old epoch, or in the new one if step 5 was done.

    Raises:
        ConsortiumError: a file or the journal cannot be written; the next command goes on.
    """
    complete = load_consortium(pending.path / _RECORD)
    certificate = load_transcript(pending.path / "certificate")
    with _told_as_config(folder.path):
        if (pending.path / "previous.toml").exists():
            save_consortium(folder.path / "consortium.previous.toml", pending.previous())
        leaving = (pending.path / "leaving").exists()
        _replace(folder.key_share_file, pending, leaving=leaving)
        _replace(folder.model_share_file, pending, leaving=leaving or complete.model is None)
        for stray in _STRAY:
            _put_away(folder.path / stray, pending)
        save_consortium(folder.consortium_file, complete)
        _commit(journal, certificate.body)
        for other in pending_folders(folder):
            _erase_shares(other, all_of_them=other != pending)
        write_atomic(transcript_file(folder, certificate.body), certificate.encode())
        for other in pending_folders(folder):
            if other != pending:
                _remove(other)
        _remove(pending)
    return complete


def transcript_file(folder: PartyHome, body: TranscriptBody) -> Path:
    """Where a ceremony's certificate is kept: `reshare-2.transcript`. An epoch can see several recoveries."""
    several = f"-{body.ceremony[:4].hex()}" if body.kind == "recover" else ""
    return folder.path / f"{body.kind}-{body.new_epoch}{several}.transcript"


def _commit(journal: Journal, body: TranscriptBody) -> None:
    """5. "the journal goes to the new epoch"."""
    if journal.epoch < body.new_epoch:
        journal.commit_handover(body.ceremony, floor=body.floor)
    elif (
        journal.last_round() < body.floor
    ):  # a journal that knew nothing of it, and was opened in the new epoch
        journal.raise_floor(body.floor, f"{body.kind} to epoch {body.new_epoch}")


def _replace(file: Path, pending: Pending, *, leaving: bool) -> None:
    """2. The old share goes into the pending folder, then the new one takes its place."""
    new = pending.path / file.name
    if leaving or new.exists():  # where the new one is gone from here, what is in the place is the new one
        _put_away(file, pending)
    if new.exists():
        _rename(new, file)


def _put_away(file: Path, pending: Pending) -> None:
    if file.exists():
        _rename(file, pending.path / f"{_OLD}{file.name}")


def _rename(source: Path, target: Path) -> None:
    source.replace(target)
    _sync(target.parent)
    if source.parent != target.parent:
        _sync(source.parent)


def _erase_shares(pending: Pending, *, all_of_them: bool) -> None:
    """6. Old shares, and shares of ceremonies that came to nothing."""
    for file in sorted(pending.path.iterdir()):
        if file.name.startswith(_OLD) or (all_of_them and file.suffix in {".keystore", ".age"}):
            erase(file)


def erase(file: Path) -> None:
    """Overwrite a file with random bytes, sync, unlink. See the top of the file for what that does not promise.

    Raises:
        OSError: it cannot be.
    """
    with file.open("r+b", buffering=0) as opened:
        opened.write(secrets.token_bytes(max(1, file.stat().st_size)))
        os.fsync(opened.fileno())
    file.unlink()
    _sync(file.parent)


def _remove(pending: Pending) -> None:
    """8. The commit record first."""
    (pending.path / _RECORD).unlink(missing_ok=True)
    _sync(pending.path)
    for file in sorted(pending.path.iterdir()):
        file.unlink()
    pending.path.rmdir()
    _sync(pending.path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told_as_config(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{error.filename or path}: {error.strerror or error}") from None


__all__ = [
    "PREFIX",
    "Pending",
    "discard",
    "erase",
    "finish_move",
    "move",
    "pending_folders",
    "sweep",
    "transcript_file",
]
