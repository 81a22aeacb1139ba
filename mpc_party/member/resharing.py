"""`mpc-party reshare` and `refresh` as members run them: together, each at its own terminal, their parties stopped.

What each state means, and what to do:

    waiting for NAME        that member has not started the command yet, or is unreachable; where it is refused instead, the two
                            have different consortium files, next files or --without
    meeting                 members tell what an earlier try has left open, and end it one way or the other
    agreeing                a name for this ceremony; killed up to here and in the next two, a member is as before
    resharing the key       four exchanges; a failure names who broke which rule, and nothing is kept
    moving the model        four more (a fifth, if somebody stands in)
    attesting               new shares are on the disk; with the journal's `attested`, this member signs in no epoch until it
                            knows how the ceremony ended. Killed here: all run the same command again
    switching               the signatures of all are on the disk: the new epoch counts. Killed here: any command of this member
                            finishes the move
    done                    the consortium file is that of the new epoch, and old shares are erased

A member that was killed while attesting is brought to the end by the same command at all members. One that has come to the end
may run it again as well: it has the certificate, and hands it to the others. Or the one that was killed takes the completed
consortium file and the transcript from another: `mpc-party join FILE --transcript FILE`.

The contract's epoch has to follow, since reports carry it: see `next_steps`.
"""

import hashlib
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from mpc_party.journal import Journal
from mpc_party.member.ceremony import wait_for
from mpc_party.member.connecting import open_mesh
from mpc_party.member.epoch_switch import finish_move, sweep, transcript_to
from mpc_party.member.evidence_files import evidence_kept
from mpc_party.member.handing_over import HandingOver, NewShares, open_transcript
from mpc_party.member.home import PURPOSE_KEY_SHARE, PartyHome
from mpc_party.member.shares import old_shares
from mpc_party.mesh import Mesh, MeshError, MeshSession, deadline_in
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.keystore import seal
from mpc_party.protocol.model_share import open_share
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.resharing.cast import Cast, cast_of
from mpc_party.resharing.meeting import Ended, Meeting, Memory, Met, meet
from mpc_party.resharing.moving import Moved, Shift, move_shares
from mpc_party.resharing.standing import Decision
from mpc_party.resharing.successor import successor
from mpc_party.resharing.transcript import CeremonyKind, Transcript, TranscriptBody, load_transcript
from mpc_party.signing import MessageKeys

_SESSION: Final = b"mpc-hedge/reshare-session/v1"
RUN_SECONDS: Final = 120.0
_REMEDY_REFUSED: Final = (
    "compare the consortium file in force, the next file and --without: all give the same; who is in the new epoch already helps"
    " with the same reshare, or with `mpc-party refresh --to-epoch N`"
)
_LAST_ROUND: Final = 2**48 - 1


@dataclass(frozen=True)
class Reshared:
    """What came of it: the consortium file in force, its transcript, and whether this member is in the new epoch."""

    consortium: Consortium
    transcript: Transcript
    file: Path
    stays: bool


@dataclass(frozen=True)
class _Scene:
    """What this run is about. `done`: the certificate, where this member has come to the end before."""

    kind: CeremonyKind
    old: Consortium
    new: Consortium
    cast: Cast
    seat: int
    done: Transcript | None


def run_reshare_command(
    folder: PartyHome,
    passphrase: Passphrase,
    next_file: Path,
    *,
    old_file: Path | None,
    without: Collection[str],
    wait: float,
    listen: str | None,
    say: Callable[[str], None],
) -> Reshared:
    """`mpc-party reshare`: to the members and the threshold of the next consortium file.

    Args:
        folder: of a member of the old or of the new epoch.
        passphrase: of its keys.
        next_file: the next file, from the operator; the same at all.
        old_file: the file in force, for who has none yet.
        without: names of old members that are absent; the same at all.
        wait: seconds to wait for the others.
        listen: HOST:PORT to bind instead of the address in the file.
        say: told each state as it is entered.

    Raises:
        ConsortiumError: somebody is missing, or a check failed. Unless the error says otherwise, all is as it was.
    """
    finish_move(folder)
    identity, following = folder.identity(passphrase), load_consortium(next_file)
    scene = _scene(folder, identity, "reshare", following, old_file, without)
    return _run(folder, passphrase, identity, scene, wait, listen, say)


def run_refresh_command(
    folder: PartyHome,
    passphrase: Passphrase,
    *,
    to_epoch: int | None,
    wait: float,
    listen: str | None,
    say: Callable[[str], None],
) -> Reshared:
    """`mpc-party refresh`: new shares of the same key, for the same members. Every member derives the next file itself.

    Args:
        folder: of a member.
        passphrase: of its keys.
        to_epoch: the epoch to come to; for who is there already, and helps others to end it. None: the next one.
        wait: seconds to wait for the others.
        listen: HOST:PORT to bind instead of the address in the file.
        say: told each state as it is entered.

    Raises:
        ConsortiumError: somebody is missing, or a check failed. Unless the error says otherwise, all is as it was.
    """
    finish_move(folder)
    identity, present = folder.identity(passphrase), folder.consortium()
    if to_epoch == present.epoch:
        following = msgspec.structs.replace(present, key=None, model=None)
    else:
        following = successor(present)
        if to_epoch not in {None, following.epoch}:
            raise ConfigError(
                f"--to-epoch: this member is in epoch {present.epoch}, and comes to {following.epoch} next",
                remedy="run it without --to-epoch, or take up what the others have completed",
            )
    scene = _scene(folder, identity, "refresh", following, None, ())
    return _run(folder, passphrase, identity, scene, wait, listen, say)


