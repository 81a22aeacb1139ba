"""Taking up a consortium file: what a member accepts, and what it never accepts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import structlog

from mpc_party.hedging.model import check_header
from mpc_party.journal import read_standing
from mpc_party.member.epoch_switch import Pending, finish_move, require_decided
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.consortium_rules import expired_certificates
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.model_share import MAX_FILE, ModelShare, open_share
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.resharing.checking import check_against
from mpc_party.resharing.transcript import load_transcript

log = structlog.get_logger("mpc_party")


def take_up(
    folder: PartyHome, identity: Identity, passphrase: Passphrase, file: Path, model_share: Path | None
) -> Consortium:
    """Check the file (and the share), then store both; on any error the folder stays as it was.

    Raises:
        ConsortiumError: the file breaks a rule, this identity is no member, it contradicts the file taken up
            before or the shares that are here, or the share does not fit it; HANDOVER_UNDECIDED.
    """
    require_decided(folder)
    consortium = load_consortium(file)
    own = identity.require_member(consortium)
    if folder.has(folder.consortium_file):
        check_completes(folder.consortium(), consortium)
    if consortium.key is not None and folder.has(folder.key_share_file):
        folder.key_share(passphrase, consortium, own)
    share = None
    if model_share is not None:
        if consortium.model is None:
            raise ConfigError(
                f"consortium file {file}: names no model",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy="take the file that the model owner dealt for",
            )
        share = read_limited(model_share, MAX_FILE, "model share")
        commitment = bytes.fromhex(consortium.model)
        require_fitting(consortium, open_share(share, identity.decrypt, member=own, commitment=commitment))
    elif consortium.model is not None and folder.has(folder.model_share_file):
        _check_share_here(folder, identity, consortium, own)
    for name in expired_certificates(consortium, datetime.now(UTC)):
        log.warning("certificate has expired", member=name)
    with _restored_on_failure(folder.model_share_file):
        if share is not None:
            write_atomic(folder.model_share_file, share, secret=True)
        save_consortium(folder.consortium_file, consortium)
    return consortium


def take_up_epoch(folder: PartyHome, identity: Identity, file: Path, transcript: Path) -> Consortium:
    """End a change of epoch that is undecided here, by what another member has completed. Needs nobody else.

    Both files must be of the ceremony that this member has signed: its own signature is in the certificate, over the transcript
    in its pending folder.

    Args:
        folder: of a member that was killed, or lost the others, after it had signed.
        identity: its keys.
        file: the completed consortium file.
        transcript: with the signatures of all.

    Raises:
        ConsortiumError: nothing is undecided here, or one of the files is of something else; the folder is as it was.
    """
    found, complete = load_transcript(transcript), load_consortium(file)
    moved = finish_move(folder)
    if moved is not None and moved.hash == complete.hash:
        return moved
    standing = read_standing(folder.journal_file)
    undecided = None if standing is None else standing.undecided
    if undecided is None or (undecided.ceremony, undecided.plan) != (found.body.ceremony, found.body.hash):
        raise ConfigError(
            f"transcript {transcript}: is not of a change of epoch that this member has signed and not seen the end of",
            reason=Reason.HANDOVER_ENDED,
            remedy="`mpc-party status` says where this member stands; `mpc-party recover` brings one that was left behind along",
        )
    pending = Pending.of(folder, found.body.ceremony)
    if check_against(found, complete).before:
        raise ConfigError(
            f"consortium file {file}: is the one before the change of epoch",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="take the completed one, from a member that is in the new epoch",
        )
    own = next((m for m in pending.body().cast if m.name == identity.name), None)
    if own is None or own.signing_key.hex() != identity.signing_key:
        raise ConfigError(f"{folder.path}: the pending change is another member's", reason=Reason.KEY_UNKNOWN)
    pending.record(found)
    completed = finish_move(folder)
    if completed is None:
        raise ConsortiumError("a commit record that is not found", reason=Reason.INTERNAL)
    return completed


def check_completes(before: Consortium, after: Consortium) -> None:
    """A later file may complete an earlier one of the same epoch; it may not change what members agreed on.

    The model and the contract may be replaced (`deal --replace`, `deploy --replace`), never taken away: a file
    without them is an older one.

    Raises:
        ConfigError: CONSORTIUM_MISMATCH, naming the fields.
    """
    agreed = ("id", "epoch", "name", "threshold", "coordinator", "members", "program")
    fixed = [field for field in agreed if getattr(before, field) != getattr(after, field)]
    if before.key is not None and after.key != before.key:
        fixed.append("key")
    if fixed:
        raise ConfigError(
            f"the file changes {', '.join(fixed)} of the consortium that this member has joined",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="ask the operator; another consortium or epoch needs another folder (--home)",
        )
    lost = [
        field
        for field in ("model", "settlement")
        if getattr(before, field) is not None and getattr(after, field) is None
    ]
    if lost:
        raise ConfigError(
            f"the file lacks the {' and the '.join(lost)} that the one taken up before has",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="it is an older one; ask the operator for the latest",
        )


def require_fitting(consortium: Consortium, share: ModelShare) -> None:
    """Refuse a share of a model for another consortium, epoch or program.

    Raises:
        ConsortiumError: MODEL_MISMATCH, naming what differs.
    """
    check_header(
        share.header,
        consortium=consortium.id_bytes,
        epoch=consortium.epoch,
        fraction_bits=consortium.program.fraction_bits,
    )


def _check_share_here(folder: PartyHome, identity: Identity, consortium: Consortium, own: int) -> None:
    """The share that is here must be of the model that the file names, or the party would not start with it."""
    try:
        require_fitting(consortium, folder.model_share(identity, consortium, own))
    except ConsortiumError as error:
        raise ConfigError(
            f"the model share in {folder.path} does not fit this file: {error.message}",
            reason=Reason.MODEL_MISMATCH,
            remedy="take up the file together with your share of the same dealing: --model-share SHARE",
        ) from None


@contextmanager
def _restored_on_failure(path: Path) -> Iterator[None]:
    """The file as it was before, or no file, unless the block ends well."""
    backup = path.with_name(f".{path.name}.before")
    backup.unlink(missing_ok=True)  # of a process that was killed
    existed = path.exists()
    if existed:
        os.link(path, backup)  # takes no space: the disk may be full
    try:
        yield
    except BaseException:
        if existed:
            backup.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    backup.unlink(missing_ok=True)


__all__ = ["check_completes", "require_fitting", "take_up", "take_up_epoch"]
