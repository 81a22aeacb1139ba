"""`mpc-party disclose` and `mpc-party exposure`: what a member opens to an auditor, and what it reads for itself.

Both read the journal beside a running party, and need the passphrase: what the journal keeps is encrypted to the identity.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from mpc_party.audit.disclosure import disclosure_of, seal_disclosure
from mpc_party.audit.errors import AuditError
from mpc_party.audit.opening import REMEDY_JOURNAL, OwnExposure, open_exposure, open_opening
from mpc_party.console import tell
from mpc_party.journal import OpeningRecord, read_opening
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.consortium_rules import check_recipient
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import read_limited, write_atomic
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.model_share import MAX_FILE, check_share, share_content
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.secret import Secret


@dataclass(frozen=True)
class Disclosed:
    """What a disclosure holds, for the member to read: nothing in it is secret."""

    round: int
    epoch: int
    member: str
    auditor: str
    expiries: int
    instruments: int
    weights: int
    commitments: bool  # whether the disclosure lists the committee's
    path: Path

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"path": str(self.path)}

    def lines(self) -> list[str]:
        """For a person."""
        said = [f"Round {self.round} as {self.member} put it in is in {self.path}. Send it to the auditor."]
        if not self.commitments:
            said.append(
                "  This member kept no list of the committee's commitments: the round may have ended without a report here."
            )
        return said


@dataclass(frozen=True, repr=False)
class FoundExposure(Secret):
    """This member's exposure of a round, opened."""

    epoch: int
    round: int
    state: str
    exposure: OwnExposure

    def summary(self) -> dict[str, Any]:
        """For JSON, which its owner asked for."""
        return {
            "epoch": self.epoch,
            "round": self.round,
            "state": self.state,
            **msgspec.structs.asdict(self.exposure),
        }


def show_exposure(found: FoundExposure) -> None:
    """The same for a person."""
    own = found.exposure
    tell(f"Round {found.round} of epoch {found.epoch} ({found.state}), in contracts times forwards:")
    tell(f"  delta {own.delta:+.6g}   gamma {own.gamma:+.6g}   vega {own.vega:+.6g}")
    tell(f"  loss in the worst scenario {own.scenario_loss:.6g}")
    if own.positions_left_out:
        tell(f"  {own.positions_left_out} options held were not in the round's book and are not counted")


def announcement(consortium: Consortium, auditor: str) -> list[str]:
    """What a member should know before it discloses, line by line."""
    quorum = consortium.threshold + 1
    return [
        f"To whoever has the key of {auditor} this shows, of one round of {consortium.name}:",
        "  your surface and order flow, as you committed to them;",
        f"  your share of the model: with those of {quorum} members the auditor has all its weights.",
        "It does not show your positions or your exposure. It is signed with your key.",
    ]


def check_auditor(auditor: str) -> None:
    """Refuse what is no age recipient.

    Raises:
        ConfigError: it is none.
    """
    check_recipient(auditor, "--auditor")


def disclose(
    folder: PartyHome,
    passphrase: Passphrase,
    *,
    consortium: Consortium | None,
    round_number: int,
    epoch: int | None,
    auditor: str,
    model_share: Path | None,
    out: Path,
) -> Disclosed:
    """Write a disclosure of one round for one auditor.

    Args:
        folder: of the member.
        passphrase: of its identity.
        consortium: the file in force at the round; None for the one in the folder, or the one that a refit left there.
        round_number: a round whose opening the journal keeps.
        epoch: of the round; None for that of the consortium file.
        auditor: age recipient.
        model_share: the share in force at the round; None for whichever in the folder fits.
        out: where to write; not over another file.

    Raises:
        ConsortiumError: no opening is kept, it does not fit the file or the journal, or the share is another.
    """
    check_auditor(auditor)
    identity = folder.identity(passphrase)
    files = _consortium_files(folder) if consortium is None else [consortium]
    wanted = files[0].epoch if epoch is None else epoch
    record = _kept(folder, wanted, round_number)
    opening = open_opening(record.opening, identity.decrypt)
    group = next((file for file in files if file.hash == opening.consortium), None)
    if group is None:
        raise ConfigError(
            f"round {round_number} was run under another consortium file, {opening.consortium.hex()[:16]}...",
            reason=Reason.CONSORTIUM_MISMATCH,
            remedy="give the file that was in force with --consortium, and its model share with --model-share",
        )
    own = identity.require_member(group)
    found = (opening.epoch, opening.round, opening.member, opening.commitment())
    if found != (wanted, round_number, own, record.commitment):
        raise AuditError(
            f"what is kept of round {round_number} does not open its commitment", remedy=REMEDY_JOURNAL
        )
    content, weights = _share_content(folder, identity, group, own, model_share)
    disclosure = disclosure_of(opening, auditor, record.commitments, content)
    write_atomic(out, seal_disclosure(disclosure, identity), secret=True, overwrite=False)
    proposal = opening.decoded_proposal()
    return Disclosed(
        round=round_number,
        epoch=wanted,
        member=identity.name,
        auditor=auditor,
        expiries=len(proposal.expiries),
        instruments=len(proposal.instruments),
        weights=weights,
        commitments=bool(record.commitments),
        path=out,
    )


def own_exposure(folder: PartyHome, passphrase: Passphrase, round_number: int | None) -> FoundExposure:
    """This member's net exposure of a round, or of the newest round that has one.

    Raises:
        ConsortiumError: none is kept, or it does not open.
    """
    identity = folder.identity(passphrase)
    record = read_opening(folder.journal_file, None, round_number, exposed=True)
    if record is None or record.exposure is None:
        which = "any round" if round_number is None else f"round {round_number}"
        raise ConfigError(
            f"the journal keeps no exposure of {which}",
            remedy="it has one of each round this party computed, but for the oldest; see `mpc-party status`",
        )
    exposure = open_exposure(record.exposure, identity.decrypt)
    return FoundExposure(record.epoch, record.round, str(record.state), exposure)


def _kept(folder: PartyHome, epoch: int, round_number: int) -> OpeningRecord:
    record = read_opening(folder.journal_file, epoch, round_number)
    if record is None:
        raise ConfigError(
            f"the journal keeps no opening of round {round_number} in epoch {epoch}",
            remedy="this party was not in its committee, or it is too old; see `mpc-party status`",
        )
    return record


def _consortium_files(folder: PartyHome) -> list[Consortium]:
    """The file in force, and the one before the last refit where there is one."""
    files = [folder.consortium()]
    previous = folder.path / "consortium.previous.toml"
    if folder.has(previous):
        with suppress(ConsortiumError):
            files.append(load_consortium(previous))
    return files


def _share_content(
    folder: PartyHome, identity: Identity, consortium: Consortium, own: int, model_share: Path | None
) -> tuple[bytes, int]:
    """The content of the share that fits the consortium file, and the number of weights."""
    commitment = None if consortium.model is None else bytes.fromhex(consortium.model)
    beside = (folder.next_model_share_file, folder.path / "model-share.previous.age")
    files = [folder.model_share_file, *(file for file in beside if folder.has(file))]
    failure: ConsortiumError | None = None
    for file in files if model_share is None else [model_share]:
        try:
            content = share_content(read_limited(file, MAX_FILE, "model share"), identity.decrypt)
            return content, check_share(content, member=own, commitment=commitment).header.count
        except ConsortiumError as error:
            failure = failure or error
    raise failure or ConfigError(f"no model share in {folder.path}")
