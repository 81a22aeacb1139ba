"""`mpc-party recover NAME` as members run it: the one that has lost its shares, and t+1 others or more, their parties stopped.

What each state means, and what to do:

    waiting for NAME       as in a change of epoch; all name the same members with --with
    agreeing               a name for this ceremony
    recovering the key     four exchanges; nobody but the member learns anything of its share
    recovering the model   one more: its components come from those that hold them
    storing                at the member that recovers: shares into its folder, then the floor into its journal
    signing                all sign the transcript, the member that recovers after it has stored everything
    done                   nothing has changed for anybody else, and there is no new epoch

Killed at any point, a helper is as before; the member that recovers has its shares or runs it again: they are what they were,
so a second recovery writes the same.

The journal is not recovered, and cannot be. What stands in its place is a floor: the highest round that any of the others
says it has promised. Where n-t others or more take part, an honest one of them was in every committee of the lost journal, so
that no round can be promised twice. With fewer, the floor may be too low: then the journal says so, and promises nothing until
a recovery with more members, or the operator, says where it is safe to go on.
"""

import hashlib
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mpc_party.journal import Floor, Journal, read_standing
from mpc_party.member.ceremony import wait_for
from mpc_party.member.connecting import open_mesh
from mpc_party.member.epoch_switch import discard, finish_move, transcript_file
from mpc_party.member.evidence_files import evidence_kept
from mpc_party.member.home import PURPOSE_KEY_SHARE, PartyHome
from mpc_party.member.shares import old_shares
from mpc_party.mesh import MeshSession, deadline_in
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.model_share import open_share
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.beginning import begin
from mpc_party.resharing.model_recovery import recover_model
from mpc_party.resharing.recorded import RECOVER_STEPS, Recorded
from mpc_party.resharing.signing_together import sign_together
from mpc_party.resharing.transcript import (
    CastMember,
    Transcript,
    TranscriptBody,
    certificate,
    ordered_broadcasts,
)
from mpc_party.signing import KeyShare, MessageKeys
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.recover import run_recover
from mpc_party.signing.recover_context import RecoverContext
from mpc_party.signing.wire import RecoverSplit, decode

_MEETING: Final = b"mpc-hedge/recover-meeting/v1"
_SESSION: Final = b"mpc-hedge/recover-session/v1"
RUN_SECONDS: Final = 120.0
_LAST_ROUND: Final = 2**48 - 1  # of a report


@dataclass(frozen=True)
class Recovery:
    """What came of it. `floor`: of the recovering member's journal; `safe`: whether it can promise rounds again."""

    consortium: Consortium
    transcript: Transcript
    file: Path
    floor: int
    safe: bool
    helped: bool


@dataclass(frozen=True)
class _Scene:
    consortium: Consortium
    name: str
    own: int
    context: RecoverContext
    identity: Identity
    meeting: bytes

    @property
    def recovering(self) -> bool:
        """Whether this member is the one that has lost its shares."""
        return self.own == self.context.recovering


def run_recover_command(
    folder: PartyHome,
    passphrase: Passphrase,
    name: str,
    others: Collection[str],
    *,
    newer: Path | None,
    wait: float,
    listen: str | None,
    say: Callable[[str], None],
) -> Recovery:
    """`mpc-party recover`: at the member that has lost its shares, and at those that help.

    Args:
        folder: of this member.
        passphrase: of its keys.
        name: who has lost its shares.
        others: who helps, t+1 members or more; the same at all.
        newer: the consortium file in force, where the recovering member's is of an earlier epoch.
        wait: seconds to wait for the others.
        listen: HOST:PORT to bind instead of the address in the file.
        say: told each state as it is entered.

    Raises:
        ConsortiumError: somebody is missing, or a check failed; nothing has changed then, unless the error says so.
    """
    finish_move(folder)
    identity = folder.identity(passphrase)
    consortium = _consortium(folder, newer)
    own = identity.require_member(consortium)
    meeting = _meeting(consortium, name, others)
    # The ceremony's name comes later; this checks who takes part.
    context = RecoverContext.of_consortium(consortium, name, others, bytes(32))
    if own not in context.participants:
        raise ConfigError(
            f"{identity.name} is neither {name} nor among those that help",
            remedy="all that take part are named with --with, this member too",
        )
    scene = _Scene(consortium, name, own, context, identity, meeting)
    with ExitStack() as stack:
        stack.enter_context(evidence_kept(folder.path))
        journal, lost = _journal(folder, consortium, scene)
        stack.enter_context(journal)
        key_share = model_share = None
        if not scene.recovering:
            key_share, model_share = old_shares(folder, passphrase, identity, consortium)
        mesh = stack.enter_context(
            open_mesh(consortium, own, identity, listen=listen, consortium_hash=meeting)
        )
        wait_for(mesh, [m for m in context.participants if m != own], wait, say)
        session = hashlib.sha256(_SESSION + meeting).digest()
        links = stack.enter_context(mesh.session(session, context.participants, deadline_in(RUN_SECONDS)))
        return _recover(links, scene, folder, passphrase, journal, key_share, model_share, lost, say)