def _scene(
    folder: PartyHome,
    identity: Identity,
    kind: CeremonyKind,
    following: Consortium,
    old_file: Path | None,
    without: Collection[str],
) -> _Scene:
    """Which file follows which here, and this member's part in it.

    Raises:
        ConfigError: the files do not follow each other, or this identity is in neither.
    """
    present = folder.consortium() if folder.has(folder.consortium_file) else None
    done = None
    if present is not None and present.key is not None and present.roster_hash == following.roster_hash:
        done = _certificate_here(folder, present)
        old = load_consortium(folder.path / "consortium.previous.toml")
    elif old_file is not None:
        old = load_consortium(old_file)
    elif present is not None:
        old = present
    else:
        raise ConfigError(
            f"no consortium in {folder.path}",
            reason=Reason.CONSORTIUM_INCOMPLETE,
            remedy="who joins gives the file in force, from the operator, with --from",
        )
    cast = cast_of(old, following, without)
    seat = cast.seat_of(identity.member)
    identity.require_member(following if cast.new_index[seat] is not None else old)
    return _Scene(kind, old, following, cast, seat, done)


def _certificate_here(folder: PartyHome, present: Consortium) -> Transcript:
    """The certificate of the change that this folder has come through."""
    file = transcript_to(folder, present.epoch)
    if file is None:
        raise ConfigError(
            f"{folder.path} is in epoch {present.epoch} already, and has no transcript of a change to it",
            remedy="nothing to do here; a member that was not brought there takes file and transcript from another",
        )
    return load_transcript(file)


def _run(
    folder: PartyHome,
    passphrase: Passphrase,
    identity: Identity,
    scene: _Scene,
    wait: float,
    listen: str | None,
    say: Callable[[str], None],
) -> Reshared:
    old, new, cast, seat = scene.old, scene.new, scene.cast, scene.seat
    epoch = new.epoch if scene.done is not None else old.epoch
    with ExitStack() as stack:
        stack.enter_context(evidence_kept(folder.path))
        journal = stack.enter_context(Journal.open(folder.journal_file, consortium=old.id_bytes, epoch=epoch))
        sweep(folder, journal)
        key_share = model_share = None
        if scene.done is None and cast.old_index[seat] is not None:
            key_share, model_share = old_shares(folder, passphrase, identity, old)
        roster = msgspec.structs.replace(new, members=cast.members)
        mesh = stack.enter_context(
            open_mesh(roster, seat, identity, listen=listen, consortium_hash=cast.meeting(old, new))
        )
        _wait(mesh, scene, wait, say)
        session = hashlib.sha256(_SESSION + cast.meeting(old, new)).digest()
        links = stack.enter_context(mesh.session(session, cast.participants, deadline_in(RUN_SECONDS)))
        handing = HandingOver(folder, journal, old, new, cast, seat, identity.sign, say)
        say("meeting")
        ended, floor = _meet(links, scene, folder, journal, identity, handing)
        if ended is not None:
            return _told(folder, ended, scene)
        keys = MessageKeys(sign=identity.sign, keys=cast.keys)
        shift = Shift(scene.kind, old, new, cast, floor)
        moved = move_shares(links, shift, keys, key_share, model_share, say)
        shares = _sealed(moved, passphrase, identity, cast.new_index[seat])
        return _told(folder, handing.hand_over(links, moved.body, shares), scene)


def _wait(mesh: Mesh, scene: _Scene, wait: float, say: Callable[[str], None]) -> None:
    """Wait for the others, and say where this member has nothing more to wait for itself."""
    others = [seat for seat in scene.cast.participants if seat != scene.seat]
    here = f"this member is in epoch {scene.new.epoch}, and helps others to come there"
    done = scene.done is not None
    if done:
        say(here)
    try:
        wait_for(mesh, others, wait, (lambda text: say(f"{here}; {text}")) if done else say)
    except MeshError as error:
        raise MeshError(
            f"{here}; {error.message}" if done else error.message,
            reason=error.reason,
            peers=error.peers,
            remedy=_REMEDY_REFUSED
            if error.reason is Reason.PEER_REFUSED
            else "nothing to do for itself"
            if done
            else error.remedy,
        ) from None


