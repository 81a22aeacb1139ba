"""A backup: one file with all that a member cannot get again from anybody, sealed under a passphrase.

File format, version 1: what `protocol.keystore.seal` makes for the purpose "member backup" of the MessagePack array

    ["backup", 1, consortium id, epoch, consortium hash, member, last round, exported at (Unix ms),
     identity, consortium file, key share, model share]

with the identity and the key share as their keystores hold them, in the clear; the consortium file's text; and the model
share's file, which only the identity opens. Key and model share are nil where the consortium has no key or model yet.

What is not in it, and why: the journal, nonces and presignatures, openings of rounds. Whoever comes back with an old journal
has forgotten what it has promised and spent since; so an import never brings one back (`mpc_party.member.restoring`). The
last round only says where the journal that is lost has been at least.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from mpc_party.journal import read_standing
from mpc_party.member.home import MAX_KEY_SHARE, PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import WHAT as CONSORTIUM_FILE
from mpc_party.protocol.consortium_file import parse_consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.files import read_limited, read_text_limited, write_atomic
from mpc_party.protocol.identity import MAX_IDENTITY, PURPOSE_MEMBER
from mpc_party.protocol.keystore import MAX_SEALED, open_sealed, seal
from mpc_party.protocol.messages import MemberName
from mpc_party.protocol.model_share import MAX_FILE as MAX_MODEL_SHARE
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.toml import MAX_FILE as MAX_CONSORTIUM

PURPOSE: Final = "member backup"
MAX_BACKUP: Final = MAX_SEALED + 1024
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class BackupError(ConsortiumError):
    """A backup cannot be made or taken back."""

    default_reason = Reason.BACKUP_INVALID


class Backup(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="backup"):
    """What is sealed. Secret."""

    version: Literal[1]
    consortium_id: Bytes32
    epoch: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    consortium_hash: Bytes32
    member: MemberName
    last_round: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    exported_at: Annotated[int, Meta(ge=0, le=2**63 - 1)]  # Unix milliseconds
    identity: Annotated[bytes, Meta(max_length=MAX_IDENTITY)]
    consortium_file: Annotated[str, Meta(max_length=MAX_CONSORTIUM)]
    key_share: Annotated[bytes, Meta(max_length=MAX_KEY_SHARE)] | None
    model_share: Annotated[bytes, Meta(max_length=MAX_MODEL_SHARE)] | None

    def __repr__(self) -> str:
        return f"<Backup of {self.member}>"

    def consortium(self) -> Consortium:
        """The consortium file in it, checked against what the backup says of it.

        Raises:
            ConsortiumError: BACKUP_INVALID; CONFIG_INVALID if the file breaks a rule.
        """
        consortium = parse_consortium(self.consortium_file, f"{CONSORTIUM_FILE} in the backup")
        said = (self.consortium_id, self.epoch, self.consortium_hash)
        if said != (consortium.id_bytes, consortium.epoch, consortium.hash):
            raise BackupError("the backup holds another consortium file than it says")
        return consortium


@dataclass(frozen=True)
class Exported:
    """What was written."""

    member: str
    consortium: Consortium
    last_round: int
    has_key: bool
    has_model: bool


def export_backup(
    folder: PartyHome, passphrase: Passphrase, backup_passphrase: Passphrase, out: Path
) -> Exported:
    """Write the backup of a folder, mode 0600. Read-only to the folder, and may run beside its party. Takes about 0.5 s.

    Args:
        folder: with at least identity and consortium file.
        passphrase: of the folder.
        backup_passphrase: to seal the backup under; may be the same.
        out: must not exist.

    Raises:
        ConsortiumError: what should be in it is missing or does not fit; HANDOVER_UNDECIDED, as it is not known which epoch
            the backup would be of; or the file cannot be written.
    """
    standing = read_standing(folder.journal_file)
    if standing is not None and standing.undecided is not None and standing.obstacle is not None:
        raise standing.obstacle
    identity = folder.identity(passphrase)
    text = read_text_limited(folder.consortium_file, MAX_CONSORTIUM, CONSORTIUM_FILE)
    consortium = parse_consortium(text, f"{CONSORTIUM_FILE} {folder.consortium_file}")
    own = identity.require_member(consortium)
    if standing is not None and (
        standing.consortium != consortium.id_bytes or standing.epoch > consortium.epoch
    ):
        raise BackupError(
            f"the journal has seen epoch {standing.epoch} of its consortium, which the consortium file is not of",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="use the current consortium file",
        )
    key = None if consortium.key is None else folder.key_share(passphrase, consortium, own).encode()
    model = None if consortium.model is None else folder.sealed_model_share(identity, consortium, own)[0]
    in_epoch = standing is not None and standing.epoch == consortium.epoch
    backup = Backup(
        version=1,
        consortium_id=consortium.id_bytes,
        epoch=consortium.epoch,
        consortium_hash=consortium.hash,
        member=identity.name,
        last_round=standing.last_round if standing is not None and in_epoch else 0,
        exported_at=time.time_ns() // 1_000_000,
        identity=open_sealed(
            read_limited(folder.identity_file, MAX_IDENTITY, "keystore"), passphrase, PURPOSE_MEMBER
        ),
        consortium_file=text,
        key_share=key,
        model_share=model,
    )
    write_atomic(out, seal_backup(backup, backup_passphrase), secret=True, overwrite=False)
    return Exported(identity.name, consortium, backup.last_round, key is not None, model is not None)


def seal_backup(backup: Backup, passphrase: Passphrase) -> bytes:
    """The whole file.

    Raises:
        BackupError: larger than a sealed file can be, which a model share of almost 64 MiB makes it.
    """
    plain = msgspec.msgpack.encode(backup)
    if len(plain) > MAX_SEALED:
        raise BackupError(
            f"the backup would have {len(plain)} bytes, and a sealed file has at most {MAX_SEALED}",
            remedy="copy the folder's files but the journal to a safe place instead",
        )
    return seal(plain, passphrase, PURPOSE)


def open_backup(path: Path, passphrase: Passphrase) -> Backup:
    """Read a backup and check its form. What it holds is checked by who takes it back.

    Raises:
        ConsortiumError: PASSPHRASE_WRONG - or changed; CONFIG_INVALID - no sealed file, or one of another purpose;
            BACKUP_INVALID - it opens, but is no backup of this version.
    """
    what = f"backup {path}"
    plain = open_sealed(read_limited(path, MAX_BACKUP, "backup"), passphrase, PURPOSE, what)
    try:
        backup = msgspec.msgpack.decode(plain, type=Backup)
    except (msgspec.DecodeError, RecursionError):
        # The cause is dropped: its message may quote what it met.
        raise BackupError(f"{what}: opens, but does not hold a backup of this version") from None
    if msgspec.msgpack.encode(backup) != plain:
        raise BackupError(f"{what}: a second encoding of a backup")
    return backup