def _recover(
    links: MeshSession,
    scene: _Scene,
    folder: PartyHome,
    passphrase: Passphrase,
    journal: Journal,
    key_share: KeyShare | None,
    model_share: SharesAtRest | None,
    lost: bool,  # noqa: FBT001 - the recovering member's journal
    say: Callable[[str], None],
) -> Recovery:
    consortium, context = scene.consortium, scene.context
    say("agreeing")
    ceremony, header = begin(
        links, scene.meeting, consortium.names, consortium.model, model_share, context.others
    )
    others = [consortium.names[index] for index in context.others]
    context = RecoverContext.of_consortium(consortium, scene.name, others, ceremony)
    keys = {index: bytes.fromhex(member.signing_key) for index, member in enumerate(consortium.members)}
    say("recovering the key")
    recorded = Recorded(links, RECOVER_STEPS)
    recovered = run_recover(
        recorded,
        context,
        MessageKeys(scene.identity.sign, keys),
        None if scene.recovering else key_share,
        None if scene.recovering else min(journal.last_round(), _LAST_ROUND),
    )
    broadcasts = recorded.broadcasts(context.session)
    floor = _floor(broadcasts, context)
    given = None
    if header is not None and consortium.model is not None:
        say("recovering the model")
        given = recover_model(
            links,
            header,
            bytes.fromhex(consortium.model),
            context.helpers,
            context.recovering,
            consortium.names,
            None if scene.recovering else model_share,
        )
    safe = True
    if recovered is not None:
        say("storing")
        _store(folder, passphrase, scene, recovered.share, given)
        safe = _raise_floor(journal, context, floor, lost=lost)
    say("signing")
    body = _transcript_of(scene, context, broadcasts, floor)
    signed = certificate(body, sign_together(links, body, scene.identity.sign), {})
    file = transcript_file(folder, body)
    write_atomic(file, signed.encode())
    return Recovery(consortium, signed, file, floor, safe, helped=not scene.recovering)


def _consortium(folder: PartyHome, newer: Path | None) -> Consortium:
    """The file in force; of the recovering member, one that is newer than its own if need be.

    Raises:
        ConfigError: the newer one is another consortium's, or an earlier epoch's.
    """
    if newer is None:
        return folder.consortium()
    found = load_consortium(newer)
    if folder.has(folder.consortium_file):
        present = folder.consortium()
        if present.id != found.id or found.epoch < present.epoch:
            raise ConfigError(
                f"consortium file {newer}: is of another consortium, or of an epoch before {present.epoch}",
                reason=Reason.CONSORTIUM_MISMATCH,
                remedy="ask the other members for the file in force",
            )
    return found


def _journal(folder: PartyHome, consortium: Consortium, scene: _Scene) -> tuple[Journal, bool]:
    """The journal in the epoch in force, and whether this member's memory of that epoch is lost.

    Where the others have completed a change of epoch that is undecided here, its end is here: this member leaves the old
    epoch by its recovery, and never signs in it again.
    """
    standing = read_standing(folder.journal_file)
    lost = standing is None or standing.epoch < consortium.epoch or not standing.floor.known
    if standing is not None and standing.undecided is not None:
        undecided = standing.undecided
        if not scene.recovering or undecided.to_epoch is None or undecided.to_epoch > consortium.epoch:
            raise standing.obstacle or ConsortiumError("an undecided change of epoch")
        with Journal.open(
            folder.journal_file, consortium=consortium.id_bytes, epoch=undecided.from_epoch
        ) as old:
            old.abort_handover(undecided.ceremony)
    if lost and scene.recovering:
        beginning = Floor(0, "its shares are being recovered", known=False)
        return Journal.open(
            folder.journal_file,
            consortium=consortium.id_bytes,
            epoch=consortium.epoch,
            beginning=beginning,
        ), True
    return Journal.open(folder.journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch), False