def _meet(
    links: MeshSession,
    scene: _Scene,
    folder: PartyHome,
    journal: Journal,
    identity: Identity,
    handing: HandingOver,
) -> tuple[Consortium | None, int]:
    """End what an earlier try has left open. What this member has come to by that, and the floor for a new ceremony.

    Raises:
        ConsortiumError: an earlier ceremony stays undecided, or was completed and leads somewhere else.
    """
    old, new, cast = scene.old, scene.new, scene.cast
    undecided = open_transcript(folder, journal) if scene.done is None else scene.done.body
    memory = Memory(
        open=undecided,
        certificate=scene.done,
        last_round=None if cast.old_index[scene.seat] is None else min(journal.last_round(), _LAST_ROUND),
        sign=identity.sign,
        refuse=journal.abort_handover,
    )

    def may_stay_away(body: TranscriptBody, missing_old: int, missing_new: int) -> bool:
        # Those who stay away could not sign by themselves, neither in the old epoch nor in the one that they may have.
        return missing_old <= 2 * old.threshold and missing_new <= 2 * body.threshold

    meeting = Meeting(cast, cast.meeting(old, new), old, old.threshold + new.threshold, may_stay_away)
    met = meet(links, meeting, memory)
    completed = None
    for ended in met.ended:
        mine = undecided is not None and ended.body.hash == undecided.hash
        completed = _end(ended, scene, folder, handing, mine=mine) or completed
    return completed, _floor(met, old.threshold)


def _end(
    ended: Ended, scene: _Scene, folder: PartyHome, handing: HandingOver, *, mine: bool
) -> Consortium | None:
    """Do what was decided about one earlier ceremony."""
    body, found = ended.body, ended.verdict
    name = f"the ceremony {body.ceremony.hex()[:8]} of an earlier try"
    if found.decision is Decision.UNDECIDED:
        raise ConsortiumError(
            f"{name} is undecided: {found.because}",
            reason=Reason.HANDOVER_UNDECIDED,
            remedy="run this again with that member; one that is lost for good is left out, of the next file or by --without",
        )
    if found.decision is Decision.GIVE_UP:
        if mine and scene.done is not None:
            raise ConsortiumError(
                f"{name} is complete here, and others have given it up",
                reason=Reason.HANDOVER_ENDED,
                remedy=f"`mpc-party recover` brings them into epoch {scene.new.epoch}, with t+1 others that are in it",
            )
        if mine:
            handing.give_up(body)
        handing.say(f"{name} is given up: {found.because}")
        return None
    if ended.certificate is None or not (mine or scene.done is not None):
        raise ConsortiumError(
            f"{name} was completed, without this member or after it had given it up",
            reason=Reason.HANDOVER_ENDED,
            remedy="take its consortium file from a member that is in that epoch, and `mpc-party recover` with --from FILE, together"
            " with members that are in it",
        )
    completed = folder.consortium() if scene.done is not None else handing.commit(ended.certificate)
    if completed.roster_hash != scene.new.roster_hash:
        raise ConsortiumError(
            f"{name} was completed: this member is in epoch {completed.epoch} now, by another next file",
            reason=Reason.HANDOVER_ENDED,
            remedy="make the next file from that epoch's, and run the command with it",
        )
    return completed


def _floor(met: Met, threshold: int) -> int:
    """Where the new epoch's rounds begin: as many old members as may lie, and one more, say that they have come so far.

    So it is not above what an honest member has promised: one that lies upwards does not close rounds to all. A member's own
    promises bind it anyway. The contract accepts no round twice in any epoch, so that too low a floor costs a refused report.
    """
    said = sorted(met.last_rounds.values(), reverse=True)
    return said[threshold] if len(said) > threshold else 0


def _sealed(moved: Moved, passphrase: Passphrase, identity: Identity, index: int | None) -> NewShares:
    """The new shares as they lie on the disk, read again as they will be."""
    if moved.key_share is None or index is None:
        return NewShares(None, None)
    key_share = seal(moved.key_share.encode(), passphrase, PURPOSE_KEY_SHARE)
    if moved.model_share is None:
        return NewShares(key_share, None)
    model_share = moved.model_share.seal(identity.member.encryption_key)
    open_share(model_share, identity.decrypt, member=index, commitment=moved.body.new_model)
    return NewShares(key_share, model_share)


def _told(folder: PartyHome, consortium: Consortium, scene: _Scene) -> Reshared:
    file = transcript_to(folder, consortium.epoch)
    if file is None:
        raise ConsortiumError("a change of epoch without a transcript", reason=Reason.INTERNAL)
    stays = scene.cast.new_index[scene.seat] is not None
    return Reshared(consortium, load_transcript(file), file, stays)


def next_steps(reshared: Reshared) -> tuple[str, ...]:
    """What to do after the ceremony, in order."""
    consortium = reshared.consortium
    if not reshared.stays:
        return (
            "This member is not in the new epoch, and its shares are erased; so should be its backups of them.",
        )
    steps = []
    if consortium.settlement is not None:
        steps.append(
            f"The contract must follow to epoch {consortium.epoch}: if the rotation to {consortium.group_address} is scheduled"
            " and its delay is over, `mpc-coordinator act execute`; else sign it now: `mpc-party sign-action rotate`"
            f" --group-key {consortium.group_address} --new-epoch {consortium.epoch}."
        )
    steps.append("Send the operator the consortium file; then start `mpc-party run` again, all.")
    steps.append("Make new backups: those of before are of shares that no longer count.")
    return tuple(steps)


__all__ = ["Reshared", "next_steps", "run_refresh_command", "run_reshare_command"]
