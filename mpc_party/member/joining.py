"""Taking up a consortium file: what a member accepts, and what it never accepts."""

from datetime import UTC, datetime
from pathlib import Path

import structlog

from mpc_party.hedging.model import check_header
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.consortium_rules import expired_certificates
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.model_share import MAX_FILE, open_share

log = structlog.get_logger("mpc_party")


def take_up(folder: PartyHome, identity: Identity, file: Path, model_share: Path | None) -> Consortium:
    """Check the file (and the share), then store both; on any error the folder stays as it was.

    Raises:
        ConsortiumError: the file breaks a rule, this identity is no member, it contradicts the file taken up
            before, or the share does not fit it.
    """
    consortium = load_consortium(file)
    own = identity.require_member(consortium)
    if folder.consortium_file.exists():
        check_completes(folder.consortium(), consortium)
    for name in expired_certificates(consortium, datetime.now(UTC)):
        log.warning("certificate has expired", member=name)
    share = None
    if model_share is not None:
        share = read_limited(model_share, MAX_FILE, "model share")
        if consortium.model is None:
            raise ConfigError(
                f"consortium file {file}: names no model",
                reason=Reason.CONSORTIUM_INCOMPLETE,
                remedy="take the file that the model owner dealt for",
            )
        opened = open_share(share, identity.decrypt, member=own, commitment=bytes.fromhex(consortium.model))
        check_header(
            opened.header,
            consortium=consortium.id_bytes,
            epoch=consortium.epoch,
            fraction_bits=consortium.program.fraction_bits,
        )
    if share is not None:
        write_atomic(folder.model_share_file, share, secret=True)
    save_consortium(folder.consortium_file, consortium)
    return consortium


def check_completes(before: Consortium, after: Consortium) -> None:
    """A later file may complete an earlier one of the same epoch; it may not change what members agreed on.

    Raises:
        ConfigError: CONSORTIUM_MISMATCH, naming the field.
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


__all__ = ["check_completes", "take_up"]