def _meeting(consortium: Consortium, name: str, others: Collection[str]) -> bytes:
    """32 bytes on which all ends of the mesh must agree: the file, who recovers, and who helps."""
    helping = sorted({consortium.index_of(other) for other in others} - {consortium.index_of(name)})
    present = msgspec.msgpack.encode((consortium.index_of(name), helping))
    return hashlib.sha256(_MEETING + consortium.hash + present).digest()


def _floor(broadcasts: list[SignedMessage], context: RecoverContext) -> int:
    """The highest round that any of the others says it has promised.

    Raises:
        ConsortiumError: CEREMONY_FAILED, somebody says what no report has place for.
    """
    rounds = {}
    for message in broadcasts:
        if message.step == RECOVER_STEPS[0]:
            split = decode(
                RecoverSplit,
                message.body,
                session=context.session,
                sender=message.sender,
                receiver=message.sender,
                names=context.names,
                reason=Reason.RECOVERY_FAILED,
            )
            rounds[message.sender] = split.last_round
    highest = max(rounds, key=lambda member: rounds[member])
    if rounds[highest] > _LAST_ROUND:
        raise ConsortiumError(
            f"the last round that it promised cannot be {rounds[highest]}",
            reason=Reason.CEREMONY_FAILED,
            culprit=context.names[highest],
            remedy="nothing has changed; run it again with another member",
        )
    return rounds[highest]


def _store(
    folder: PartyHome,
    passphrase: Passphrase,
    scene: _Scene,
    share: KeyShare,
    model: SharesAtRest | None,
) -> None:
    """Shares first, the consortium file last, if it is a newer one: with it the folder is complete."""
    if folder.has(folder.consortium_file) and folder.consortium().epoch < scene.consortium.epoch:
        discard(folder)  # of an epoch that is over; killed here, it recovers again
    write_atomic(folder.key_share_file, seal(share.encode(), passphrase, PURPOSE_KEY_SHARE), secret=True)
    if model is not None:
        sealed = model.seal(scene.identity.member.encryption_key)
        open_share(sealed, scene.identity.decrypt, member=scene.own, commitment=model.commitment)
        write_atomic(folder.model_share_file, sealed, secret=True)
    save_consortium(folder.consortium_file, scene.consortium)


def _raise_floor(journal: Journal, context: RecoverContext, floor: int, *, lost: bool) -> bool:
    """Close the rounds that the others know of. Whether this member can promise rounds from now on."""
    why = f"recovered with the help of {', '.join(context.names[index] for index in context.others)}"[:200]
    if lost and not context.knows_every_round:
        journal.distrust(floor, why)
        return False
    journal.raise_floor(floor, why)
    return True


def _transcript_of(
    scene: _Scene, context: RecoverContext, broadcasts: list[SignedMessage], floor: int
) -> TranscriptBody:
    consortium = scene.consortium
    model = None if consortium.model is None else bytes.fromhex(consortium.model)
    return TranscriptBody(
        version=1,
        kind="recover",
        consortium=consortium.id_bytes,
        ceremony=context.ceremony,
        old_hash=consortium.hash,
        old_epoch=consortium.epoch,
        new_roster=consortium.roster_hash,
        new_epoch=consortium.epoch,
        cast=tuple(
            CastMember(member.name, bytes.fromhex(member.signing_key), index, index)
            for index, member in enumerate(consortium.members)
        ),
        participants=context.participants,
        dealers=context.helpers,
        broadcasts=ordered_broadcasts(broadcasts),
        threshold=consortium.threshold,
        public_key=context.key.public_key,
        public_shares=context.key.public_shares,
        old_model=model,
        new_model=model,
        floor=floor,
    )


__all__ = ["Recovery", "run_recover_command"]
